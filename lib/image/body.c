/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/check.h"
#include "image/format.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Nothing of @text behind its end gets onto the disk. */
static void encode_string(char *field, const char *text, size_t size)
{
	memcpy(field, text, strnlen(text, size - 1));
}

static void encode_identity(const struct area_identity *identity, struct identity_disk *disk)
{
	memcpy(disk->swap_uuid, identity->swap_uuid, sizeof(disk->swap_uuid));
	memcpy(disk->filesystem_uuid, identity->filesystem_uuid, sizeof(disk->filesystem_uuid));
	disk->device_size = htole64(identity->device_size);
	disk->partition_start = htole64(identity->partition_start);
	encode_string(disk->part_uuid, identity->part_uuid, sizeof(disk->part_uuid));
	encode_string(disk->device_id, identity->device_id, sizeof(disk->device_id));
}

static void encode_fingerprint(const struct fingerprint *print, struct fingerprint_disk *disk)
{
	disk->kind = htole32((uint32_t)print->kind);
	memcpy(disk->uuid, print->uuid, sizeof(disk->uuid));
	disk->device_size = htole64(print->device_size);
	encode_string(disk->device_id, print->device_id, sizeof(disk->device_id));
	encode_string(disk->mount, print->mount, sizeof(disk->mount));
	memcpy(disk->value, print->value, sizeof(disk->value));
}

static void encode_meta(const struct image_meta *meta, struct meta_disk *disk)
{
	memcpy(disk->id, meta->id.bytes, sizeof(disk->id));
	memcpy(disk->boot_id, meta->boot_id, sizeof(disk->boot_id));
	memcpy(disk->machine_id, meta->machine_id, sizeof(disk->machine_id));
	disk->created_usec = htole64(meta->created_usec);
	encode_string(disk->kernel_release, meta->kernel_release, sizeof(disk->kernel_release));
	encode_string(disk->architecture, meta->architecture, sizeof(disk->architecture));
	encode_string(disk->hostname, meta->hostname, sizeof(disk->hostname));
	encode_string(disk->program_version, meta->program_version, sizeof(disk->program_version));
	encode_identity(&meta->area, &disk->area);
	disk->area_start = htole64(meta->area_start);
	disk->flags = htole32(meta->platform ? META_FLAG_PLATFORM : 0);
	disk->chunk_size = htole32(meta->chunk_size);
	disk->snapshot_pages = htole64(meta->snapshot_pages);
	disk->codec = htole32((uint32_t)meta->codec);
	disk->fingerprint_count = htole32(meta->fingerprint_count);
	for (uint32_t i = 0; i < meta->fingerprint_count && i < FINGERPRINTS_MAX; i++)
		encode_fingerprint(&meta->fingerprints[i], &disk->fingerprints[i]);
}

/* The caller has checked @meta, @map and @index. */
ssize_t image_body_encode(const struct image_meta *meta, const struct extent_list *map,
			  const struct image_index *index, void *body, size_t size)
{
	size_t length = sizeof(struct body_disk) + map->count * sizeof(struct extent_disk) +
			index->count * sizeof(struct chunk_disk);
	struct body_disk *disk = body;
	struct extent_disk *extents = (void *)(disk + 1);
	struct chunk_disk *chunks = (void *)(extents + map->count);

	if (length > size || meta->fingerprint_count > FINGERPRINTS_MAX)
		return -ENOSPC;
	memset(body, 0, length);
	disk->prologue_size = htole32(offsetof(struct body_disk, meta));
	disk->meta_size = htole32(sizeof(disk->meta));
	disk->extent_count = htole64(map->count);
	disk->chunk_count = htole64(index->count);
	encode_meta(meta, &disk->meta);
	for (size_t i = 0; i < map->count; i++) {
		extents[i].start = htole64(map->items[i].start);
		extents[i].length = htole64(map->items[i].length);
	}
	for (size_t i = 0; i < index->count; i++) {
		const struct image_chunk *chunk = &index->chunks[i];

		chunks[i].offset = htole64(chunk->offset);
		chunks[i].stored = htole32(chunk->stored);
		chunks[i].size = htole32(chunk->size);
		chunks[i].codec = htole32((uint32_t)chunk->codec);
		memcpy(chunks[i].tag, chunk->tag.bytes, sizeof(chunks[i].tag));
	}
	return (ssize_t)length;
}

