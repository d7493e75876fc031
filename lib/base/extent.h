/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs of bytes on a block device, and the stream that is laid over them.
 *
 * An extent list turns a stream (offsets 0 to total) into places on the device: the stream runs
 * through the extents in list order. Everything is in bytes and a multiple of PAGE_BYTES. The list
 * never allocates: its array belongs to the caller, because lists are filled while user space is
 * frozen and memory must not be asked for.
 */
#pragma once

#include "base/util.h"

struct extent {
	uint64_t start;  /* byte offset on the device */
	uint64_t length; /* bytes */
};

struct extent_list {
	struct extent *items; /* borrowed */
	size_t count;
	size_t capacity;
};

/* Use @items (room for @capacity) as an empty list. */
void extent_list_init(struct extent_list *list, struct extent *items, size_t capacity);

/*
 * Append [start, start+length), merging with the last extent if it continues it.
 * -EINVAL if unaligned, empty or wrapping; -ENOSPC if the array is full.
 */
int extent_list_append(struct extent_list *list, uint64_t start, uint64_t length);

/* Sort by start and merge what touches. -EEXIST if two extents overlap (the list is then sorted, not merged). */
int extent_list_normalize(struct extent_list *list);

/* Sum of the lengths, in bytes. */
uint64_t extent_list_total(const struct extent_list *list);

/* True if [start, start+length) lies wholly inside one extent of a normalized @list. */
bool extent_list_contains(const struct extent_list *list, uint64_t start, uint64_t length);

/*
 * Where stream offset @offset lies: *@start gets the device offset and *@run how many bytes follow
 * contiguously from there. -ERANGE past the end. Linear; keep an extent_cursor for streams.
 */
int extent_list_locate(const struct extent_list *list, uint64_t offset, uint64_t *start, uint64_t *run);

/* A position in the stream that remembers its extent, so that ascending look-ups cost O(1). */
struct extent_cursor {
	const struct extent_list *list;
	size_t index;
	uint64_t base; /* stream offset at which extent @index begins */
};

void extent_cursor_init(struct extent_cursor *cursor, const struct extent_list *list);

/* As extent_list_locate(). Going backwards restarts from the first extent. */
int extent_cursor_locate(struct extent_cursor *cursor, uint64_t offset, uint64_t *start, uint64_t *run);
