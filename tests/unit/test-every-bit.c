/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each bit of a small sealed image, changed alone: mark, header page, body (meta data, extent map, index) and first chunk
 * as a whole, of the rest of the device a sample. A change is refused where it must be, with the reason it must have, and
 * before the kernel gets a page of what was changed; or nothing covers the bit, and the pages are those that were
 * hibernated. Never anything else.
 *
 * Two threads share the bits, each with an image of its own. With sanitizers only one bit of SANITIZED_STEP is changed
 * where that costs a signature each or threads each, and EVERY_BIT_STEP=n in the environment takes one bit of n of all; how
 * many it were is printed.
 */
#include "resumer.h"

#include "area/mark-disk.h"
#include "base/secret.h"
#include "image/format.h"
#include "seal/keyfile.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED_STEP 7
#else
#define SANITIZED_STEP 1
#endif
#define THREADS      2
#define TEXT_MAX     2048
#define SAMPLE_SEED  UINT64_C(0x5ea1ed)
#define SAMPLE_COUNT 4000

static const struct sample small = {
	.name = "every-bit",
	.codec = CODEC_LZ4,
	.chunk_size = 64 * KIB,
	.pages = 34, /* chunks of 16, 16 and 2 pages */
	.random_chunk = 1,
	.device_pages = 30,
	.fingerprints = 2,
	.suite = SUITE_AES256_OCB,
	.extents = {{1, 3}, {5, 24}},
};

struct sweep {
	const char *what;
	uint64_t bits, step;
	/* Before the first: what is read once for all bits. */
	int (*begin)(struct resumer *r);
	/* Change the bit, read, judge, and change it back. False: @text says what happened. */
	bool (*judge)(struct resumer *r, uint64_t bit, char *text);
};

struct part {
	const struct sweep *sweep;
	struct resumer *resumer;
	uint64_t first;
	uint64_t count;
	bool failed;
	char text[TEXT_MAX];
	pthread_t thread;
};

static void *sweep_part(void *data)
{
	struct part *part = data;

	for (uint64_t bit = part->first; bit < part->sweep->bits && !part->failed; bit += THREADS * part->sweep->step) {
		part->failed = !part->sweep->judge(part->resumer, bit, part->text);
		part->count++;
	}
	return NULL;
}

