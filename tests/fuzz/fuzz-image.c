/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that parses bytes of an image: header page, body, mark, blocks of the codecs.
 *
 * The first byte of the input chooses the parser. Checksums are made right first, because a fuzzer would
 * never get past them, and an attacker would. What a parser accepts must obey the rules that its callers
 * rely on, and must be written again as the same bytes.
 */
#include "area/mark-disk.h"
#include "area/mark.h"
#include "image/check.h"
#include "image/format.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEVICE_SIZE (64 * MIB)
#define BLOCK_PAGES 16

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void fuzz_header(const uint8_t *data, size_t size)
{
	struct header_disk disk = {0};
	struct image_header header;
	struct checksum sum;
	uint8_t again[PAGE_BYTES];
	struct failure f;

	memcpy(&disk, data, MIN(size, sizeof(disk)));
	sum = checksum_of(&disk, offsetof(struct header_disk, checksum));
	memcpy(disk.checksum, sum.bytes, sizeof(disk.checksum));
	if (image_header_decode(&disk, "fuzz", DEVICE_SIZE, &header, &f) < 0)
		return;
	require(header.body_extent_count <= IMAGE_BODY_EXTENTS);
	for (size_t i = 0; i < header.body_extent_count; i++)
		require(header.body_extents[i].start + header.body_extents[i].length <= DEVICE_SIZE);
	image_header_encode(&header, again);
	require(memcmp(again, &disk, sizeof(again)) == 0);
}

static void require_sound(const struct image_meta *meta, const struct extent_list *map, const struct image_index *index)
{
	uint64_t total = extent_list_total(map), pages = 0;

	require(codec_available(meta->codec) && meta->fingerprint_count <= FINGERPRINTS_MAX);
	for (size_t i = 0; i < map->count; i++)
		require(map->items[i].start <= DEVICE_SIZE && map->items[i].length <= DEVICE_SIZE - map->items[i].start);
	for (size_t i = 0; i < index->count; i++) {
		const struct image_chunk *chunk = &index->chunks[i];

		require(chunk->offset >= PAGE_BYTES && chunk->offset + round_up(chunk->stored, PAGE_BYTES) <= total);
		require(chunk->size <= IMAGE_CHUNK_MAX && chunk->stored <= chunk->size && codec_available(chunk->codec));
		pages += chunk->size / PAGE_BYTES;
	}
	require(pages == meta->snapshot_pages);
}

static void fuzz_body(const uint8_t *data, size_t size)
{
	static struct image_meta meta;
	size_t extents = size / sizeof(struct extent_disk), chunks = size / sizeof(struct chunk_disk);
	struct extent_list map;
	struct image_index index = {.chunks = calloc(chunks + 1, sizeof(struct image_chunk)), .capacity = chunks};
	uint8_t *body = malloc(size + 1), *again = malloc(size + 1);
	struct failure f;

	require(body && again && index.chunks);
	extent_list_init(&map, calloc(extents + 1, sizeof(struct extent)), extents);
	memcpy(body, data, size);
	if (image_body_decode(body, size, "fuzz", DEVICE_SIZE, &meta, &map, &index, &f) >= 0) {
		require_sound(&meta, &map, &index);
		require(image_body_encode(&meta, &map, &index, again, size) == (ssize_t)size);
		require(memcmp(again, body, size) == 0);
	}
	free(map.items);
	free(index.chunks);
	free(body);
	free(again);
}

static void fuzz_mark(const uint8_t *data, size_t size)
{
	uint8_t page[PAGE_BYTES] = {0};
	struct mark_disk *disk = (void *)(page + MARK_OFFSET);
	struct checksum sum;
	struct mark mark;

	memcpy(page, data, MIN(size, sizeof(page)));
	memset(disk->checksum, 0, sizeof(disk->checksum));
	sum = checksum_of(disk, sizeof(*disk));
	memcpy(disk->checksum, sum.bytes, sizeof(disk->checksum));
	mark_decode(page, &mark);
	require(mark_kind_name(mark.kind) != NULL);
	if (mark.kind != MARK_ARMED && mark.kind != MARK_DROPPED)
		return;
	require(mark_state_name(mark.state) && mark_drop_name(mark.drop));
	require(memchr(mark.identity.device_id, '\0', sizeof(mark.identity.device_id)) != NULL);
	require(memchr(mark.identity.part_uuid, '\0', sizeof(mark.identity.part_uuid)) != NULL);
	require(mark.kind != MARK_ARMED || mark.state == MARK_STATE_ARMED);
}

static void fuzz_codec(enum codec_id codec, const uint8_t *data, size_t size)
{
	size_t chunk_size = BLOCK_PAGES * PAGE_BYTES, workspace_size = codec_workspace_size(codec, 0, chunk_size);
	uint8_t *workspace = aligned_alloc(64, MAX(workspace_size, (size_t)64));
	uint8_t *chunk = malloc(chunk_size), *block = malloc(size + 1);

	require(workspace && chunk && block);
	memcpy(block, data, size);
	codec_decompress(codec, workspace, workspace_size, block, size, chunk, chunk_size);
	free(workspace);
	free(chunk);
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0]) {
	case 'h':
		fuzz_header(data + 1, size - 1);
		break;
	case 'b':
		fuzz_body(data + 1, size - 1);
		break;
	case 'm':
		fuzz_mark(data + 1, size - 1);
		break;
	case 'l':
		fuzz_codec(CODEC_LZ4, data + 1, size - 1);
		break;
	case 'z':
		fuzz_codec(CODEC_ZSTD, data + 1, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
