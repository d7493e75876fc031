/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console as a keyboard: raw and without echo while it is held.
 *
 * /dev/console, or the current virtual terminal where that is no terminal that can be read (a kernel told
 * of a serial line that is not there, say). What it was before comes back with terminal_release(); the daemon has its
 * signals blocked and reads them from a descriptor, so that every way out leads there.
 */
#pragma once

#include "base/sys.h"
#include "daemon/keys.h"
#include "daemon/line.h"

#include <termios.h>

struct terminal {
	int fd;                /* -1: not held */
	bool changed;          /* @before is to come back */
	struct termios before;
	int given;             /* instead of /dev/console, borrowed; -1: none. For tests */
};

void terminal_init(struct terminal *t);

/* Open and hold it; what was typed before is dropped. Idempotent. 0 or -errno: there is none without echo. */
int terminal_hold(struct terminal *t, const struct sysctx *s);

/* What was typed at the held terminal and not read yet is dropped. */
void terminal_forget(const struct terminal *t);

/* Put back and close. Idempotent. */
void terminal_release(struct terminal *t);

/* Text as it is, to the held terminal; best effort, it is not waited for long. */
void terminal_say(const struct terminal *t, const char *text);

/*
 * A line from the held terminal into @text of @room bytes. Waits @wait_usec from now or from the last key. @echo_first: the first
 * letter is shown. Returns an enum reply; REPLY_NOBODY when the terminal is gone; -ECANCELED when a signal came (@keys
 * says which). @text is wiped unless REPLY_LINE.
 */
int terminal_read_line(const struct terminal *t, struct keys *keys, uint64_t wait_usec, bool echo_first, uint8_t *text,
		       size_t room, size_t *length);
