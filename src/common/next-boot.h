/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the next boot will find an image that is written now.
 *
 * The resume step runs before anything is mounted. It is told a device and, for a swap file, the place of its first
 * page; it has hibernate.conf as its initramfs carries it, overridden by the kernel command line. What it will be told
 * cannot be seen from here. What is seen is what it would be told if nothing changed: this system's hibernate.conf and
 * the command line of this boot. An image that nobody finds is a session lost, so these must lead to the area. That
 * there is a resume step at all is known by the note that it leaves in /run, which the system takes over from the
 * initramfs; one that was made since this boot leaves its first note in the next.
 */
#pragma once

#include "area/area.h"
#include "common/bus.h"
#include "config/config.h"

#define NEXT_BOOT_DEVICE_MAX 64
#define RESUME_STEP_NOTE RUN_FOLDER "/resume-step"

/* What leads to an area, as the resume side has to write it. */
struct next_boot {
	char device[NEXT_BOOT_DEVICE_MAX]; /* for ResumeDevice=; of a swap file that of its filesystem's device */
	bool has_offset;                   /* a swap file */
	uint64_t offset_pages;             /* for ResumeOffset= */
	bool noresume;                     /* this boot was told not to resume; if that stays, the image will be dropped */
	bool no_step;                      /* no resume step has left its note in this boot; without one the image will be dropped */
};

/* The lines for @area. Reads nothing. */
void next_boot_describe(struct next_boot *next, const struct area *area);

/*
 * Check that @config and /proc/cmdline lead to @area, and fill in @next, also if they do not. 0, or -ENXIO and REASON_CONFIG naming
 * where it was said, both places, and the lines that would be right; or another -errno and REASON_CONFIG for a
 * command line that the resume step could not read either.
 */
int next_boot_check(struct next_boot *next, const struct sysctx *sys, const struct config *config,
		    const struct area *area, struct failure *f);

/* What may keep the next boot from resuming although everything leads there; NULL if nothing does. */
const char *next_boot_warning(const struct next_boot *next);

/* "ResumeDevice=... ResumeOffset=..." into @buf. Returns @buf. */
char *next_boot_format(const struct next_boot *next, char *buf, size_t size);
