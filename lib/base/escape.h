/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Showing text that somebody else chose.
 *
 * A label from an image that nobody has vouched for may hold what steers a terminal, hides or reorders what stands
 * around it, or is no UTF-8 at all. What cannot simply be seen becomes its number, so that the reader sees that it is there.
 */
#pragma once

#include "base/util.h"

/*
 * @length bytes at @text (up to a NUL, if there is one), fit to be shown between double quotes, into @buf of @size bytes
 * (at least 8), always terminated. Printing UTF-8 stays. Control characters, quotes, backslashes and bytes that are no
 * UTF-8 become \xHH; characters without width, blanks other than the ASCII one, those that change the direction of
 * writing, that are drawn over others, or that nobody has given a meaning become \u{HHHH}. What does not fit ends in "...".
 * Returns @buf.
 */
char *escape_text(const char *text, size_t length, char *buf, size_t size);

/*
 * For a whole message, into which such text may have come from anywhere: what escape_text() would make a number of becomes
 * one '?', in place; quotes and backslashes, which messages have of their own, stay. Nothing is allocated. Returns @text.
 */
char *escape_message(char *text);
