/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sealed chunks: known bytes, and everything that somebody could do to them. The known bytes were made by another
 * implementation of doc/image-format.md.
 */
#include "hex.h"
#include "image/format.h"
#include "base/secret.h"
#include "seal/disk.h"
#include "seal/stream.h"
#include "secrets.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

/* What lib/seal/disk.h says about the header page is what lib/image/format.h says. */
_Static_assert(SEAL_PAGE_BEGIN_BYTES == offsetof(struct header_disk, suite) + 4, "beginning");
_Static_assert(SEAL_PAGE_IMAGE_ID == offsetof(struct header_disk, id), "id");
_Static_assert(SEAL_IMAGE_ID_BYTES == IMAGE_ID_BYTES, "id");
_Static_assert(SEAL_PAGE_SLOT_COUNT == offsetof(struct header_disk, slot_count), "slot_count");
_Static_assert(SEAL_PAGE_SLOTS == offsetof(struct header_disk, slots), "slots");
_Static_assert(SEAL_SLOT_COUNT * SEAL_SLOT_BYTES == sizeof(((struct header_disk *)0)->slots), "slots");
_Static_assert(SEAL_PAGE_BLOB == offsetof(struct header_disk, sealed_blob), "blob");
_Static_assert(SEAL_BLOB_BYTES == sizeof(((struct header_disk *)0)->sealed_blob), "blob");
_Static_assert(SEAL_PAGE_SIGNATURE == offsetof(struct header_disk, signature), "signature");
_Static_assert(CRYPTO_SIGNATURE_BYTES == sizeof(((struct header_disk *)0)->signature), "signature");
_Static_assert(CRYPTO_TAG_BYTES == CHECKSUM_BYTES, "tags lie in the places of checksums");

#define CHUNKS 5
#define CHUNK_BYTES 96

/* An image as a reader meets it: what its header page says, its index and its chunks. */
struct picture {
	struct seal_transcript transcript;
	uint8_t key[CRYPTO_KEY_BYTES];
	size_t count; /* of chunks */
	struct picture_chunk {
		uint32_t stored, size, codec;
		uint8_t bytes[CHUNK_BYTES], tag[CRYPTO_TAG_BYTES];
	} chunks[CHUNKS + 1];
	uint32_t body_size;
	uint8_t body[CHUNK_BYTES], body_tag[CRYPTO_TAG_BYTES];
};

static struct picture good, other;
static struct failure failure;

static void fill(void *out, size_t size, unsigned int first)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)out)[i] = (uint8_t)(first + i);
}

static struct seal_stream *stream_for(const struct picture *p, enum seal_part part)
{
	struct seal_stream *stream = NULL;

	ck_assert_int_eq(seal_stream_new(&stream, part, p->transcript.suite), 0);
	ck_assert_int_eq(seal_stream_key(stream, &p->transcript, p->key), 0);
	return stream;
}

static struct seal_chunk chunk_of(const struct picture *p, size_t i)
{
	const struct picture_chunk *c = &p->chunks[i];

	return (struct seal_chunk){i, i + 1 == p->count, c->stored, c->size, c->codec};
}

static struct seal_chunk body_of(const struct picture *p)
{
	return (struct seal_chunk){0, true, p->body_size, p->body_size, 0};
}

static void seal(struct picture *p, enum seal_suite suite, unsigned int seed)
{
	AUTO_SEAL_STREAM struct seal_stream *chunks = NULL, *body = NULL;

	memset(p, 0, sizeof(*p));
	p->transcript.suite = suite;
	fill(p->transcript.image_id, sizeof(p->transcript.image_id), 0xa0 + seed);
	fill(p->transcript.header_hash, sizeof(p->transcript.header_hash), 0xc0 + seed);
	fill(p->key, sizeof(p->key), seed);
	p->count = CHUNKS;
	p->body_size = 90;
	chunks = stream_for(p, SEAL_CHUNKS);
	body = stream_for(p, SEAL_BODY);
	for (size_t i = 0; i < p->count; i++) {
		struct picture_chunk *c = &p->chunks[i];
		struct seal_chunk about;

		c->stored = i == 3 ? 50 : CHUNK_BYTES; /* not whole blocks */
		c->size = 4096;
		c->codec = i == 2 ? 0 : 1;
		fill(c->bytes, c->stored, (unsigned int)i);
		about = chunk_of(p, i);
		ck_assert_int_eq(seal_chunk_seal(chunks, &about, c->bytes, c->bytes, c->tag), 0);
	}
	fill(p->body, p->body_size, 0x77);
	{
		struct seal_chunk about = body_of(p);

		ck_assert_int_eq(seal_chunk_seal(body, &about, p->body, p->body, p->body_tag), 0);
	}
}

