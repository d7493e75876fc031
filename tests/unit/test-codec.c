/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "codec/checksum.h"
#include "codec/codec.h"

#include "allocator.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (1 * MIB)

static uint64_t random_state;

static uint64_t next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

enum content {
	ZEROS,
	WORDS,  /* shrinks */
	RANDOM, /* does not */
	_CONTENT_MAX,
};

static void fill(uint8_t *chunk, size_t size, enum content content)
{
	static const char *const words[] = {"page", "snapshot", "area", "extent", "slot", "\0\0\0\0", "freeze"};

	random_state = size * 31 + content;
	memset(chunk, 0, size);
	for (size_t i = 0; i + 16 <= size && content != ZEROS; i += content == WORDS ? 9 : 8) {
		uint64_t r = next_random();

		memcpy(chunk + i, content == WORDS ? (const void *)words[r % ARRAY_LENGTH(words)] : &r,
		       content == WORDS ? 4 : 8);
	}
}

/* Buffers of exactly the size, so that the sanitizer sees each byte too far. */
struct bench {
	enum codec_id codec;
	int level;
	size_t workspace_size;
	void *workspace;
	uint8_t *chunk, *block, *back;
	size_t size, capacity, stored;
};

static struct bench bench_new(enum codec_id codec, int level, size_t size, enum content content)
{
	struct bench b = {.codec = codec, .level = level, .size = size, .capacity = size - PAGE_BYTES};

	b.workspace_size = codec_workspace_size(codec, level, CHUNK);
	b.workspace = aligned_alloc(64, MAX(b.workspace_size, (size_t)64));
	b.chunk = malloc(size);
	b.block = malloc(MAX(b.capacity, (size_t)1));
	b.back = calloc(1, size);
	memset(b.workspace, 0xa5, MAX(b.workspace_size, (size_t)64));
	fill(b.chunk, size, content);
	return b;
}

static void bench_free(struct bench *b)
{
	free(b->workspace);
	free(b->chunk);
	free(b->block);
	free(b->back);
}

static int compress(struct bench *b)
{
	int r;

	allocator_refuse(true);
	r = codec_compress(b->codec, b->level, b->workspace, b->workspace_size, b->chunk, b->size, b->block, b->capacity,
			   &b->stored);
	allocator_refuse(false);
	return r;
}

static int decompress(struct bench *b, size_t stored, size_t size)
{
	int r;

	allocator_refuse(true);
	r = codec_decompress(b->codec, b->workspace, b->workspace_size, b->block, stored, b->back, size);
	allocator_refuse(false);
	return r;
}

START_TEST(names_lead_back_to_codecs)
{
	for (int i = 0; i < _CODEC_MAX; i++) {
		ck_assert_ptr_nonnull(codec_name((enum codec_id)i));
		ck_assert_int_eq(codec_from_name(codec_name((enum codec_id)i)), i);
	}
	ck_assert_ptr_null(codec_name(_CODEC_MAX));
	ck_assert_ptr_null(codec_name(_CODEC_INVALID));
	ck_assert_int_eq(codec_from_name("lzo"), _CODEC_INVALID);
	ck_assert(!codec_available(_CODEC_MAX));
	ck_assert(codec_available(CODEC_NONE));
	ck_assert(codec_available(CODEC_LZ4));
	ck_assert_int_eq(codec_available(CODEC_ZSTD), HAVE_ZSTD);
}
END_TEST

START_TEST(levels_have_ends)
{
	for (int i = 0; i < _CODEC_MAX; i++) {
		int lowest, highest;

		codec_level_range((enum codec_id)i, &lowest, &highest);
		ck_assert_int_le(lowest, highest);
		ck_assert(codec_level_valid((enum codec_id)i, 0));
		ck_assert(codec_level_valid((enum codec_id)i, lowest));
		ck_assert(codec_level_valid((enum codec_id)i, highest));
		ck_assert(!codec_level_valid((enum codec_id)i, highest + 1));
		ck_assert(!codec_level_valid((enum codec_id)i, lowest - 1));
	}
	ck_assert(!codec_level_valid(_CODEC_MAX, 0));
}
END_TEST

