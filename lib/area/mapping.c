/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FIEMAP, which gives device addresses on ext2/3/4, XFS and f2fs, and logical ones on btrfs.
 */
#include "area/mapping.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#define BATCH 128
#define HEADER_REMEDY "Make it anew on a filesystem with blocks of 4096 bytes, or use a swap partition."

static const struct {
	const char *type;
	bool logical; /* FIEMAP speaks of logical addresses */
} filesystems[] = {
	{"ext2", false}, {"ext3", false}, {"ext4", false}, {"xfs", false}, {"f2fs", false}, {"btrfs", true},
};

/* Extents that cannot be swapped to, by FIEMAP flag. */
static const struct {
	uint32_t flag;
	const char *why;
} refused_flags[] = {
	{FIEMAP_EXTENT_DATA_INLINE, "holds data inside its inode"},
	{FIEMAP_EXTENT_DATA_TAIL, "shares a block with other files"},
	{FIEMAP_EXTENT_DELALLOC, "has no place on the disk yet"},
	{FIEMAP_EXTENT_UNKNOWN, "has no known place on the disk"},
	{FIEMAP_EXTENT_DATA_ENCRYPTED, "is encrypted by the filesystem"},
	{FIEMAP_EXTENT_ENCODED, "is compressed or encrypted by the filesystem"},
	{FIEMAP_EXTENT_SHARED, "shares extents with other files"},
	{FIEMAP_EXTENT_NOT_ALIGNED, "is not aligned to blocks"},
};

struct walk {
	const struct sysctx *sys;
	int fd;
	const char *name;
	struct mapping *mapping;
	bool logical;
	struct btrfs_map btrfs;
	uint64_t next;             /* offset in the file that the next extent must begin at */
	uint64_t size;
	uint64_t start, length;    /* pending run on the device */
	bool first_known;
	uint64_t first_page;
};

bool mapping_supports(const char *type)
{
	for (size_t i = 0; i < ARRAY_LENGTH(filesystems); i++)
		if (strcmp(filesystems[i].type, type) == 0)
			return true;
	return false;
}

static int unsuitable(const struct walk *walk, int error, struct failure *f, const char *why)
{
	return failure_set(f, REASON_AREA_UNSUITABLE, error, walk->name, "Make the swap file anew, as swapon(8) says.",
			   "the swap file %s", why);
}

/* The pending run goes into the list, whole pages of it. */
static int flush_run(struct walk *walk, struct failure *f)
{
	struct extent_list *list = walk->mapping->extents;
	uint64_t start = round_up(walk->start, PAGE_BYTES);
	uint64_t end = (walk->start + walk->length) / PAGE_BYTES * PAGE_BYTES;
	int r;

	walk->length = 0;
	if (start >= end)
		return 0;
	r = extent_list_append(list, start, end - start);
	if (r == -ENOSPC) {
		if (extent_list_normalize(list) < 0)
			return unsuitable(walk, EUCLEAN, f, "maps two places to one");
		r = extent_list_append(list, start, end - start);
	}
	if (r == -ENOSPC)
		return failure_set(f, REASON_TOO_SMALL, ENOSPC, walk->name, "Make the swap file anew on a less fragmented filesystem.",
				   "the swap file lies in more than %zu pieces", list->capacity);
	return r;
}

/* @length bytes at device offset @start follow in the file. */
static int add_run(struct walk *walk, uint64_t start, uint64_t length, struct failure *f)
{
	int r;

	if (start + length < start)
		return unsuitable(walk, EUCLEAN, f, "has extents beyond the end of any device");
	if (!walk->first_known) {
		if (start % PAGE_BYTES)
			return failure_set(f, REASON_AREA_UNSUITABLE, EOPNOTSUPP, walk->name, HEADER_REMEDY,
					   "the swap file does not begin on a page of the device, but %llu bytes into one, "
					   "so that no resume offset can name the place of its header",
					   (unsigned long long)(start % PAGE_BYTES));
		if (length < PAGE_BYTES)
			return failure_set(f, REASON_AREA_UNSUITABLE, EOPNOTSUPP, walk->name, HEADER_REMEDY,
					   "the header page of the swap file does not lie in one piece on the device");
		walk->first_known = true;
		walk->first_page = start;
	}
	if (walk->length && walk->start + walk->length == start) {
		walk->length += length;
		return 0;
	}
	r = walk->length ? flush_run(walk, f) : 0;
	if (r < 0)
		return r;
	walk->start = start;
	walk->length = length;
	return 0;
}

