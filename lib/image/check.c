/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef unsigned long long ull;

static int PRINTF_LIKE(3, 4) broken(const char *name, struct failure *f, const char *format, ...)
{
	char text[FAILURE_TEXT_MAX - 32];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED, "the image is damaged: %s",
			   text);
}

static bool covers(const struct extent *e, uint64_t offset)
{
	return offset >= e->start && offset - e->start < e->length;
}

static bool overlap(const struct extent *a, const struct extent *b)
{
	return covers(a, b->start) || covers(b, a->start);
}

int image_check_extents(const struct extent *extents, size_t count, uint64_t device_size, const char *what,
			const char *name, struct failure *f)
{
	uint64_t end = 0;

	for (size_t i = 0; i < count; i++) {
		const struct extent *e = &extents[i];

		if (!e->length || e->start % PAGE_BYTES || e->length % PAGE_BYTES)
			return broken(name, f, "%s extent %zu (%llu bytes at %llu) is not made of pages", what, i,
				      (ull)e->length, (ull)e->start);
		if (e->start > device_size || e->length > device_size - e->start)
			return broken(name, f, "%s extent %zu (%llu bytes at %llu) ends past the device's %llu bytes: cut short?",
				      what, i, (ull)e->length, (ull)e->start, (ull)device_size);
		if (i && e->start < end)
			return broken(name, f, "%s extent %zu at %llu begins before the end of the one before it at %llu",
				      what, i, (ull)e->start, (ull)end);
		end = e->start + e->length;
	}
	return 0;
}

static int check_meta(const struct image_meta *meta, const char *name, struct failure *f)
{
	if (meta->chunk_size < IMAGE_CHUNK_MIN || meta->chunk_size > IMAGE_CHUNK_MAX || meta->chunk_size % PAGE_BYTES)
		return broken(name, f, "chunks of %u bytes", meta->chunk_size);
	if (meta->area_start % PAGE_BYTES)
		return broken(name, f, "an area that begins inside a page, at %llu", (ull)meta->area_start);
	if (meta->fingerprint_count > FINGERPRINTS_MAX)
		return broken(name, f, "%u fingerprints of filesystems, of at most %d", meta->fingerprint_count,
			      FINGERPRINTS_MAX);
	for (uint32_t i = 0; i < meta->fingerprint_count; i++)
		if (meta->fingerprints[i].kind < FINGERPRINT_EXT || meta->fingerprints[i].kind >= _FINGERPRINT_KIND_MAX)
			return broken(name, f, "fingerprint %u is of kind %d", i, (int)meta->fingerprints[i].kind);
	return 0;
}

static int check_chunk(const struct image_chunk *chunk, size_t number, bool last, const struct image_meta *meta,
		       const char *name, struct failure *f)
{
	bool raw = chunk->codec == CODEC_NONE;

	if (!raw && chunk->codec != meta->codec)
		return broken(name, f, "chunk %zu is coded by codec %d, the image by %d", number, (int)chunk->codec,
			      (int)meta->codec);
	if (!chunk->size || chunk->size % PAGE_BYTES || chunk->size > meta->chunk_size ||
	    (!last && chunk->size != meta->chunk_size))
		return broken(name, f, "chunk %zu has %u bytes of pages, a full one %u", number, chunk->size,
			      meta->chunk_size);
	if (!chunk->stored || (raw ? chunk->stored != chunk->size : chunk->stored >= chunk->size))
		return broken(name, f, "chunk %zu stores %u bytes for %u", number, chunk->stored, chunk->size);
	return 0;
}

static int check_index(const struct image_meta *meta, const struct image_index *index, uint64_t stream_size,
		       const char *name, struct failure *f)
{
	uint64_t end = PAGE_BYTES, pages = 0; /* the header page comes first in the stream */

	for (size_t i = 0; i < index->count; i++) {
		const struct image_chunk *chunk = &index->chunks[i];
		int r = check_chunk(chunk, i, i + 1 == index->count, meta, name, f);

		if (r < 0)
			return r;
		if (chunk->offset % PAGE_BYTES || chunk->offset < end || chunk->offset > stream_size ||
		    chunk->stored > stream_size - chunk->offset)
			return broken(name, f, "chunk %zu at %llu, %u bytes, does not lie between %llu and %llu", i,
				      (ull)chunk->offset, chunk->stored, (ull)end, (ull)stream_size);
		end = round_up(chunk->offset + chunk->stored, PAGE_BYTES);
		pages += chunk->size / PAGE_BYTES;
	}
	if (pages != meta->snapshot_pages || !pages)
		return broken(name, f, "its chunks hold %llu pages, its snapshot has %llu", (ull)pages,
			      (ull)meta->snapshot_pages);
	if (end != stream_size)
		return broken(name, f, "its chunks end at %llu, its extents at %llu", (ull)end, (ull)stream_size);
	return 0;
}

int image_check(const struct image_meta *meta, const struct extent_list *map, const struct image_index *index,
		uint64_t device_size, const char *name, struct failure *f)
{
	int r = check_meta(meta, name, f);

	if (r >= 0)
		r = image_check_extents(map->items, map->count, device_size, "map", name, f);
	for (size_t i = 0; r >= 0 && i < map->count; i++)
		if (covers(&map->items[i], meta->area_start))
			r = broken(name, f, "map extent %zu covers the area's first page", i);
	if (r >= 0)
		r = check_index(meta, index, extent_list_total(map), name, f);
	return r;
}

int image_check_header(const struct image_header *header, uint64_t header_offset, const struct image_meta *meta,
		       const struct extent_list *map, const char *name, struct failure *f)
{
	if (memcmp(meta->id.bytes, header->id.bytes, sizeof(header->id.bytes)) != 0)
		return broken(name, f, "header page and body are not of the same hibernation");
	if (suite_seals(header->suite) &&
	    strncmp(header->kernel_release, meta->kernel_release, sizeof(header->kernel_release)) != 0)
		return broken(name, f, "header page and body name different kernels");
	if (!map->count || map->items[0].start != header_offset)
		return broken(name, f, "the header page was written for byte %llu of the device and is at %llu: it was moved",
			      (ull)(map->count ? map->items[0].start : 0), (ull)header_offset);
	for (size_t i = 0; i < header->body_extent_count; i++) {
		if (covers(&header->body_extents[i], meta->area_start))
			return broken(name, f, "body extent %zu covers the area's first page", i);
		for (size_t j = 0; j < map->count; j++)
			if (overlap(&header->body_extents[i], &map->items[j]))
				return broken(name, f, "body extent %zu overlaps map extent %zu", i, j);
	}
	return 0;
}

bool image_zeros(const void *bytes, size_t size)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < size; i++)
		if (b[i])
			return false;
	return true;
}
