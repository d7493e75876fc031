/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "allocator.h"
#include "base/fdio.h"
#include "image/check.h"
#include "image/format.h"
#include "sample.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXTENTS 4096
#define CHUNKS 64

static const struct sample small = {
	.name = "small",
	.codec = CODEC_LZ4,
	.chunk_size = 64 * KIB,
	.pages = 34,
	.random_chunk = UINT32_MAX,
	.device_pages = 16,
	.fingerprints = 3,
	.extents = {{1, 2}, {4, 12}},
};

/* An image in a file and in memory, and what reading it gives. */
static struct sample_place place;
static int device = -1;
static uint8_t *bytes; /* the device, mapped */
static uint64_t device_size;
static uint8_t *buffer;
static size_t buffer_size;
static struct image_meta meta;
static struct extent extent_items[EXTENTS];
static struct extent_list map;
static struct image_chunk chunk_items[CHUNKS];
static struct image_index image_index;
static struct failure failure;

static void begin(const struct sample *sample)
{
	char text[1024];

	device = memfd_create("device", MFD_CLOEXEC);
	ck_assert_int_ge(device, 0);
	if (sample_write(sample, device, &place, &failure) < 0)
		ck_abort_msg("%s", failure_format(&failure, text, sizeof(text)));
	device_size = (uint64_t)sample->device_pages * PAGE_BYTES;
	bytes = mmap(NULL, device_size, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	buffer_size = image_body_size(SAMPLE_EXTENTS_MAX, SAMPLE_CHUNKS_MAX);
	buffer = aligned_alloc(PAGE_BYTES, buffer_size);
	extent_list_init(&map, extent_items, EXTENTS);
	image_index = (struct image_index){.chunks = chunk_items, .capacity = CHUNKS};
	failure = (struct failure){0};
}

static void end(void)
{
	munmap(bytes, device_size);
	device = fd_close(device);
	free(buffer);
}

static int read_image(uint64_t size)
{
	struct image_header header;
	uint64_t at = place.image.header_offset;
	int r;

	failure = (struct failure){0};
	r = REFUSING(image_read_header(device, "test", at, size, buffer, &header, &failure));
	if (r >= 0)
		r = REFUSING(image_read_body(device, "test", &header, at, size, NULL, buffer, buffer_size, &meta, &map,
					     &image_index, &failure));
	return r;
}

static uint8_t *header_page(void)
{
	return bytes + place.image.header_offset;
}

/* After a change of the header page that a program made, not an accident. */
static void sign_header(void)
{
	struct header_disk *disk = (void *)header_page();
	struct checksum sum = checksum_of(disk, offsetof(struct header_disk, checksum));

	memcpy(disk->checksum, sum.bytes, sizeof(disk->checksum));
}

static struct image_header read_header(void)
{
	struct image_header header;

	ck_assert_int_eq(image_header_decode(header_page(), "test", device_size, &header, &failure), 0);
	return header;
}

static void expect_failure(int r, enum reason reason, const char *fragment)
{
	ck_assert_int_lt(r, 0);
	ck_assert_int_eq(failure.error, -r);
	ck_assert_msg(failure.reason == reason, "%s, not %s: %s", reason_name(failure.reason), reason_name(reason), failure.text);
	ck_assert_msg(strstr(failure.text, fragment), "\"%s\" lacks \"%s\"", failure.text, fragment);
	ck_assert_str_eq(failure.object, "test");
}

static int flushes;
static bool fail_flush;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
	flushes++;
	if (fail_flush) {
		errno = EIO;
		return -1;
	}
	return __real_fdatasync(fd);
}

static void read_stream(uint64_t offset, uint8_t *data, size_t size)
{
	while (size) {
		uint64_t start, run;

		ck_assert_int_eq(extent_list_locate(&map, offset, &start, &run), 0);
		run = MIN(run, size);
		ck_assert_int_eq(fd_pread_full(device, data, run, start), 0);
		data += run;
		offset += run;
		size -= run;
	}
}

static void expect_pages(const struct sample *sample)
{
	size_t workspace_size = codec_workspace_size(sample->codec, 0, sample->chunk_size);
	uint8_t *workspace = aligned_alloc(64, MAX(workspace_size, (size_t)64));
	uint8_t *block = malloc(sample->chunk_size), *pages = malloc(sample->chunk_size);
	uint32_t number = 0;

	for (size_t i = 0; i < image_index.count; i++) {
		const struct image_chunk *chunk = &image_index.chunks[i];
		struct checksum sum;

		read_stream(chunk->offset, block, chunk->stored);
		sum = checksum_of(block, chunk->stored);
		ck_assert(checksum_equal(&sum, &chunk->tag));
		/* A single page cannot shrink by a page. */
		ck_assert_int_eq(chunk->codec == CODEC_NONE,
				 sample->codec == CODEC_NONE || i == sample->random_chunk || chunk->size == PAGE_BYTES);
		ck_assert_int_eq(codec_decompress(chunk->codec, workspace, workspace_size, block, chunk->stored, pages,
						  chunk->size), 0);
		for (uint32_t at = 0; at < chunk->size; at += PAGE_BYTES) {
			uint8_t page[PAGE_BYTES];

			sample_page(sample, number++, page);
			ck_assert_mem_eq(pages + at, page, PAGE_BYTES);
		}
	}
	ck_assert_uint_eq(number, sample->pages);
	free(workspace);
	free(block);
	free(pages);
}

