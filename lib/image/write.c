/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last part of saving: body, header page, flush. In the caller's buffer the header page comes
 * first, then the body; both are written in whole pages, as O_DIRECT wants.
 */
#include "base/fdio.h"
#include "image/check.h"
#include "image/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_failed(const char *name, int r, const char *what, struct failure *f)
{
	return failure_set(f, REASON_IO, -r, name, "Check the disk and its cabling.", "writing the image's %s failed", what);
}

/* Append to @out what of the stream lies from @from on, at most @bytes. Returns the bytes appended, or -ENOSPC. */
static int64_t cut_stream(const struct extent_list *stream, uint64_t from, uint64_t bytes, struct extent_list *out)
{
	struct extent_cursor cursor;
	uint64_t start, run, left = bytes;

	extent_cursor_init(&cursor, stream);
	while (left && extent_cursor_locate(&cursor, from, &start, &run) >= 0) {
		int r;

		run = MIN(run, left);
		r = extent_list_append(out, start, run);
		if (r < 0)
			return r;
		from += run;
		left -= run;
	}
	return (int64_t)(bytes - left);
}

/* Put [@start, @start + @run) among the longest runs seen so far. */
static void keep_longest(struct extent_list *longest, uint64_t start, uint64_t run)
{
	size_t at = longest->count;

	if (longest->count == longest->capacity) {
		if (run <= longest->items[longest->count - 1].length)
			return;
		at--;
	} else {
		longest->count++;
	}
	for (; at > 0 && longest->items[at - 1].length < run; at--)
		longest->items[at] = longest->items[at - 1];
	longest->items[at] = (struct extent){.start = start, .length = run};
}

/*
 * A fragmented area: the longest runs behind the chunks instead of the next ones, in the order of the
 * device.
 */
static int choose_longest(const struct extent_list *stream, uint64_t from, uint64_t bytes, struct extent_list *out)
{
	struct extent_cursor cursor;
	uint64_t start, run;

	out->count = 0;
	extent_cursor_init(&cursor, stream);
	for (; extent_cursor_locate(&cursor, from, &start, &run) >= 0; from += run)
		keep_longest(out, start, run);
	for (size_t i = 0; i < out->count; i++) {
		out->items[i].length = MIN(out->items[i].length, bytes);
		bytes -= out->items[i].length;
		if (!bytes)
			out->count = i + 1;
	}
	return bytes ? -ENOSPC : extent_list_normalize(out);
}

/* Where the body goes: right behind the chunks if its extents fit into the header page. */
static int place_body(const struct extent_list *stream, uint64_t from, uint64_t bytes, struct extent_list *out,
		      const char *name, struct failure *f)
{
	int64_t got = cut_stream(stream, from, bytes, out);
	int r = 0;

	if (got >= 0 && (uint64_t)got < bytes)
		return failure_set(f, REASON_TOO_SMALL, ENOSPC, name, "Use a larger swap area.",
				   "no room for the image's body: %llu KiB needed, %llu KiB left",
				   (unsigned long long)(bytes / KIB), (unsigned long long)(got / (int64_t)KIB));
	if (got < 0)
		r = choose_longest(stream, from, bytes, out);
	if (r < 0)
		return failure_set(f, REASON_TOO_SMALL, -r, name, "Use a larger swap area, or swapoff and swapon to unfragment it.",
				   "the free space is too fragmented for the image's body of %llu KiB in %d parts",
				   (unsigned long long)(bytes / KIB), IMAGE_BODY_EXTENTS);
	return 0;
}

/* Check and encode, with the part of @extents before @chunks_end as the map. */
static ssize_t encode(const struct extent_list *extents, uint64_t chunks_end, const char *name,
		      const struct image_meta *meta, const struct image_index *index, void *body, size_t size,
		      struct failure *f)
{
	struct extent_list map = {.items = extents->items, .capacity = extents->capacity};
	uint64_t left = chunks_end, whole = 0;
	ssize_t length;
	int r;

