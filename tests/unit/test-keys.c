/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key sets: slots, the sealed private blob, signatures. The known bytes were made by another implementation of
 * doc/image-format.md.
 */
#include "base/secret.h"
#include "hex.h"
#include "seal/blob.h"
#include "seal/disk.h"
#include "seal/slot.h"
#include "secrets.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#define PASSPHRASE ((struct bytes){"correct horse", 13})

static const struct argon2_cost cheap = {.memory_kib = 64, .passes = 2, .lanes = 2};
static const struct slot_image image = {
	.id = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf},
	.suite = SUITE_AES256_OCB,
};

static struct key_set *set, *attacker;
static uint8_t image_key[CRYPTO_KEY_BYTES];
static struct failure failure;

static void fill(void *out, size_t size, unsigned int first)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)out)[i] = (uint8_t)(first + i);
}

static void begin(void)
{
	char text[1024];

	if (crypto_init(&failure) < 0)
		ck_abort_msg("%s", failure_format(&failure, text, sizeof(text)));
	failure = (struct failure){0};
	set = secret_new(sizeof(*set));
	attacker = secret_new(sizeof(*attacker));
	fill(set->recipient_secret, CRYPTO_KEY_BYTES, 0x10);
	fill(set->signing_seed, CRYPTO_KEY_BYTES, 0x40);
	ck_assert_int_eq(key_set_complete(set), 0);
	ck_assert_int_eq(key_set_generate(attacker), 0);
	fill(image_key, CRYPTO_KEY_BYTES, 0);
}

static void end(void)
{
	set = secret_free(set);
	attacker = secret_free(attacker);
	ck_assert_uint_eq(secrets_dirty(), 0);
}

static void expect(int r, int error, enum reason reason, const char *fragment)
{
	ck_assert_int_eq(r, error);
	ck_assert_msg(failure.reason == reason, "%s, not %s: %s", reason_name(failure.reason), reason_name(reason),
		      failure.text);
	ck_assert_msg(strstr(failure.text, fragment), "\"%s\" lacks \"%s\"", failure.text, fragment);
	ck_assert_str_eq(failure.object, "test");
	failure = (struct failure){0};
}

/* ---- key sets ---- */

START_TEST(a_key_set_has_an_id_of_its_own)
{
	struct key_set *again = secret_new(sizeof(*again));
	uint8_t id[KEY_SET_ID_BYTES], changed[CRYPTO_KEY_BYTES];

	ck_assert_hex(set->public.recipient, "d89e3bad79437dbed9f843418304f460ff05c7fe81fe4a9577a804cb9367ff66");
	ck_assert_hex(set->public.verifier, "2543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9559d");
	ck_assert_hex(set->public.id, "d8c206e64468eaf9411e7db33ef69f99");
	ck_assert_int_eq(key_set_generate(again), 0);
	ck_assert_mem_ne(again->public.id, attacker->public.id, KEY_SET_ID_BYTES);
	ck_assert_mem_ne(again->recipient_secret, again->signing_seed, CRYPTO_KEY_BYTES);
	memcpy(changed, set->public.verifier, sizeof(changed));
	changed[31] ^= 1;
	ck_assert_int_eq(key_set_id(set->public.recipient, changed, id), 0);
	ck_assert_mem_ne(id, set->public.id, KEY_SET_ID_BYTES);
	secret_free(again);
}
END_TEST

/* ---- slots ---- */

static struct key_slot make_slot(void)
{
	uint8_t ephemeral[CRYPTO_KEY_BYTES];
	struct key_slot slot;

	fill(ephemeral, sizeof(ephemeral), 0x70);
	ck_assert_int_eq(key_slot_make(&set->public, &image, ephemeral, image_key, &slot), 0);
	return slot;
}

static int open_slot(const struct key_slot *slot, const struct slot_image *of, uint8_t key[CRYPTO_KEY_BYTES])
{
	return key_slot_open(slot, of, &set->public, set->recipient_secret, key);
}

