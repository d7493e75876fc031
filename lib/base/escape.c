/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

#define ELLIPSIS "..."
#define PIECE_MAX 12 /* \u{10ffff} */

/* Characters that do not show as one glyph in its place; ascending. The ends of planes are in not_shown(). */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{0x0080, 0x00a0},   /* C1 controls (0x9b is CSI), no-break space */
	{0x00ad, 0x00ad},   /* soft hyphen */
	{0x0300, 0x036f},   /* combining */
	{0x061c, 0x061c},   /* Arabic letter mark */
	{0x115f, 0x1160},   /* Hangul fillers */
	{0x1680, 0x1680},   /* a space */
	{0x17b4, 0x17b5},   /* inherent vowels */
	{0x180b, 0x180f},   /* Mongolian selectors and separator */
	{0x1ab0, 0x1aff},   /* combining */
	{0x1dc0, 0x1dff},   /* combining */
	{0x2000, 0x200f},   /* spaces, joiners, direction marks */
	{0x2028, 0x202f},   /* separators, embeddings and overrides of the direction */
	{0x205f, 0x206f},   /* a space, invisible operators, isolates of the direction */
	{0x20d0, 0x20ff},   /* combining */
	{0x2800, 0x2800},   /* Braille blank */
	{0x3000, 0x3000},   /* a space */
	{0x3164, 0x3164},   /* Hangul filler */
	{0xd800, 0xf8ff},   /* surrogates, private use */
	{0xfdd0, 0xfdef},   /* no characters */
	{0xfe00, 0xfe0f},   /* variation selectors */
	{0xfe20, 0xfe2f},   /* combining */
	{0xfeff, 0xfeff},   /* byte order mark */
	{0xffa0, 0xffa0},   /* Hangul filler */
	{0xfff0, 0xffff},   /* annotations, replacement, no characters */
	{0x1d173, 0x1d17a}, /* musical formatting */
	{0xe0000, 0x10ffff} /* tags, variation selectors, private use */
};

static bool not_shown(uint32_t code)
{
	if ((code & 0xfffe) == 0xfffe) /* the last two of each plane are no characters */
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(hidden); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return true;
	return false;
}

/* The character at @text in its shortest form, and how many bytes it takes; 0: no UTF-8. */
static size_t decode(const unsigned char *text, size_t length, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t bytes = text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf8 ? 4 : 0;
	uint32_t value = bytes > 1 ? text[0] & (0x7fu >> bytes) : text[0];

	if (!bytes || bytes > length)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (value < least[bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return bytes;
}

static bool is_control(uint32_t code)
{
	return code < ' ' || code == 0x7f;
}

/* What is shown for the beginning of @text into @piece; returns how many bytes of @text that is. */
static size_t next_piece(const unsigned char *text, size_t length, char piece[PIECE_MAX])
{
	uint32_t code;
	size_t bytes = decode(text, length, &code);

	if (!bytes || is_control(code) || code == '"' || code == '\\') {
		snprintf(piece, PIECE_MAX, "\\x%02x", text[0]);
		return 1;
	}
	if (not_shown(code)) {
		snprintf(piece, PIECE_MAX, "\\u{%x}", code & 0x1fffff);
		return bytes;
	}
	memcpy(piece, text, bytes);
	piece[bytes] = '\0';
	return bytes;
}

char *escape_text(const char *text, size_t length, char *buf, size_t size)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + strnlen(text, length);
	size_t used = 0, cut = 0; /* @cut: the last end after which the ellipsis fits */
	char piece[PIECE_MAX];

	while (at < end) {
		at += next_piece(at, (size_t)(end - at), piece);
		if (used + strlen(piece) >= size) {
			memcpy(buf + cut, ELLIPSIS, sizeof(ELLIPSIS));
			return buf;
		}
		memcpy(buf + used, piece, strlen(piece));
		used += strlen(piece);
		if (used + sizeof(ELLIPSIS) <= size)
			cut = used;
	}
	buf[used] = '\0';
	return buf;
}

char *escape_message(char *text)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);
	char *out = text; /* never ahead of @at */

	while (at < end) {
		uint32_t code = 0;
		size_t bytes = decode(at, (size_t)(end - at), &code);

		if (!bytes || is_control(code) || not_shown(code)) {
			*out++ = '?';
			at += bytes ? bytes : 1;
			continue;
		}
		memmove(out, at, bytes);
		out += bytes;
		at += bytes;
	}
	*out = '\0';
	return text;
}
