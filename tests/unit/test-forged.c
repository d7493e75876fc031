/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody makes of sealed images who has the disk, other images of the same machine, and a key set of their own for
 * which they chose the same passphrase; and images cut at every length. test-every-bit.c has single bits.
 */
#include "resumer.h"

#include "base/fdio.h"
#include "base/secret.h"
#include "cli/image-commands.h"
#include "hex.h"
#include "low-order.h"
#include "image/format.h"
#include "seal/keyfile.h"
#include "seal/wrap.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_PAGES 16
#define CHUNK_BYTES ((size_t)CHUNK_PAGES * PAGE_BYTES)

/* Chunks of 16, 16 and 2 pages, stored as they are: all of one place fit into any other. */
static const struct sample sealed = {
	.name = "forged",
	.codec = CODEC_NONE,
	.chunk_size = CHUNK_BYTES,
	.pages = 34,
	.random_chunk = UINT32_MAX,
	.device_pages = 42,
	.fingerprints = 1,
	.suite = SUITE_AES256_OCB,
	.extents = {{2, 40}},
};

/* Keys of this machine and of somebody else; the image, another one of the same keys, and one of the other's. */
static struct key_material *keys, *stranger_keys;
static struct resumer *image, *mate, *stranger;

static void setup(void)
{
	struct sample second = sealed;

	second.number = 1;
	keys = resumer_keys(0);
	stranger_keys = resumer_keys(1);
	image = resumer_new(&sealed, keys);
	mate = resumer_new(&second, keys);
	stranger = resumer_new(&sealed, stranger_keys);
	image->required = true;
}

static void teardown(void)
{
	image = resumer_free(image);
	mate = resumer_free(mate);
	stranger = resumer_free(stranger);
	keys = secret_free(keys);
	stranger_keys = secret_free(stranger_keys);
}

static void expect_resumed(struct resumer *r)
{
	char text[1024];

	ck_assert_msg(resumer_run(r) == 0 && r->taken == r->sample.pages && r->finished && !r->other, "%s",
		      resumer_tell(r, text, sizeof(text)));
}

/* Refused at this stage for this reason, with at most @pages pages gone on, all of them the right ones. */
static void expect_refused(struct resumer *r, const char *what, enum resumer_stage stage, enum reason reason, uint64_t pages)
{
	char text[1024];
	int result = resumer_run(r);

	ck_assert_msg(result < 0 && r->stage == stage && r->failure.reason == reason && r->taken <= pages && !r->other &&
			      !r->finished,
		      "%s: %s, and should be refused at %s, %s, with at most %llu pages", what,
		      resumer_tell(r, text, sizeof(text)), resumer_stage_name(stage), reason_name(reason),
		      (unsigned long long)pages);
}

/* ---- parts in other places ---- */

static uint8_t *chunk_of(struct resumer *r, size_t number)
{
	return r->bytes + resumer_place(r, r->place.chunks[number].offset);
}

static void take(struct resumer *from, size_t offset, size_t size)
{
	memcpy(resumer_page(image) + offset, resumer_page(from) + offset, size);
}

static void take_body(struct resumer *from)
{
	uint64_t at = from->header.body_extents[0].start, size = from->header.body_extents[0].length;

	memcpy(image->bytes + at, from->bytes + at, size);
}

static void swap_chunks(void)
{
	uint8_t *other = malloc(CHUNK_BYTES);

	memcpy(other, chunk_of(image, 0), CHUNK_BYTES);
	memcpy(chunk_of(image, 0), chunk_of(image, 1), CHUNK_BYTES);
	memcpy(chunk_of(image, 1), other, CHUNK_BYTES);
	free(other);
}

static void swap_tags(struct resumer *r)
{
	struct checksum other = r->index.chunks[0].tag;

	r->index.chunks[0].tag = r->index.chunks[1].tag;
	r->index.chunks[1].tag = other;
}

static void swap_with_tags(void)
{
	swap_chunks();
	image->opened = swap_tags;
}