START_TEST(slot_bytes_are_those_of_the_format)
{
	struct key_slot slot = make_slot(), decoded;
	uint8_t place[SEAL_SLOT_BYTES], key[CRYPTO_KEY_BYTES];

	key_slot_encode(&slot, place);
	ck_assert_hex(place, "0100000000020000d8c206e64468eaf9411e7db33ef69f9923b7bb8c91ae008711fb12846780bcdf"
			     "1e065f821bdfec49f57e7c7dcd4c48232b5035643b815e494b99c115177e6db58087da9373806acf"
			     "9793f3d5f9550017c6167449d2b9c37b7009b2cd1f3c74de3c88388f637aa5009a4b012a924551f3"
			     "fd94305e10d045ff072e0a212db32792000000000000000000000000000000000000000000000000");
	for (size_t i = 136; i < sizeof(place); i++)
		ck_assert_uint_eq(place[i], 0);
	ck_assert_int_eq(key_slot_decode(place, "test", &decoded, &failure), 0);
	ck_assert_mem_eq(&decoded, &slot, sizeof(slot));
	ck_assert_int_eq(open_slot(&decoded, &image, key), 0);
	ck_assert_mem_eq(key, image_key, sizeof(key));
}
END_TEST

START_TEST(a_slot_opens_for_its_image_and_owner_only)
{
	struct key_slot slot = make_slot();
	uint8_t key[CRYPTO_KEY_BYTES];
	struct slot_image of = image;

	memset(key, 0x55, sizeof(key));
	of.id[15] ^= 1;
	ck_assert_int_eq(open_slot(&slot, &of, key), KEY_WRONG_SECRET);
	of = image;
	of.suite = SUITE_AES256_GCM;
	ck_assert_int_eq(open_slot(&slot, &of, key), KEY_WRONG_SECRET);
	ck_assert_int_eq(key_slot_open(&slot, &image, &attacker->public, attacker->recipient_secret, key), KEY_WRONG_SECRET);
	/* Renamed to the attacker's set, and with the right set but another private key. */
	memcpy(slot.key_set, attacker->public.id, sizeof(slot.key_set));
	ck_assert_int_eq(key_slot_open(&slot, &image, &attacker->public, attacker->recipient_secret, key), KEY_WRONG_SECRET);
	slot = make_slot();
	ck_assert_int_eq(key_slot_open(&slot, &image, &set->public, attacker->recipient_secret, key), KEY_WRONG_SECRET);
	ck_assert_uint_eq(key[0], 0x55);
	ck_assert_int_eq(open_slot(&slot, &image, key), 0);
}
END_TEST

