/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline with a snapshot and an area made of plain memory: every combination of codec,
 * threads, chunk size and content comes back as it was, and every error stops it in time.
 */
#include "base/clock.h"
#include "base/fdio.h"
#include "pipeline/pipeline.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define EXTENTS_MAX 4096
#define CHUNKS_MAX 1024
#define DAMAGED_CHUNKS 40

enum content { ZEROS, TEXT, NOISE, MIXED };

/* One side of a pretended /dev/snapshot. */
struct snapshot {
	uint8_t *pages;
	uint64_t count;
	uint64_t at;
	size_t most;      /* pages a call */
	uint64_t fail_at; /* page whose move gives -error */
	unsigned int pause_usec; /* before each call */
	int error;
	unsigned int finished;
};

struct bench {
	struct snapshot from, to;
	int area;
	struct extent extents[EXTENTS_MAX];
	struct extent_list list;
	struct image_chunk chunks[CHUNKS_MAX];
	struct image_index index;
	struct pipeline_job job;
	struct seal_stream *streams[4];
	struct pipeline_result saved, loaded;
	struct failure failure;
	unsigned int threads, writers;
	size_t region_size;
};

static atomic_int flush_error;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
	if (!flush_error)
		return __real_fdatasync(fd);
	errno = flush_error;
	return -1;
}

static ssize_t give_pages(void *data, void *buffer, size_t pages)
{
	struct snapshot *s = data;
	size_t n = MIN(MIN(pages, s->most), s->count - s->at);

	if (s->pause_usec)
		usleep(s->pause_usec);

	if (s->fail_at >= s->at && s->fail_at < s->at + n)
		return -s->error;
	memcpy(buffer, s->pages + s->at * PAGE_BYTES, n * PAGE_BYTES);
	s->at += n;
	return (ssize_t)n;
}

static ssize_t accept_pages(void *data, void *buffer, size_t pages)
{
	struct snapshot *s = data;
	size_t n = MIN(MIN(pages, s->most), s->count - s->at);

	if (s->fail_at >= s->at && s->fail_at < s->at + n)
		return -s->error;
	memcpy(s->pages + s->at * PAGE_BYTES, buffer, n * PAGE_BYTES);
	s->at += n;
	return (ssize_t)n;
}

static int accept_end(void *data)
{
	((struct snapshot *)data)->finished++;
	return 0;
}

static void fill(uint8_t *bytes, size_t size, enum content content)
{
	uint64_t state = 88172645463325252u;

	for (size_t at = 0; at < size; at += 8) {
		bool noise = content == NOISE || (content == MIXED && at / 65536 % 3 == 0);
		uint64_t word;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		word = content == ZEROS ? 0 : noise ? state : at / 512 + (state & 0xff);
		memcpy(bytes + at, &word, sizeof(word));
	}
}

/* An area of @pages in runs of 1, 2, 3 ... pages with holes between them, in an order that is not the device's. */
static void lay_extents(struct bench *b, uint64_t pages)
{
	uint64_t start = 7, length = 1;

	extent_list_init(&b->list, b->extents, EXTENTS_MAX);
	while (pages) {
		length = MIN(length, pages);
		ck_assert_int_eq(extent_list_append(&b->list, start * PAGE_BYTES, length * PAGE_BYTES), 0);
		pages -= length;
		start += length + 1 + length % 3;
		length += 1 + length / 8;
	}
	for (size_t i = 0; i + 1 < b->list.count; i += 2) {
		struct extent swapped = b->extents[i];

		b->extents[i] = b->extents[i + 1];
		b->extents[i + 1] = swapped;
	}
}

static struct bench *bench_new(uint64_t pages, enum content content, enum codec_id codec, uint32_t chunk_size)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->from = (struct snapshot){.pages = malloc(pages * PAGE_BYTES + 1), .count = pages, .most = 64, .fail_at = UINT64_MAX, .error = EIO};
	b->to = (struct snapshot){.pages = calloc(pages + 1, PAGE_BYTES), .count = pages, .most = 64, .fail_at = UINT64_MAX, .error = EIO};
	fill(b->from.pages, pages * PAGE_BYTES, content);
	b->area = memfd_create("area", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_ge(b->area, 0);
	lay_extents(b, pages + 4);
	b->index = (struct image_index){.chunks = b->chunks, .capacity = CHUNKS_MAX};
	b->threads = 2;
	b->writers = 2;
	b->job = (struct pipeline_job){
		.codec = codec,
		.chunk_size = chunk_size,
		.area_fd = b->area,
		.area_name = "/dev/area",
		.extents = &b->list,
		.stream_offset = PAGE_BYTES,
		.stream_limit = extent_list_total(&b->list),
		.pages = pages,
		.index = &b->index,
	};
	return b;
}

