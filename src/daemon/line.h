/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line as it is typed at a terminal in raw mode, in memory that somebody else owns.
 *
 * Nothing but that memory holds it. Backspace takes a whole UTF-8 character back, Ctrl-U the line. Escape sequences of arrow and
 * function keys are swallowed, other control characters too: they are hard to type again when it matters.
 */
#pragma once

#include "base/util.h"

/* What became of a question. */
enum reply {
	REPLY_LINE,     /* something was typed */
	REPLY_OTHER,    /* an empty line, Esc, Ctrl-C, Ctrl-D, or "cancel": another answer is wanted */
	REPLY_TOO_LONG, /* more than fits; wiped */
	REPLY_SILENCE,  /* nothing in time */
	REPLY_NOBODY,   /* there is nobody to ask on this way, or not any more */
	REPLY_MORE,     /* line_feed() only: goes on */
};

struct line {
	uint8_t *text; /* the caller's */
	size_t room;
	size_t length;
	bool too_long;
	unsigned char sequence; /* inside an escape sequence: what was seen last, 0 outside */
};

void line_init(struct line *line, uint8_t *text, size_t room);
/* One byte from the keyboard. REPLY_LINE, REPLY_OTHER, REPLY_TOO_LONG (the line is then empty again) or REPLY_MORE. */
enum reply line_feed(struct line *line, uint8_t byte);
/* Nothing more came for a moment: an Esc that stands alone is REPLY_OTHER; else REPLY_MORE. */
enum reply line_pause(struct line *line);