START_TEST(what_is_written_is_read)
{
	const struct sample *sample = &samples[_i];

	if (!codec_available(sample->codec))
		return;
	begin(sample);
	ck_assert_msg(read_image(device_size) == 0, "%s", failure.text);
	/* Field by field, because of padding. */
	ck_assert_mem_eq(meta.id.bytes, place.meta.id.bytes, IMAGE_ID_BYTES);
	ck_assert_mem_eq(meta.boot_id, place.meta.boot_id, 16);
	ck_assert_mem_eq(meta.machine_id, place.meta.machine_id, 16);
	ck_assert_uint_eq(meta.created_usec, place.meta.created_usec);
	ck_assert_str_eq(meta.kernel_release, place.meta.kernel_release);
	ck_assert_str_eq(meta.architecture, place.meta.architecture);
	ck_assert_str_eq(meta.hostname, place.meta.hostname);
	ck_assert_str_eq(meta.program_version, place.meta.program_version);
	ck_assert_mem_eq(meta.area.swap_uuid, place.meta.area.swap_uuid, 16);
	ck_assert_mem_eq(meta.area.filesystem_uuid, place.meta.area.filesystem_uuid, 16);
	ck_assert_uint_eq(meta.area.device_size, place.meta.area.device_size);
	ck_assert_uint_eq(meta.area.partition_start, place.meta.area.partition_start);
	ck_assert_str_eq(meta.area.part_uuid, place.meta.area.part_uuid);
	ck_assert_str_eq(meta.area.device_id, place.meta.area.device_id);
	ck_assert_uint_eq(meta.area_start, place.meta.area_start);
	ck_assert_int_eq(meta.platform, sample->platform);
	ck_assert_uint_eq(meta.snapshot_pages, sample->pages);
	ck_assert_uint_eq(meta.chunk_size, sample->chunk_size);
	ck_assert_int_eq(meta.codec, sample->codec);
	ck_assert_uint_eq(meta.fingerprint_count, sample->fingerprints);
	for (uint32_t i = 0; i < meta.fingerprint_count; i++) {
		const struct fingerprint *got = &meta.fingerprints[i], *want = &place.meta.fingerprints[i];

		ck_assert_int_eq(got->kind, want->kind);
		ck_assert_mem_eq(got->uuid, want->uuid, 16);
		ck_assert_uint_eq(got->device_size, want->device_size);
		ck_assert_str_eq(got->device_id, want->device_id);
		ck_assert_str_eq(got->mount, want->mount);
		ck_assert_mem_eq(got->value, want->value, FINGERPRINT_VALUE_BYTES);
	}
	ck_assert_uint_eq(image_index.count, place.index.count);
	ck_assert_uint_eq(allocator_refused(), 0);
	expect_pages(sample);
	end();
}
END_TEST

/* The map ends with the chunks: the body and what was granted and not used are not in it. */
START_TEST(the_map_is_what_the_chunks_use)
{
	const struct image_chunk *last;

	begin(&small);
	ck_assert_int_eq(read_image(device_size), 0);
	last = &image_index.chunks[image_index.count - 1];
	ck_assert_uint_eq(extent_list_total(&map), round_up(last->offset + last->stored, PAGE_BYTES));
	ck_assert_uint_eq(map.items[0].start, place.image.header_offset);
	ck_assert_uint_eq(extent_list_total(&place.map), 14 * PAGE_BYTES);
	ck_assert_uint_eq(place.image.stream_end,
			  extent_list_total(&map) + round_up(read_header().body_size, PAGE_BYTES));
	end();
}
END_TEST

START_TEST(an_image_cut_short_is_refused_at_every_length)
{
	uint64_t used = 0;

	begin(&small);
	for (size_t i = 0; i < read_header().body_extent_count; i++)
		used = MAX(used, read_header().body_extents[i].start + read_header().body_extents[i].length);
	ck_assert_uint_gt(used, place.image.header_offset + PAGE_BYTES);
	for (uint64_t size = 0; size < used; size++) {
		int r = read_image(size);

		if (r != -EBADMSG || failure.reason != REASON_IMAGE_DAMAGED || !strstr(failure.text, "cut short"))
			ck_abort_msg("%llu bytes: %d %s", (unsigned long long)size, r, failure.text);
	}
	ck_assert_int_eq(read_image(used), 0);
	end();
}
END_TEST

/* The size was right and the device ends all the same: an error of the device. */
START_TEST(a_device_that_ends_early_is_an_io_error)
{
	begin(&small);
	ck_assert_int_eq(ftruncate(device, (off_t)(place.image.header_offset + 100)), 0);
	expect_failure(read_image(device_size), REASON_IO, "header page");
	end();
}
END_TEST

START_TEST(sealed_is_told_apart_before_anything_is_verified)
{
	struct header_disk *disk;

	begin(&samples[0]);
	disk = (void *)header_page();
	ck_assert(!image_may_be_sealed(device, place.image.header_offset, buffer));
	disk->suite = htole32(SUITE_AES256_OCB);
	ck_assert(image_may_be_sealed(device, place.image.header_offset, buffer));
	memset(buffer, 0xff, PAGE_BYTES);
	ck_assert(!image_may_be_sealed(device, device_size, buffer));
	end();
}
END_TEST