static void bench_free(struct bench *b)
{
	fd_close(b->area);
	free(b->from.pages);
	free(b->to.pages);
	free(b);
}

static int run(struct bench *b, bool load, struct pipeline_result *result)
{
	size_t size = b->region_size ? b->region_size : pipeline_region_least(b->job.codec, 0, b->job.chunk_size, b->threads) +
		6 * (size_t)b->job.chunk_size;
	void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pipeline *p;
	int r;

	ck_assert_ptr_ne(region, MAP_FAILED);
	b->job.load = load;
	b->job.mover = load ? (struct page_mover){.move = accept_pages, .finish = accept_end, .data = &b->to} :
			      (struct page_mover){.move = give_pages, .data = &b->from};
	ck_assert_int_eq(pipeline_start(&p, region, size, b->threads, b->writers, &b->failure), 0);
	r = pipeline_begin(p, &b->job, &b->failure);
	if (r < 0) {
		pipeline_end(p, NULL, NULL);
	} else {
		struct pollfd done = {.fd = pipeline_done_fd(p), .events = POLLIN};

		ck_assert_int_eq(poll(&done, 1, 20000), 1);
		r = pipeline_end(p, result, &b->failure);
	}
	munmap(region, size);
	return r;
}

static void expect_round_trip(struct bench *b)
{
	struct failure *f = &b->failure;

	ck_assert_msg(run(b, false, &b->saved) == 0, "save: %s: %s", f->object, f->text);
	ck_assert_uint_eq(b->saved.pages, b->from.count);
	ck_assert_uint_eq(b->saved.chunks, b->index.count);
	ck_assert_uint_eq(b->saved.stream_end, b->job.stream_offset + b->saved.stored_bytes);
	ck_assert_msg(run(b, true, &b->loaded) == 0, "load: %s: %s", f->object, f->text);
	ck_assert_uint_eq(b->loaded.pages, b->from.count);
	ck_assert_uint_eq(b->loaded.stored_bytes, b->saved.stored_bytes);
	ck_assert_uint_eq(b->loaded.raw_chunks, b->saved.raw_chunks);
	ck_assert_uint_eq(b->to.finished, 1);
	ck_assert_int_eq(memcmp(b->from.pages, b->to.pages, b->from.count * PAGE_BYTES), 0);
}

static const struct {
	uint64_t pages;
	uint32_t chunk_size;
	unsigned int threads, writers;
	enum content content;
} trips[] = {
	{0, 65536, 1, 1, ZEROS},
	{1, 65536, 1, 1, TEXT},
	{1, 4096, 2, 1, ZEROS},
	{15, 65536, 4, 2, TEXT},
	{16, 65536, 3, 1, MIXED},
	{17, 65536, 1, 2, NOISE},
	{1000, 65536, 1, 1, MIXED},
	{1000, 65536, 4, 4, MIXED},
	{1024, 262144, 2, 2, TEXT},
	{777, 4096, 4, 3, NOISE},
	{3001, 262144, 3, 2, MIXED},
	{2048, 1048576, 4, 1, ZEROS},
};

START_TEST(what_is_saved_is_loaded)
{
	for (int codec = 0; codec < _CODEC_MAX; codec++) {
		struct bench *b;

		if (!codec_available((enum codec_id)codec))
			continue;
		b = bench_new(trips[_i].pages, trips[_i].content, (enum codec_id)codec, trips[_i].chunk_size);
		b->threads = trips[_i].threads;
		b->writers = trips[_i].writers;
		expect_round_trip(b);
		if (codec == CODEC_NONE)
			ck_assert_uint_eq(b->saved.stored_bytes, b->from.count * PAGE_BYTES);
		bench_free(b);
	}
}
END_TEST

/* ---- sealed ------------------------------------------------------------- */

/* A stream for each codec thread, for the image whose id begins with @id; SUITE_NONE takes them away. */
static void seal_with(struct bench *b, enum seal_suite suite, uint8_t id)
{
	struct seal_transcript transcript = {.suite = suite, .image_id = {id}};
	const uint8_t key[CRYPTO_KEY_BYTES] = {7};

	for (size_t i = 0; i < ARRAY_LENGTH(b->streams); i++)
		b->streams[i] = seal_stream_free(b->streams[i]);
	b->job.seal = suite == SUITE_NONE ? NULL : b->streams;
	for (unsigned int i = 0; b->job.seal && i < b->threads; i++) {
		ck_assert_int_eq(seal_stream_new(&b->streams[i], SEAL_CHUNKS, suite), 0);
		ck_assert_int_eq(seal_stream_key(b->streams[i], &transcript, key), 0);
	}
}

