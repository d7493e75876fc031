/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded reading and writing of little-endian bytes.
 *
 * Bytes from a disk, a socket or a file pass through a reader before anything believes them. The
 * first access past the end sets @overrun, which stays set; every later get returns 0, every later
 * put does nothing. So a parser reads a whole structure and checks once.
 */
#pragma once

#include "base/util.h"

struct reader {
	const uint8_t *data;
	size_t size;
	size_t at;
	bool overrun;
};

struct writer {
	uint8_t *data;
	size_t size;
	size_t at;
	bool overrun;
};

void reader_init(struct reader *r, const void *data, size_t size);
uint8_t get_u8(struct reader *r);
uint16_t get_u16(struct reader *r);
uint32_t get_u32(struct reader *r);
uint64_t get_u64(struct reader *r);
/* Copy @size bytes to @out; zeros on overrun. */
void get_bytes(struct reader *r, void *out, size_t size);
/* Skip @size bytes; false and overrun if any of them is not zero. */
bool get_zeros(struct reader *r, size_t size);
/* A field of @size bytes that must hold a NUL within it, copied to @out of the same size; else overrun. */
void get_string(struct reader *r, char *out, size_t size);
size_t reader_left(const struct reader *r);

void writer_init(struct writer *w, void *data, size_t size);
void put_u8(struct writer *w, uint8_t value);
void put_u16(struct writer *w, uint16_t value);
void put_u32(struct writer *w, uint32_t value);
void put_u64(struct writer *w, uint64_t value);
void put_bytes(struct writer *w, const void *data, size_t size);
void put_zeros(struct writer *w, size_t size);
/* @text into a field of @size bytes, cut and always NUL-terminated, padded with zeros. */
void put_string(struct writer *w, const char *text, size_t size);