START_TEST(every_changed_byte_of_the_header_page_is_noticed)
{
	begin(&small);
	for (size_t i = 0; i < PAGE_BYTES; i++)
		for (unsigned int change = 1; change < 256; change = change * 2 + 1) {
			header_page()[i] ^= (uint8_t)change;
			if (read_image(device_size) != -EBADMSG || failure.reason != REASON_IMAGE_DAMAGED)
				ck_abort_msg("byte %zu, change %x: %s", i, change, failure.text);
			header_page()[i] ^= (uint8_t)change;
		}
	ck_assert_int_eq(read_image(device_size), 0);
	end();
}
END_TEST

START_TEST(every_changed_byte_of_the_body_is_noticed)
{
	struct image_header header;
	uint64_t left;

	begin(&small);
	header = read_header();
	left = header.body_size;
	for (size_t e = 0; e < header.body_extent_count; e++)
		for (uint64_t i = 0; i < header.body_extents[e].length && left; i++, left--) {
			uint8_t *byte = bytes + header.body_extents[e].start + i;

			*byte ^= 1;
			if (read_image(device_size) != -EBADMSG || failure.reason != REASON_IMAGE_DAMAGED)
				ck_abort_msg("byte %llu of extent %zu: %s", (unsigned long long)i, e, failure.text);
			*byte ^= 1;
		}
	ck_assert_uint_eq(left, 0);
	ck_assert_int_eq(read_image(device_size), 0);
	end();
}
END_TEST

START_TEST(the_header_page_must_be_where_it_was_written)
{
	uint64_t there;

	begin(&small);
	there = place.image.header_offset + 12 * PAGE_BYTES;
	memcpy(bytes + there, header_page(), PAGE_BYTES);
	place.image.header_offset = there;
	expect_failure(read_image(device_size), REASON_IMAGE_DAMAGED, "it was moved");
	place.image.header_offset += 512;
	expect_failure(read_image(device_size), REASON_IMAGE_DAMAGED, "outside the device");
	end();
}
END_TEST

/* Where there never was one: not damage, unless a mark speaks of it. */
START_TEST(no_image_is_told_apart_from_a_damaged_one)
{
	struct image_header header;

	begin(&small);
	ck_assert_int_eq(image_header_decode(bytes, "test", device_size, &header, &failure), -ENODATA);
	ck_assert_int_eq(failure.reason, REASON_NO_IMAGE);
	place.image.header_offset = 0;
	expect_failure(read_image(device_size), REASON_IMAGE_DAMAGED, "is not there");
	end();
}
END_TEST

START_TEST(memory_that_is_too_small_is_refused)
{
	begin(&small);
	buffer_size = PAGE_BYTES;
	expect_failure(read_image(device_size), REASON_WRONG_MACHINE, "does not fit in memory");
	buffer_size = 0;
	expect_failure(read_image(device_size), REASON_WRONG_MACHINE, "does not fit in memory");
	buffer_size = image_body_size(SAMPLE_EXTENTS_MAX, SAMPLE_CHUNKS_MAX);
	map.capacity = 0;
	expect_failure(read_image(device_size), REASON_WRONG_MACHINE, "more than fit in memory");
	map.capacity = EXTENTS;
	image_index.capacity = 1;
	expect_failure(read_image(device_size), REASON_WRONG_MACHINE, "more than fit in memory");
	end();
}
END_TEST

/* What a newer, or a wicked, program wrote into the header page: its checksum is right. */
static const struct {
	size_t at;
	uint8_t value;
	enum reason reason;
	const char *fragment;
} headers[] = {
	{offsetof(struct header_disk, magic), 'x', REASON_IMAGE_DAMAGED, "is not there"},
	{offsetof(struct header_disk, version), 2, REASON_IMAGE_VERSION, "format version 2"},
	{offsetof(struct header_disk, version), 0, REASON_IMAGE_VERSION, "format version 0"},
	{offsetof(struct header_disk, header_size), 1, REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct header_disk, flags), 1, REASON_IMAGE_VERSION, "flags 0x1"},
	{offsetof(struct header_disk, flags) + 7, 0x80, REASON_IMAGE_VERSION, "flags 0x8000000000000000"},
	{offsetof(struct header_disk, suite), 1, REASON_IMAGE_VERSION, "unknown here"}, /* sealed, without a slot */
	{offsetof(struct header_disk, suite), 4, REASON_IMAGE_VERSION, "suite 4"},
	{offsetof(struct header_disk, slot_count), 1, REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct header_disk, kernel_release), 'x', REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct header_disk, reserved), 1, REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct header_disk, slots), 1, REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct header_disk, sealed_blob), 1, REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct header_disk, signature) + 63, 1, REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct header_disk, id), 0xff, REASON_IMAGE_DAMAGED, "not of the same hibernation"},
	{offsetof(struct header_disk, body_extent_count), 0, REASON_IMAGE_DAMAGED, "does not fill"},
	{offsetof(struct header_disk, body_extent_count), 65, REASON_IMAGE_DAMAGED, "more than can be"},
	{offsetof(struct header_disk, body_extent_count), 2, REASON_IMAGE_DAMAGED, "not made of pages"},
	{offsetof(struct header_disk, body_size) + 1, 0xff, REASON_IMAGE_DAMAGED, "does not fill"},
	{offsetof(struct header_disk, body_size) + 5, 1, REASON_IMAGE_DAMAGED, "more than can be"},
	{offsetof(struct header_disk, body_extents) + 7, 1, REASON_IMAGE_DAMAGED, "past the device"},
	{offsetof(struct header_disk, body_extents), 1, REASON_IMAGE_DAMAGED, "not made of pages"},
	{offsetof(struct header_disk, body_extents) + 8, 1, REASON_IMAGE_DAMAGED, "not made of pages"},
	{offsetof(struct header_disk, body_extents) + 15, 0xff, REASON_IMAGE_DAMAGED, "past the device"},
	{offsetof(struct header_disk, body_extents) + 16, 1, REASON_IMAGE_DAMAGED, "does not fill"},
};