static int add_extent(struct walk *walk, const struct fiemap_extent *extent, struct failure *f)
{
	uint64_t length = MIN(extent->fe_length, walk->size - walk->next), at = extent->fe_physical;

	for (size_t i = 0; i < ARRAY_LENGTH(refused_flags); i++)
		if (extent->fe_flags & refused_flags[i].flag)
			return unsuitable(walk, EOPNOTSUPP, f, refused_flags[i].why);
	if (extent->fe_logical != walk->next)
		return unsuitable(walk, EOPNOTSUPP, f, "has holes");
	walk->next += length;
	while (length) {
		uint64_t start = at, run = length;
		int r = walk->logical ? btrfs_map_logical(walk->sys, walk->fd, walk->name, &walk->btrfs, at, &start, &run, f) : 0;

		if (r < 0)
			return r;
		run = MIN(run, length);
		r = add_run(walk, start, run, f);
		if (r < 0)
			return r;
		at += run;
		length -= run;
	}
	return 0;
}

static int walk_extents(struct walk *walk, struct failure *f)
{
	union {
		struct fiemap map;
		char bytes[sizeof(struct fiemap) + BATCH * sizeof(struct fiemap_extent)];
	} u;

	while (walk->next < walk->size) {
		uint64_t before = walk->next;
		int r;

		memset(&u, 0, sizeof(u));
		u.map.fm_start = walk->next;
		u.map.fm_length = walk->size - walk->next;
		u.map.fm_flags = FIEMAP_FLAG_SYNC;
		u.map.fm_extent_count = BATCH;
		r = sys_ioctl(walk->sys, walk->fd, FS_IOC_FIEMAP, &u);
		if (r < 0)
			return failure_set(f, REASON_IO, -r, walk->name, NULL, "the place of the swap file cannot be asked for");
		for (uint32_t i = 0; i < MIN(u.map.fm_mapped_extents, BATCH) && walk->next < walk->size; i++) {
			r = add_extent(walk, &u.map.fm_extents[i], f);
			if (r < 0)
				return r;
		}
		if (walk->next == before)
			return unsuitable(walk, EOPNOTSUPP, f, "has holes");
	}
	return flush_run(walk, f);
}

/* XFS: a file on the realtime device, whose addresses are those of another device. */
static int check_realtime(const struct walk *walk, struct failure *f)
{
	struct fsxattr attributes = {0};

	if (sys_ioctl(walk->sys, walk->fd, FS_IOC_FSGETXATTR, &attributes) >= 0 &&
	    attributes.fsx_xflags & FS_XFLAG_REALTIME)
		return unsuitable(walk, EOPNOTSUPP, f, "lies on the realtime device of its filesystem");
	return 0;
}

int mapping_read(const struct sysctx *sys, int fd, const char *name, const char *type, uint64_t size,
		 struct mapping *mapping, struct failure *f)
{
	struct walk walk = {.sys = sys, .fd = fd, .name = name, .mapping = mapping, .size = size};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(filesystems); i++)
		if (strcmp(filesystems[i].type, type) == 0)
			walk.logical = filesystems[i].logical;
	mapping->extents->count = 0;
	if (strcmp(type, "xfs") == 0)
		r = check_realtime(&walk, f);
	if (r == 0)
		r = walk_extents(&walk, f);
	if (r < 0)
		return r;
	if (extent_list_normalize(mapping->extents) < 0)
		return unsuitable(&walk, EUCLEAN, f, "maps two places to one");
	if (!walk.first_known)
		return unsuitable(&walk, EOPNOTSUPP, f, "is empty");
	if (walk.logical) {
		r = btrfs_map_device(sys, fd, name, &walk.btrfs, &mapping->devno, f);
		if (r < 0)
			return r;
	}
	mapping->other_device = walk.logical;
	mapping->first_page = walk.first_page;
	return 0;
}
