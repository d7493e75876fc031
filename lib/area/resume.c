/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding the area before anything is mounted. Devices appear while drivers probe, so the search is repeated; one
 * look costs a page a device for "auto", and a probe by libblkid where a tag is asked for.
 */
#include "area/area.h"
#include "area/block.h"
#include "area/header.h"
#include "area/mark.h"
#include "area/tags.h"
#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_USEC (100 * USEC_PER_MSEC)

static void describe(struct area_place *place, const struct sysctx *sys, const struct block *block, uint64_t first_page)
{
	struct area_place found = {.devno = block->devno, .first_page = first_page, .removable = block->removable,
				   .sector_size = block->sector_size};
	AUTO_CLOSE int fd = block_open(sys, block, O_RDONLY | O_DIRECT);
	struct swap_header header;
	struct tags tags;

	snprintf(found.device, sizeof(found.device), "%s", block->path);
	found.identity.device_size = block->size;
	found.identity.partition_start = block->start;
	block_device_id(sys, block, found.identity.device_id);
	if (fd >= 0 && swap_header_read(fd, first_page, &header) == 0)
		memcpy(found.identity.swap_uuid, header.uuid, sizeof(header.uuid));
	if (tags_read(sys, block, "swap", &tags) == 0)
		memcpy(found.identity.part_uuid, tags.part_uuid, sizeof(tags.part_uuid));
	*place = found;
}

/* How well a device fits "auto". */
enum rank {
	RANK_NOTHING,
	RANK_DAMAGED,  /* a mark of ours that cannot be read */
	RANK_ARMED,    /* an image, but by its identity on another device: a copy */
	RANK_MATCHING, /* an image, on the device that it was written to */
};

struct scan {
	const struct sysctx *sys;
	enum rank rank;
	struct area_place place;
};

static int look_at(void *data, const struct block *block)
{
	char page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	struct scan *scan = data;
	struct area_place place;
	struct mark mark;
	AUTO_CLOSE int fd = -1;
	enum rank rank;

	if (!block_worth_reading(block))
		return 0;
	fd = block_open(scan->sys, block, O_RDONLY | O_DIRECT);
	if (fd < 0 || fd_pread_full(fd, page, sizeof(page), 0) < 0)
		return 0;
	mark_decode(page, &mark);
	if (mark.kind != MARK_ARMED && mark.kind != MARK_DAMAGED)
		return 0;
	describe(&place, scan->sys, block, 0);
	rank = mark.kind == MARK_DAMAGED ? RANK_DAMAGED : RANK_ARMED;
	if (rank == RANK_ARMED && area_identity_compare(&mark.identity, &place.identity, block->path, NULL) == 0)
		rank = RANK_MATCHING;
	if (rank > scan->rank) {
		scan->rank = rank;
		scan->place = place;
	}
	return rank == RANK_MATCHING;
}

/* One look. 0 or -ENODEV. */
static int look(struct area_place *place, const struct sysctx *sys, enum spec_kind kind, const char *value,
		uint64_t first_page)
{
	struct scan scan = {.sys = sys};
	struct block block;
	int r;

	if (kind == SPEC_AUTO) {
		block_each(sys, look_at, &scan);
		if (scan.rank == RANK_NOTHING)
			return -ENODEV;
		*place = scan.place;
		return 0;
	}
	if (kind == SPEC_PATH)
		r = block_by_path(sys, value, &block);
	else
		r = tags_find(sys, kind, value, &block, 1) == 1 ? 0 : -ENODEV;
	if (r < 0 || !block.size)
		return -ENODEV;
	describe(place, sys, &block, first_page);
	return 0;
}

int area_find_resume(struct area_place *place, const struct sysctx *sys, const char *spec, uint64_t first_page,
		     uint64_t wait_usec, area_wait wait, void *wait_data, struct failure *f)
{
	const char *value;
	enum spec_kind kind = spec_parse(spec, &value);
	uint64_t began = clock_monotonic_usec();

	if (kind == _SPEC_KIND_INVALID)
		return failure_set(f, REASON_CONFIG, EINVAL, spec, "Use auto, a path, UUID=, LABEL= or PARTUUID=.",
				   "this is not the name of a device");
	if (first_page == AREA_OFFSET_UNKNOWN)
		first_page = 0;
	for (;;) {
		uint64_t waited;
		int r = look(place, sys, kind, value, first_page);

		if (r == 0)
			return 0;
		waited = clock_monotonic_usec() - began;
		if (waited >= wait_usec)
			break;
		r = wait ? wait(wait_data, waited) : 0;
		if (r < 0)
			return failure_set(f, REASON_ABORTED, -r, spec, NULL, "stopped waiting for the device");
		clock_sleep_usec(MIN(PAUSE_USEC, wait_usec - waited));
	}
	if (kind == SPEC_AUTO)
		return failure_set(f, REASON_NO_IMAGE, ENODEV, spec, NULL, "no block device holds an image");
	return failure_set(f, REASON_NO_AREA, ENODEV, spec, "Check the resume device of the boot configuration.",
			   "the device did not appear within %llu seconds", (unsigned long long)(wait_usec / USEC_PER_SEC));
}
