/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * btrfs addresses. FIEMAP gives addresses in the filesystem's own space, which chunks map to devices; the chunk
 * tree can be searched with BTRFS_IOC_TREE_SEARCH (CAP_SYS_ADMIN). Only chunks of the single profile, all on one
 * device, can carry swap; the kernel demands the same at swapon.
 */
#include "area/mapping.h"

#include <endian.h>
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static int unsuitable(const char *name, int error, struct failure *f, const char *why)
{
	return failure_set(f, REASON_AREA_UNSUITABLE, error, name, "Make the swap file anew, as btrfs(5) says.",
			   "the swap file %s", why);
}

/* Take over the chunk if it holds @logical: 1; 0 if it does not; or -errno. */
static int use_chunk(const char *name, struct btrfs_map *map, uint64_t start, const void *item, size_t size,
		     uint64_t logical, struct failure *f)
{
	struct btrfs_chunk chunk;

	if (size < sizeof(chunk))
		return unsuitable(name, EUCLEAN, f, "lies in a chunk that makes no sense");
	memcpy(&chunk, item, sizeof(chunk));
	if (logical < start || logical - start >= le64toh(chunk.length))
		return 0;
	if (le64toh(chunk.type) & BTRFS_BLOCK_GROUP_PROFILE_MASK || le16toh(chunk.num_stripes) != 1)
		return unsuitable(name, EOPNOTSUPP, f, "lies in a chunk of another profile than single");
	if (map->devid && map->devid != le64toh(chunk.stripe.devid))
		return unsuitable(name, EOPNOTSUPP, f, "lies on more than one device");
	map->devid = le64toh(chunk.stripe.devid);
	map->logical = start;
	map->length = le64toh(chunk.length);
	map->physical = le64toh(chunk.stripe.offset);
	return 1;
}

/* Look through one answer of the kernel. 1 found, 0 not, -errno. *@next gets where the next search begins. */
static int scan_answer(const char *name, struct btrfs_map *map, const struct btrfs_ioctl_search_args *args,
		       uint64_t logical, uint64_t *next, struct failure *f)
{
	size_t at = 0;

	for (uint32_t i = 0; i < args->key.nr_items; i++) {
		struct btrfs_ioctl_search_header header;
		int r;

		if (at + sizeof(header) > sizeof(args->buf))
			break;
		memcpy(&header, args->buf + at, sizeof(header));
		at += sizeof(header);
		if (header.len > sizeof(args->buf) - at)
			break;
		*next = header.offset + 1;
		if (header.objectid == BTRFS_FIRST_CHUNK_TREE_OBJECTID && header.type == BTRFS_CHUNK_ITEM_KEY) {
			r = use_chunk(name, map, header.offset, args->buf + at, header.len, logical, f);
			if (r != 0)
				return r;
		}
		at += header.len;
	}
	return 0;
}

static int find_chunk(const struct sysctx *sys, int fd, const char *name, struct btrfs_map *map, uint64_t logical,
		      struct failure *f)
{
	uint64_t next = 0;

	for (;;) {
		struct btrfs_ioctl_search_args args = {.key = {
			.tree_id = BTRFS_CHUNK_TREE_OBJECTID,
			.min_objectid = BTRFS_FIRST_CHUNK_TREE_OBJECTID,
			.max_objectid = BTRFS_FIRST_CHUNK_TREE_OBJECTID,
			.min_type = BTRFS_CHUNK_ITEM_KEY,
			.max_type = BTRFS_CHUNK_ITEM_KEY,
			.min_offset = next,
			.max_offset = logical,
			.max_transid = UINT64_MAX,
			.nr_items = UINT32_MAX,
		}};
		uint64_t from = next;
		int r = sys_ioctl(sys, fd, BTRFS_IOC_TREE_SEARCH, &args);

		if (r < 0)
			return failure_set(f, r == -EPERM ? REASON_PERMISSION : REASON_IO, -r, name,
					   r == -EPERM ? "Run it as root." : NULL, "the chunks of the filesystem cannot be read");
		r = scan_answer(name, map, &args, logical, &next, f);
		if (r < 0)
			return r;
		if (r > 0)
			return 0;
		if (next == from || next > logical)
			return unsuitable(name, EUCLEAN, f, "lies in no chunk of the filesystem");
	}
}

int btrfs_map_logical(const struct sysctx *sys, int fd, const char *name, struct btrfs_map *map, uint64_t logical,
		      uint64_t *physical, uint64_t *run, struct failure *f)
{
	if (!map->length || logical < map->logical || logical - map->logical >= map->length) {
		int r = find_chunk(sys, fd, name, map, logical, f);

		if (r < 0)
			return r;
	}
	*physical = map->physical + (logical - map->logical);
	*run = map->length - (logical - map->logical);
	return 0;
}

int btrfs_map_device(const struct sysctx *sys, int fd, const char *name, const struct btrfs_map *map, dev_t *devno,
		     struct failure *f)
{
	struct btrfs_ioctl_dev_info_args args = {.devid = map->devid};
	int r = sys_ioctl(sys, fd, BTRFS_IOC_DEV_INFO, &args);
	struct block block;

	if (r < 0)
		return failure_set(f, REASON_IO, -r, name, NULL, "the device of the filesystem cannot be asked for");
	args.path[sizeof(args.path) - 1] = '\0';
	r = block_by_path(sys, (const char *)args.path, &block);
	if (r < 0)
		return failure_set(f, REASON_IO, -r, (const char *)args.path, NULL,
				   "the device that carries the swap file %s cannot be looked up", name);
	*devno = block.devno;
	return 0;
}