START_TEST(every_bit_of_a_slot_counts)
{
	uint8_t place[SEAL_SLOT_BYTES], key[CRYPTO_KEY_BYTES];
	struct key_slot slot = make_slot();

	key_slot_encode(&slot, place);
	for (size_t bit = 0; bit < 8 * sizeof(place); bit++) {
		/* The last bit of a point is not looked at by X25519, but by the transcript. */
		bool known = bit / 8 < offsetof(struct slot_disk, reserved) && bit / 8 >= offsetof(struct slot_disk, key_set);
		int r;

		place[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = key_slot_decode(place, "test", &slot, &failure);
		ck_assert_msg(r == (known ? 0 : -ENOTSUP), "bit %zu: %d", bit, r);
		if (known) {
			r = open_slot(&slot, &image, key);
			ck_assert_msg(r == KEY_WRONG_SECRET || r == -EBADMSG || r == -EKEYREJECTED, "bit %zu: %d", bit, r);
		}
		place[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(points_of_low_order_make_no_slot)
{
	struct key_public to = set->public;
	struct key_slot slot = make_slot();
	uint8_t key[CRYPTO_KEY_BYTES], ephemeral[CRYPTO_KEY_BYTES] = {1};

	memset(slot.ephemeral, 0, sizeof(slot.ephemeral));
	ck_assert_int_eq(open_slot(&slot, &image, key), -EKEYREJECTED);
	memset(to.recipient, 0, sizeof(to.recipient));
	ck_assert_int_eq(key_slot_make(&to, &image, ephemeral, image_key, &slot), -EKEYREJECTED);
}
END_TEST

START_TEST(an_empty_place_is_no_slot)
{
	uint8_t place[SEAL_SLOT_BYTES] = {0};
	struct key_slot slot;

	expect(key_slot_decode(place, "test", &slot, &failure), -ENOTSUP, REASON_IMAGE_VERSION, "kind 0");
}
END_TEST

/* ---- the blob ---- */

static void make_blob(uint8_t place[SEAL_BLOB_BYTES])
{
	struct blob_random *random = secret_new(sizeof(*random));

	fill(random->key, sizeof(random->key), 0x33);
	fill(random->nonce, sizeof(random->nonce), 0xe0);
	fill(random->salt, sizeof(random->salt), 0xd0);
	fill(random->recovery_salt, sizeof(random->recovery_salt), 0xc0);
	ck_assert_int_eq(key_blob_make(set, PASSPHRASE, &cheap, random, place), 0);
	secret_free(random);
}

static int open_blob(const uint8_t *place, struct bytes passphrase, struct key_opened *opened)
{
	return key_blob_open(place, passphrase, 1024, "test", opened, &failure);
}

START_TEST(blob_bytes_are_those_of_the_format)
{
	uint8_t place[SEAL_BLOB_BYTES];
	struct key_blob blob;

	make_blob(place);
	ck_assert_hex(place, "6869622d6b65797301000000b0020000d8c206e64468eaf9411e7db33ef69f9901000000e0e1e2e3"
			     "e4e5e6e7e8e9eaeb01000000400000000200000002000000d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
			     "02e05e92128555c1e0830e20acce786c0cb8c066c2d2520d2608ec27675720087fcde93879019759"
			     "7cc9e2ae1d5c74470ce3e50c19ed00344ce4c568da071598370c54406701dd7a30e0a9c2ee8961e5"
			     "00000000000000000000000000000000");
	for (size_t i = 176; i < 608; i++)
		ck_assert_uint_eq(place[i], 0);
	ck_assert_hex(place + 608, "0c0d3654e639f68c438a2a4c03b44b12fe8a04c7d4ca1eb331164ae8d3d502263921ddc155886e0d"
				   "5612467c826941acd01ddbe33568026897b972852cfbaff2716be2d603ecf3f0e346caa52931b77e");
	ck_assert_int_eq(key_blob_decode(place, "test", &blob, &failure), 0);
	ck_assert_mem_eq(blob.key_set, set->public.id, KEY_SET_ID_BYTES);
	ck_assert_mem_eq(&blob.passphrase.cost, &cheap, sizeof(cheap));
}
END_TEST

START_TEST(a_passphrase_opens_its_blob)
{
	static const struct bytes wrong[] = {{"", 0}, {"correct hors", 12}, {"correct horse ", 14}, {"Correct horse", 13}};
	struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES];

	make_blob(place);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		ck_assert_int_eq(open_blob(place, wrong[i], opened), KEY_WRONG_SECRET);
	ck_assert(!failed(&failure));
	ck_assert_int_eq(open_blob(place, PASSPHRASE, opened), 0);
	ck_assert_mem_eq(&opened->public, &set->public, sizeof(set->public));
	ck_assert_mem_eq(opened->recipient_secret, set->recipient_secret, CRYPTO_KEY_BYTES);
	secret_free(opened);
}
END_TEST

/* What each byte of a blob that was changed gives: never the private key. */
START_TEST(every_byte_of_a_blob_counts)
{
	struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES];

	make_blob(place);
	for (size_t at = 0; at < sizeof(place); at++) {
		int r;

		place[at] ^= (uint8_t)(1 << at % 8);
		r = open_blob(place, PASSPHRASE, opened);
		ck_assert_msg(r == KEY_WRONG_SECRET || r < 0, "byte %zu: %d", at, r);
		if (at >= 96 && at < 112)
			ck_assert_msg(r == KEY_WRONG_SECRET || r == -EBADMSG, "byte %zu: %d", at, r);
		if (at >= 608)
			expect(r, -EBADMSG, REASON_UNAUTHENTIC, "was changed");
		place[at] ^= (uint8_t)(1 << at % 8);
	}
	ck_assert_int_eq(open_blob(place, PASSPHRASE, opened), 0);
	secret_free(opened);
}
END_TEST

/* ---- the blob, and a recovery key ---- */

/* @place opened by @passphrase, and changed. */
static int change_blob(uint8_t place[SEAL_BLOB_BYTES], struct bytes passphrase, const struct blob_change *change)
{
	struct blob_random *random = secret_new(sizeof(*random));
	struct key_opened *opened = secret_new(sizeof(*opened));
	int r;

	fill(random->nonce, sizeof(random->nonce), 0xf0);
	fill(random->salt, sizeof(random->salt), 0xb0);
	fill(random->recovery_salt, sizeof(random->recovery_salt), 0xc0);
	r = open_blob(place, passphrase, opened);
	ck_assert_int_eq(r, 0);
	r = key_blob_change(place, opened, change, random, place);
	secret_free(random);
	secret_free(opened);
	return r;
}

static void recovery_blob(uint8_t place[SEAL_BLOB_BYTES], uint32_t remove)
{
	uint8_t recovery[RECOVERY_KEY_BYTES];

	fill(recovery, sizeof(recovery), 0x80);
	make_blob(place);
	ck_assert_int_eq(change_blob(place, PASSPHRASE, &(struct blob_change){.recovery = recovery, .remove = remove}), 0);
}

START_TEST(recovery_bytes_are_those_of_the_format)
{
	static const char part[] = "01000000c0c1c2c3c4c5c6c7c8c9cacbcccdcecf171917aae5740bab82837c03006fb120577fedde"
				   "5bf2c5153c0aae3edafcceb57723788dfeda99b31cd913424dff85012fa8c6fdcdbe6338950995825711cb8b"
				   "2798f5de181e17b99154a6e34ec50651000000000000000000000000";
	uint8_t place[SEAL_BLOB_BYTES], before[SEAL_BLOB_BYTES];

	make_blob(before);
	recovery_blob(place, 0);
	ck_assert_mem_eq(place, before, 32);
	ck_assert_hex(place + 32, "03000000f0f1f2f3f4f5f6f7f8f9fafb");
	ck_assert_mem_eq(place + 48, before + 48, 128);
	ck_assert_hex(place + 176, part);
	ck_assert_mem_eq(place + 288, before + 288, 320);
	ck_assert_hex(place + 608, "93f79438451385da4afb0bc03ad566b02591c714b640ade8a0b0fd4392efe403b99a372ea40a558a"
				   "b487f973d21c3b35f1536dd66f43881ff61e14e11fb4a882feaaf5eb2d6de1761e6f4cafa509f72f");
	recovery_blob(place, BLOB_WRAP_PASSPHRASE);
	ck_assert_hex(place + 32, "02000000f0f1f2f3f4f5f6f7f8f9fafb");
	for (size_t i = 48; i < 176; i++)
		ck_assert_uint_eq(place[i], 0);
	ck_assert_hex(place + 176, part);
	ck_assert_hex(place + 608, "34cd08195e2e8d41c1b663419da59cfab94728a8da817eb1aef5ef698a5c7395d74a12f0476989f8"
				   "001428aabbb4a294a954ca260005b87c742dbb7023df29f1452b75b16249e441320322fa60921740");
}
END_TEST

START_TEST(a_recovery_key_opens_its_blob)
{
	struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES], recovery[RECOVERY_KEY_BYTES];

	fill(recovery, sizeof(recovery), 0x80);
	for (uint32_t remove = 0; remove <= BLOB_WRAP_PASSPHRASE; remove++) {
		recovery_blob(place, remove);
		memset(opened, 0, sizeof(*opened));
		ck_assert_int_eq(key_blob_open_recovery(place, recovery, "test", opened, &failure), 0);
		ck_assert_mem_eq(&opened->public, &set->public, sizeof(set->public));
		ck_assert_mem_eq(opened->recipient_secret, set->recipient_secret, CRYPTO_KEY_BYTES);
		for (size_t bit = 0; bit < 8 * sizeof(recovery); bit += 7) {
			recovery[bit / 8] ^= (uint8_t)(1 << bit % 8);
			ck_assert_int_eq(key_blob_open_recovery(place, recovery, "test", opened, &failure), KEY_WRONG_SECRET);
			recovery[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		ck_assert_int_eq(open_blob(place, PASSPHRASE, opened), remove ? KEY_WRONG_SECRET : 0);
	}
	make_blob(place);
	ck_assert_int_eq(key_blob_open_recovery(place, recovery, "test", opened, &failure), KEY_WRONG_SECRET);
	ck_assert(!failed(&failure));
	secret_free(opened);
}
END_TEST

START_TEST(every_byte_counts_for_a_recovery_key)
{
	struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES], recovery[RECOVERY_KEY_BYTES];

	fill(recovery, sizeof(recovery), 0x80);
	recovery_blob(place, 0);
	for (size_t at = 0; at < sizeof(place); at++) {
		int r;

		place[at] ^= (uint8_t)(1 << at % 8);
		r = key_blob_open_recovery(place, recovery, "test", opened, &failure);
		ck_assert_msg(r == KEY_WRONG_SECRET || r < 0, "byte %zu: %d", at, r);
		if ((at >= 64 && at < 160) || at >= 608)
			expect(r, -EBADMSG, REASON_UNAUTHENTIC, "was changed");
		if (at >= 276 && at < 608)
			expect(r, -ENOTSUP, REASON_IMAGE_VERSION, "fields");
		place[at] ^= (uint8_t)(1 << at % 8);
	}
	ck_assert_int_eq(key_blob_open_recovery(place, recovery, "test", opened, &failure), 0);
	secret_free(opened);
}
END_TEST

START_TEST(ways_to_open_a_blob_come_and_go)
{
	struct bytes another = {"battery staple", 14};
	struct blob_change change = {.passphrase = another, .cost = {.memory_kib = 8, .passes = 1, .lanes = 1}};
	struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES], before[SEAL_BLOB_BYTES], recovery[RECOVERY_KEY_BYTES] = {1};
	struct blob_random *random = secret_new(sizeof(*random));
	struct key_blob blob;

	recovery_blob(place, 0);
	ck_assert_int_eq(change_blob(place, PASSPHRASE, &change), 0);
	ck_assert_int_eq(open_blob(place, PASSPHRASE, opened), KEY_WRONG_SECRET);
	ck_assert_int_eq(open_blob(place, another, opened), 0);
	fill(recovery, sizeof(recovery), 0x80);
	ck_assert_int_eq(key_blob_open_recovery(place, recovery, "test", opened, &failure), 0);
	ck_assert_int_eq(change_blob(place, another, &(struct blob_change){.remove = BLOB_WRAP_RECOVERY}), 0);
	ck_assert_int_eq(key_blob_open_recovery(place, recovery, "test", opened, &failure), KEY_WRONG_SECRET);
	ck_assert_int_eq(key_blob_decode(place, "test", &blob, &failure), 0);
	ck_assert_uint_eq(blob.wraps, BLOB_WRAP_PASSPHRASE);
	/* The last way stays, and so does the blob when something is wrong. */
	memcpy(before, place, sizeof(before));
	ck_assert_int_eq(change_blob(place, another, &(struct blob_change){.remove = BLOB_WRAP_PASSPHRASE}), -EINVAL);
	change.cost.lanes = 0;
	ck_assert_int_eq(change_blob(place, another, &change), -EINVAL);
	ck_assert_int_eq(open_blob(place, another, opened), 0);
	opened->public.id[0] ^= 1;
	ck_assert_int_eq(key_blob_change(place, opened, &(struct blob_change){0}, random, place), -EINVAL);
	ck_assert_mem_eq(place, before, sizeof(before));
	secret_free(random);
	secret_free(opened);
}
END_TEST

static void put32(uint8_t *place, size_t at, uint32_t value)
{
	value = htole32(value);
	memcpy(place + at, &value, sizeof(value));
}

static const struct {
	size_t at;
	uint32_t value;
	int error;
	enum reason reason;
	const char *text;
} hostile[] = {
	{0, 0, -EBADMSG, REASON_IMAGE_DAMAGED, "no sealed private key"},
	{8, 2, -ENOTSUP, REASON_IMAGE_VERSION, "a version"},
	{12, 689, -ENOTSUP, REASON_IMAGE_VERSION, "a version"},
	{32, 0, -ENOTSUP, REASON_IMAGE_VERSION, "ways to open it"},
	{32, 3, -ENOTSUP, REASON_IMAGE_VERSION, "ways to open it"},
	{32, 0x80000001, -ENOTSUP, REASON_IMAGE_VERSION, "ways to open it"},
	{48, 2, -ENOTSUP, REASON_IMAGE_VERSION, "ways to open it"},
	{160, 1, -ENOTSUP, REASON_IMAGE_VERSION, "fields"},
	{32, 4, -ENOTSUP, REASON_IMAGE_VERSION, "ways to open it"},
	{32, 2, -ENOTSUP, REASON_IMAGE_VERSION, "fields"},
	{176, 1, -ENOTSUP, REASON_IMAGE_VERSION, "fields"},
	{288, 1, -ENOTSUP, REASON_IMAGE_VERSION, "fields"},
	{604, 0x01000000, -ENOTSUP, REASON_IMAGE_VERSION, "fields"},
	{52, ARGON2_MEMORY_MAX_KIB + 1, -EBADMSG, REASON_IMAGE_DAMAGED, "4194305 KiB"},
	{52, UINT32_MAX, -EBADMSG, REASON_IMAGE_DAMAGED, "4294967295 KiB"},
	{52, 0, -EBADMSG, REASON_IMAGE_DAMAGED, "0 KiB"},
	{56, 0, -EBADMSG, REASON_IMAGE_DAMAGED, "0 passes"},
	{56, UINT32_MAX, -EBADMSG, REASON_IMAGE_DAMAGED, "4294967295 passes"},
	{60, 0, -EBADMSG, REASON_IMAGE_DAMAGED, "0 lanes"},
	{60, 0x20000002, -EBADMSG, REASON_IMAGE_DAMAGED, "lanes"},
	{52, 1025, -ENOMEM, REASON_CRYPTO, "takes 1025 KiB of memory, and there are 1024"},
};

/* Nothing is computed from a number that was not looked at: the refusals take no memory at all. */
START_TEST(hostile_numbers_are_refused)
{
	struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES];
	size_t live;
	int r;

	make_blob(place);
	put32(place, hostile[_i].at, hostile[_i].value);
	live = secrets_live();
	r = open_blob(place, PASSPHRASE, opened);
	expect(r, hostile[_i].error, hostile[_i].reason, hostile[_i].text);
	ck_assert_uint_eq(secrets_live(), live);
	secret_free(opened);
}
END_TEST

