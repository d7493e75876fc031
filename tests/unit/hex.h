/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of published vectors, written as hexadecimal text. */
#pragma once

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The bytes of @hex into @out of @room bytes; their number. */
static inline size_t unhex(const char *hex, uint8_t *out, size_t room)
{
	size_t size = strlen(hex) / 2;

	ck_assert_msg(strlen(hex) % 2 == 0 && size <= room, "a bad vector: %s", hex);
	for (size_t i = 0; i < size; i++) {
		unsigned int byte;

		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return size;
}

#define ck_assert_hex(bytes, hex)                                              \
	do {                                                                   \
		uint8_t wanted_[512];                                          \
		size_t size_ = unhex(hex, wanted_, sizeof(wanted_));           \
		ck_assert_mem_eq(bytes, wanted_, size_);                       \
	} while (0)
