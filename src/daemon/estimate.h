/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large an image would be, from /proc/meminfo, without opening /dev/snapshot: opening it runs
 * the kernel's power notifiers and blocks other sleep.
 *
 * The kernel saves every page in use. What it can drop first (page cache, reclaimable slab) it
 * drops until the image fits the preferred size; what it cannot is counted here as "in use".
 * After CREATE_IMAGE the real number is known.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"
#include "codec/codec.h"
#include "config/config.h"

struct estimate {
	uint64_t ram;        /* bytes, MemTotal */
	uint64_t in_use;     /* bytes that must be saved */
	uint64_t droppable;  /* bytes that the kernel may drop to make the image smaller */
	uint64_t image_size; /* preferred size given to the kernel, bytes */
	uint64_t stored;     /* expected bytes on the area */
	uint64_t least;      /* less free space than this is refused at once */
};

/* All memory of this machine, in bytes. Fails if /proc/meminfo cannot be read. */
int estimate_ram(uint64_t *bytes, const struct sysctx *s, struct failure *f);

/* From /proc/meminfo, in bytes; what it does not say is 0. */
struct estimate_memory {
	uint64_t ram;       /* MemTotal */
	uint64_t available; /* MemAvailable */
	uint64_t idle;      /* MemFree */
};

/* Fails if /proc/meminfo cannot be read. */
int estimate_memory(struct estimate_memory *memory, const struct sysctx *s, struct failure *f);

/* What can be had now without swapping, in bytes (MemAvailable). Fails if /proc/meminfo cannot be read. */
int estimate_available(uint64_t *bytes, const struct sysctx *s, struct failure *f);

/*
 * @free: bytes free on the area. Automatic size: what the kernel is set to (/sys/power/image_size), but no
 * more than @free. Fails if /proc/meminfo cannot be read.
 */
int estimate_make(struct estimate *e, const struct sysctx *s, const struct image_size_wish *wish,
		  enum codec_id codec, uint64_t free, struct failure *f);

/* Refuse with REASON_TOO_SMALL and the numbers if @free cannot be enough. */
int estimate_check(const struct estimate *e, const char *area, uint64_t free, struct failure *f);