START_TEST(header_pages_that_make_no_sense_are_refused)
{
	begin(&small);
	ck_assert_uint_eq(read_header().body_extent_count, 1);
	header_page()[headers[_i].at] = headers[_i].value;
	sign_header();
	expect_failure(read_image(device_size), headers[_i].reason, headers[_i].fragment);
	end();
}
END_TEST

/* Write what @place says again, rules or not, and make the header page fit it. */
static void write_again(void)
{
	struct image_header header = read_header();
	ssize_t length = image_body_encode(&place.meta, &place.map, &place.index, buffer, buffer_size);

	ck_assert_int_gt(length, 0);
	header.body_size = (uint64_t)length;
	header.body_checksum = checksum_of(buffer, (size_t)length);
	memcpy(bytes + header.body_extents[0].start, buffer, (size_t)length);
	image_header_encode(&header, header_page());
}

static void begin_change(void)
{
	begin(&small);
	ck_assert_int_eq(read_image(device_size), 0);
	memcpy(place.map.items, map.items, map.count * sizeof(map.items[0]));
	place.map.count = map.count;
	ck_assert_uint_eq(place.map.count, 2);
	ck_assert_uint_eq(place.index.count, 3);
}

static void change_nothing(void)
{
}

static void change_chunk_size(void)
{
	place.meta.chunk_size = 32 * KIB;
}

static void change_chunk_size_unaligned(void)
{
	place.meta.chunk_size += 512;
}

static void change_area_unaligned(void)
{
	place.meta.area_start = 1;
}

static void change_area_under_map(void)
{
	place.meta.area_start = 5 * PAGE_BYTES;
}

static void change_area_under_body(void)
{
	place.meta.area_start = read_header().body_extents[0].start + PAGE_BYTES;
}

static void change_fingerprint_kind(void)
{
	place.meta.fingerprints[1].kind = _FINGERPRINT_KIND_MAX;
}

static void change_fingerprint_kind_zero(void)
{
	place.meta.fingerprints[0].kind = (enum fingerprint_kind)0;
}

static void change_codec_unknown(void)
{
	place.meta.codec = _CODEC_MAX;
}

static void change_codec_other(void)
{
	place.meta.codec = CODEC_NONE;
}

static void change_pages(void)
{
	place.meta.snapshot_pages++;
}

static void change_id(void)
{
	place.meta.id.bytes[0] ^= 1;
}

static void change_extent_order(void)
{
	struct extent first = place.map.items[0];

	place.map.items[0] = place.map.items[1];
	place.map.items[1] = first;
}

static void change_extent_overlap(void)
{
	place.map.items[1].start = place.map.items[0].start + PAGE_BYTES;
}

static void change_extent_empty(void)
{
	place.map.items[1].length = 0;
}

static void change_extent_unaligned(void)
{
	place.map.items[1].start += 512;
}

static void change_extent_outside(void)
{
	place.map.items[1].start = device_size;
}

static void change_extent_wraps(void)
{
	place.map.items[1].length = UINT64_MAX - PAGE_BYTES + 1;
}

static void change_extent_into_body(void)
{
	place.map.items[1].start = read_header().body_extents[0].start;
}

static void change_extents_none(void)
{
	place.map.count = 0;
}

static void change_extents_too_long(void)
{
	place.map.items[1].length += PAGE_BYTES;
}

static void change_chunk_before_stream(void)
{
	place.index.chunks[0].offset = 0;
}

static void change_chunk_unaligned(void)
{
	place.index.chunks[0].offset += 16;
}

static void change_chunk_order(void)
{
	struct image_chunk first = place.index.chunks[0];

	place.index.chunks[0] = place.index.chunks[1];
	place.index.chunks[1] = first;
}

static void change_chunk_outside(void)
{
	place.index.chunks[2].offset += PAGE_BYTES * 100;
}

static void change_chunk_wraps(void)
{
	place.index.chunks[2].offset = UINT64_MAX - PAGE_BYTES + 1;
}

static void change_chunk_codec(void)
{
	place.index.chunks[1].codec = CODEC_ZSTD;
}