/* As a reader does: the body, then chunk by chunk. The first error, or 0. What was not verified is zeros. */
static int read_picture(const struct picture *p)
{
	AUTO_SEAL_STREAM struct seal_stream *chunks = stream_for(p, SEAL_CHUNKS), *body = stream_for(p, SEAL_BODY);
	uint8_t plain[2 * CHUNK_BYTES];
	struct seal_chunk about = body_of(p);
	struct seal_order order;
	int r = seal_chunk_open(body, &about, p->body, plain, p->body_tag);

	seal_order_init(&order, p->count);
	for (size_t i = 0; r >= 0 && i < p->count; i++) {
		about = chunk_of(p, i);
		memset(plain, 0x55, sizeof(plain));
		r = seal_chunk_open(chunks, &about, p->chunks[i].bytes, plain, p->chunks[i].tag);
		if (r >= 0)
			r = seal_order_take(&order, about.index, about.last);
		if (r < 0)
			for (size_t j = 0; j < about.stored; j++)
				ck_assert_msg(!plain[j], "chunk %zu: byte %zu of what was refused is left", i, j);
	}
	return r < 0 ? r : seal_order_close(&order);
}

static void begin(void)
{
	char text[1024];

	if (crypto_init(&failure) < 0)
		ck_abort_msg("%s", failure_format(&failure, text, sizeof(text)));
	failure = (struct failure){0};
}

/* ---- what is done to an image ---- */

static void swap_chunks(struct picture *p)
{
	struct picture_chunk first = p->chunks[0];

	p->chunks[0] = p->chunks[1];
	p->chunks[1] = first;
}

static void repeat_a_chunk(struct picture *p)
{
	p->chunks[1] = p->chunks[0];
}

static void repeat_the_last(struct picture *p)
{
	p->chunks[p->count] = p->chunks[p->count - 1];
	p->count++;
}

static void drop_the_first(struct picture *p)
{
	memmove(&p->chunks[0], &p->chunks[1], (CHUNKS - 1) * sizeof(p->chunks[0]));
	p->count--;
}

static void drop_one_amid(struct picture *p)
{
	memmove(&p->chunks[1], &p->chunks[2], (CHUNKS - 2) * sizeof(p->chunks[0]));
	p->count--;
}

static void drop_the_last(struct picture *p)
{
	p->count--;
}

static void drop_all_but_one(struct picture *p)
{
	p->count = 1;
}

static void drop_all(struct picture *p)
{
	p->count = 0;
}

static void add_an_empty_chunk(struct picture *p)
{
	memset(&p->chunks[p->count], 0, sizeof(p->chunks[0]));
	p->count++;
}

static void foreign_chunk(struct picture *p)
{
	p->chunks[2] = other.chunks[2];
}

static void foreign_last_chunk(struct picture *p)
{
	p->chunks[CHUNKS - 1] = other.chunks[CHUNKS - 1];
}

static void foreign_tag(struct picture *p)
{
	memcpy(p->chunks[2].tag, other.chunks[2].tag, CRYPTO_TAG_BYTES);
}

static void foreign_body(struct picture *p)
{
	memcpy(p->body, other.body, sizeof(p->body));
	memcpy(p->body_tag, other.body_tag, sizeof(p->body_tag));
}

static void body_is_a_chunk(struct picture *p)
{
	memcpy(p->body, p->chunks[0].bytes, sizeof(p->body));
	memcpy(p->body_tag, p->chunks[0].tag, sizeof(p->body_tag));
	p->body_size = p->chunks[0].stored;
}

static void chunk_is_the_body(struct picture *p)
{
	p->count = 1; /* number 0, and the last: as the body is */
	memcpy(p->chunks[0].bytes, p->body, sizeof(p->body));
	memcpy(p->chunks[0].tag, p->body_tag, sizeof(p->body_tag));
	p->chunks[0].stored = p->chunks[0].size = p->body_size;
	p->chunks[0].codec = 0;
}