static struct bench *sealed_bench(uint64_t pages, enum codec_id codec, enum seal_suite suite)
{
	struct bench *b = bench_new(pages, MIXED, codec, 65536);

	ck_assert_int_eq(crypto_init(&b->failure), 0);
	seal_with(b, suite, 1);
	return b;
}

static bool on_disk(struct bench *b, const uint8_t *bytes, size_t size)
{
	size_t length = (size_t)lseek(b->area, 0, SEEK_END);
	void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, b->area, 0);
	bool found = memmem(map, length, bytes, size) != NULL;

	munmap(map, length);
	return found;
}

START_TEST(what_is_sealed_is_opened)
{
	static const uint64_t sizes[] = {1, 16, 17, 1000};

	for (int codec = 0; codec < _CODEC_MAX; codec++) {
		for (size_t i = 0; codec_available((enum codec_id)codec) && i < ARRAY_LENGTH(sizes); i++) {
			struct bench *b = sealed_bench(sizes[i], (enum codec_id)codec, (enum seal_suite)_i);

			expect_round_trip(b);
			ck_assert(!on_disk(b, b->from.pages, 64));
			seal_with(b, SUITE_NONE, 0);
			bench_free(b);
		}
	}
}
END_TEST

static uint64_t place_of(struct bench *b, uint64_t offset)
{
	uint64_t start, run;

	ck_assert_int_eq(extent_list_locate(&b->list, offset, &start, &run), 0);
	return start;
}

static void flip_bit(struct bench *b)
{
	uint64_t at = place_of(b, b->index.chunks[2].offset + 99);
	uint8_t byte;

	ck_assert_int_eq(pread(b->area, &byte, 1, (off_t)at), 1);
	byte ^= 4;
	ck_assert_int_eq(pwrite(b->area, &byte, 1, (off_t)at), 1);
}

static void swap_chunks(struct bench *b)
{
	struct image_chunk other = b->index.chunks[2];

	b->index.chunks[2] = b->index.chunks[3];
	b->index.chunks[3] = other;
}

static void repeat_chunk(struct bench *b)
{
	b->index.chunks[2] = b->index.chunks[1];
}

static void drop_last(struct bench *b)
{
	b->index.count--;
	b->job.pages = b->index.count * 16;
}

static void drop_first(struct bench *b)
{
	memmove(b->index.chunks, b->index.chunks + 1, --b->index.count * sizeof(b->index.chunks[0]));
	b->job.pages -= 16;
}

static void change_tag(struct bench *b)
{
	b->index.chunks[2].tag.bytes[5] ^= 1;
}

static void change_length(struct bench *b)
{
	b->index.chunks[b->index.count - 1].size -= PAGE_BYTES;
	b->index.chunks[b->index.count - 1].stored -= PAGE_BYTES;
	b->job.pages--;
}

static void of_another_image(struct bench *b)
{
	seal_with(b, SUITE_AES256_GCM, 2);
}

static void of_another_suite(struct bench *b)
{
	seal_with(b, SUITE_CHACHA20_POLY1305, 1);
}

static const struct {
	const char *what;
	void (*change)(struct bench *b);
	size_t good; /* chunks before the first that is refused */
} changes[] = {
	{"a bit", flip_bit, 2},           {"swapped", swap_chunks, 2},       {"repeated", repeat_chunk, 2},
	{"cut", drop_last, 4},            {"first gone", drop_first, 0},     {"tag", change_tag, 2},
	{"length", change_length, 5},     {"foreign", of_another_image, 0},  {"suite", of_another_suite, 0},
};

START_TEST(a_changed_sealed_chunk_never_reaches_the_kernel)
{
	struct bench *b = sealed_bench(6 * 16, CODEC_NONE, SUITE_AES256_GCM);

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	changes[_i].change(b);
	ck_assert_msg(run(b, true, &b->loaded) == -EBADMSG, "%s", changes[_i].what);
	ck_assert_msg(b->failure.reason == REASON_UNAUTHENTIC, "%s: %s", changes[_i].what, b->failure.text);
	ck_assert_msg(b->to.at <= changes[_i].good * 16, "%s: %zu pages went on", changes[_i].what, (size_t)b->to.at);
	ck_assert_uint_eq(b->to.finished, 0);
	seal_with(b, SUITE_NONE, 0);
	bench_free(b);
}
END_TEST