static void change_chunk_codec_unknown(void)
{
	place.index.chunks[1].codec = _CODEC_MAX;
}

static void change_chunk_stored_none(void)
{
	place.index.chunks[0].stored = 0;
}

static void change_chunk_stored_more(void)
{
	place.index.chunks[0].stored = place.index.chunks[0].size;
}

static void change_chunk_raw_short(void)
{
	place.index.chunks[0].codec = CODEC_NONE;
}

static void change_chunk_size_zero(void)
{
	place.index.chunks[2].size = 0;
}

static void change_chunk_short_in_the_middle(void)
{
	place.index.chunks[1].size -= PAGE_BYTES;
}

static void change_chunk_too_large(void)
{
	place.index.chunks[2].size = place.meta.chunk_size + PAGE_BYTES;
}

static void change_chunk_part_of_a_page(void)
{
	place.index.chunks[2].size -= 512;
}

static void change_chunks_none(void)
{
	place.index.count = 0;
	place.meta.snapshot_pages = 0;
}

static const struct {
	const char *name;
	void (*change)(void);
	enum reason reason;
	const char *fragment;
} bodies[] = {
#define ROW(change, reason, fragment) {#change, change_##change, reason, fragment}
	ROW(nothing, REASON_NONE, ""),
	ROW(chunk_size, REASON_IMAGE_DAMAGED, "chunks of 32768 bytes"),
	ROW(chunk_size_unaligned, REASON_IMAGE_DAMAGED, "chunks of 66048 bytes"),
	ROW(area_unaligned, REASON_IMAGE_DAMAGED, "begins inside a page"),
	ROW(area_under_map, REASON_IMAGE_DAMAGED, "map extent 1 covers the area's first page"),
	ROW(area_under_body, REASON_IMAGE_DAMAGED, "body extent 0 covers the area's first page"),
	ROW(fingerprint_kind, REASON_IMAGE_VERSION, "fingerprint"),
	ROW(fingerprint_kind_zero, REASON_IMAGE_VERSION, "fingerprint"),
	ROW(codec_unknown, REASON_IMAGE_VERSION, "codec 3"),
	ROW(codec_other, REASON_IMAGE_DAMAGED, "coded by codec 1, the image by 0"),
	ROW(pages, REASON_IMAGE_DAMAGED, "hold 34 pages, its snapshot has 35"),
	ROW(id, REASON_IMAGE_DAMAGED, "not of the same hibernation"),
	ROW(extent_order, REASON_IMAGE_DAMAGED, "map extent 1"),
	ROW(extent_overlap, REASON_IMAGE_DAMAGED, "begins before the end"),
	ROW(extent_empty, REASON_IMAGE_DAMAGED, "not made of pages"),
	ROW(extent_unaligned, REASON_IMAGE_DAMAGED, "not made of pages"),
	ROW(extent_outside, REASON_IMAGE_DAMAGED, "past the device"),
	ROW(extent_wraps, REASON_IMAGE_DAMAGED, "past the device"),
	ROW(extent_into_body, REASON_IMAGE_DAMAGED, "body extent 0 overlaps map extent 1"),
	ROW(extents_none, REASON_IMAGE_DAMAGED, "does not lie between"),
	ROW(extents_too_long, REASON_IMAGE_DAMAGED, "its chunks end at"),
	ROW(chunk_before_stream, REASON_IMAGE_DAMAGED, "chunk 0 at 0"),
	ROW(chunk_unaligned, REASON_IMAGE_DAMAGED, "chunk 0 at 4112"),
	ROW(chunk_order, REASON_IMAGE_DAMAGED, "does not lie between"),
	ROW(chunk_outside, REASON_IMAGE_DAMAGED, "does not lie between"),
	ROW(chunk_wraps, REASON_IMAGE_DAMAGED, "does not lie between"),
	ROW(chunk_codec, REASON_IMAGE_DAMAGED, "coded by codec 2, the image by 1"),
	ROW(chunk_codec_unknown, REASON_IMAGE_VERSION, "a chunk is of a kind"),
	ROW(chunk_stored_none, REASON_IMAGE_DAMAGED, "stores 0 bytes"),
	ROW(chunk_stored_more, REASON_IMAGE_DAMAGED, "stores 65536 bytes for 65536"),
	ROW(chunk_raw_short, REASON_IMAGE_DAMAGED, "chunk 0 stores"),
	ROW(chunk_size_zero, REASON_IMAGE_DAMAGED, "chunk 2 has 0 bytes"),
	ROW(chunk_short_in_the_middle, REASON_IMAGE_DAMAGED, "chunk 1 has 61440 bytes"),
	ROW(chunk_too_large, REASON_IMAGE_DAMAGED, "chunk 2 has 69632 bytes"),
	ROW(chunk_part_of_a_page, REASON_IMAGE_DAMAGED, "chunk 2 has 7680 bytes"),
	ROW(chunks_none, REASON_IMAGE_DAMAGED, "hold 0 pages"),
#undef ROW
};