static void store_less(struct picture *p)
{
	p->chunks[0].stored--;
}

static void store_more(struct picture *p)
{
	p->chunks[3].stored++;
}

static void store_nothing(struct picture *p)
{
	p->chunks[0].stored = 0;
}

static void decode_to_more(struct picture *p)
{
	p->chunks[0].size += 4096;
}

static void decode_by_another_codec(struct picture *p)
{
	p->chunks[0].codec = 2;
}

static void pretend_it_is_raw(struct picture *p)
{
	p->chunks[0].codec = 0;
}

static void cut_the_body(struct picture *p)
{
	p->body_size--;
}

static void downgrade_the_suite(struct picture *p)
{
	p->transcript.suite = p->transcript.suite == SUITE_AES256_GCM ? SUITE_AES256_OCB : SUITE_AES256_GCM;
}

static void another_cipher(struct picture *p)
{
	p->transcript.suite = p->transcript.suite == SUITE_CHACHA20_POLY1305 ? SUITE_AES256_OCB : SUITE_CHACHA20_POLY1305;
}

static void another_image_id(struct picture *p)
{
	memcpy(p->transcript.image_id, other.transcript.image_id, sizeof(p->transcript.image_id));
}

static void another_header(struct picture *p)
{
	p->transcript.header_hash[31] ^= 1;
}

static void another_key(struct picture *p)
{
	p->key[31] ^= 0x80;
}

static const struct {
	const char *name;
	void (*tamper)(struct picture *p);
} tampers[] = {
	{"two chunks swapped", swap_chunks},
	{"a chunk repeated", repeat_a_chunk},
	{"the last chunk repeated", repeat_the_last},
	{"the first chunk dropped", drop_the_first},
	{"a chunk dropped", drop_one_amid},
	{"the last chunk dropped", drop_the_last},
	{"all chunks but one dropped", drop_all_but_one},
	{"all chunks dropped", drop_all},
	{"an empty chunk added", add_an_empty_chunk},
	{"a chunk of another image", foreign_chunk},
	{"the last chunk of another image", foreign_last_chunk},
	{"a tag of another image", foreign_tag},
	{"the body of another image", foreign_body},
	{"a chunk for the body", body_is_a_chunk},
	{"the body for a chunk", chunk_is_the_body},
	{"a byte less of a chunk", store_less},
	{"a byte more of a chunk", store_more},
	{"nothing of a chunk", store_nothing},
	{"more pages of a chunk", decode_to_more},
	{"another codec", decode_by_another_codec},
	{"a coded chunk as a raw one", pretend_it_is_raw},
	{"a byte less of the body", cut_the_body},
	{"another mode", downgrade_the_suite},
	{"another cipher", another_cipher},
	{"another image's id", another_image_id},
	{"another header page", another_header},
	{"another key", another_key},
};

START_TEST(what_was_tampered_with_is_refused)
{
	size_t row = (size_t)_i % ARRAY_LENGTH(tampers);
	enum seal_suite suite = (enum seal_suite)(1 + _i / (int)ARRAY_LENGTH(tampers));
	struct picture bad;
	int r;

	seal(&good, suite, 0);
	seal(&other, suite, 1);
	ck_assert_int_eq(read_picture(&good), 0);
	ck_assert_int_eq(read_picture(&other), 0);
	bad = good;
	tampers[row].tamper(&bad);
	r = read_picture(&bad);
	ck_assert_msg(r == -EBADMSG, "%s, %s: %d", suite_name(suite), tampers[row].name, r);
}
END_TEST

/* The same key with the same id, a second time: what only number, part and key keep apart still is. */
START_TEST(a_chunk_opens_in_its_place_only)
{
	AUTO_SEAL_STREAM struct seal_stream *chunks = NULL;
	uint8_t plain[CHUNK_BYTES];

	seal(&good, (enum seal_suite)_i, 0);
	chunks = stream_for(&good, SEAL_CHUNKS);
	for (size_t i = 0; i < CHUNKS; i++)
		for (uint64_t index = 0; index < CHUNKS + 2; index++)
			for (int last = 0; last < 2; last++) {
				struct seal_chunk about = chunk_of(&good, i);
				bool right = index == i && last == about.last;

				about.index = index;
				about.last = last;
				ck_assert_int_eq(seal_chunk_open(chunks, &about, good.chunks[i].bytes, plain, good.chunks[i].tag),
						 right ? 0 : -EBADMSG);
			}
	/* Numbers are compared as a whole. */
	for (int bit = 0; bit < 64; bit++) {
		struct seal_chunk about = chunk_of(&good, 0);

		about.index = UINT64_C(1) << bit;
		ck_assert_int_eq(seal_chunk_open(chunks, &about, good.chunks[0].bytes, plain, good.chunks[0].tag), -EBADMSG);
	}
}
END_TEST

