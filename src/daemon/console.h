/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console: a virtual terminal of our own while we work, and the progress line.
 *
 * The ioctl path of the kernel never prepares a console, so the switch is ours, before FREEZE (X and
 * Wayland servers must still be alive to give up the display), with a limit of two seconds. Output
 * is non-blocking: a stuck serial line must not stop a hibernation.
 */
#pragma once

#include "base/sys.h"

struct console {
	const struct sysctx *sys;
	int fd;           /* where progress goes; -1: nowhere */
	int previous_vt;  /* to switch back to; 0: did not switch */
	int own_vt;
	bool show;        /* progress wanted */
	uint64_t started; /* clock_monotonic_usec() of the current phase */
	uint64_t shown;   /* when the line was last written */
	bool dirty_line;  /* cursor stands behind an unfinished line */
};

/* Open /dev/console of @s, which is borrowed; @show: write progress to it. Never fails. */
void console_init(struct console *console, const struct sysctx *s, bool show);
void console_deinit(struct console *console);

/* Switch to a free virtual terminal, if the console is on one. Never fails; console_restore() undoes it. */
void console_take(struct console *console);
void console_restore(struct console *console);

/* A line of its own. */
void console_say(struct console *console, const char *format, ...) PRINTF_LIKE(2, 3);
/* Start a phase: sets the clock for console_progress(). */
void console_begin(struct console *console);
/* "what: 45 %, 120 MB/s, 3 s left", at most ten times a second. @total 0: unknown. @bytes moved so far. */
void console_progress(struct console *console, const char *what, uint64_t done, uint64_t total, uint64_t bytes);
