/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things every file wants: array sizes, page arithmetic, printf checking.
 *
 * PAGE_BYTES is the unit of /dev/snapshot and of every image on the disk: 4096 bytes on each
 * architecture that this program supports. A kernel with larger pages is refused at run time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u
#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define CLEANUP(function) __attribute__((cleanup(function)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static inline uint64_t div_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit;
}