static int damaged(const char *name, const char *what, struct failure *f)
{
	return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED, "the image is damaged: %s", what);
}

/* What checksums say is whole, and is unknown all the same, was written by a newer program. */
static int newer(const char *name, struct failure *f, const char *what)
{
	return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, IMAGE_REMEDY_VERSION, "the image is of another version: %s",
			   what);
}

/* A string ends in its field, with nothing behind the end. */
static bool terminated(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	return end && image_zeros(end, (size_t)(text + size - end));
}

static void decode_identity(const struct identity_disk *disk, struct area_identity *identity)
{
	memcpy(identity->swap_uuid, disk->swap_uuid, sizeof(disk->swap_uuid));
	memcpy(identity->filesystem_uuid, disk->filesystem_uuid, sizeof(disk->filesystem_uuid));
	identity->device_size = le64toh(disk->device_size);
	identity->partition_start = le64toh(disk->partition_start);
	memcpy(identity->part_uuid, disk->part_uuid, sizeof(disk->part_uuid));
	memcpy(identity->device_id, disk->device_id, sizeof(disk->device_id));
}

static int decode_fingerprint(const struct fingerprint_disk *disk, const char *name, struct fingerprint *print,
			      struct failure *f)
{
	uint32_t kind = le32toh(disk->kind);

	if (disk->reserved || kind < FINGERPRINT_EXT || kind >= _FINGERPRINT_KIND_MAX)
		return newer(name, f, "a filesystem's fingerprint is of a kind that is unknown here");
	if (!terminated(disk->device_id, sizeof(disk->device_id)) || !terminated(disk->mount, sizeof(disk->mount)))
		return damaged(name, "a string without an end", f);
	print->kind = (enum fingerprint_kind)kind;
	memcpy(print->uuid, disk->uuid, sizeof(disk->uuid));
	print->device_size = le64toh(disk->device_size);
	memcpy(print->device_id, disk->device_id, sizeof(disk->device_id));
	memcpy(print->mount, disk->mount, sizeof(disk->mount));
	memcpy(print->value, disk->value, sizeof(disk->value));
	return 0;
}

static int decode_fingerprints(const struct meta_disk *disk, const char *name, struct image_meta *meta,
			       struct failure *f)
{
	int r = 0;

	meta->fingerprint_count = le32toh(disk->fingerprint_count);
	if (meta->fingerprint_count > FINGERPRINTS_MAX)
		return damaged(name, "more fingerprints of filesystems than there is room for", f);
	memset(meta->fingerprints, 0, sizeof(meta->fingerprints));
	for (uint32_t i = 0; i < meta->fingerprint_count && r >= 0; i++)
		r = decode_fingerprint(&disk->fingerprints[i], name, &meta->fingerprints[i], f);
	if (r >= 0 && !image_zeros(&disk->fingerprints[meta->fingerprint_count],
				 (FINGERPRINTS_MAX - meta->fingerprint_count) * sizeof(disk->fingerprints[0])))
		return newer(name, f, "there is something behind the last fingerprint");
	return r;
}

static bool strings_end(const struct meta_disk *disk)
{
	return terminated(disk->kernel_release, sizeof(disk->kernel_release)) &&
	       terminated(disk->architecture, sizeof(disk->architecture)) &&
	       terminated(disk->hostname, sizeof(disk->hostname)) &&
	       terminated(disk->program_version, sizeof(disk->program_version)) &&
	       terminated(disk->area.part_uuid, sizeof(disk->area.part_uuid)) &&
	       terminated(disk->area.device_id, sizeof(disk->area.device_id));
}