START_TEST(bodies_that_break_a_rule_are_refused)
{
	int r;

	begin_change();
	bodies[_i].change();
	write_again();
	r = read_image(device_size);
	if (bodies[_i].reason == REASON_NONE)
		ck_assert_msg(r == 0, "%s", failure.text);
	else
		expect_failure(r, bodies[_i].reason, bodies[_i].fragment);
	end();
}
END_TEST

/* What a reader calls damaged, a writer must not write. */
START_TEST(a_writer_refuses_what_a_reader_would)
{
	struct image_place written;
	struct extent_list stream;
	int r;

	begin_change();
	bodies[_i].change();
	if (bodies[_i].reason != REASON_IMAGE_DAMAGED || !strncmp(bodies[_i].name, "extent", 6) ||
	    !strcmp(bodies[_i].name, "id") || !strcmp(bodies[_i].name, "area_under_body")) {
		end();
		return;
	}
	memset(header_page(), 0, PAGE_BYTES);
	stream = (struct extent_list){.items = extent_items, .capacity = EXTENTS};
	extent_list_append(&stream, 1 * PAGE_BYTES, 2 * PAGE_BYTES);
	extent_list_append(&stream, 4 * PAGE_BYTES, 12 * PAGE_BYTES);
	failure = (struct failure){0};
	r = REFUSING(image_write_body(device, "test", &stream, extent_list_total(&place.map), &place.meta, &place.index,
				      NULL, buffer, buffer_size, &written, &failure));
	expect_failure(r, REASON_INTERNAL, "");
	ck_assert_uint_eq(stream.items[1].length, 12 * PAGE_BYTES);
	end();
}
END_TEST

static const struct {
	const char *name;
	size_t offset, size;
} strings[] = {
#define STRING(field) {#field, offsetof(struct body_disk, meta.field), sizeof(((struct body_disk *)0)->meta.field)}
	STRING(kernel_release),
	STRING(architecture),
	STRING(hostname),
	STRING(program_version),
	STRING(area.part_uuid),
	STRING(area.device_id),
	STRING(fingerprints[0].device_id),
	STRING(fingerprints[2].mount),
#undef STRING
};

/* The body lies in one piece in the small sample. */
static uint8_t *body_bytes(void)
{
	return bytes + read_header().body_extents[0].start;
}

static void sign_body(void)
{
	struct image_header header = read_header();

	header.body_checksum = checksum_of(body_bytes(), header.body_size);
	image_header_encode(&header, header_page());
}

START_TEST(strings_have_nothing_behind_their_end)
{
	begin(&small);
	body_bytes()[strings[_i].offset + strings[_i].size - 1] = 'x';
	body_bytes()[strings[_i].offset + strings[_i].size - 2] = 0;
	sign_body();
	expect_failure(read_image(device_size), REASON_IMAGE_DAMAGED, "string without an end");
	end();
}
END_TEST

START_TEST(strings_must_end)
{
	begin(&small);
	memset(body_bytes() + strings[_i].offset, 'x', strings[_i].size);
	sign_body();
	expect_failure(read_image(device_size), REASON_IMAGE_DAMAGED, "string without an end");
	end();
}
END_TEST

static const struct {
	size_t offset;
	uint8_t value;
	enum reason reason;
	const char *fragment;
} body_fields[] = {
	{offsetof(struct body_disk, prologue_size), 40, REASON_IMAGE_VERSION, "layout"},
	{offsetof(struct body_disk, meta_size), 1, REASON_IMAGE_VERSION, "layout"},
	{offsetof(struct body_disk, reserved), 1, REASON_IMAGE_VERSION, "layout"},
	{offsetof(struct body_disk, extent_count), 3, REASON_IMAGE_DAMAGED, "do not add up"},
	{offsetof(struct body_disk, extent_count) + 7, 0x10, REASON_IMAGE_DAMAGED, "do not add up"},
	{offsetof(struct body_disk, chunk_count), 4, REASON_IMAGE_DAMAGED, "do not add up"},
	{offsetof(struct body_disk, chunk_count) + 7, 0x20, REASON_IMAGE_DAMAGED, "do not add up"},
	{offsetof(struct body_disk, meta.flags), 2, REASON_IMAGE_VERSION, "flags 0x2"},
	{offsetof(struct body_disk, meta.flags) + 3, 0x80, REASON_IMAGE_VERSION, "flags 0x80000000"},
	{offsetof(struct body_disk, meta.codec) + 3, 0xff, REASON_IMAGE_VERSION, "unknown here"},
	{offsetof(struct body_disk, meta.fingerprint_count), 33, REASON_IMAGE_DAMAGED, "more fingerprints"},
	{offsetof(struct body_disk, meta.fingerprint_count), 4, REASON_IMAGE_VERSION, "of a kind"},
	{offsetof(struct body_disk, meta.fingerprint_count), 2, REASON_IMAGE_VERSION, "behind the last"},
	{offsetof(struct body_disk, meta.fingerprints[1].reserved), 1, REASON_IMAGE_VERSION, "of a kind"},
	{offsetof(struct body_disk, meta.fingerprints[31].value), 1, REASON_IMAGE_VERSION, "behind the last"},
};

START_TEST(body_fields_that_make_no_sense_are_refused)
{
	begin(&small);
	body_bytes()[body_fields[_i].offset] = body_fields[_i].value;
	sign_body();
	expect_failure(read_image(device_size), body_fields[_i].reason, body_fields[_i].fragment);
	end();
}
END_TEST