static const size_t sizes[] = {PAGE_BYTES * 2, 16 * KIB, 20 * KIB, 64 * KIB, 132 * KIB, 256 * KIB, 260 * KIB, CHUNK};

START_TEST(what_goes_in_comes_out)
{
	enum codec_id codec = (enum codec_id)(_i / (int)ARRAY_LENGTH(sizes));
	size_t size = sizes[_i % (int)ARRAY_LENGTH(sizes)];

	if (!codec_available(codec) || codec == CODEC_NONE)
		return;
	for (enum content content = ZEROS; content <= WORDS; content++) {
		struct bench b = bench_new(codec, 0, size, content);

		ck_assert_int_eq(compress(&b), 0);
		ck_assert_uint_gt(b.stored, 0);
		ck_assert_uint_le(b.stored, b.capacity);
		ck_assert_int_eq(decompress(&b, b.stored, size), 0);
		ck_assert_mem_eq(b.chunk, b.back, size);
		bench_free(&b);
	}
}
END_TEST

START_TEST(every_level_fits_its_workspace)
{
	enum codec_id codec = (enum codec_id)_i;
	int lowest, highest;

	codec_level_range(codec, &lowest, &highest);
	if (!codec_available(codec) || codec == CODEC_NONE)
		return;
	for (int level = lowest; level <= highest; level++)
		for (size_t i = 0; i < ARRAY_LENGTH(sizes); i += 3) {
			struct bench b = bench_new(codec, level, sizes[i], WORDS);

			/* The fastest hardly shrink anything: room for all. */
			free(b.block);
			b.capacity = b.size + b.size / 16;
			b.block = malloc(b.capacity);
			ck_assert_msg(compress(&b) == 0, "%s level %d, %zu bytes", codec_name(codec), level, sizes[i]);
			ck_assert_int_eq(decompress(&b, b.stored, b.size), 0);
			ck_assert_mem_eq(b.chunk, b.back, b.size);
			bench_free(&b);
		}
}
END_TEST

START_TEST(higher_levels_pack_tighter)
{
	struct bench fast = bench_new(CODEC_LZ4, 0, CHUNK, WORDS), high = bench_new(CODEC_LZ4, 9, CHUNK, WORDS);

	ck_assert_int_eq(compress(&fast), 0);
	ck_assert_int_eq(compress(&high), 0);
	ck_assert_uint_lt(high.stored, fast.stored);
	bench_free(&fast);
	bench_free(&high);
}
END_TEST

START_TEST(what_does_not_shrink_says_so)
{
	struct bench b;

	if (!codec_available((enum codec_id)_i))
		return;
	b = bench_new((enum codec_id)_i, 0, 64 * KIB, RANDOM);
	b.stored = 12345;
	ck_assert_int_eq(compress(&b), -ENOSPC);
	ck_assert_uint_eq(b.stored, 12345);
	bench_free(&b);
}
END_TEST

START_TEST(none_copies)
{
	struct bench b = bench_new(CODEC_NONE, 0, 64 * KIB, RANDOM);

	free(b.block);
	b.capacity = b.size;
	b.block = malloc(b.size);
	ck_assert_int_eq(compress(&b), 0);
	ck_assert_uint_eq(b.stored, b.size);
	ck_assert_int_eq(decompress(&b, b.stored, b.size), 0);
	ck_assert_mem_eq(b.chunk, b.back, b.size);
	ck_assert_int_eq(decompress(&b, b.stored - 1, b.size), -EBADMSG);
	bench_free(&b);
}
END_TEST