/* Neither is taken for the other. */
START_TEST(sealed_and_unsealed_are_not_mixed)
{
	struct bench *b = sealed_bench(100, CODEC_LZ4, SUITE_AES256_OCB);

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	seal_with(b, SUITE_NONE, 0);
	ck_assert_int_eq(run(b, true, &b->loaded), -EBADMSG);
	ck_assert_uint_eq(b->to.at, 0);
	b->from.at = 0;
	ck_assert_int_eq(run(b, false, &b->saved), 0);
	seal_with(b, SUITE_AES256_OCB, 1);
	ck_assert_int_eq(run(b, true, &b->loaded), -EBADMSG);
	ck_assert_uint_eq(b->to.at, 0);
	seal_with(b, SUITE_NONE, 0);
	bench_free(b);
}
END_TEST

START_TEST(least_memory_is_enough)
{
	for (unsigned int threads = 1; threads <= 4; threads++) {
		struct bench *b = bench_new(500, MIXED, CODEC_LZ4, 65536);

		b->threads = threads;
		b->region_size = pipeline_region_least(CODEC_LZ4, 0, 65536, threads);
		expect_round_trip(b);
		bench_free(b);
	}
}
END_TEST

START_TEST(too_little_memory_is_refused)
{
	struct bench *b = bench_new(500, MIXED, CODEC_LZ4, 65536);

	b->region_size = pipeline_region_least(CODEC_LZ4, 0, 65536, 2) - 65536;
	ck_assert_int_eq(run(b, false, &b->saved), -ENOMEM);
	ck_assert_int_eq(b->failure.reason, REASON_INTERNAL);
	bench_free(b);
}
END_TEST

START_TEST(noise_is_stored_raw_and_text_shrinks)
{
	struct bench *b = bench_new(1000, NOISE, CODEC_LZ4, 65536);

	expect_round_trip(b);
	ck_assert_uint_eq(b->saved.raw_chunks, b->saved.chunks);
	ck_assert_uint_eq(b->saved.stored_bytes, 1000 * PAGE_BYTES);
	bench_free(b);

	b = bench_new(1000, TEXT, CODEC_LZ4, 65536);
	expect_round_trip(b);
	ck_assert_uint_eq(b->saved.raw_chunks, 0);
	ck_assert_uint_lt(b->saved.stored_bytes, 700 * PAGE_BYTES);
	bench_free(b);
}
END_TEST

START_TEST(the_image_does_not_depend_on_the_threads)
{
	struct bench *one = bench_new(1500, MIXED, CODEC_LZ4, 65536), *four = bench_new(1500, MIXED, CODEC_LZ4, 65536);
	off_t size;
	void *a, *b;

	one->threads = one->writers = 1;
	four->threads = four->writers = 4;
	expect_round_trip(one);
	expect_round_trip(four);
	size = lseek(one->area, 0, SEEK_END);
	ck_assert_int_eq(size, lseek(four->area, 0, SEEK_END));
	a = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, one->area, 0);
	b = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, four->area, 0);
	ck_assert_int_eq(memcmp(a, b, (size_t)size), 0);
	ck_assert_int_eq(memcmp(one->chunks, four->chunks, one->index.count * sizeof(one->chunks[0])), 0);
	munmap(a, (size_t)size);
	munmap(b, (size_t)size);
	bench_free(one);
	bench_free(four);
}
END_TEST

START_TEST(nothing_outside_the_extents_is_written)
{
	struct bench *b = bench_new(1000, NOISE, CODEC_LZ4, 65536);
	struct extent_list sorted = b->list;
	struct extent copy[EXTENTS_MAX];
	uint8_t page[PAGE_BYTES];
	off_t size;

	expect_round_trip(b);
	memcpy(copy, b->extents, sizeof(copy));
	sorted.items = copy;
	ck_assert_int_eq(extent_list_normalize(&sorted), 0);
	size = lseek(b->area, 0, SEEK_END);
	for (off_t at = 0; at < size; at += PAGE_BYTES) {
		if (extent_list_contains(&sorted, (uint64_t)at, PAGE_BYTES))
			continue;
		ck_assert_int_eq(fd_pread_full(b->area, page, sizeof(page), (uint64_t)at), 0);
		for (size_t i = 0; i < sizeof(page); i++)
			ck_assert_msg(page[i] == 0, "byte %lld", (long long)at);
	}
	bench_free(b);
}
END_TEST

