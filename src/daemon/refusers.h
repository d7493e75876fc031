/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which tasks would not freeze. The kernel tells nobody but its log: after "Freezing ... failed" it shows each
 * refusing task ("task:NAME state:D ... pid:N"). So the log is followed from just before FREEZE.
 */
#pragma once

#include "base/sys.h"

struct refusers {
	int kmsg; /* /dev/kmsg, positioned at the end when opened; -1 if it cannot be read */
};

void refusers_init(struct refusers *r, const struct sysctx *s);
void refusers_deinit(struct refusers *r);

/* Names and pids seen since the last call, "bash (123), dd (456)", into @buf; empty if none. Returns how many. */
size_t refusers_read(struct refusers *r, char *buf, size_t size);

/* One record of /dev/kmsg: true if it shows a task, with its @name (16 bytes) and @pid. */
bool refusers_parse(const char *record, char *name, int *pid);