/* Every bit of what lies on the disk, of two chunks and the body, and of the transcript. */
START_TEST(every_bit_counts)
{
	struct picture bad;
	struct {
		void *bytes;
		size_t size;
	} ranges[] = {
		{bad.chunks[0].bytes, CHUNK_BYTES},
		{bad.chunks[0].tag, CRYPTO_TAG_BYTES},
		{bad.chunks[CHUNKS - 1].bytes, CHUNK_BYTES},
		{bad.chunks[CHUNKS - 1].tag, CRYPTO_TAG_BYTES},
		{bad.body, 90},
		{bad.body_tag, CRYPTO_TAG_BYTES},
		{bad.transcript.image_id, sizeof(bad.transcript.image_id)},
		{bad.transcript.header_hash, sizeof(bad.transcript.header_hash)},
		{bad.key, sizeof(bad.key)},
	};

	seal(&good, (enum seal_suite)_i, 0);
	bad = good;
	for (size_t n = 0; n < ARRAY_LENGTH(ranges); n++)
		for (size_t bit = 0; bit < 8 * ranges[n].size; bit += n < 6 ? 1 : 5) {
			uint8_t *byte = (uint8_t *)ranges[n].bytes + bit / 8;

			*byte ^= (uint8_t)(1 << bit % 8);
			ck_assert_msg(read_picture(&bad) == -EBADMSG, "range %zu, bit %zu", n, bit);
			*byte ^= (uint8_t)(1 << bit % 8);
		}
	ck_assert_int_eq(read_picture(&bad), 0);
}
END_TEST

/* ---- known bytes ---- */

static const struct {
	enum seal_suite suite;
	enum seal_part part;
	const char *first, *tag;
} known[] = {
	{SUITE_AES256_GCM, SEAL_CHUNKS, "e98985b542889474a329d8fde93937e7", "85ff932d910c93414a6a59ff0b97e8b5"},
	{SUITE_AES256_GCM, SEAL_BODY, "d073b81a6922d4028add117e3b188c84", "1b0d2269b01acb0c2a267d647762e7df"},
	{SUITE_AES256_OCB, SEAL_CHUNKS, "e38404ab3849bfd7c834cd057c7863a7", "bef2b835af54116f7e0651362bce00c1"},
	{SUITE_AES256_OCB, SEAL_BODY, "00d0db6c6cccede3254880495896516a", "485f49c84b92dd1fb317192e521bddab"},
	{SUITE_CHACHA20_POLY1305, SEAL_CHUNKS, "09a03a195816f133da4a3f82ce46435c", "3abeaf9750831ed0e48a285eab062ce2"},
	{SUITE_CHACHA20_POLY1305, SEAL_BODY, "11b9bc3b6bc5ab2259568312d5a35579", "1ff552d6e51fd2b1ce23a726d616b8cd"},
};

START_TEST(sealed_bytes_are_those_of_the_format)
{
	struct picture p = {.transcript.suite = known[_i].suite};
	bool body = known[_i].part == SEAL_BODY;
	struct seal_chunk about = {body ? 0 : 7, body, 100, body ? 100 : 65536, body ? 0 : 1};
	AUTO_SEAL_STREAM struct seal_stream *stream = NULL;
	uint8_t plain[100], sealed[100], tag[16];

	fill(p.transcript.image_id, 16, 0xa0);
	fill(p.transcript.header_hash, 32, 0xc0);
	fill(p.key, 32, 0);
	fill(plain, sizeof(plain), 0);
	stream = stream_for(&p, known[_i].part);
	ck_assert_int_eq(seal_chunk_seal(stream, &about, plain, sealed, tag), 0);
	ck_assert_hex(sealed, known[_i].first);
	ck_assert_hex(tag, known[_i].tag);
}
END_TEST