START_TEST(an_area_that_fills_up_says_so)
{
	struct bench *b = bench_new(1000, NOISE, CODEC_LZ4, 65536);

	b->job.stream_limit = 600 * PAGE_BYTES;
	ck_assert_int_eq(run(b, false, &b->saved), -ENOSPC);
	ck_assert_int_eq(b->failure.reason, REASON_TOO_SMALL);
	ck_assert_str_eq(b->failure.object, "/dev/area");
	ck_assert_ptr_nonnull(strstr(b->failure.text, "592 of 1000 pages"));
	bench_free(b);
}
END_TEST

START_TEST(a_read_error_stops_the_save)
{
	struct bench *b = bench_new(1000, TEXT, CODEC_LZ4, 65536);

	b->from.fail_at = 500;
	ck_assert_int_eq(run(b, false, &b->saved), -EIO);
	ck_assert_int_eq(b->failure.reason, REASON_SNAPSHOT);
	ck_assert_str_eq(b->failure.object, "/dev/snapshot");
	bench_free(b);
}
END_TEST

START_TEST(a_snapshot_of_another_length_is_an_error)
{
	const int differences[] = {-17, -1, 1, 17};

	for (size_t i = 0; i < ARRAY_LENGTH(differences); i++) {
		struct bench *b = bench_new(160, TEXT, CODEC_LZ4, 65536);

		b->job.pages = (uint64_t)(160 + differences[i]);
		ck_assert_int_eq(run(b, false, &b->saved), -EIO);
		ck_assert_int_eq(b->failure.reason, REASON_SNAPSHOT);
		bench_free(b);
	}
}
END_TEST

START_TEST(a_write_error_stops_the_save)
{
	struct bench *b = bench_new(1000, NOISE, CODEC_LZ4, 65536);

	ck_assert_int_eq(ftruncate(b->area, 500 * PAGE_BYTES), 0);
	ck_assert_int_eq(fcntl(b->area, F_ADD_SEALS, F_SEAL_GROW), 0);
	ck_assert_int_lt(run(b, false, &b->saved), 0);
	ck_assert_int_eq(b->failure.reason, REASON_IO);
	ck_assert_str_eq(b->failure.object, "/dev/area");
	bench_free(b);
}
END_TEST

/* Pages come slowly, so writers are idle; one of them flushes, if another is left for the next chunk. */
START_TEST(idle_writers_flush)
{
	for (unsigned int writers = 1; writers <= 2; writers++) {
		struct bench *b = bench_new(5000, NOISE, CODEC_NONE, 65536);

		b->from.pause_usec = 1000;
		b->writers = writers;
		ck_assert_int_eq(run(b, false, &b->saved), 0);
		ck_assert_int_eq(b->saved.flushes > 0, writers > 1);
		bench_free(b);
	}
}
END_TEST

START_TEST(a_flush_error_stops_the_save)
{
	struct bench *b = bench_new(3000, NOISE, CODEC_NONE, 65536);

	b->from.pause_usec = 1000;
	flush_error = EIO;
	ck_assert_int_eq(run(b, false, &b->saved), -EIO);
	flush_error = 0;
	ck_assert_int_eq(b->failure.reason, REASON_IO);
	ck_assert_str_eq(b->failure.object, "/dev/area");
	ck_assert_ptr_nonnull(strstr(b->failure.text, "flushing"));
	bench_free(b);
}
END_TEST

/* A copy of the area. */
static int copy_of(int area)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);
	off_t size = lseek(area, 0, SEEK_END), at = 0;

	ck_assert_int_ge(fd, 0);
	while (at < size)
		ck_assert_int_gt(sendfile(fd, area, &at, (size_t)(size - at)), 0);
	return fd;
}

/* Bytes of the stream's first @bytes that lie in @range. */
static uint64_t bytes_in(const struct bench *b, uint64_t bytes, const struct extent *range)
{
	uint64_t count = 0, start, run;

	for (uint64_t at = PAGE_BYTES; at < bytes; at += PAGE_BYTES) {
		ck_assert_int_eq(extent_list_locate(&b->list, at, &start, &run), 0);
		if (start >= range->start && start - range->start < range->length)
			count += PAGE_BYTES;
	}
	return count;
}

static void spoil(int fd, uint64_t from, uint64_t to)
{
	static const uint8_t page[PAGE_BYTES] = {0x55};

	to = MIN(to, (uint64_t)lseek(fd, 0, SEEK_END));
	for (; from < to; from += PAGE_BYTES)
		ck_assert_int_eq(pwrite(fd, page, PAGE_BYTES, (off_t)from), PAGE_BYTES);
}