static void swap_entries_of(struct resumer *r)
{
	struct image_chunk other = r->index.chunks[0];

	r->index.chunks[0] = r->index.chunks[1];
	r->index.chunks[1] = other;
}

static void swap_entries(void) { image->opened = swap_entries_of; }

static void repeat_chunk(void) { memcpy(chunk_of(image, 1), chunk_of(image, 0), CHUNK_BYTES); }

static void repeat_entry_of(struct resumer *r) { r->index.chunks[1] = r->index.chunks[0]; }
static void repeat_entry(void) { image->opened = repeat_entry_of; }

static void drop_last_of(struct resumer *r)
{
	r->index.count = 2;
	r->meta.snapshot_pages = 2 * CHUNK_PAGES;
}

static void drop_last(void) { image->opened = drop_last_of; }

/* The last chunk as if there were one more to come. */
static void append_of(struct resumer *r)
{
	r->index.chunks[2].size = r->index.chunks[2].stored = CHUNK_BYTES;
	r->index.chunks[3] = r->index.chunks[2];
	r->index.count = 4;
	r->meta.snapshot_pages = 4 * CHUNK_PAGES;
}

static void append_chunk(void) { image->opened = append_of; }

static void mates_chunk(void) { memcpy(chunk_of(image, 1), chunk_of(mate, 1), CHUNK_BYTES); }

static void mates_tag_of(struct resumer *r) { r->index.chunks[1].tag = mate->index.chunks[1].tag; }

static void mates_chunk_and_tag(void)
{
	mates_chunk();
	image->opened = mates_tag_of;
}

static void strangers_tag_of(struct resumer *r) { r->index.chunks[0].tag = stranger->index.chunks[0].tag; }

static void strangers_chunk_and_tag(void)
{
	memcpy(chunk_of(image, 0), chunk_of(stranger, 0), CHUNK_BYTES);
	image->opened = strangers_tag_of;
}

static void mates_body(void) { take_body(mate); }

static void mates_body_and_tag(void)
{
	take_body(mate);
	take(mate, 64, CHECKSUM_BYTES);
	resumer_sum(image);
}

static void mates_page(void) { take(mate, 0, PAGE_BYTES); }

static void mates_page_and_body(void)
{
	take(mate, 0, PAGE_BYTES);
	take_body(mate);
}

static void all_of_mate_but_chunks(void)
{
	mates_page_and_body();
	memcpy(image->bytes, mate->bytes, PAGE_BYTES);
}

static void all_of_stranger_but_chunks(void)
{
	take(stranger, 0, PAGE_BYTES);
	take_body(stranger);
}

static void strangers_page(void) { take(stranger, 0, PAGE_BYTES); }

static void mates_slot(void)
{
	take(mate, SEAL_PAGE_SLOTS, SEAL_SLOT_BYTES);
	resumer_sum(image);
}

/* As if somebody could sign who can do nothing else. */
static void mates_slot_signed(void)
{
	take(mate, SEAL_PAGE_SLOTS, SEAL_SLOT_BYTES);
	resumer_sign(image, keys);
}

static void strangers_blob(void)
{
	take(stranger, SEAL_PAGE_BLOB, SEAL_BLOB_BYTES);
	resumer_sum(image);
}

static void strangers_blob_signed(void)
{
	take(stranger, SEAL_PAGE_BLOB, SEAL_BLOB_BYTES);
	resumer_sign(image, stranger_keys);
}

static void strangers_signature(void) { resumer_sign(image, stranger_keys); }

static void no_slot(void)
{
	memset(resumer_page(image) + SEAL_PAGE_SLOTS, 0, SEAL_SLOT_BYTES);
	resumer_sign(image, keys);
}

static void no_slot_counted(void)
{
	memset(resumer_page(image) + SEAL_PAGE_SLOT_COUNT, 0, sizeof(uint32_t));
	no_slot();
}

