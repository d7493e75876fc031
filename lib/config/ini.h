/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of a configuration file, one at a time.
 *
 * The grammar is small on purpose, so that each line means one thing or is an error:
 *
 *   [Section]     brackets around one word, nothing behind
 *   Key=Value     blanks around key and value are dropped; the value is what is left, as it is
 *   # or ;        in the first column that is not blank: a comment
 *
 * There are no quotes, no escapes, no continued lines and no comments behind a value. A byte that text
 * does not have (NUL and other control bytes but tab), a line over INI_LINE_MAX and an empty key are
 * errors. Nothing is allocated: keys and values are cut out of the caller's text.
 */
#pragma once

#include "base/failure.h"
#include "base/util.h"

#define INI_LINE_MAX 1024 /* bytes, without the newline */

enum ini_kind {
	INI_END,     /* no more lines; positive conditions follow */
	INI_SECTION, /* @name */
	INI_ENTRY,   /* @name and @value */
};

struct ini {
	const char *file;  /* borrowed; for messages */
	char *at;          /* borrowed text, written to */
	size_t left;
	unsigned int line; /* of the last item, from 1 */
	const char *name;
	const char *value;
};

/* Read @size bytes of @text, which is cut into pieces on the way and must outlive @ini; text[size] must be writable. */
void ini_init(struct ini *ini, const char *file, char *text, size_t size);

/* The next item: an enum ini_kind, or -EINVAL and REASON_CONFIG naming file and line. */
int ini_next(struct ini *ini, struct failure *f);

/* Fill @f for the current line of @ini; returns -EINVAL. */
int ini_error(const struct ini *ini, struct failure *f, const char *remedy, const char *format, ...)
	PRINTF_LIKE(4, 5);
