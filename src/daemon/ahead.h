/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a sealed image ahead while its secret is asked for.
 *
 * A child of the daemon reads the area's device into the page cache, so that whoever types waits for no disk. What it
 * reads is ciphertext, and nobody looks at it before it is read again, by the worker, and verified. Where it reads is
 * guessed: the mark says, in the clear, where the image begins and how many bytes it has on the disk. In an area that is not
 * fragmented it lies there in one piece. What the guess has missed comes from the disk later.
 *
 * How much: the kernel takes memory for the whole image when it has the first few of its pages, and cannot wait for
 * any (GFP_ATOMIC), so that page cache does not count as memory that can be had. The pages of the image stay free,
 * therefore, and 64 MiB. Argon2 is done when they are taken. From 6.6 on the mark's number is without zero pages, which take
 * memory as well; but no snapshot is larger than half of memory, because its copy lies beside it.
 */
#pragma once

#include "area/area.h"
#include "area/mark.h"
#include "base/extent.h"
#include "base/sys.h"
#include "daemon/estimate.h"

#include <stdatomic.h>
#include <sys/types.h>

#define AHEAD_STEP_BYTES (256 * KIB)  /* between two looks at the memory */
#define AHEAD_SPARE_BYTES (64 * MIB)  /* stays free besides the image's pages while it reads... */
#define AHEAD_LEAST_BYTES (32 * MIB)  /* ...and is still free in the end, or all that was read is dropped */

struct ahead {
	int fd;              /* of the device, through the page cache; -1: nothing was begun, or it has been dropped */
	pid_t reader;        /* 0: none runs */
	struct extent range; /* what is to be read; after ahead_end() what has been; empty: nothing */
	uint64_t pages;      /* of the image, as the mark has it */
	_Atomic uint64_t *done; /* bytes; shared with the reader */
};

void ahead_init(struct ahead *a);

/* Start to read the image that @mark at @place leads to. Once, until ahead_drop(). Nothing is lost if it cannot be done. */
void ahead_begin(struct ahead *a, const struct sysctx *s, const struct area_place *place, const struct mark *mark);

/* No more; the reader is gone. Afterwards @a->range is what can be had from @a->fd. */
void ahead_end(struct ahead *a, const struct sysctx *s);

/* End it, and give the memory back. Idempotent. */
void ahead_drop(struct ahead *a);

/* Pure: how many more bytes may be read ahead of an image with so many pages, if @spare bytes are to stay free besides. */
uint64_t ahead_room(const struct estimate_memory *memory, uint64_t pages, uint64_t spare);

/* Pure: where on a device of @device_size bytes an image behind its header page would be in one piece. May be empty. */
struct extent ahead_range(uint64_t header_offset, uint64_t stored_bytes, uint64_t device_size);