START_TEST(a_block_must_make_exactly_its_chunk)
{
	struct bench b;

	if (!codec_available((enum codec_id)_i))
		return;
	b = bench_new((enum codec_id)_i, 0, 64 * KIB, WORDS);
	ck_assert_int_eq(compress(&b), 0);
	ck_assert_int_eq(decompress(&b, b.stored, b.size - PAGE_BYTES), -EBADMSG);
	b.back = realloc(b.back, b.size + PAGE_BYTES);
	ck_assert_ptr_nonnull(b.back);
	ck_assert_int_eq(decompress(&b, b.stored, b.size + PAGE_BYTES), -EBADMSG);
	ck_assert_int_eq(decompress(&b, b.stored - 1, b.size), -EBADMSG);
	ck_assert_int_eq(decompress(&b, 1, b.size), -EBADMSG);
	ck_assert_int_eq(decompress(&b, 0, b.size), -EBADMSG);
	bench_free(&b);
}
END_TEST

/* Nothing of what a damaged block does may leave the buffers; the sanitizer watches. */
START_TEST(hostile_blocks_stay_in_their_buffers)
{
	struct bench b;
	size_t refused = 0;

	if (!codec_available((enum codec_id)_i))
		return;
	b = bench_new((enum codec_id)_i, 0, 16 * KIB, WORDS);
	ck_assert_int_eq(compress(&b), 0);
	for (int i = 0; i < 20000; i++) {
		size_t at = next_random() % b.stored;
		uint8_t saved = b.block[at];
		int r;

		b.block[at] = (uint8_t)next_random();
		r = decompress(&b, b.stored, b.size);
		ck_assert(r == 0 || r == -EBADMSG);
		refused += r != 0;
		b.block[at] = saved;
	}
	ck_assert_uint_gt(refused, 100);
	bench_free(&b);
}
END_TEST

START_TEST(a_workspace_that_is_too_small_is_refused)
{
	struct bench b;

	if (!codec_available((enum codec_id)_i))
		return;
	b = bench_new((enum codec_id)_i, 0, 64 * KIB, WORDS);
	b.workspace_size = 1024;
	ck_assert_int_eq(compress(&b), -EINVAL);
	bench_free(&b);
}
END_TEST

START_TEST(unknown_codecs_do_nothing)
{
	uint8_t byte = 0;
	size_t stored = 0;

	ck_assert_uint_eq(codec_workspace_size(_CODEC_MAX, 0, CHUNK), 0);
	ck_assert_int_eq(codec_compress(_CODEC_MAX, 0, NULL, 0, &byte, 1, &byte, 1, &stored), -EOPNOTSUPP);
	ck_assert_int_eq(codec_decompress(_CODEC_INVALID, NULL, 0, &byte, 1, &byte, 1), -EOPNOTSUPP);
}
END_TEST

/* Values of XXH3-128 made by another program (xxhsum -H2). */
static const struct {
	const char *text;
	uint8_t sum[CHECKSUM_BYTES];
} vectors[] = {
	{"", {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8, 0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f}},
	{"hibernated", {0x8a, 0xa0, 0xf2, 0xf3, 0xb1, 0x7c, 0xf0, 0xf8, 0xd5, 0xf9, 0x6d, 0x25, 0xa7, 0xd1, 0x91, 0xe1}},
	{
	 "The snapshot is taken while user space is frozen. "
	 "The snapshot is taken while user space is frozen. "
	 "The snapshot is taken while user space is frozen. "
	 "The snapshot is taken while user space is frozen. "
	 "The snapshot is taken while user space is frozen. "
	 "The snapshot is taken while user space is frozen. "
	 "The snapshot is taken while user space is frozen. "
	 "The snapshot is taken while user space is frozen. ", {0x3e, 0xbf, 0x4b, 0x04, 0xce, 0x21, 0xaf, 0xc1, 0x8b, 0x95, 0xc7, 0x63, 0xc4, 0x69, 0xdc, 0x40}},
};