static void destroyed(void) { memset(resumer_page(image), 0, PAGE_BYTES); }

/* A header page that says: unsealed. The body is the attacker's, with a checksum that is right. */
static void unsealed_page(void)
{
	struct image_header header = image->header;
	struct checksum sum;

	header.suite = SUITE_NONE;
	sum = checksum_of(image->bytes + header.body_extents[0].start, header.body_size);
	header.body_checksum = sum;
	image_header_encode(&header, resumer_page(image));
}

static void unsealed_where_allowed(void)
{
	unsealed_page();
	image->required = false;
}

static const struct {
	const char *what;
	void (*forge)(void);
	enum resumer_stage stage;
	enum reason reason;
	uint64_t pages;
} forgeries[] = {
	{"two chunks exchanged", swap_chunks, STAGE_CHUNKS, REASON_UNAUTHENTIC, 0},
	{"with their tags", swap_with_tags, STAGE_CHUNKS, REASON_UNAUTHENTIC, 0},
	{"their entries exchanged", swap_entries, STAGE_CHUNKS, REASON_UNAUTHENTIC, 0},
	{"a chunk repeated", repeat_chunk, STAGE_CHUNKS, REASON_UNAUTHENTIC, CHUNK_PAGES},
	{"its entry repeated", repeat_entry, STAGE_CHUNKS, REASON_UNAUTHENTIC, CHUNK_PAGES},
	{"without the last chunk", drop_last, STAGE_CHUNKS, REASON_UNAUTHENTIC, CHUNK_PAGES},
	{"a chunk more", append_chunk, STAGE_CHUNKS, REASON_IMAGE_DAMAGED, 0},
	{"a chunk of another image", mates_chunk, STAGE_CHUNKS, REASON_UNAUTHENTIC, CHUNK_PAGES},
	{"a chunk of another image, and its tag", mates_chunk_and_tag, STAGE_CHUNKS, REASON_UNAUTHENTIC, CHUNK_PAGES},
	{"a chunk of somebody else's, and its tag", strangers_chunk_and_tag, STAGE_CHUNKS, REASON_UNAUTHENTIC, 0},
	{"the body of another image", mates_body, STAGE_BODY, REASON_UNAUTHENTIC, 0},
	{"and its tag", mates_body_and_tag, STAGE_SECRET, REASON_UNAUTHENTIC, 0},
	{"the header page of another image", mates_page, STAGE_BODY, REASON_UNAUTHENTIC, 0},
	{"and its body", mates_page_and_body, STAGE_BODY, REASON_IMAGE_DAMAGED, 0},
	{"and its mark", all_of_mate_but_chunks, STAGE_CHUNKS, REASON_UNAUTHENTIC, 0},
	{"the slot of another image", mates_slot, STAGE_SECRET, REASON_UNAUTHENTIC, 0},
	{"the slot of another image, signed", mates_slot_signed, STAGE_SECRET, REASON_UNAUTHENTIC, 0},
	{"somebody else's header page", strangers_page, STAGE_BODY, REASON_UNAUTHENTIC, 0},
	{"and body", all_of_stranger_but_chunks, STAGE_CHUNKS, REASON_UNAUTHENTIC, 0},
	{"somebody else's keys", strangers_blob, STAGE_SECRET, REASON_UNAUTHENTIC, 0},
	{"somebody else's keys and signature", strangers_blob_signed, STAGE_SECRET, REASON_UNAUTHENTIC, 0},
	{"somebody else's signature", strangers_signature, STAGE_SECRET, REASON_UNAUTHENTIC, 0},
	{"no slot", no_slot, STAGE_HEADER, REASON_IMAGE_VERSION, 0},
	{"no slot, and none counted", no_slot_counted, STAGE_HEADER, REASON_IMAGE_VERSION, 0},
	{"a header page that was destroyed", destroyed, STAGE_HEADER, REASON_IMAGE_DAMAGED, 0},
	{"an unsealed header page", unsealed_page, STAGE_HEADER, REASON_NOT_SEALED, 0},
	{"an unsealed header page where that is well", unsealed_where_allowed, STAGE_BODY, REASON_IMAGE_VERSION, 0},
};

