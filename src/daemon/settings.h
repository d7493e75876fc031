/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the running kernel that a hibernation changes and puts back: the preferred image size,
 * the console log level, and the CPU latency request that keeps processors out of deep idle states
 * while pages move.
 */
#pragma once

#include "base/sys.h"

struct settings {
	bool saved;
	bool have_image_size;
	uint64_t image_size; /* bytes, /sys/power/image_size */
	int loglevel;        /* -1: unknown, not restored */
	int latency;         /* open /dev/cpu_dma_latency, or -1 */
};

void settings_init(struct settings *settings);
/* Remember what is in force. */
void settings_save(struct settings *settings, const struct sysctx *s);
/* Set the console log level (0 to 7); -1 leaves it. */
void settings_set_loglevel(const struct settings *settings, const struct sysctx *s, int level);
/* Ask for the lowest CPU latency until settings_restore(). */
void settings_hold_latency(struct settings *settings, const struct sysctx *s);
/* Put back what settings_save() found. Idempotent. */
void settings_restore(struct settings *settings, const struct sysctx *s);
