/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saying what happens while nobody can listen.
 *
 * Between FREEZE and UNFREEZE nothing may talk to a service: journald's reader is frozen and its
 * queue fills. So every line goes into a ring in memory, key lines also to /dev/kmsg (which never
 * blocks), and after the thaw the ring is written to stderr in one go. Outside a frozen section lines
 * go to stderr at once.
 *
 * Where nothing is frozen, holding back means that key lines are in the kernel's log whoever reads stderr.
 *
 * The journal takes stderr and the kernel's log. Where stderr is the journal, a line goes to only one of them: key lines
 * of a frozen section to the kernel's log, all others to stderr, with their level.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"

#define LOG_RING_BYTES (32 * 1024)

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5, /* this and below also go to /dev/kmsg */
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

struct log {
	int kmsg;        /* -1 if there is none */
	bool journal;    /* stderr is the journal, which takes the kernel's log, too */
	bool held;       /* true while user space is frozen */
	bool lost;       /* the ring ran over while held */
	size_t used;     /* bytes of @ring */
	char ring[LOG_RING_BYTES];
};

/* Opens /dev/kmsg; never fails, a missing one is left out. */
void log_init(struct log *log, const struct sysctx *s);
void log_deinit(struct log *log);
/* Hold lines back (before FREEZE), and let them go (after UNFREEZE). */
void log_hold(struct log *log);
void log_release(struct log *log);
void log_line(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);
/* A failure as an error line. */
void log_failure(struct log *log, const struct failure *f);