static void known_page(uint8_t page[PAGE_BYTES])
{
	for (size_t i = 0; i < PAGE_BYTES; i++)
		page[i] = (uint8_t)(7 * i + (i >> 8));
}

/* Whether byte @at of the header page is fixed before the first chunk. */
static bool hashed(size_t at)
{
	return at < 36 || (at >= 40 && at < 56) || (at >= 80 && at < 84) || (at >= 1280 && at < 4016);
}

START_TEST(the_header_hash_covers_what_is_fixed)
{
	uint8_t page[PAGE_BYTES], before[32], after[32];

	known_page(page);
	ck_assert_int_eq(seal_header_hash(page, before), 0);
	ck_assert_hex(before, "172cc95af1a375c7daa8972d6a74df468918fd6ccc2ed65682a4df223a8a21da");
	for (size_t at = 0; at < PAGE_BYTES; at++) {
		page[at] ^= 0x40;
		ck_assert_int_eq(seal_header_hash(page, after), 0);
		ck_assert_msg((memcmp(before, after, 32) != 0) == hashed(at), "byte %zu", at);
		page[at] ^= 0x40;
	}
}
END_TEST

/* ---- order, suites, handles ---- */

START_TEST(order_is_kept)
{
	struct seal_order order;

	seal_order_init(&order, 3);
	ck_assert_int_eq(seal_order_close(&order), -EBADMSG);
	ck_assert_int_eq(seal_order_take(&order, 1, false), -EBADMSG);
	ck_assert_int_eq(seal_order_take(&order, 0, true), -EBADMSG);
	ck_assert_int_eq(seal_order_take(&order, 0, false), 0);
	ck_assert_int_eq(seal_order_take(&order, 0, false), -EBADMSG);
	ck_assert_int_eq(seal_order_take(&order, 2, true), -EBADMSG);
	ck_assert_int_eq(seal_order_take(&order, 1, false), 0);
	ck_assert_int_eq(seal_order_take(&order, 2, false), -EBADMSG);
	ck_assert_int_eq(seal_order_close(&order), -EBADMSG);
	ck_assert_int_eq(seal_order_take(&order, 2, true), 0);
	ck_assert_int_eq(seal_order_close(&order), 0);
	ck_assert_int_eq(seal_order_take(&order, 3, true), -EBADMSG);
	seal_order_init(&order, 0);
	ck_assert_int_eq(seal_order_take(&order, 0, true), -EBADMSG);
	ck_assert_int_eq(seal_order_close(&order), -EBADMSG);
}
END_TEST

static const struct {
	bool required;
	uint32_t suite;
	int result;
	enum reason reason;
} admissions[] = {
	{false, SUITE_NONE, 0, REASON_NONE},
	{false, SUITE_AES256_OCB, 0, REASON_NONE},
	{true, SUITE_AES256_GCM, 0, REASON_NONE},
	{true, SUITE_AES256_OCB, 0, REASON_NONE},
	{true, SUITE_CHACHA20_POLY1305, 0, REASON_NONE},
	{true, SUITE_NONE, -EPERM, REASON_NOT_SEALED},
	{true, _SUITE_MAX, -ENOTSUP, REASON_IMAGE_VERSION},
	{false, _SUITE_MAX, -ENOTSUP, REASON_IMAGE_VERSION},
	{false, UINT32_MAX, -ENOTSUP, REASON_IMAGE_VERSION},
};

START_TEST(a_downgrade_is_refused)
{
	ck_assert_int_eq(seal_admit(admissions[_i].required, admissions[_i].suite, "test", &failure), admissions[_i].result);
	ck_assert_int_eq(failure.reason, admissions[_i].reason);
	if (failed(&failure))
		ck_assert_str_eq(failure.object, "test");
}
END_TEST