START_TEST(forgeries_are_refused)
{
	expect_resumed(image);
	expect_resumed(mate);
	expect_resumed(stranger);
	forgeries[_i].forge();
	expect_refused(image, forgeries[_i].what, forgeries[_i].stage, forgeries[_i].reason, forgeries[_i].pages);
	resumer_restore(image);
	image->opened = NULL;
	expect_resumed(image);
}
END_TEST

/* An image that is unsealed as a whole: the configuration decides, and nothing of it is read where it says no. */
START_TEST(a_downgrade_is_refused)
{
	struct sample plain = sealed;
	struct resumer *r;

	plain.suite = SUITE_NONE;
	r = resumer_new(&plain, NULL);
	expect_resumed(r);
	r->required = true;
	expect_refused(r, "unsealed", STAGE_HEADER, REASON_NOT_SEALED, 0);
	resumer_free(r);
}
END_TEST

/* ---- secrets ---- */

START_TEST(a_wrong_passphrase_and_then_the_right_one)
{
	static const char *const wrong[] = {"Golden", "golden ", "golde", "", "goldenn"};

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		image->typed = wrong[i];
		expect_refused(image, wrong[i], STAGE_SECRET, REASON_WRONG_SECRET, 0);
	}
	image->typed = RESUMER_PASSPHRASE;
	expect_resumed(image);
}
END_TEST

/*
 * A slot that anybody can make if a shared secret of zeros is believed: complete for that secret, with commitment and tag, and
 * signed as if by the machine.
 */
START_TEST(points_of_low_order_open_nothing)
{
	struct slot_transcript_disk transcript = {.suite = htole32((uint32_t)sealed.suite)};
	struct slot_disk *slot = (void *)(resumer_page(image) + SEAL_PAGE_SLOTS);
	const uint8_t zeros[CRYPTO_KEY_BYTES] = {0}, key[CRYPTO_KEY_BYTES] = {1};
	struct wrapped_key wrapped;

	unhex(low_order[_i], slot->ephemeral, sizeof(slot->ephemeral));
	memcpy(transcript.image_id, image->place.meta.id.bytes, sizeof(transcript.image_id));
	memcpy(transcript.key_set, slot->key_set, sizeof(transcript.key_set));
	memcpy(transcript.ephemeral, slot->ephemeral, sizeof(transcript.ephemeral));
	memcpy(transcript.recipient, keys->public.recipient, sizeof(transcript.recipient));
	ck_assert_int_eq(wrap_key((struct bytes){zeros, sizeof(zeros)}, "hibernated slot",
				  (struct bytes){&transcript, sizeof(transcript)}, key, &wrapped), 0);
	memcpy(slot->commitment, wrapped.commitment, sizeof(slot->commitment));
	memcpy(slot->wrapped, wrapped.wrapped, sizeof(slot->wrapped));
	memcpy(slot->tag, wrapped.tag, sizeof(slot->tag));
	resumer_sign(image, keys);
	expect_refused(image, low_order[_i], STAGE_SECRET, REASON_UNAUTHENTIC, 0);
}
END_TEST

/* ---- cut short ---- */

static uint64_t end_of_body(void)
{
	const struct extent *last = &image->header.body_extents[image->header.body_extent_count - 1];

	return last->start + last->length;
}

/* A device is as long as it says: each length that the reader can be told. */
START_TEST(a_device_cut_at_any_byte_is_refused)
{
	uint64_t whole = image->size;
	char text[1024];

	expect_resumed(image);
	ck_assert_uint_gt(end_of_body(), 36 * PAGE_BYTES);
	for (image->size = 0; image->size < end_of_body(); image->size++)
		if (resumer_run(image) >= 0 || image->stage != STAGE_HEADER || image->failure.reason != REASON_IMAGE_DAMAGED ||
		    !strstr(image->failure.text, "cut short"))
			ck_abort_msg("%llu bytes: %s, and should be cut short", (unsigned long long)image->size,
				     resumer_tell(image, text, sizeof(text)));
	for (; image->size <= whole; image->size += PAGE_BYTES)
		expect_resumed(image);
}
END_TEST