/* Places of bodies: a stream of single pages, every second one, with longer runs among them. */
static uint64_t scatter(struct extent_list *stream, size_t singles, size_t runs, uint64_t run_pages)
{
	uint64_t page = 1;

	extent_list_init(stream, extent_items, EXTENTS);
	for (size_t i = 0; i < singles; i++, page += 2)
		ck_assert_int_eq(extent_list_append(stream, page * PAGE_BYTES, PAGE_BYTES), 0);
	for (size_t i = 0; i < runs; i++, page += run_pages + 1)
		ck_assert_int_eq(extent_list_append(stream, page * PAGE_BYTES, run_pages * PAGE_BYTES), 0);
	return page;
}

static int write_scattered(const struct extent_list *stream, uint64_t pages, struct image_place *written)
{
	static struct image_meta scattered;

	scattered = place.meta;
	scattered.area.device_size = pages * PAGE_BYTES;
	scattered.snapshot_pages = 16;
	image_index = (struct image_index){.chunks = chunk_items, .count = 1, .capacity = CHUNKS};
	chunk_items[0] = (struct image_chunk){.offset = PAGE_BYTES, .stored = 1000 * PAGE_BYTES / 128, .size = 64 * KIB,
					      .codec = CODEC_LZ4};
	ck_assert_int_eq(ftruncate(device, (off_t)(pages * PAGE_BYTES)), 0);
	buffer_size = image_body_size(EXTENTS, CHUNKS);
	free(buffer);
	buffer = aligned_alloc(PAGE_BYTES, buffer_size);
	failure = (struct failure){0};
	return REFUSING(image_write_body(device, "test", stream, 9 * PAGE_BYTES, &scattered, &image_index, NULL, buffer, buffer_size,
					 written, &failure));
}

/* The body of the scattered image: 7.7 KiB, so two pages, or three with what the map takes. */
START_TEST(a_body_right_behind_the_chunks)
{
	struct extent_list stream;
	struct image_place written;
	struct image_header header;
	uint64_t pages;

	begin(&small);
	pages = scatter(&stream, 100, 0, 0);
	ck_assert_int_eq(write_scattered(&stream, pages, &written), 0);
	ck_assert_int_eq(image_header_decode(written.page, "test", pages * PAGE_BYTES, &header, &failure), 0);
	ck_assert_uint_eq(header.body_extent_count, div_up(header.body_size, PAGE_BYTES));
	ck_assert_uint_eq(header.body_extents[0].start, 19 * PAGE_BYTES);
	ck_assert_uint_eq(written.stream_end, 9 * PAGE_BYTES + round_up(header.body_size, PAGE_BYTES));
	ck_assert_uint_eq(written.header_offset, PAGE_BYTES);
	end();
}
END_TEST

START_TEST(a_stream_without_room_for_the_body)
{
	struct extent_list stream;
	struct image_place written;
	uint64_t pages;

	begin(&small);
	pages = scatter(&stream, 10, 0, 0);
	expect_failure(write_scattered(&stream, pages, &written), REASON_TOO_SMALL, "no room");
	end();
}
END_TEST

/* A chunk index so large that its pages do not fit into 64 extents of a page. */
static int write_large_body(const struct extent_list *stream, uint64_t pages, struct image_place *written)
{
	enum { LARGE = 7000 }; /* 280000 bytes: 69 pages and the rest */
	static struct image_chunk chunks[LARGE];
	static struct image_meta large;
	struct image_index index = {.chunks = chunks, .count = LARGE, .capacity = LARGE};

	large = place.meta;
	large.area.device_size = pages * PAGE_BYTES;
	large.snapshot_pages = LARGE * 16;
	for (size_t i = 0; i < LARGE; i++)
		chunks[i] = (struct image_chunk){.offset = (i + 1) * PAGE_BYTES, .stored = 1, .size = 64 * KIB, .codec = CODEC_LZ4};
	ck_assert_int_eq(ftruncate(device, (off_t)(pages * PAGE_BYTES)), 0);
	buffer_size = image_body_size(EXTENTS, LARGE);
	free(buffer);
	buffer = aligned_alloc(PAGE_BYTES, buffer_size);
	failure = (struct failure){0};
	return REFUSING(image_write_body(device, "test", stream, (LARGE + 1) * PAGE_BYTES, &large, &index, NULL, buffer, buffer_size,
					 written, &failure));
}

