/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots for the whole image, one ioctl a page.
 *
 * The kernel promises no order: a fresh area hands out long ascending runs, a fragmented one thousands of
 * pieces. Runs are merged as they come, forwards and backwards; when the array is full it is sorted, which
 * merges what touches across runs.
 */
#include "snapshot/snapshot.h"

#include <errno.h>

#define TICK_PAGES 1024

static int wrong_slot(struct failure *f, uint64_t offset, const char *what)
{
	return failure_set(f, REASON_INTERNAL, ERANGE, SNAPSHOT_DEVICE, "Do not use this swap area for hibernation; please report it.",
			   "the kernel granted a place %s (byte %llu of the device); nothing was written", what,
			   (unsigned long long)offset);
}

/* Put one page into the list. -ENOSPC if the array is full. */
static int add_page(struct extent_list *list, uint64_t offset)
{
	struct extent *last = list->count ? &list->items[list->count - 1] : NULL;

	if (last && last->start == offset + PAGE_BYTES) {
		last->start -= PAGE_BYTES;
		last->length += PAGE_BYTES;
		return 0;
	}
	return extent_list_append(list, offset, PAGE_BYTES);
}

static int add_page_making_room(struct extent_list *list, uint64_t offset, struct failure *f)
{
	int r = add_page(list, offset);

	if (r != -ENOSPC)
		return r;
	if (extent_list_normalize(list) < 0)
		return wrong_slot(f, offset, "twice");
	r = add_page(list, offset);
	if (r == -ENOSPC)
		return failure_set(f, REASON_TOO_SMALL, ENOSPC, SNAPSHOT_DEVICE, "Make the area anew, or make it larger.",
				   "free swap is too fragmented: %zu pieces hold no more than %llu MiB", list->count,
				   (unsigned long long)(extent_list_total(list) / MIB));
	return r;
}

static int allocate(struct snapshot *s, const struct extent_list *allowed, uint64_t wanted, struct extent_list *granted,
		    snapshot_tick tick, void *tick_data, struct failure *f)
{
	for (uint64_t pages = 0; pages * PAGE_BYTES < wanted; pages++) {
		uint64_t offset;
		int r;

		if (tick && pages % TICK_PAGES == 0) {
			r = tick(tick_data, pages * PAGE_BYTES);
			if (r < 0)
				return failure_set(f, REASON_ABORTED, -r, NULL, NULL, "stopped while allocating swap");
		}
		r = snapshot_alloc_swap_page(s, &offset, f);
		if (r == -ENOSPC)
			break;
		if (r < 0)
			return r;
		if (offset % PAGE_BYTES || !extent_list_contains(allowed, offset, PAGE_BYTES))
			return wrong_slot(f, offset, "outside the swap area");
		if (offset == s->area_first)
			return wrong_slot(f, offset, "that is the swap header");
		r = add_page_making_room(granted, offset, f);
		if (r < 0)
			return r;
	}
	if (extent_list_normalize(granted) < 0)
		return wrong_slot(f, 0, "twice");
	return 0;
}

int snapshot_allocate_slots(struct snapshot *s, const struct extent_list *allowed, uint64_t wanted,
			    struct extent_list *granted, snapshot_tick tick, void *tick_data,
			    struct failure *f)
{
	int r;

	if (s->fd < 0 || !s->area_set || s->image != SNAPSHOT_IMAGE_TAKEN || s->slots)
		return failure_set(f, REASON_INTERNAL, EPERM, SNAPSHOT_DEVICE, NULL, "allocating slots is out of order here");
	granted->count = 0;
	r = allocate(s, allowed, wanted, granted, tick, tick_data, f);
	if (r < 0) {
		granted->count = 0;
		snapshot_free_swap_pages(s, NULL);
	}
	return r;
}
