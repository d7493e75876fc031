/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Abort keys and signals.
 *
 * Esc on the console or on a keyboard, and the power key where there is an input device with one. The
 * devices are opened before FREEZE and read directly: no service is alive to tell us. SIGTERM, SIGINT
 * and SIGHUP are blocked for the whole session and read from a signalfd, so that they abort at
 * points where everything can be undone and never in between.
 */
#pragma once

#include "base/sys.h"

#include <poll.h>
#include <termios.h>

#define KEYS_DEVICES_MAX 16

struct keys {
	int signals;                    /* signalfd */
	int console;                    /* console set to raw input, or -1 */
	struct termios console_before;
	bool console_changed;
	int devices[KEYS_DEVICES_MAX];  /* evdev descriptors */
	size_t device_count;
	bool esc;                       /* which keys abort */
	bool power;
	bool aborted;                   /* seen one; sticky */
	char by[48];                    /* "the Esc key", "SIGTERM": for the message */
};

/* Block and collect the signals. 0 or -errno. */
int keys_init(struct keys *keys);
/* Open what can deliver the wanted keys. Never fails; a machine may have none. */
void keys_open(struct keys *keys, const struct sysctx *s, bool esc, bool power);
/* Close the devices and give the console back. Idempotent; signals stay collected until keys_deinit(). */
void keys_close(struct keys *keys);
void keys_deinit(struct keys *keys);

/* True once an abort was asked for. Looks at everything, never blocks. */
bool keys_aborted(struct keys *keys);

/* What was pressed until now means nothing: it was the answer to a question. Signals stay. */
void keys_forget(struct keys *keys);

/*
 * Wait until @fd (-1: none) can be read or has hung up, or until @deadline of clock_monotonic_usec(). Returns 1, 0 for the
 * deadline, or -ECANCELED for one of the signals, which @keys->by then names.
 */
int keys_wait(struct keys *keys, int fd, uint64_t deadline);