START_TEST(a_body_among_the_longest_runs)
{
	struct extent_list stream;
	struct image_place written;
	struct image_header header;
	uint64_t page = 7001 + 2;

	begin(&small);
	extent_list_init(&stream, extent_items, EXTENTS);
	extent_list_append(&stream, PAGE_BYTES, 7001 * PAGE_BYTES);
	for (int i = 0; i < 300; i++, page += 4)
		extent_list_append(&stream, page * PAGE_BYTES, (i >= 150 && i % 2 ? 3 : 1) * PAGE_BYTES);
	ck_assert_int_eq(write_large_body(&stream, page, &written), 0);
	ck_assert_int_eq(image_header_decode(written.page, "test", page * PAGE_BYTES, &header, &failure), 0);
	ck_assert_uint_eq(header.body_extent_count, div_up(header.body_size, 3 * PAGE_BYTES));
	for (size_t i = 0; i < header.body_extent_count; i++) {
		ck_assert(extent_list_contains(&stream, header.body_extents[i].start, header.body_extents[i].length));
		ck_assert_uint_gt(header.body_extents[i].start, 7002 * PAGE_BYTES);
	}
	ck_assert_int_eq(image_write_header(device, "test", &written, &failure), 0);
	image_index = (struct image_index){.chunks = malloc(7000 * sizeof(struct image_chunk)), .capacity = 7000};
	place.image.header_offset = written.header_offset;
	ck_assert_msg(read_image(page * PAGE_BYTES) == 0, "%s", failure.text);
	ck_assert_uint_eq(image_index.count, 7000);
	free(image_index.chunks);
	end();
}
END_TEST

START_TEST(a_stream_too_fragmented_for_the_body)
{
	struct extent_list stream;
	struct image_place written;
	uint64_t page = 7001 + 2;

	begin(&small);
	extent_list_init(&stream, extent_items, EXTENTS);
	extent_list_append(&stream, PAGE_BYTES, 7001 * PAGE_BYTES);
	for (int i = 0; i < 300; i++, page += 2)
		extent_list_append(&stream, page * PAGE_BYTES, PAGE_BYTES);
	expect_failure(write_large_body(&stream, page, &written), REASON_TOO_SMALL, "too fragmented");
	end();
}
END_TEST

/* What is not on the medium is gone with the power: the end is a flush of everything, and a failed one is seen. */
START_TEST(the_image_ends_with_a_flush)
{
	struct image_place written;
	uint64_t chunks_end;

	begin_change();
	place.map.items[1].length = 12 * PAGE_BYTES;
	chunks_end = place.index.chunks[2].offset + PAGE_BYTES;
	flushes = 0;
	ck_assert_int_eq(image_write_body(device, "test", &place.map, chunks_end, &place.meta, &place.index, NULL, buffer,
					  buffer_size, &written, &failure), 0);
	ck_assert_int_eq(image_write_header(device, "test", &written, &failure), 0);
	ck_assert_int_eq(flushes, 1);
	fail_flush = true;
	expect_failure(image_write_header(device, "test", &written, &failure), REASON_IO, "header page");
	fail_flush = false;
	end();
}
END_TEST

START_TEST(write_errors_are_reported)
{
	struct image_place written;

	begin_change();
	place.map.items[1].length = 12 * PAGE_BYTES;
	fd_close(device);
	device = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(fcntl(device, F_ADD_SEALS, F_SEAL_WRITE), 0);
	expect_failure(image_write_body(device, "test", &place.map, place.index.chunks[2].offset + PAGE_BYTES, &place.meta,
					&place.index, NULL, buffer, buffer_size, &written, &failure),
		       REASON_IO, "body");
	written = (struct image_place){.header_offset = PAGE_BYTES, .page = buffer};
	expect_failure(image_write_header(device, "test", &written, &failure), REASON_IO, "header page");
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("image");
	TCase *cases = tcase_create("image");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 120);
	tcase_add_loop_test(cases, what_is_written_is_read, 0, (int)sample_count);
	tcase_add_test(cases, the_map_is_what_the_chunks_use);
	tcase_add_test(cases, an_image_cut_short_is_refused_at_every_length);
	tcase_add_test(cases, a_device_that_ends_early_is_an_io_error);
	tcase_add_test(cases, sealed_is_told_apart_before_anything_is_verified);
	tcase_add_test(cases, every_changed_byte_of_the_header_page_is_noticed);
	tcase_add_test(cases, every_changed_byte_of_the_body_is_noticed);
	tcase_add_test(cases, the_header_page_must_be_where_it_was_written);
	tcase_add_test(cases, no_image_is_told_apart_from_a_damaged_one);
	tcase_add_test(cases, memory_that_is_too_small_is_refused);
	tcase_add_loop_test(cases, header_pages_that_make_no_sense_are_refused, 0, (int)ARRAY_LENGTH(headers));
	tcase_add_loop_test(cases, bodies_that_break_a_rule_are_refused, 0, (int)ARRAY_LENGTH(bodies));
	tcase_add_loop_test(cases, a_writer_refuses_what_a_reader_would, 0, (int)ARRAY_LENGTH(bodies));
	tcase_add_loop_test(cases, strings_must_end, 0, (int)ARRAY_LENGTH(strings));
	tcase_add_loop_test(cases, strings_have_nothing_behind_their_end, 0, (int)ARRAY_LENGTH(strings));
	tcase_add_loop_test(cases, body_fields_that_make_no_sense_are_refused, 0, (int)ARRAY_LENGTH(body_fields));
	tcase_add_test(cases, a_body_right_behind_the_chunks);
	tcase_add_test(cases, a_stream_without_room_for_the_body);
	tcase_add_test(cases, a_body_among_the_longest_runs);
	tcase_add_test(cases, a_stream_too_fragmented_for_the_body);
	tcase_add_test(cases, the_image_ends_with_a_flush);
	tcase_add_test(cases, write_errors_are_reported);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