/* In pages; some begin and end inside of extents and chunks. */
static const struct extent aheads[] = {
	{0, 0}, {0, 100000}, {8, 1}, {8, 100}, {150, 33}, {151, 500}, {700, 100000}, {100000, 1}, {0, UINT64_MAX / PAGE_BYTES},
	{8, UINT64_MAX / PAGE_BYTES - 4},
};

/* Each side is right only where it must be read. */
START_TEST(what_has_been_read_ahead_comes_from_there)
{
	struct bench *b = bench_new(1000, MIXED, CODEC_LZ4, 65536);
	struct extent range = {aheads[_i].start * PAGE_BYTES, aheads[_i].length * PAGE_BYTES};
	uint64_t end = range.length > UINT64_MAX - range.start ? UINT64_MAX : range.start + range.length;
	struct failure *f = &b->failure;

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	b->job.ahead_fd = copy_of(b->area);
	b->job.ahead = range;
	spoil(b->job.ahead_fd, 0, range.length ? range.start : UINT64_MAX);
	spoil(b->job.ahead_fd, end, UINT64_MAX);
	spoil(b->area, range.start, end);
	ck_assert_msg(run(b, true, &b->loaded) == 0, "%s: %s", f->object, f->text);
	ck_assert_uint_eq(b->loaded.ahead_bytes, bytes_in(b, b->saved.stream_end, &range));
	ck_assert_uint_eq(b->loaded.stored_bytes, b->saved.stored_bytes);
	ck_assert_int_eq(memcmp(b->from.pages, b->to.pages, b->from.count * PAGE_BYTES), 0);
	close(b->job.ahead_fd);
	bench_free(b);
}
END_TEST

START_TEST(a_device_that_ends_early_stops_the_load)
{
	struct bench *b = bench_new(1000, NOISE, CODEC_LZ4, 65536);

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	ck_assert_int_eq(ftruncate(b->area, 300 * PAGE_BYTES), 0);
	ck_assert_int_eq(run(b, true, &b->loaded), -EIO);
	ck_assert_int_eq(b->failure.reason, REASON_IO);
	ck_assert_uint_eq(b->to.finished, 0);
	bench_free(b);
}
END_TEST

START_TEST(a_kernel_that_takes_no_more_stops_the_load)
{
	struct bench *b = bench_new(1000, TEXT, CODEC_LZ4, 65536);

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	b->to.fail_at = 400;
	ck_assert_int_eq(run(b, true, &b->loaded), -EIO);
	ck_assert_int_eq(b->failure.reason, REASON_RESTORE_REFUSED);
	ck_assert_uint_eq(b->to.finished, 0);
	b->to.fail_at = UINT64_MAX;
	b->to.count = 700; /* then move() answers 0 */
	b->to.at = 0;
	ck_assert_int_eq(run(b, true, &b->loaded), -EIO);
	bench_free(b);
}
END_TEST

/* EPERM for the first pages is the kernel's comparison of its header with this machine; later it is something else. */
START_TEST(a_kernel_that_refuses_the_first_page_means_another_machine)
{
	struct bench *b = bench_new(1000, TEXT, CODEC_LZ4, 65536);

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	b->to.error = EPERM;
	b->to.fail_at = 1;
	ck_assert_int_eq(run(b, true, &b->loaded), -EPERM);
	ck_assert_int_eq(b->failure.reason, REASON_WRONG_MACHINE);
	b->to.fail_at = 400;
	ck_assert_int_eq(run(b, true, &b->loaded), -EPERM);
	ck_assert_int_eq(b->failure.reason, REASON_RESTORE_REFUSED);
	bench_free(b);
}
END_TEST

/*
 * One flipped bit in chunk _i, wherever it lies: earlier chunks may have been handed over, this one never. With
 * one codec thread the readers get ahead of it, so that the later chunks are verified by them.
 */
START_TEST(a_damaged_chunk_never_reaches_the_kernel)
{
	struct bench *b = bench_new(DAMAGED_CHUNKS * 16, MIXED, CODEC_LZ4, 65536);
	const struct image_chunk *chunk = &b->chunks[_i];
	uint64_t place, left;
	uint8_t byte;

	b->threads = 1;
	b->region_size = 4 * MIB;
	ck_assert_int_eq(run(b, false, &b->saved), 0);
	ck_assert_int_eq(extent_list_locate(&b->list, chunk->offset + chunk->stored - 1, &place, &left), 0);
	ck_assert_int_eq(fd_pread_full(b->area, &byte, 1, place), 0);
	byte ^= 0x10;
	ck_assert_int_eq(fd_pwrite_full(b->area, &byte, 1, place), 0);

	ck_assert_int_eq(run(b, true, &b->loaded), -EBADMSG);
	ck_assert_int_eq(b->failure.reason, REASON_IMAGE_DAMAGED);
	ck_assert_uint_le(b->to.at, (uint64_t)_i * 16);
	ck_assert_uint_eq(b->to.finished, 0);
	bench_free(b);
}
END_TEST

