/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a swap file's pages lie on the block device.
 *
 * The kernel takes the same map at swapon and holds it until swapoff; a file that it would not accept
 * (holes, inline or compressed data, shared extents, more than one device) is refused here for the same reasons.
 * Whole pages of the device only: an extent that does not begin or end on a page loses the rest, as in the
 * kernel. Unwritten extents are as good as others.
 *
 * Kernel fact (iomap_swapfile_add_extent(), and generic_swapfile_activate() to the same effect): the first whole page of the
 * device inside the file is what SET_SWAP_AREA and resume_offset= call the file's first page. But swapon reads the
 * header where the file begins. With blocks smaller than a page these may be two places; the signature then lies at none that
 * a page offset can name, the kernel's own hibernation does not find it, and such files are refused here. ext4 with blocks
 * of 1 KiB counts from its second block, so that nearly all of its files are of this kind.
 */
#pragma once

#include "area/block.h"
#include "base/extent.h"
#include "base/failure.h"

struct mapping {
	uint64_t first_page;         /* device byte offset of the file's first page */
	struct extent_list *extents; /* in: an empty list; out: normalized, device bytes */
	bool other_device;           /* @devno is set: the filesystem's own number is not that of a device (btrfs) */
	dev_t devno;
};

/* True if swap files on filesystems of @type can be mapped. */
bool mapping_supports(const char *type);

/*
 * Map the first @size bytes of the open file @fd on a filesystem of @type. @name is for messages. REASON_AREA_UNSUITABLE (-EOPNOTSUPP and
 * others) for files that cannot be swap, REASON_TOO_SMALL (-ENOSPC) if the list is full, or REASON_IO.
 */
int mapping_read(const struct sysctx *sys, int fd, const char *name, const char *type, uint64_t size,
		 struct mapping *mapping, struct failure *f);

/* btrfs: one logical extent through the chunk tree (mapping-btrfs.c). */
struct btrfs_map {
	uint64_t devid;  /* of the only device, 0 before the first extent */
	/* The chunk looked up last. */
	uint64_t logical, length, physical;
};

/* *@physical for @logical and *@run, how many bytes follow contiguously. */
int btrfs_map_logical(const struct sysctx *sys, int fd, const char *name, struct btrfs_map *map, uint64_t logical,
		      uint64_t *physical, uint64_t *run, struct failure *f);

/* The block device behind map->devid. */
int btrfs_map_device(const struct sysctx *sys, int fd, const char *name, const struct btrfs_map *map, dev_t *devno,
		     struct failure *f);
