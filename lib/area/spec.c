/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/spec.h"

#include "area/block.h"
#include "area/mounts.h"

#include <errno.h>
#include <string.h>

/* The device that a line of /proc/swaps lives on, without its extents. */
static int device_of(const struct sysctx *sys, const struct swap_entry *entry, dev_t *devno)
{
	struct mount_entry mount;
	struct block block;
	int r;

	if (!entry->file) {
		r = block_by_path(sys, entry->name, &block);
		if (r == 0)
			*devno = block.devno;
		return r;
	}
	r = mounts_of_path(sys, entry->name, &mount);
	if (r < 0)
		return r;
	/* btrfs has a number of its own; its source is the device (any one of several). */
	if (block_by_devno(sys, mount.devno, &block) < 0 && block_by_path(sys, mount.source, &block) < 0)
		return -ENODEV;
	*devno = block.devno;
	return 0;
}

/* The line that lives on one of @blocks: an area by itself before a file, then the highest priority. */
static const struct swap_entry *entry_on(const struct sysctx *sys, const struct swap_entry *entries, int count,
					 const struct block *blocks, int block_count)
{
	const struct swap_entry *best = NULL;

	for (int i = 0; i < count; i++) {
		const struct swap_entry *entry = &entries[i];
		bool here = false;
		dev_t devno;

		if (device_of(sys, entry, &devno) < 0)
			continue;
		for (int j = 0; j < block_count; j++)
			here |= blocks[j].devno == devno;
		if (!here)
			continue;
		if (!best || (best->file && !entry->file) ||
		    (best->file == entry->file && entry->priority > best->priority))
			best = entry;
	}
	return best;
}

/* Say what @block is, since it is not active swap. */
static int explain_block(const struct sysctx *sys, const struct block *block, struct failure *f)
{
	struct mount_entry mount;
	struct tags tags = {0};

	if (mounts_of_device(sys, block->devno, block->path, &mount) == 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, EBUSY, block->path,
				   "Name a swap partition, or make a swap file on it and activate it.",
				   "it is mounted on %s (%s), and no active swap file lies on it", mount.target, mount.type);
	tags_read(sys, block, NULL, &tags);
	if (strcmp(tags.type, "swap") == 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, EINVAL, block->path, "Activate it with swapon.",
				   "it is a swap area, but not active");
	if (strcmp(tags.type, "swsuspend") == 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, EINVAL, block->path, "Discard the image, then activate it with swapon.",
				   "it is a swap area with a hibernation image on it, and not active");
	return failure_set(f, REASON_AREA_UNSUITABLE, EINVAL, block->path, "Name an active swap area (see /proc/swaps).",
			   "it is not a swap area, but %s", tags.type[0] ? tags.type : "nothing known");
}

static int explain_path(const struct sysctx *sys, const char *path, struct failure *f)
{
	struct block block;
	struct stat st;
	int r = block_by_path(sys, path, &block);

	if (r == 0)
		return explain_block(sys, &block, f);
	r = sys_stat(sys, path, &st);
	if (r < 0)
		return failure_set(f, REASON_NO_AREA, -r, path, "Check ResumeDevice.", "there is no such device or file");
	if (S_ISREG(st.st_mode))
		return failure_set(f, REASON_AREA_UNSUITABLE, EINVAL, path, "Activate it with swapon.",
				   "this file is not active swap");
	return failure_set(f, REASON_AREA_UNSUITABLE, ENOTBLK, path, "Name a swap device or a swap file.",
			   "it is neither a block device nor a file");
}

/* True if @path and the name of @entry are the same file. */
static bool same_file(const struct sysctx *sys, const struct swap_entry *entry, const char *path)
{
	struct stat a, b;

	if (strcmp(entry->name, path) == 0)
		return true;
	return !entry->deleted && entry->file && sys_stat(sys, path, &a) == 0 && sys_stat(sys, entry->name, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int spec_find_by_path(const struct sysctx *sys, const struct swap_entry *entries, int count, const char *path,
		      const struct swap_entry **entry, struct failure *f)
{
	struct block block;

	*entry = NULL;
	for (int i = 0; i < count && !*entry; i++)
		if (same_file(sys, &entries[i], path))
			*entry = &entries[i];
	if (!*entry && block_by_path(sys, path, &block) == 0)
		*entry = entry_on(sys, entries, count, &block, 1);
	return *entry ? 0 : explain_path(sys, path, f);
}

int spec_find_by_tag(const struct sysctx *sys, const struct swap_entry *entries, int count, enum spec_kind kind,
		     const char *spec, const char *value, const struct swap_entry **entry, struct failure *f)
{
	struct block blocks[TAGS_FOUND_MAX];
	int n = tags_find(sys, kind, value, blocks, TAGS_FOUND_MAX);

	if (n < 0)
		return failure_set(f, REASON_IO, -n, spec, NULL, "the block devices cannot be listed");
	if (n == 0)
		return failure_set(f, REASON_NO_AREA, ENODEV, spec, "Check ResumeDevice, and lsblk -f.",
				   "no block device has this name");
	*entry = entry_on(sys, entries, count, blocks, n);
	return *entry ? 0 : explain_block(sys, &blocks[0], f);
}