/* A block that is whole by its checksum but decodes to nothing good, as a hostile writer can make it. */
START_TEST(a_block_that_does_not_decode_is_refused)
{
	struct bench *b = bench_new(160, TEXT, CODEC_LZ4, 65536);
	struct image_chunk *chunk = &b->chunks[3];
	uint8_t noise[65536];

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	ck_assert_int_eq(chunk->codec, CODEC_LZ4);
	fill(noise, sizeof(noise), NOISE);
	memset(noise, 0xff, 64);
	for (uint32_t at = 0; at < chunk->stored; at += PAGE_BYTES) {
		uint64_t place, left;

		ck_assert_int_eq(extent_list_locate(&b->list, chunk->offset + at, &place, &left), 0);
		ck_assert_int_eq(fd_pwrite_full(b->area, noise + at, PAGE_BYTES, place), 0);
	}
	chunk->tag = checksum_of(noise, chunk->stored);
	ck_assert_int_eq(run(b, true, &b->loaded), -EBADMSG);
	ck_assert_int_eq(b->failure.reason, REASON_IMAGE_DAMAGED);
	ck_assert_uint_le(b->to.at, 3 * 16);
	bench_free(b);
}
END_TEST

static void too_long(struct image_chunk *c) { c->stored = c->size + 1; }
static void same_length(struct image_chunk *c) { c->stored = c->size; }
static void empty(struct image_chunk *c) { c->stored = 0; }
static void larger_than_a_chunk(struct image_chunk *c) { c->size += PAGE_BYTES; }
static void part_of_a_page(struct image_chunk *c) { c->size -= 1; }
static void no_pages(struct image_chunk *c) { c->size = 0; }
static void short_in_the_middle(struct image_chunk *c) { c->size -= PAGE_BYTES; }
static void unaligned(struct image_chunk *c) { c->offset += 512; }
static void far_away(struct image_chunk *c) { c->offset = UINT64_C(1) << 40; }
static void wrapping(struct image_chunk *c) { c->offset = UINT64_MAX - PAGE_BYTES + 1; }
static void other_codec(struct image_chunk *c) { c->codec = CODEC_ZSTD; }
static void raw_of_other_length(struct image_chunk *c) { c->codec = CODEC_NONE; }

static void (*const lies[])(struct image_chunk *) = {
	too_long, same_length, empty, larger_than_a_chunk, part_of_a_page, no_pages, short_in_the_middle,
	unaligned, far_away, wrapping, other_codec, raw_of_other_length,
};

START_TEST(an_index_that_lies_is_refused_before_anything_is_read)
{
	struct bench *b = bench_new(160, TEXT, CODEC_LZ4, 65536);

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	lies[_i](&b->chunks[4]);
	ck_assert_int_eq(run(b, true, &b->loaded), -EBADMSG);
	ck_assert_int_eq(b->failure.reason, REASON_IMAGE_DAMAGED);
	ck_assert_ptr_nonnull(strstr(b->failure.text, "index entry of chunk 4"));
	ck_assert_uint_eq(b->to.at, 0);
	bench_free(b);
}
END_TEST

START_TEST(an_index_of_another_page_count_is_refused)
{
	struct bench *b = bench_new(160, TEXT, CODEC_LZ4, 65536);

	ck_assert_int_eq(run(b, false, &b->saved), 0);
	b->job.pages = 161;
	ck_assert_int_eq(run(b, true, &b->loaded), -EBADMSG);
	b->job.pages = 160;
	b->index.count--;
	ck_assert_int_eq(run(b, true, &b->loaded), -EBADMSG);
	bench_free(b);
}
END_TEST

START_TEST(a_pipeline_can_be_ended_unused)
{
	void *region = aligned_alloc(PAGE_BYTES, MIB);
	struct pipeline *p;
	struct failure f;

	ck_assert_int_eq(pipeline_start(&p, region, MIB, 4, 4, &f), 0);
	ck_assert_int_eq(pipeline_failure(p, &f), 0);
	ck_assert_int_eq(pipeline_end(p, NULL, &f), -ECANCELED);
	ck_assert_int_eq(pipeline_start(&p, region, 100, 1, 1, &f), -EINVAL);
	ck_assert_int_eq(pipeline_start(&p, region, MIB, 0, 1, &f), -EINVAL);
	free(region);
}
END_TEST