START_TEST(without_memory_nothing_opens)
{
	struct blob_random *random = secret_new(sizeof(*random));
	struct key_opened *opened = secret_new(sizeof(*opened));
	struct key_slot slot = make_slot();
	uint8_t place[SEAL_BLOB_BYTES], key[CRYPTO_KEY_BYTES];
	int blob, made, opening, making;

	make_blob(place);
	secrets_refuse(true);
	blob = open_blob(place, PASSPHRASE, opened);
	made = key_blob_make(set, PASSPHRASE, &cheap, random, place);
	opening = open_slot(&slot, &image, key);
	making = key_slot_make(&set->public, &image, image_key, image_key, &slot);
	secrets_refuse(false);
	expect(blob, -ENOMEM, REASON_CRYPTO, "cannot be opened here");
	ck_assert_int_eq(made, -ENOMEM);
	ck_assert_int_eq(opening, -ENOMEM);
	ck_assert_int_eq(making, -ENOMEM);
	ck_assert_int_eq(open_blob(place, PASSPHRASE, opened), 0);
	ck_assert_int_eq(key_blob_make(set, (struct bytes){"", 0}, &cheap, random, place), -EINVAL);
	secret_free(random);
	secret_free(opened);
}
END_TEST

/* Somebody who knows the passphrase of a blob of their own puts their payload under another set's name. */
START_TEST(a_blob_with_anothers_name_is_refused)
{
	struct blob_random *random = secret_new(sizeof(*random));
	struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES];

	memcpy(attacker->public.id, set->public.id, KEY_SET_ID_BYTES);
	ck_assert_int_eq(key_blob_make(attacker, PASSPHRASE, &cheap, random, place), 0);
	expect(open_blob(place, PASSPHRASE, opened), -EBADMSG, REASON_UNAUTHENTIC, "was changed");
	secret_free(random);
	secret_free(opened);
}
END_TEST