START_TEST(checksums_are_those_of_others)
{
	struct checksum sum = checksum_of(vectors[_i].text, strlen(vectors[_i].text));
	struct checksum other = sum;

	ck_assert_mem_eq(sum.bytes, vectors[_i].sum, CHECKSUM_BYTES);
	ck_assert(checksum_equal(&sum, &other));
	other.bytes[CHECKSUM_BYTES - 1] ^= 1;
	ck_assert(!checksum_equal(&sum, &other));
}
END_TEST

/* From the sanity check of xxHash itself (tests/sanity_test_vectors.h, XXH3_128bits, seed 0): low half, high half. */
static const struct {
	size_t size;
	uint64_t low, high;
} published[] = {
	{0, 0x6001c324468d497f, 0x99aa06d3014798d8},    {1, 0xc44bdff4074eecdb, 0xa6cd5e9392000f6a},
	{6, 0x3e7039bdda43cfc6, 0x082afe0b8162d12a},    {16, 0x562980258a998629, 0xc68c368ecf8a9c05},
	{128, 0xebb15e34a7fb5ab1, 0x39992220e045260a},  {240, 0x5c9aae94c8ebe5a0, 0xaa4202daa2769dc8},
	{403, 0xcdeb804d65c6dea4, 0x1b6de21e332dd73d},  {512, 0x617e49599013cb6b, 0x18d2d110dcc9bca1},
	{2048, 0xdd59e2c3a5f038e0, 0xf736557fd47073a5}, {2240, 0x6e73a90539cf2948, 0xccb134fbfa7ce49d},
	{2367, 0xcb37aeb9e5d361ed, 0xe89c0f6ff369b427},
};

START_TEST(checksums_are_the_published_ones)
{
	uint64_t state = 2654435761, low = 0, high = 0;
	struct checksum sum;
	uint8_t bytes[2367];

	for (size_t i = 0; i < sizeof(bytes); i++, state *= 11400714785074694797u)
		bytes[i] = (uint8_t)(state >> 56);
	sum = checksum_of(bytes, published[_i].size);
	for (size_t i = 0; i < 8; i++) {
		high = high << 8 | sum.bytes[i];
		low = low << 8 | sum.bytes[8 + i];
	}
	ck_assert_msg(low == published[_i].low && high == published[_i].high, "%zu bytes: %016llx%016llx, and should be %016llx%016llx",
		      published[_i].size, (unsigned long long)high, (unsigned long long)low,
		      (unsigned long long)published[_i].high, (unsigned long long)published[_i].low);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec");
	TCase *cases = tcase_create("codec");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, names_lead_back_to_codecs);
	tcase_add_test(cases, levels_have_ends);
	tcase_add_loop_test(cases, what_goes_in_comes_out, 0, _CODEC_MAX * (int)ARRAY_LENGTH(sizes));
	tcase_add_loop_test(cases, every_level_fits_its_workspace, 0, _CODEC_MAX);
	tcase_add_test(cases, higher_levels_pack_tighter);
	tcase_add_loop_test(cases, what_does_not_shrink_says_so, 0, _CODEC_MAX);
	tcase_add_test(cases, none_copies);
	tcase_add_loop_test(cases, a_block_must_make_exactly_its_chunk, CODEC_LZ4, _CODEC_MAX);
	tcase_add_loop_test(cases, hostile_blocks_stay_in_their_buffers, CODEC_LZ4, _CODEC_MAX);
	tcase_add_loop_test(cases, a_workspace_that_is_too_small_is_refused, CODEC_LZ4, _CODEC_MAX);
	tcase_add_test(cases, unknown_codecs_do_nothing);
	tcase_add_loop_test(cases, checksums_are_the_published_ones, 0, (int)ARRAY_LENGTH(published));
	tcase_add_loop_test(cases, checksums_are_those_of_others, 0, (int)ARRAY_LENGTH(vectors));
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