static void run_sweep(const struct sweep *sweep, const struct key_material *keys)
{
	struct part parts[THREADS] = {0};
	uint64_t count = 0;

	for (unsigned int i = 0; i < THREADS; i++) {
		parts[i] = (struct part){.sweep = sweep, .resumer = resumer_new(&small, keys), .first = i * sweep->step};
		/* It is an image that is resumed as it is. */
		ck_assert_msg(resumer_run(parts[i].resumer) == 0, "%s", resumer_tell(parts[i].resumer, parts[i].text, TEXT_MAX));
		ck_assert(parts[i].resumer->taken == small.pages && parts[i].resumer->finished && !parts[i].resumer->other);
		if (sweep->begin)
			ck_assert_int_eq(sweep->begin(parts[i].resumer), 0);
		ck_assert_int_eq(pthread_create(&parts[i].thread, NULL, sweep_part, &parts[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(parts[i].thread, NULL);
	for (unsigned int i = 0; i < THREADS; i++) {
		count += parts[i].count;
		ck_assert_msg(!parts[i].failed, "%s: %s", sweep->what, parts[i].text);
		parts[i].resumer = resumer_free(parts[i].resumer);
	}
	printf("%s: %llu of %llu bits\n", sweep->what, (unsigned long long)count, (unsigned long long)sweep->bits);
}

static void flip(uint8_t *bytes, uint64_t bit)
{
	bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static bool wrong(const struct resumer *r, uint64_t bit, const char *wanted, char *text)
{
	char told[TEXT_MAX - 256];

	snprintf(text, TEXT_MAX, "bit %llu of byte %llu: %s, and should be %s", (unsigned long long)bit % 8,
		 (unsigned long long)bit / 8, resumer_tell(r, told, sizeof(told)), wanted);
	return false;
}

/* The same pages, and all of them. */
static bool same(const struct resumer *r)
{
	return r->stage == STAGE_END && r->taken == r->sample.pages && !r->other && r->finished;
}

/* ---- the mark ---- */

static bool judge_mark(struct resumer *r, uint64_t bit, char *text)
{
	int result;

	flip(r->bytes + MARK_OFFSET, bit);
	result = resumer_run(r);
	flip(r->bytes + MARK_OFFSET, bit);
	if (result < 0 && r->stage == STAGE_MARK &&
	    (r->failure.reason == REASON_IMAGE_DAMAGED || r->failure.reason == REASON_NO_IMAGE))
		return true;
	return wrong(r, bit, "no armed image, or a damaged one", text);
}

/* Nothing but a checksum protects the mark. What it says leads to this image or to none. */
static bool judge_summed_mark(struct resumer *r, uint64_t bit, char *text)
{
	uint8_t page[PAGE_BYTES];
	int result;

	memcpy(page, r->bytes, sizeof(page));
	flip(r->bytes + MARK_OFFSET, bit);
	resumer_sum_mark(r);
	result = resumer_run(r);
	memcpy(r->bytes, page, sizeof(page));
	if (result < 0 ? !r->taken : same(r))
		return true;
	return wrong(r, bit, "refused before the first page, or this image", text);
}

/* ---- the header page ---- */

static int read_mark(struct resumer *r)
{
	return resumer_mark(r);
}

static bool judge_header(struct resumer *r, uint64_t bit, char *text)
{
	int result;

	flip(resumer_page(r), bit);
	result = resumer_run(r);
	flip(resumer_page(r), bit);
	if (result < 0 && r->stage == STAGE_HEADER && r->failure.reason == REASON_IMAGE_DAMAGED)
		return true;
	return wrong(r, bit, "refused as damaged, and nobody asked", text);
}

#define OF(reason) (UINT64_C(1) << REASON_##reason)

/* By where the byte is: what the refusal may say once the checksum is right, and at which stage it comes at the latest. */
static const struct {
	size_t end;
	uint64_t reasons;
	enum resumer_stage stage;
} places[] = {
	{16, OF(IMAGE_DAMAGED), STAGE_HEADER},                          /* magic */
	{32, OF(IMAGE_VERSION), STAGE_HEADER},                          /* version, size, flags */
	{36, OF(IMAGE_VERSION) | OF(UNAUTHENTIC), STAGE_SECRET},        /* suite: 2 becomes 0, 3, or an unknown one */
	{40, OF(IMAGE_DAMAGED), STAGE_HEADER},                          /* number of body extents */
	{56, OF(UNAUTHENTIC), STAGE_SECRET},                            /* image id */
	{64, OF(IMAGE_DAMAGED) | OF(UNAUTHENTIC), STAGE_SECRET},        /* size of the body */
	{80, OF(UNAUTHENTIC), STAGE_SECRET},                            /* its tag */
	{84, OF(IMAGE_VERSION), STAGE_HEADER},                          /* number of slots */
	{164, OF(IMAGE_VERSION) | OF(UNAUTHENTIC), STAGE_SECRET},       /* kernel: a string */
	{256, OF(IMAGE_VERSION), STAGE_HEADER},                         /* reserved */
	{272, OF(IMAGE_DAMAGED) | OF(UNAUTHENTIC), STAGE_SECRET},       /* the body's extent */
	{1280, OF(IMAGE_DAMAGED), STAGE_HEADER},                        /* no other one */
	{1288, OF(IMAGE_VERSION), STAGE_HEADER},                        /* slot: kind and size */
	{1416, OF(UNAUTHENTIC), STAGE_SECRET},                          /* what is in it */
	{3328, OF(IMAGE_VERSION), STAGE_HEADER},                        /* nothing behind it */
	{3336, OF(IMAGE_DAMAGED), STAGE_HEADER},                        /* blob: magic */
	{3344, OF(IMAGE_VERSION), STAGE_HEADER},                        /* version, size */
	{3360, OF(WRONG_SECRET), STAGE_SECRET},                         /* id of the set: what the passphrase is bound to */
	{3364, OF(IMAGE_VERSION), STAGE_HEADER},                        /* ways */
	{3376, OF(UNAUTHENTIC), STAGE_SECRET},                          /* nonce */
	{3380, OF(IMAGE_VERSION), STAGE_HEADER},                        /* kind of Argon2 */
	{3392, OF(IMAGE_DAMAGED) | OF(CRYPTO) | OF(WRONG_SECRET), STAGE_SECRET}, /* its cost */
	{3440, OF(WRONG_SECRET), STAGE_SECRET},                         /* salt, commitment */
	{3488, OF(UNAUTHENTIC), STAGE_SECRET},                          /* the blob's key and tag */
	{3936, OF(IMAGE_VERSION), STAGE_HEADER},                        /* no other ways, reserved */
	{4016, OF(UNAUTHENTIC), STAGE_SECRET},                          /* the private keys and their tag */
	{4080, OF(UNAUTHENTIC), STAGE_SECRET},                          /* signature */
};

static bool judge_summed_header(struct resumer *r, uint64_t bit, char *text)
{
	uint8_t sum[CHECKSUM_BYTES], *at = resumer_page(r) + offsetof(struct header_disk, checksum);
	size_t place = 0;
	char wanted[128];
	int result;

	memcpy(sum, at, sizeof(sum));
	flip(resumer_page(r), bit);
	resumer_sum(r);
	result = resumer_run(r);
	flip(resumer_page(r), bit);
	memcpy(at, sum, sizeof(sum));
	while (bit / 8 >= places[place].end)
		place++;
	if (result < 0 && r->stage <= places[place].stage && places[place].reasons & UINT64_C(1) << r->failure.reason)
		return true;
	snprintf(wanted, sizeof(wanted), "refused at %s at the latest, with one of the reasons %#llx",
		 resumer_stage_name(places[place].stage), (unsigned long long)places[place].reasons);
	return wrong(r, bit, wanted, text);
}

/* ---- body and first chunk ---- */

static int read_header(struct resumer *r)
{
	int result = resumer_mark(r);

	return result < 0 ? result : resumer_header(r);
}

/* The body is in one extent here. */
static bool judge_body(struct resumer *r, uint64_t bit, char *text)
{
	uint8_t *body = r->bytes + r->header.body_extents[0].start;
	int result;

	flip(body, bit);
	result = resumer_body(r);
	flip(body, bit);
	if (result < 0 && r->stage == STAGE_BODY && r->failure.reason == REASON_UNAUTHENTIC)
		return true;
	return wrong(r, bit, "refused as unauthentic", text);
}

static int read_body(struct resumer *r)
{
	int result = read_header(r);

	return result < 0 ? result : resumer_body(r);
}

static bool judge_chunk(struct resumer *r, uint64_t bit, char *text)
{
	uint8_t *byte = r->bytes + resumer_place(r, r->place.chunks[0].offset + bit / 8);
	int result;

	r->taken = 0;
	flip(byte, bit % 8);
	result = resumer_pages(r);
	flip(byte, bit % 8);
	if (result < 0 && r->stage == STAGE_CHUNKS && r->failure.reason == REASON_UNAUTHENTIC && !r->taken && !r->finished)
		return true;
	return wrong(r, bit, "refused as unauthentic, without a page", text);
}

/* ---- the rest ---- */

static bool within(uint64_t at, uint64_t start, uint64_t size)
{
	return at >= start && at - start < size;
}

/* The chunk whose stored bytes have byte @at of the device; -1: none. */
static int chunk_at(const struct resumer *r, uint64_t at)
{
	for (size_t i = 0; i < r->place.index.count; i++)
		for (uint64_t done = 0; done < r->place.chunks[i].stored; done += PAGE_BYTES)
			if (within(at, resumer_place(r, r->place.chunks[i].offset + done),
				   MIN(r->place.chunks[i].stored - done, (uint64_t)PAGE_BYTES)))
				return (int)i;
	return -1;
}

/* Somewhere on the device, checksums as they are. */
static bool judge_anywhere(struct resumer *r, uint64_t number, char *text)
{
	uint64_t z = SAMPLE_SEED + number * UINT64_C(0x9e3779b97f4a7c15), bit, at;
	int result, chunk;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	bit = (z ^ z >> 31) % (r->size * 8);
	at = bit / 8;
	flip(r->bytes, bit);
	result = resumer_run(r);
	flip(r->bytes, bit);
	chunk = chunk_at(r, at);
	if (within(at, MARK_OFFSET, PAGE_BYTES - MARK_OFFSET))
		return (result < 0 && r->stage == STAGE_MARK) || wrong(r, bit, "no mark", text);
	if (within(at, r->place.image.header_offset, PAGE_BYTES))
		return (result < 0 && r->stage == STAGE_HEADER) || wrong(r, bit, "a damaged header page", text);
	if (within(at, r->header.body_extents[0].start, r->header.body_size))
		return (result < 0 && r->stage == STAGE_BODY) || wrong(r, bit, "a changed body", text);
	if (chunk < 0) /* swap header, padding, what is not used */
		return (result == 0 && same(r)) || wrong(r, bit, "resumed as it was", text);
	if (result < 0 && r->failure.reason == REASON_UNAUTHENTIC && r->taken <= (uint64_t)chunk * 16 && !r->other &&
	    !r->finished)
		return true;
	return wrong(r, bit, "refused as unauthentic, with the chunks before it at most", text);
}

/* ---- all of them ---- */

static const struct sweep sweeps[] = {
	{"mark", 512 * 8, 1, NULL, judge_mark},
	{"mark, with the checksum made right", sizeof(struct mark_disk) * 8, 1, NULL, judge_summed_mark},
	{"header page", PAGE_BYTES * 8, 1, read_mark, judge_header},
	{"header page, with the checksum made right", offsetof(struct header_disk, checksum) * 8, SANITIZED_STEP, read_mark,
	 judge_summed_header},
	{"body", 0, 1, read_header, judge_body},
	{"first chunk", 0, SANITIZED_STEP, read_body, judge_chunk},
	{"anywhere, seed 0x5ea1ed", SAMPLE_COUNT, SANITIZED_STEP, read_header, judge_anywhere},
};

START_TEST(every_bit_counts)
{
	struct key_material *keys = resumer_keys(0);
	struct resumer *r = resumer_new(&small, keys);
	const char *step = getenv("EVERY_BIT_STEP");
	struct sweep sweep = sweeps[_i];

	ck_assert_int_eq(resumer_run(r), 0);
	ck_assert_uint_eq(r->header.body_extent_count, 1);
	if (sweep.judge == judge_body)
		sweep.bits = r->header.body_size * 8;
	if (sweep.judge == judge_chunk)
		sweep.bits = (uint64_t)r->place.chunks[0].stored * 8;
	if (step)
		sweep.step = strtoul(step, NULL, 10);
	ck_assert_uint_ne(sweep.step, 0);
	ck_assert_uint_eq(r->place.chunks[1].codec, CODEC_NONE);
	ck_assert_uint_eq(r->place.chunks[0].codec, CODEC_LZ4);
	run_sweep(&sweep, keys);
	resumer_free(r);
	secret_free(keys);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("every-bit");
	TCase *cases = tcase_create("every-bit");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 900);
	tcase_add_loop_test(cases, every_bit_counts, 0, (int)ARRAY_LENGTH(sweeps));
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
