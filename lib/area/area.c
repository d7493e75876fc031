/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding the area for a spec: whether the line of /proc/swaps that it means can carry an image, and where it lies.
 */
#include "area/area.h"

#include "area/block.h"
#include "area/header.h"
#include "area/mapping.h"
#include "area/mounts.h"
#include "area/spec.h"
#include "area/suitable.h"
#include "area/swaps.h"
#include "area/tags.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_names[] = {
	[AREA_PARTITION] = "partition",
	[AREA_FILE] = "file",
};
_Static_assert(ARRAY_LENGTH(kind_names) == _AREA_KIND_MAX, "each kind has a name");

const char *area_kind_name(enum area_kind kind)
{
	return kind >= 0 && kind < _AREA_KIND_MAX ? kind_names[kind] : NULL;
}

/* ---- one active area --------------------------------------------------- */

/* What /proc/swaps and the block device say. @area->filesystem is known for a file. */
static void take_facts(struct area *area, const struct sysctx *sys, const struct swap_entry *entry,
		       const struct block *block, const struct swap_header *header)
{
	struct tags tags;

	area->kind = entry->file ? AREA_FILE : AREA_PARTITION;
	snprintf(area->name, sizeof(area->name), "%s", entry->name);
	snprintf(area->device, sizeof(area->device), "%s", block->path);
	area->devno = block->devno;
	area->size = entry->size;
	area->used = entry->used;
	area->priority = entry->priority;
	area->removable = block->removable;
	area->rotational = block->rotational;
	area->sector_size = block->sector_size;
	memcpy(area->identity.swap_uuid, header->uuid, sizeof(header->uuid));
	area->identity.device_size = block->size;
	area->identity.partition_start = block->start;
	block_device_id(sys, block, area->identity.device_id);
	if (tags_read(sys, block, entry->file ? area->filesystem : "swap", &tags) < 0)
		return;
	memcpy(area->identity.part_uuid, tags.part_uuid, sizeof(tags.part_uuid));
	if (entry->file)
		tags_uuid_bytes(tags.uuid, area->identity.filesystem_uuid);
}

static int examine_partition(struct area *area, const struct sysctx *sys, const struct swap_entry *entry, bool strict,
			     struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	struct swap_header header;
	struct block block;
	int r = block_by_path(sys, entry->name, &block);

	if (r < 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, -r, entry->name, NULL, "the swap device is not there any more");
	r = block_check_suitable(sys, &block, entry->name, strict, f);
	if (r < 0)
		return r;
	fd = block_open(sys, &block, O_RDONLY);
	r = fd < 0 ? fd : swap_header_read(fd, 0, &header);
	if (r < 0)
		return failure_set(f, r == -EUCLEAN ? REASON_AREA_UNSUITABLE : REASON_IO, -r, entry->name, NULL,
				   "the swap header cannot be read");
	if (header.pages > block.size / PAGE_BYTES)
		return failure_set(f, REASON_AREA_UNSUITABLE, EUCLEAN, entry->name, "Make it anew with mkswap.",
				   "the swap header speaks of %llu pages, but the device has %llu",
				   (unsigned long long)header.pages, (unsigned long long)(block.size / PAGE_BYTES));
	area->extents.count = 0;
	r = extent_list_append(&area->extents, 0, header.pages * PAGE_BYTES);
	if (r < 0)
		return failure_set(f, REASON_INTERNAL, -r, entry->name, NULL, "no room for the extents of the area");
	take_facts(area, sys, entry, &block, &header);
	area->offset_pages = 0;
	return 0;
}

/* The mount that carries the swap file, of a kind that can be mapped. */
static int find_filesystem(const struct sysctx *sys, const struct swap_entry *entry, struct mount_entry *mount,
			   struct failure *f)
{
	int r = mounts_of_path(sys, entry->name, mount);

	if (r < 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, -r, entry->name, NULL,
				   "the filesystem of the swap file cannot be found in /proc/self/mountinfo");
	if (!mapping_supports(mount->type))
		return failure_set(f, REASON_AREA_UNSUITABLE, EOPNOTSUPP, entry->name,
				   "Use a swap partition, or a swap file on ext4, XFS, btrfs or f2fs.",
				   "the swap file lies on %s, where its place cannot be found", mount->type);
	return 0;
}

static int examine_file(struct area *area, const struct sysctx *sys, const struct swap_entry *entry, bool strict,
			struct failure *f)
{
	struct mapping mapping = {.extents = &area->extents};
	AUTO_CLOSE int fd = -1;
	struct mount_entry mount;
	struct swap_header header;
	struct block block;
	struct stat st;
	uint64_t size;
	int r;