/* One that says more than it has, cut between pages: nothing of a chunk goes on that is not there as a whole. */
START_TEST(a_device_that_lies_is_refused)
{
	expect_resumed(image);
	for (uint64_t pages = end_of_body() / PAGE_BYTES; pages-- > 1;) {
		ck_assert_int_eq(ftruncate(image->device, (off_t)(pages * PAGE_BYTES)), 0);
		expect_refused(image, "a device that lies", pages < 3 ? STAGE_HEADER : STAGE_BODY, REASON_IO, 0);
	}
}
END_TEST

/* What hibernate-image verify makes of a file: a passphrase by descriptor each time. */
static int verify(const char *path, int passphrase, struct failure *f)
{
	struct image_options options = {.path = path, .passphrase_fd = passphrase};

	*f = (struct failure){0};
	ck_assert_int_eq(lseek(passphrase, 0, SEEK_SET), 0);
	return image_verify(&options, f);
}

static int passphrase_file(void)
{
	int fd = memfd_create("passphrase", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_full(fd, RESUMER_PASSPHRASE "\n", strlen(RESUMER_PASSPHRASE) + 1), 0);
	return fd;
}

START_TEST(a_file_cut_at_any_byte_is_refused)
{
	AUTO_CLOSE int passphrase = passphrase_file();
	struct failure f;
	char path[64];

	expect_resumed(image);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", image->device);
	ck_assert_msg(verify(path, passphrase, &f) == 0, "%s", f.text);
	for (uint64_t size = end_of_body(); size-- > 0;) {
		enum reason wanted = size < PAGE_BYTES ? REASON_NO_IMAGE : REASON_IMAGE_DAMAGED;

		ck_assert_int_eq(ftruncate(image->device, (off_t)size), 0);
		if (verify(path, passphrase, &f) >= 0 || f.reason != wanted)
			ck_abort_msg("%llu bytes: %s (%s), and should be %s", (unsigned long long)size, reason_name(f.reason),
				     f.text, reason_name(wanted));
	}
}
END_TEST

/* The programs' other reader refuses the same. */
START_TEST(forgeries_are_refused_by_hand_too)
{
	AUTO_CLOSE int passphrase = passphrase_file();
	struct failure f;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", image->device);
	expect_resumed(image);
	expect_resumed(mate);
	expect_resumed(stranger);
	forgeries[_i].forge();
	/* What is changed in memory only, and what is refused where sealing is demanded, is not for this one. */
	if (image->opened || forgeries[_i].reason == REASON_NOT_SEALED)
		return;
	ck_assert_msg(verify(path, passphrase, &f) < 0 && f.reason == forgeries[_i].reason, "%s: %s (%s), and should be %s",
		      forgeries[_i].what, reason_name(f.reason), f.text, reason_name(forgeries[_i].reason));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forged");
	TCase *cases = tcase_create("forged");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 300);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, forgeries_are_refused, 0, (int)ARRAY_LENGTH(forgeries));
	tcase_add_loop_test(cases, forgeries_are_refused_by_hand_too, 0, (int)ARRAY_LENGTH(forgeries));
	tcase_add_test(cases, a_downgrade_is_refused);
	tcase_add_test(cases, a_wrong_passphrase_and_then_the_right_one);
	tcase_add_loop_test(cases, points_of_low_order_open_nothing, 0, (int)ARRAY_LENGTH(low_order));
	tcase_add_test(cases, a_device_cut_at_any_byte_is_refused);
	tcase_add_test(cases, a_device_that_lies_is_refused);
	tcase_add_test(cases, a_file_cut_at_any_byte_is_refused);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
