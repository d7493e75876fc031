/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an image can live.
 *
 * An area is an active swap area: a partition (any block device that carries swap by itself) or a
 * file on ext2/3/4, XFS, f2fs or btrfs. Images are written to the block device below, at places that the
 * kernel's swap allocator granted, so what matters about an area is the list of its extents on
 * that device. A swap file's extents cannot change while it is active, but they are taken again just before
 * FREEZE all the same, and the kernel confirms the place of the first page (SET_SWAP_AREA).
 *
 * All areas are looked at through a struct sysctx, so that tests can root it at a made-up tree. In a rooted
 * tree a regular file /dev/NAME stands for the block device NAME of /sys/class/block.
 *
 * Refused: zram, ram disks, loop and network block devices (they need user space or a filesystem to be written),
 * dm-crypt with a key that dies with this boot, deleted swap files, filesystems whose mapping the kernel
 * would not use either. A plain dm-crypt device without a line in /etc/crypttab may or may not have such a
 * key: "auto" passes it over, a spec that names it accepts it.
 */
#pragma once

#include "area/identity.h"
#include "base/extent.h"
#include "base/failure.h"
#include "base/sys.h"

#define AREA_NAME_MAX 256
#define AREA_AUTO "auto"
#define AREA_OFFSET_UNKNOWN UINT64_MAX

enum area_kind {
	AREA_PARTITION,
	AREA_FILE,
	_AREA_KIND_MAX,
	_AREA_KIND_INVALID = -1,
};

struct area {
	enum area_kind kind;
	char name[AREA_NAME_MAX];       /* as in /proc/swaps, escapes undone */
	char device[AREA_NAME_MAX];     /* /dev/NAME of the block device that carries it */
	char filesystem[16];            /* swap file: "ext4", "xfs", ...; else empty */
	dev_t devno;                    /* of @device */
	uint64_t offset_pages;          /* of the first page on the device, for SET_SWAP_AREA */
	uint64_t size;                  /* bytes that can hold pages (without the header page), as /proc/swaps says */
	uint64_t used;                  /* bytes of it already swapped to */
	int priority;
	bool removable;
	bool rotational;
	uint32_t sector_size;           /* logical block size of the device, bytes */
	struct area_identity identity;
	struct extent_list extents;     /* on the device, header page included, normalized; the array is the caller's */
};

/* Stable lower-case name ("partition", "file"), NULL outside the enum. */
const char *area_kind_name(enum area_kind kind);

/*
 * Find the active area that @spec names: "auto", the path of a swap device or swap file, UUID=, LABEL= or
 * PARTUUID= of a swap partition, or any of these for the block device of the filesystem that carries the
 * swap file. "auto": the one of highest priority that is suitable. The extents go into @items (room for
 * @capacity), which @area borrows from then on. Reads only; nothing of the system changes.
 *
 * REASON_NO_AREA          no such device, or no swap is active, or none that "auto" can use (the text says why each was passed over)
 * REASON_AREA_UNSUITABLE  it exists, but is not swap, is not active, is mounted, or is of a kind that is refused
 * REASON_TOO_SMALL        more extents than @capacity (-ENOSPC)
 */
int area_find(struct area *area, const struct sysctx *sys, const char *spec, struct extent *items, size_t capacity,
	      struct failure *f);

/* Free bytes of the area, by what was read last. */
uint64_t area_free_bytes(const struct area *area);

/* -ENOSPC and REASON_TOO_SMALL with the numbers if less than @needed bytes are free. */
int area_check_room(const struct area *area, uint64_t needed, struct failure *f);

/*
 * Take everything again, just before FREEZE: still active, same device, same first page; used bytes and extents
 * are updated. -ESTALE and REASON_AREA_UNSUITABLE if it has become another area.
 */
int area_refresh(struct area *area, const struct sysctx *sys, struct failure *f);

/* After SET_SWAP_AREA: /proc/swaps still has this area, with the same size and kind. -ESTALE otherwise. Opens only /proc/swaps. */
int area_check_owner(const struct area *area, const struct sysctx *sys, struct failure *f);

/*
 * Open the block device, O_DIRECT with @flags (O_RDONLY or O_RDWR); it is checked to be the device that was found.
 * Returns a descriptor, or -errno with REASON_IO or REASON_AREA_UNSUITABLE.
 */
int area_open(const struct area *area, const struct sysctx *sys, int flags, struct failure *f);

/* The resume side: where an area is that may hold an image. Nothing is mounted and no swap is active. */
struct area_place {
	char device[AREA_NAME_MAX];
	dev_t devno;
	uint64_t first_page;            /* device byte offset of the area's first page: where the mark is */
	bool removable;
	uint32_t sector_size;
	struct area_identity identity;
};

/* Called between two looks for a device that has not appeared; 0 = go on, a negative errno ends the wait. */
typedef int (*area_wait)(void *data, uint64_t waited_usec);

/*
 * Find the area for resume. @spec as in area_find(), without names of files. @first_page is the byte offset of the
 * area's first page on the device: 0 for a partition, from the boot configuration for a swap file, or
 * AREA_OFFSET_UNKNOWN, which means 0 here. "auto" looks at each block device for an armed mark of
 * ours at offset 0, and among copies of the same image prefers the device that the mark speaks of.
 *
 * Waits up to @wait_usec for the device to appear, looking every 100 ms and calling @wait (may be NULL) each time;
 * "auto" looks once and then as long as the caller wishes, too. A device that was found is not judged: read
 * its mark (area/mark.h) next. Returns 0; -ENODEV and REASON_NO_AREA when the time is over (for "auto":
 * REASON_NO_IMAGE), or what @wait returned (REASON_ABORTED).
 */
int area_find_resume(struct area_place *place, const struct sysctx *sys, const char *spec, uint64_t first_page,
		     uint64_t wait_usec, area_wait wait, void *wait_data, struct failure *f);

/* As area_open(). O_RDONLY for the worker; O_RDWR for the mark. */
int area_place_open(const struct area_place *place, const struct sysctx *sys, int flags, struct failure *f);