	if (entry->deleted)
		return failure_set(f, REASON_AREA_UNSUITABLE, ENOENT, entry->name, "swapoff it, and make it anew.",
				   "the swap file has been deleted while in use; it has no name to find it by after a reboot");
	r = sys_stat(sys, entry->name, &st);
	if (r < 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, -r, entry->name, "swapoff it, and activate one that has a name.",
				   "no name leads to the swap file any more: was its filesystem unmounted?");
	r = find_filesystem(sys, entry, &mount, f);
	if (r < 0)
		return r;
	fd = sys_open(sys, entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return failure_set(f, REASON_AREA_UNSUITABLE, fd < 0 ? -fd : EINVAL, entry->name, NULL,
				   "the swap file cannot be opened by its name");
	r = swap_header_read(fd, 0, &header);
	if (r < 0)
		return failure_set(f, r == -EUCLEAN ? REASON_AREA_UNSUITABLE : REASON_IO, -r, entry->name, NULL,
				   "this is not the active swap file: its swap header cannot be read");
	size = MIN(header.pages * PAGE_BYTES, (uint64_t)st.st_size / PAGE_BYTES * PAGE_BYTES);
	r = mapping_read(sys, fd, entry->name, mount.type, size, &mapping, f);
	if (r < 0)
		return r;
	r = block_by_devno(sys, mapping.other_device ? mapping.devno : mount.devno, &block);
	if (r < 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, -r, entry->name, NULL,
				   "the block device of its filesystem (%s) cannot be found", mount.source);
	r = block_check_suitable(sys, &block, entry->name, strict, f);
	if (r < 0)
		return r;
	if (!extent_list_contains(&area->extents, mapping.first_page, PAGE_BYTES) ||
	    area->extents.items[area->extents.count - 1].start + area->extents.items[area->extents.count - 1].length > block.size)
		return failure_set(f, REASON_AREA_UNSUITABLE, EUCLEAN, entry->name, NULL,
				   "the swap file is mapped beyond the end of %s", block.path);
	snprintf(area->filesystem, sizeof(area->filesystem), "%.15s", mount.type);
	take_facts(area, sys, entry, &block, &header);
	area->offset_pages = mapping.first_page / PAGE_BYTES;
	return 0;
}

/* Fill in @area, whose extents point to the caller's array, from one line of /proc/swaps. */
static int examine(struct area *area, const struct sysctx *sys, const struct swap_entry *entry, bool strict,
		   struct failure *f)
{
	struct area found = {.extents = area->extents};
	int r = entry->file ? examine_file(&found, sys, entry, strict, f) : examine_partition(&found, sys, entry, strict, f);

	if (r < 0)
		return r;
	*area = found;
	return 0;
}

/* ---- finding it ---------------------------------------------------------- */

/* The suitable area of highest priority; what was passed over is told if none is left. */
static int find_auto(struct area *area, const struct sysctx *sys, const struct swap_entry *entries, int count,
		     struct failure *f)
{
	bool tried[SWAPS_MAX] = {false};
	char passed[FAILURE_TEXT_MAX] = "";
	struct failure why = {0};
	int r = -ENODEV;

	if (count == 0)
		return failure_set(f, REASON_NO_AREA, ENODEV, "/proc/swaps", "Activate a swap partition or a swap file.",
				   "no swap is active, so there is no place for an image");
	for (int n = 0; n < count && r < 0; n++) {
		size_t length = strlen(passed);
		int best = -1;

		for (int i = 0; i < count; i++)
			if (!tried[i] && (best < 0 || entries[i].priority > entries[best].priority))
				best = i;
		if (best < 0)
			break;
		tried[best] = true;
		r = examine(area, sys, &entries[best], true, &why);
		snprintf(passed + length, sizeof(passed) - length, "%s%.64s: %.200s", length ? "; " : "", entries[best].name,
			 why.text);
	}
	if (r == 0)
		return 0;
	if (count == 1) {
		if (f)
			*f = why;
		return r;
	}
	return failure_set(f, REASON_NO_AREA, EOPNOTSUPP, "/proc/swaps", "Activate a swap partition or a swap file on a disk.",
			   "no active swap can hold an image: %.300s", passed);
}

int area_find(struct area *area, const struct sysctx *sys, const char *spec, struct extent *items, size_t capacity,
	      struct failure *f)
{
	struct area found = {0};
	struct swap_entry entries[SWAPS_MAX];
	const struct swap_entry *entry = NULL;
	const char *value;
	enum spec_kind kind = spec_parse(spec, &value);
	int count = swaps_read(sys, entries), r = 0;