static ssize_t give_for_ever(void *data, void *buffer, size_t pages)
{
	(void)data;
	memset(buffer, 1, pages * PAGE_BYTES);
	clock_sleep_usec(1000);
	return (ssize_t)MIN(pages, (size_t)1);
}

START_TEST(cancelling_stops_within_bounds)
{
	struct bench *b = bench_new(1, TEXT, CODEC_LZ4, 65536);
	size_t size = 4 * MIB;
	void *region = aligned_alloc(PAGE_BYTES, size);
	struct pipeline *p;
	uint64_t since;

	b->job.pages = 16000;
	b->job.mover = (struct page_mover){.move = give_for_ever};
	ck_assert_int_eq(pipeline_start(&p, region, size, 2, 2, &b->failure), 0);
	ck_assert_int_eq(pipeline_begin(p, &b->job, &b->failure), 0);
	clock_sleep_usec(20000);
	since = clock_monotonic_usec();
	pipeline_cancel(p);
	ck_assert_int_eq(pipeline_failure(p, &b->failure), -ECANCELED);
	ck_assert_int_eq(b->failure.reason, REASON_ABORTED);
	ck_assert_int_eq(pipeline_end(p, &b->saved, &b->failure), -ECANCELED);
	ck_assert_uint_lt(clock_monotonic_usec() - since, USEC_PER_SEC);
	free(region);
	bench_free(b);
}
END_TEST

#if ENABLE_FAILPOINTS
static const char *const points[] = {"worker-page", "worker-write", "worker-load-page"};

START_TEST(failpoints_stop_the_pipeline)
{
	struct bench *b = bench_new(1000, NOISE, CODEC_LZ4, 65536);
	struct failpoints set;
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%s error:5 2", points[_i]);
	ck_assert_int_eq(failpoints_parse(&set, text), 0);
	b->job.failpoints = &set;
	r = run(b, false, &b->saved);
	if (!r)
		r = run(b, true, &b->loaded);
	ck_assert_int_eq(r, -EIO);
	ck_assert_ptr_nonnull(strstr(b->failure.text, points[_i]));
	bench_free(b);
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("pipeline");
	TCase *cases = tcase_create("pipeline");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, what_is_saved_is_loaded, 0, ARRAY_LENGTH(trips));
	tcase_add_test(cases, least_memory_is_enough);
	tcase_add_test(cases, too_little_memory_is_refused);
	tcase_add_test(cases, noise_is_stored_raw_and_text_shrinks);
	tcase_add_test(cases, the_image_does_not_depend_on_the_threads);
	tcase_add_test(cases, nothing_outside_the_extents_is_written);
	tcase_add_test(cases, an_area_that_fills_up_says_so);
	tcase_add_test(cases, a_read_error_stops_the_save);
	tcase_add_test(cases, a_snapshot_of_another_length_is_an_error);
	tcase_add_test(cases, a_write_error_stops_the_save);
	tcase_add_test(cases, idle_writers_flush);
	tcase_add_test(cases, a_flush_error_stops_the_save);
	tcase_add_loop_test(cases, what_has_been_read_ahead_comes_from_there, 0, ARRAY_LENGTH(aheads));
	tcase_add_test(cases, a_device_that_ends_early_stops_the_load);
	tcase_add_test(cases, a_kernel_that_takes_no_more_stops_the_load);
	tcase_add_test(cases, a_kernel_that_refuses_the_first_page_means_another_machine);
	tcase_add_loop_test(cases, what_is_sealed_is_opened, SUITE_AES256_GCM, _SUITE_MAX);
	tcase_add_loop_test(cases, a_changed_sealed_chunk_never_reaches_the_kernel, 0, (int)ARRAY_LENGTH(changes));
	tcase_add_test(cases, sealed_and_unsealed_are_not_mixed);
	tcase_add_loop_test(cases, a_damaged_chunk_never_reaches_the_kernel, 0, DAMAGED_CHUNKS);
	tcase_add_test(cases, a_block_that_does_not_decode_is_refused);
	tcase_add_loop_test(cases, an_index_that_lies_is_refused_before_anything_is_read, 0, ARRAY_LENGTH(lies));
	tcase_add_test(cases, an_index_of_another_page_count_is_refused);
	tcase_add_test(cases, a_pipeline_can_be_ended_unused);
	tcase_add_test(cases, cancelling_stops_within_bounds);
#if ENABLE_FAILPOINTS
	tcase_add_loop_test(cases, failpoints_stop_the_pipeline, 0, ARRAY_LENGTH(points));
#endif
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