/* ---- signatures and trust ---- */

static void known_page(uint8_t page[PAGE_BYTES])
{
	for (size_t i = 0; i < PAGE_BYTES; i++)
		page[i] = (uint8_t)(7 * i + (i >> 8));
}

START_TEST(signatures_are_those_of_the_format)
{
	uint8_t page[PAGE_BYTES], before[PAGE_BYTES];

	known_page(page);
	known_page(before);
	ck_assert_int_eq(header_verify(set->public.verifier, page), -EBADMSG);
	ck_assert_int_eq(header_sign(set->signing_seed, page), 0);
	ck_assert_hex(page + 4016, "5cbf01f41a83cfe99a94d6182e1d2fbc9c0935079db49a90af316185ff60ae64"
				   "01858ee6032cc0ddcd6d8af324a69abdbbf70a31889e783f11ec11b437e2a909");
	ck_assert_mem_eq(page, before, 4016);
	ck_assert_mem_eq(page + 4080, before + 4080, 16);
	ck_assert_int_eq(header_verify(set->public.verifier, page), 0);
	ck_assert_int_eq(header_verify(attacker->public.verifier, page), -EBADMSG);
}
END_TEST

START_TEST(every_byte_of_a_header_page_is_signed)
{
	uint8_t page[PAGE_BYTES];

	known_page(page);
	ck_assert_int_eq(header_sign(set->signing_seed, page), 0);
	for (size_t at = 0; at < 4080; at += at < 80 || at > 4000 ? 1 : 61) {
		page[at] ^= (uint8_t)(1 << at % 8);
		ck_assert_msg(header_verify(set->public.verifier, page) == -EBADMSG, "byte %zu", at);
		page[at] ^= (uint8_t)(1 << at % 8);
	}
	ck_assert_int_eq(header_verify(set->public.verifier, page), 0);
}
END_TEST