	while (left && map.count < extents->count) {
		whole = extents->items[map.count++].length;
		left -= MIN(whole, left);
	}
	if (left || !map.count)
		return failure_set(f, REASON_INTERNAL, ERANGE, name, NULL, "the chunks end outside the granted extents");
	/* The last extent is cut for a moment: copying the list would need memory. */
	left = extent_list_total(&map) - chunks_end;
	map.items[map.count - 1].length = whole - left;
	r = image_check(meta, &map, index, meta->area.device_size ? meta->area.device_size : UINT64_MAX, name, f);
	if (r < 0 && f)
		f->reason = REASON_INTERNAL;
	length = r < 0 ? r : image_body_encode(meta, &map, index, body, size);
	map.items[map.count - 1].length = whole;
	if (length == -ENOSPC)
		return failure_set(f, REASON_INTERNAL, ENOSPC, name, NULL, "the image's body does not fit in memory");
	return length;
}

static int write_extents(int fd, const uint8_t *body, const struct extent_list *where)
{
	for (size_t i = 0; i < where->count; i++) {
		int r = fd_pwrite_full(fd, body, where->items[i].length, where->items[i].start);

		if (r < 0)
			return r;
		body += where->items[i].length;
	}
	return 0;
}

/* Checksum of the body; or seal it where it lies, and note in @header what is known of the sealing. */
static int protect(const struct image_seal *seal, const struct image_meta *meta, void *body, const char *name,
		   struct image_header *header, struct failure *f)
{
	struct seal_chunk whole = {
		.last = true,
		.stored = (uint32_t)header->body_size,
		.size = (uint32_t)header->body_size,
	};
	int r;

	if (!seal) {
		header->body_checksum = checksum_of(body, header->body_size);
		return 0;
	}
	header->suite = seal->suite;
	memcpy(header->kernel_release, meta->kernel_release, sizeof(header->kernel_release));
	memcpy(header->slot, seal->slot, sizeof(header->slot));
	memcpy(header->blob, seal->blob, sizeof(header->blob));
	r = seal_chunk_seal(seal->body, &whole, body, body, header->body_checksum.bytes);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, name, NULL, "the image's body cannot be sealed");
	return 0;
}

int image_write_body(int fd, const char *name, const struct extent_list *extents, uint64_t stream_at,
		     const struct image_meta *meta, const struct image_index *index, const struct image_seal *seal,
		     void *buffer, size_t size, struct image_place *place, struct failure *f)
{
	struct image_header header = {.id = meta->id};
	uint8_t *body = (uint8_t *)buffer + PAGE_BYTES;
	struct extent_list where;
	uint64_t padded;
	ssize_t length;
	int r;

	length = encode(extents, stream_at, name, meta, index, body, size < PAGE_BYTES ? 0 : size - PAGE_BYTES, f);
	if (length < 0)
		return (int)length;
	padded = round_up((uint64_t)length, PAGE_BYTES);
	if (padded > size - PAGE_BYTES)
		return failure_set(f, REASON_INTERNAL, ENOSPC, name, NULL, "the image's body does not fit in memory");
	memset(body + length, 0, padded - (uint64_t)length);
	header.body_size = (uint64_t)length;
	extent_list_init(&where, header.body_extents, IMAGE_BODY_EXTENTS);
	r = place_body(extents, stream_at, padded, &where, name, f);
	if (r >= 0)
		r = protect(seal, meta, body, name, &header, f);
	if (r < 0)
		return r;
	header.body_extent_count = where.count;
	r = write_extents(fd, body, &where);
	if (r < 0)
		return write_failed(name, r, "body", f);
	image_header_encode(&header, buffer);
	*place = (struct image_place){
		.header_offset = extents->items[0].start,
		.stream_end = stream_at + padded,
		.page = buffer,
	};
	return 0;
}

int image_write_header(int fd, const char *name, const struct image_place *place, struct failure *f)
{
	int r = fd_pwrite_full(fd, place->page, PAGE_BYTES, place->header_offset);

	if (r >= 0 && fdatasync(fd) < 0)
		r = -errno;
	return r < 0 ? write_failed(name, r, "header page", f) : 0;
}