static int decode_meta(const struct meta_disk *disk, const char *name, struct image_meta *meta, struct failure *f)
{
	uint32_t codec = le32toh(disk->codec), flags = le32toh(disk->flags);

	if (flags & ~META_FLAGS_KNOWN)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, IMAGE_REMEDY_VERSION,
				   "the image has flags 0x%x, which are unknown here", flags);
	if (codec >= _CODEC_MAX)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, IMAGE_REMEDY_VERSION,
				   "the image is compressed by codec %u, which is unknown here", codec);
	if (!codec_available((enum codec_id)codec))
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, "Use a hibernated that was built with it.",
				   "the image is compressed by %s, which this build lacks",
				   codec_name((enum codec_id)codec));
	if (!strings_end(disk))
		return damaged(name, "a string without an end", f);
	memcpy(meta->id.bytes, disk->id, sizeof(disk->id));
	memcpy(meta->boot_id, disk->boot_id, sizeof(disk->boot_id));
	memcpy(meta->machine_id, disk->machine_id, sizeof(disk->machine_id));
	meta->created_usec = le64toh(disk->created_usec);
	memcpy(meta->kernel_release, disk->kernel_release, sizeof(disk->kernel_release));
	memcpy(meta->architecture, disk->architecture, sizeof(disk->architecture));
	memcpy(meta->hostname, disk->hostname, sizeof(disk->hostname));
	memcpy(meta->program_version, disk->program_version, sizeof(disk->program_version));
	decode_identity(&disk->area, &meta->area);
	meta->area_start = le64toh(disk->area_start);
	meta->platform = flags & META_FLAG_PLATFORM;
	meta->chunk_size = le32toh(disk->chunk_size);
	meta->snapshot_pages = le64toh(disk->snapshot_pages);
	meta->codec = (enum codec_id)codec;
	return decode_fingerprints(disk, name, meta, f);
}

static void decode_map(const struct extent_disk *disk, size_t count, struct extent_list *map)
{
	for (size_t i = 0; i < count; i++)
		map->items[i] = (struct extent){.start = le64toh(disk[i].start), .length = le64toh(disk[i].length)};
	map->count = count;
}

static int decode_index(const struct chunk_disk *disk, size_t count, const char *name, struct image_index *index,
			struct failure *f)
{
	for (size_t i = 0; i < count; i++) {
		struct image_chunk *chunk = &index->chunks[i];
		uint32_t codec = le32toh(disk[i].codec);

		if (disk[i].reserved || codec >= _CODEC_MAX)
			return newer(name, f, "a chunk is of a kind that is unknown here");
		chunk->offset = le64toh(disk[i].offset);
		chunk->stored = le32toh(disk[i].stored);
		chunk->size = le32toh(disk[i].size);
		chunk->codec = (enum codec_id)codec;
		memcpy(chunk->tag.bytes, disk[i].tag, sizeof(chunk->tag.bytes));
	}
	index->count = count;
	return 0;
}

int image_body_decode(const void *body, size_t size, const char *name, uint64_t device_size,
		      struct image_meta *meta, struct extent_list *map, struct image_index *index, struct failure *f)
{
	const struct body_disk *disk = body;
	const struct extent_disk *extents = (const void *)(disk + 1);
	uint64_t extent_count, chunk_count;
	int r;

	if (size < sizeof(*disk))
		return damaged(name, "it is cut short", f);
	if (le32toh(disk->prologue_size) != offsetof(struct body_disk, meta) ||
	    le32toh(disk->meta_size) != sizeof(disk->meta) || disk->reserved)
		return newer(name, f, "its body has a layout that is unknown here");
	extent_count = le64toh(disk->extent_count);
	chunk_count = le64toh(disk->chunk_count);
	if (extent_count > size / sizeof(struct extent_disk) || chunk_count > size / sizeof(struct chunk_disk) ||
	    sizeof(*disk) + extent_count * sizeof(struct extent_disk) + chunk_count * sizeof(struct chunk_disk) != size)
		return damaged(name, "its parts do not add up", f);
	if (extent_count > map->capacity || chunk_count > index->capacity)
		return failure_set(f, REASON_WRONG_MACHINE, ENOBUFS, name, "Resume on a machine with the memory that it had.",
				   "the image has %llu extents and %llu chunks, more than fit in memory",
				   (unsigned long long)extent_count, (unsigned long long)chunk_count);
	r = decode_meta(&disk->meta, name, meta, f);
	if (r >= 0)
		r = decode_index((const void *)(extents + extent_count), chunk_count, name, index, f);
	if (r < 0)
		return r;
	decode_map(extents, extent_count, map);
	return image_check(meta, map, index, device_size, name, f);
}