START_TEST(trust_comes_from_a_human_or_a_signed_initramfs)
{
	uint8_t a[CRYPTO_KEY_BYTES], b[CRYPTO_KEY_BYTES], same[CRYPTO_KEY_BYTES], out[CRYPTO_KEY_BYTES] = {0};

	fill(a, sizeof(a), 1);
	fill(same, sizeof(same), 1);
	fill(b, sizeof(b), 2);
	ck_assert_int_eq(key_choose_verifier(NULL, NULL, out), -ENOKEY);
	ck_assert_int_eq(key_choose_verifier(a, b, out), -EKEYREJECTED);
	ck_assert_uint_eq(out[0], 0);
	ck_assert_int_eq(key_choose_verifier(a, same, out), 0);
	ck_assert_mem_eq(out, a, sizeof(out));
	ck_assert_int_eq(key_choose_verifier(NULL, b, out), 0);
	ck_assert_mem_eq(out, b, sizeof(out));
	ck_assert_int_eq(key_choose_verifier(a, NULL, out), 0);
	ck_assert_mem_eq(out, a, sizeof(out));
}
END_TEST

/* ---- what is left behind ---- */

START_TEST(no_copy_of_a_key_stays_behind)
{
	struct key_opened *opened = secret_new(sizeof(*opened));
	struct blob_random *random = secret_new(sizeof(*random));
	uint8_t *passphrase = secret_new(40), *drawn = secret_new(2 * CRYPTO_KEY_BYTES), place[SEAL_BLOB_BYTES];
	struct key_slot slot;

	ck_assert_int_eq(secret_random(random, sizeof(*random)), 0);
	ck_assert_int_eq(secret_random(passphrase, 40), 0);
	ck_assert_int_eq(secret_random(drawn, 2 * CRYPTO_KEY_BYTES), 0);
	ck_assert_int_eq(key_blob_make(attacker, (struct bytes){passphrase, 40}, &cheap, random, place), 0);
	ck_assert_int_eq(open_blob(place, (struct bytes){passphrase, 40}, opened), 0);
	/* drawn: the ephemeral key, and the image's */
	ck_assert_int_eq(key_slot_make(&opened->public, &image, drawn, drawn + CRYPTO_KEY_BYTES, &slot), 0);
	ck_assert_uint_eq(secrets_copies(drawn, CRYPTO_KEY_BYTES), 1);
	ck_assert_uint_eq(secrets_copies(drawn + CRYPTO_KEY_BYTES, CRYPTO_KEY_BYTES), 1);
	ck_assert_int_eq(key_slot_open(&slot, &image, &opened->public, opened->recipient_secret, drawn), 0);
	ck_assert_uint_eq(secrets_copies(drawn, CRYPTO_KEY_BYTES), 2);
	ck_assert_uint_eq(secrets_copies(passphrase, 40), 1);
	ck_assert_uint_eq(secrets_copies(random->key, CRYPTO_KEY_BYTES), 2);
	ck_assert_uint_eq(secrets_copies(attacker->recipient_secret, CRYPTO_KEY_BYTES), 2);
	ck_assert_uint_eq(secrets_copies(attacker->signing_seed, CRYPTO_KEY_BYTES), 1);
	secret_free(opened);
	secret_free(random);
	secret_free(passphrase);
	secret_free(drawn);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys");
	TCase *cases = tcase_create("keys");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_add_checked_fixture(cases, begin, end);
	tcase_set_timeout(cases, 240);
	tcase_add_test(cases, a_key_set_has_an_id_of_its_own);
	tcase_add_test(cases, slot_bytes_are_those_of_the_format);
	tcase_add_test(cases, a_slot_opens_for_its_image_and_owner_only);
	tcase_add_test(cases, every_bit_of_a_slot_counts);
	tcase_add_test(cases, points_of_low_order_make_no_slot);
	tcase_add_test(cases, an_empty_place_is_no_slot);
	tcase_add_test(cases, blob_bytes_are_those_of_the_format);
	tcase_add_test(cases, a_passphrase_opens_its_blob);
	tcase_add_test(cases, every_byte_of_a_blob_counts);
	tcase_add_test(cases, recovery_bytes_are_those_of_the_format);
	tcase_add_test(cases, a_recovery_key_opens_its_blob);
	tcase_add_test(cases, every_byte_counts_for_a_recovery_key);
	tcase_add_test(cases, ways_to_open_a_blob_come_and_go);
	tcase_add_loop_test(cases, hostile_numbers_are_refused, 0, (int)ARRAY_LENGTH(hostile));
	tcase_add_test(cases, without_memory_nothing_opens);
	tcase_add_test(cases, a_blob_with_anothers_name_is_refused);
	tcase_add_test(cases, signatures_are_those_of_the_format);
	tcase_add_test(cases, every_byte_of_a_header_page_is_signed);
	tcase_add_test(cases, trust_comes_from_a_human_or_a_signed_initramfs);
	tcase_add_test(cases, no_copy_of_a_key_stays_behind);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