START_TEST(a_stream_without_its_key_does_nothing)
{
	AUTO_SEAL_STREAM struct seal_stream *stream = NULL;
	uint8_t byte = 7, tag[16];
	struct seal_chunk about = {0, true, 1, 1, 0};
	int r;

	ck_assert_int_eq(seal_stream_new(&stream, SEAL_CHUNKS, SUITE_NONE), -EINVAL);
	ck_assert_int_eq(seal_stream_new(&stream, SEAL_CHUNKS, _SUITE_MAX), -EINVAL);
	ck_assert_int_eq(seal_stream_new(&stream, (enum seal_part)3, SUITE_AES256_GCM), -EINVAL);
	secrets_refuse(true);
	r = seal_stream_new(&stream, SEAL_CHUNKS, SUITE_AES256_GCM);
	secrets_refuse(false);
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_ptr_null(stream);
	ck_assert_int_eq(seal_stream_new(&stream, SEAL_CHUNKS, SUITE_AES256_GCM), 0);
	ck_assert_int_eq(seal_chunk_seal(stream, &about, &byte, &byte, tag), -ENOKEY);
	ck_assert_int_eq(seal_chunk_open(stream, &about, &byte, &byte, tag), -ENOKEY);
	ck_assert_uint_eq(byte, 7);
	seal(&good, SUITE_AES256_OCB, 0);
	ck_assert_int_eq(seal_stream_key(stream, &good.transcript, good.key), -EINVAL);
	ck_assert_int_eq(seal_chunk_seal(stream, &about, &byte, &byte, tag), -ENOKEY);
}
END_TEST

START_TEST(chunks_need_no_memory)
{
	AUTO_SEAL_STREAM struct seal_stream *chunks = NULL;
	uint8_t plain[CHUNK_BYTES], tag[16];
	struct seal_chunk about;
	int r = 0;

	seal(&good, (enum seal_suite)_i, 0);
	chunks = stream_for(&good, SEAL_CHUNKS);
	about = chunk_of(&good, 1);
	secrets_refuse(true);
	for (int round = 0; r >= 0 && round < 10; round++) {
		r = seal_chunk_open(chunks, &about, good.chunks[1].bytes, plain, good.chunks[1].tag);
		if (r >= 0)
			r = seal_chunk_seal(chunks, &about, plain, plain, tag);
	}
	secrets_refuse(false);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(secrets_refused(), 0);
	ck_assert_mem_eq(plain, good.chunks[1].bytes, CHUNK_BYTES);
}
END_TEST

START_TEST(no_copy_of_the_key_stays_behind)
{
	uint8_t *key = secret_new(CRYPTO_KEY_BYTES), plain[CHUNK_BYTES];
	struct seal_transcript transcript = {.suite = (enum seal_suite)_i};
	struct seal_chunk about = {0, true, CHUNK_BYTES, CHUNK_BYTES, 0};
	AUTO_SEAL_STREAM struct seal_stream *stream = NULL;
	uint8_t tag[16];

	ck_assert_int_eq(secret_random(key, CRYPTO_KEY_BYTES), 0);
	ck_assert_int_eq(seal_stream_new(&stream, SEAL_CHUNKS, transcript.suite), 0);
	ck_assert_int_eq(seal_stream_key(stream, &transcript, key), 0);
	ck_assert_int_eq(seal_chunk_seal(stream, &about, plain, plain, tag), 0);
	ck_assert_uint_eq(secrets_copies(key, CRYPTO_KEY_BYTES), 1);
	stream = seal_stream_free(stream);
	secret_free(key);
	ck_assert_uint_eq(secrets_dirty(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *cases = tcase_create("seal");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_add_checked_fixture(cases, begin, NULL);
	tcase_set_timeout(cases, 120);
	tcase_add_loop_test(cases, what_was_tampered_with_is_refused, 0, (_SUITE_MAX - 1) * (int)ARRAY_LENGTH(tampers));
	tcase_add_loop_test(cases, a_chunk_opens_in_its_place_only, SUITE_AES256_GCM, _SUITE_MAX);
	tcase_add_loop_test(cases, every_bit_counts, SUITE_AES256_GCM, _SUITE_MAX);
	tcase_add_loop_test(cases, sealed_bytes_are_those_of_the_format, 0, (int)ARRAY_LENGTH(known));
	tcase_add_test(cases, the_header_hash_covers_what_is_fixed);
	tcase_add_test(cases, order_is_kept);
	tcase_add_loop_test(cases, a_downgrade_is_refused, 0, (int)ARRAY_LENGTH(admissions));
	tcase_add_test(cases, a_stream_without_its_key_does_nothing);
	tcase_add_loop_test(cases, chunks_need_no_memory, SUITE_AES256_GCM, _SUITE_MAX);
	tcase_add_loop_test(cases, no_copy_of_the_key_stays_behind, SUITE_AES256_GCM, _SUITE_MAX);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
