/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cursor.h"

#include <string.h>

void reader_init(struct reader *r, const void *data, size_t size)
{
	*r = (struct reader){.data = data, .size = size};
}

/* The next @size bytes, or NULL and overrun. */
static const uint8_t *take(struct reader *r, size_t size)
{
	const uint8_t *at;

	if (r->overrun || size > r->size - r->at) {
		r->overrun = true;
		return NULL;
	}
	at = r->data + r->at;
	r->at += size;
	return at;
}

static uint64_t get_le(struct reader *r, size_t size)
{
	const uint8_t *at = take(r, size);
	uint64_t value = 0;

	for (size_t i = size; at && i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

uint8_t get_u8(struct reader *r)
{
	return (uint8_t)get_le(r, 1);
}

uint16_t get_u16(struct reader *r)
{
	return (uint16_t)get_le(r, 2);
}

uint32_t get_u32(struct reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t get_u64(struct reader *r)
{
	return get_le(r, 8);
}

void get_bytes(struct reader *r, void *out, size_t size)
{
	const uint8_t *at = take(r, size);

	if (at)
		memcpy(out, at, size);
	else
		memset(out, 0, size);
}

bool get_zeros(struct reader *r, size_t size)
{
	const uint8_t *at = take(r, size);

	for (size_t i = 0; at && i < size; i++)
		if (at[i])
			r->overrun = true;
	return !r->overrun;
}

void get_string(struct reader *r, char *out, size_t size)
{
	get_bytes(r, out, size);
	if (size && !memchr(out, '\0', size)) {
		memset(out, 0, size);
		r->overrun = true;
	}
}

size_t reader_left(const struct reader *r)
{
	return r->overrun ? 0 : r->size - r->at;
}

void writer_init(struct writer *w, void *data, size_t size)
{
	*w = (struct writer){.data = data, .size = size};
}

static uint8_t *reserve(struct writer *w, size_t size)
{
	uint8_t *at;

	if (w->overrun || size > w->size - w->at) {
		w->overrun = true;
		return NULL;
	}
	at = w->data + w->at;
	w->at += size;
	return at;
}

static void put_le(struct writer *w, uint64_t value, size_t size)
{
	uint8_t *at = reserve(w, size);

	for (size_t i = 0; at && i < size; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

void put_u8(struct writer *w, uint8_t value)
{
	put_le(w, value, 1);
}

void put_u16(struct writer *w, uint16_t value)
{
	put_le(w, value, 2);
}

void put_u32(struct writer *w, uint32_t value)
{
	put_le(w, value, 4);
}

void put_u64(struct writer *w, uint64_t value)
{
	put_le(w, value, 8);
}

void put_bytes(struct writer *w, const void *data, size_t size)
{
	uint8_t *at = reserve(w, size);

	if (at && size)
		memcpy(at, data, size);
}

void put_zeros(struct writer *w, size_t size)
{
	uint8_t *at = reserve(w, size);

	if (at)
		memset(at, 0, size);
}

void put_string(struct writer *w, const char *text, size_t size)
{
	uint8_t *at = reserve(w, size);
	size_t length = strlen(text);

	if (!at || !size)
		return;
	length = MIN(length, size - 1);
	memcpy(at, text, length);
	memset(at + length, 0, size - length);
}