	if (count < 0)
		return failure_set(f, REASON_IO, -count, "/proc/swaps", NULL, "the active swap areas cannot be read");
	if (sysconf(_SC_PAGESIZE) != (long)PAGE_BYTES)
		return failure_set(f, REASON_UNAVAILABLE, EOPNOTSUPP, "kernel", NULL, "its pages are not of %u bytes", PAGE_BYTES);
	extent_list_init(&found.extents, items, capacity);
	switch (kind) {
	case SPEC_AUTO:
		r = find_auto(&found, sys, entries, count, f);
		break;
	case SPEC_PATH:
		r = spec_find_by_path(sys, entries, count, value, &entry, f);
		break;
	case SPEC_UUID:
	case SPEC_LABEL:
	case SPEC_PARTUUID:
		r = spec_find_by_tag(sys, entries, count, kind, spec, value, &entry, f);
		break;
	case _SPEC_KIND_MAX:
	case _SPEC_KIND_INVALID:
		return failure_set(f, REASON_CONFIG, EINVAL, spec, "Use auto, a path, UUID=, LABEL= or PARTUUID=.",
				   "this is not the name of a device");
	}
	if (r == 0 && entry)
		r = examine(&found, sys, entry, false, f);
	if (r < 0)
		return r;
	*area = found;
	return 0;
}

/* ---- an area that was found -------------------------------------------- */

uint64_t area_free_bytes(const struct area *area)
{
	return area->size > area->used ? area->size - area->used : 0;
}

int area_check_room(const struct area *area, uint64_t needed, struct failure *f)
{
	if (area_free_bytes(area) >= needed)
		return 0;
	return failure_set(f, REASON_TOO_SMALL, ENOSPC, area->name, "Make the area larger, free memory, or set a smaller ImageSize.",
			   "%llu MiB are needed, but of %llu MiB of swap %llu MiB are in use",
			   (unsigned long long)div_up(needed, MIB), (unsigned long long)(area->size / MIB),
			   (unsigned long long)div_up(area->used, MIB));
}

static int find_entry(const struct area *area, const struct sysctx *sys, struct swap_entry *entry, struct failure *f)
{
	struct swap_entry entries[SWAPS_MAX];
	int count = swaps_read(sys, entries);

	if (count < 0)
		return failure_set(f, REASON_IO, -count, "/proc/swaps", NULL, "the active swap areas cannot be read");
	for (int i = 0; i < count; i++) {
		if (strcmp(entries[i].name, area->name) != 0 || entries[i].file != (area->kind == AREA_FILE) || entries[i].deleted)
			continue;
		if (entries[i].size != area->size)
			break;
		*entry = entries[i];
		return 0;
	}
	return failure_set(f, REASON_AREA_UNSUITABLE, ESTALE, area->name, "Try again.",
			   "the swap area was turned off or replaced in the meantime");
}

int area_refresh(struct area *area, const struct sysctx *sys, struct failure *f)
{
	struct area now = {.extents = area->extents};
	struct swap_entry entry;
	int r = find_entry(area, sys, &entry, f);

	if (r < 0)
		return r;
	r = examine(&now, sys, &entry, false, f);
	if (r < 0)
		return r;
	if (now.devno != area->devno || now.offset_pages != area->offset_pages ||
	    memcmp(now.identity.swap_uuid, area->identity.swap_uuid, sizeof(now.identity.swap_uuid)) != 0)
		return failure_set(f, REASON_AREA_UNSUITABLE, ESTALE, area->name, "Try again.",
				   "the swap area was replaced by another one in the meantime");
	*area = now;
	return 0;
}

int area_check_owner(const struct area *area, const struct sysctx *sys, struct failure *f)
{
	struct swap_entry entry;

	return find_entry(area, sys, &entry, f);
}

static int open_device(const struct sysctx *sys, const char *path, dev_t devno, int flags, struct failure *f)
{
	struct block block;
	int r = block_by_devno(sys, devno, &block);

	if (r == 0)
		r = block_open(sys, &block, flags | O_DIRECT);
	if (r >= 0)
		return r;
	if (r == -EBUSY || r == -EPERM)
		return failure_set(f, REASON_AREA_UNSUITABLE, -r, path,
				   "Boot without bdev_allow_write_mounted=0, or use a swap partition.",
				   "the kernel does not let anyone write to this device");
	if (r == -EROFS)
		return failure_set(f, REASON_AREA_UNSUITABLE, EROFS, path,
				   "Make it writable: a switch on the medium, or blockdev --setrw.", "nothing can be written to it");
	if (r == -ENODEV)
		return failure_set(f, REASON_AREA_UNSUITABLE, ENODEV, path, "Connect it again.", "the device has gone");
	if (r == -ESTALE)
		return failure_set(f, REASON_AREA_UNSUITABLE, -r, path, NULL, "the device has become another one");
	return failure_set(f, REASON_IO, -r, path, NULL, "the device cannot be opened");
}

int area_open(const struct area *area, const struct sysctx *sys, int flags, struct failure *f)
{
	return open_device(sys, area->device, area->devno, flags, f);
}

int area_place_open(const struct area_place *place, const struct sysctx *sys, int flags, struct failure *f)
{
	return open_device(sys, place->device, place->devno, flags, f);
}
