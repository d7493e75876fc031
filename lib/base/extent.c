/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/extent.h"

#include <errno.h>
#include <stdlib.h>

void extent_list_init(struct extent_list *list, struct extent *items, size_t capacity)
{
	*list = (struct extent_list){.items = items, .capacity = capacity};
}

int extent_list_append(struct extent_list *list, uint64_t start, uint64_t length)
{
	struct extent *last = list->count ? &list->items[list->count - 1] : NULL;

	if (length == 0 || start % PAGE_BYTES || length % PAGE_BYTES || start + length < start)
		return -EINVAL;
	if (last && last->start + last->length == start) {
		last->length += length;
		return 0;
	}
	if (list->count == list->capacity)
		return -ENOSPC;
	list->items[list->count++] = (struct extent){.start = start, .length = length};
	return 0;
}

static int compare_start(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/*
 * Heapsort: in place, O(n log n) at worst, and unlike qsort() it never allocates. The lists that
 * reach this are up to a few thousand entries, mostly sorted.
 */
static void sift_down(struct extent *items, size_t root, size_t count)
{
	for (;;) {
		size_t child = 2 * root + 1;

		if (child >= count)
			return;
		if (child + 1 < count && compare_start(&items[child], &items[child + 1]) < 0)
			child++;
		if (compare_start(&items[root], &items[child]) >= 0)
			return;

		struct extent swapped = items[root];
		items[root] = items[child];
		items[child] = swapped;
		root = child;
	}
}

static void sort_extents(struct extent *items, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(items, i, count);
	for (size_t end = count; end-- > 1;) {
		struct extent swapped = items[0];

		items[0] = items[end];
		items[end] = swapped;
		sift_down(items, 0, end);
	}
}

int extent_list_normalize(struct extent_list *list)
{
	size_t kept = 0;

	sort_extents(list->items, list->count);
	for (size_t i = 1; i < list->count; i++)
		if (list->items[i - 1].start + list->items[i - 1].length > list->items[i].start)
			return -EEXIST;
	for (size_t i = 1; i < list->count; i++) {
		struct extent *last = &list->items[kept];

		if (last->start + last->length == list->items[i].start)
			last->length += list->items[i].length;
		else
			list->items[++kept] = list->items[i];
	}
	if (list->count)
		list->count = kept + 1;
	return 0;
}

uint64_t extent_list_total(const struct extent_list *list)
{
	uint64_t total = 0;

	for (size_t i = 0; i < list->count; i++)
		total += list->items[i].length;
	return total;
}

bool extent_list_contains(const struct extent_list *list, uint64_t start, uint64_t length)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct extent *e = &list->items[middle];

		if (start < e->start)
			high = middle;
		else if (start - e->start >= e->length)
			low = middle + 1;
		else
			return length <= e->length - (start - e->start);
	}
	return false;
}

int extent_list_locate(const struct extent_list *list, uint64_t offset, uint64_t *start, uint64_t *run)
{
	struct extent_cursor cursor;

	extent_cursor_init(&cursor, list);
	return extent_cursor_locate(&cursor, offset, start, run);
}

void extent_cursor_init(struct extent_cursor *cursor, const struct extent_list *list)
{
	*cursor = (struct extent_cursor){.list = list};
}

int extent_cursor_locate(struct extent_cursor *cursor, uint64_t offset, uint64_t *start, uint64_t *run)
{
	const struct extent_list *list = cursor->list;

	if (offset < cursor->base)
		extent_cursor_init(cursor, list);
	while (cursor->index < list->count && offset - cursor->base >= list->items[cursor->index].length)
		cursor->base += list->items[cursor->index++].length;
	if (cursor->index == list->count)
		return -ERANGE;
	*start = list->items[cursor->index].start + (offset - cursor->base);
	*run = list->items[cursor->index].length - (offset - cursor->base);
	return 0;
}
