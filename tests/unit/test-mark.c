/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "allocator.h"
#include "area/mark-disk.h"
#include "area/mark.h"
#include "base/fdio.h"
#include "codec/checksum.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Every call works without memory. */
#define mark_read(...) REFUSING(mark_read(__VA_ARGS__))
#define mark_arm(...) REFUSING(mark_arm(__VA_ARGS__))
#define mark_disarm(...) REFUSING(mark_disarm(__VA_ARGS__))
#define mark_begin_resume(...) REFUSING(mark_begin_resume(__VA_ARGS__))
#define mark_rearm(...) REFUSING(mark_rearm(__VA_ARGS__))

#define POSITION (8 * PAGE_BYTES)

static char buffer[MARK_BUFFER_BYTES] __attribute__((aligned(PAGE_BYTES)));
static char page[PAGE_BYTES], original[PAGE_BYTES];
static struct mark_io io;
static struct failure failure;
static struct mark mark;

/* A disk that fails: the next pwrite() or fdatasync(), or one that writes a wrong byte and keeps quiet. */
static int fail_write, fail_flush, corrupt;
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	ssize_t n;

	if (fail_write) {
		errno = fail_write;
		return -1;
	}
	n = __real_pwrite(fd, data, size, offset);
	return corrupt && __real_pwrite(fd, "x", 1, offset + corrupt) != 1 ? -1 : n;
}

static int flushes;

int __wrap_fdatasync(int fd)
{
	flushes++;
	if (fail_flush) {
		errno = fail_flush;
		return -1;
	}
	return __real_fdatasync(fd);
}

static const struct mark sample = {
	.boot_id = {1, 2, 3},
	.image_id = {9, 8, 7},
	.header_offset = 123 * PAGE_BYTES,
	.identity = {.swap_uuid = {0xaa}, .device_size = 1 * GIB, .part_uuid = "0123-04", .device_id = "serial:abc"},
	.save = {.created_usec = 1000001, .save_usec = 2, .write_usec = 3, .stored_bytes = 4, .pages = 5},
};

/* A page as mkswap leaves it. */
static void make_swap(char *out, const char *signature)
{
	struct swap_header_disk *header = (void *)out;

	memset(out, 0, PAGE_BYTES);
	memset(out, 0x5c, 512); /* a boot loader's bytes must stay */
	header->version = htole32(1);
	header->last_page = htole32(1000);
	memset(header->uuid, 0xaa, sizeof(header->uuid));
	memcpy(out + MARK_SIGNATURE_OFFSET, signature, MARK_SIGNATURE_BYTES);
}

static void put_page(void)
{
	ck_assert_int_eq(__real_pwrite(io.fd, page, PAGE_BYTES, POSITION), PAGE_BYTES);
}

static void get_page(void)
{
	ck_assert_int_eq(fd_pread_full(io.fd, page, PAGE_BYTES, POSITION), 0);
}

static void setup(void)
{
	int fd = memfd_create("area", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, POSITION + 16 * PAGE_BYTES), 0);
	io = (struct mark_io){.fd = fd, .position = POSITION, .buffer = buffer, .name = "/dev/vda2"};
	make_swap(page, "SWAPSPACE2");
	memcpy(original, page, PAGE_BYTES);
	put_page();
	failure = (struct failure){0};
	fail_write = fail_flush = corrupt = flushes = 0;
}

static void teardown(void)
{
	fd_close(io.fd);
	ck_assert_uint_eq(allocator_refused(), 0);
}

static enum mark_kind kind_now(void)
{
	ck_assert_int_eq(mark_read(&io, &mark, &failure), 0);
	return mark.kind;
}

START_TEST(armed_mark_reads_back)
{
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	ck_assert_int_eq(flushes, 1);
	ck_assert_int_eq(kind_now(), MARK_ARMED);
	ck_assert_int_eq(mark.state, MARK_STATE_ARMED);
	ck_assert_int_eq(mark.drop, MARK_DROP_NONE);
	ck_assert_uint_eq(mark.version, MARK_VERSION);
	ck_assert_mem_eq(mark.boot_id, sample.boot_id, 16);
	ck_assert_mem_eq(mark.image_id, sample.image_id, 16);
	ck_assert_uint_eq(mark.header_offset, sample.header_offset);
	ck_assert_mem_eq(&mark.identity, &sample.identity, sizeof(mark.identity));
	ck_assert_mem_eq(&mark.save, &sample.save, sizeof(mark.save));
	ck_assert_mem_eq(mark.signature, "SWAPSPACE2", 10);
	get_page();
	ck_assert_mem_eq(page + MARK_SIGNATURE_OFFSET, "ULSUSPEND", 10);
	ck_assert_mem_eq(page + MARK_SIGNATURE_OFFSET - 10, "SWAPSPACE2", 10);
	/* Only the last sector of the page differs, and nothing but the page. */
	ck_assert_mem_eq(page, original, MARK_OFFSET);
	for (off_t at = 0; at < POSITION + 16 * PAGE_BYTES; at += PAGE_BYTES) {
		static const char zeros[PAGE_BYTES];

		if (at == POSITION)
			continue;
		ck_assert_int_eq(fd_pread_full(io.fd, page, PAGE_BYTES, (uint64_t)at), 0);
		ck_assert_mem_eq(page, zeros, PAGE_BYTES);
	}
}
END_TEST

START_TEST(disarm_puts_the_signature_back)
{
	const char *signatures[] = {"SWAPSPACE2", "SWAP-SPACE"};

	make_swap(page, signatures[_i]);
	put_page();
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_BOOTED, &failure), 0);
	ck_assert_int_eq(flushes, 2);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.state, MARK_STATE_DISARMED);
	ck_assert_int_eq(mark.drop, MARK_DROP_BOOTED);
	ck_assert_mem_eq(mark.image_id, sample.image_id, 16);
	ck_assert_uint_eq(mark.save.pages, sample.save.pages);
	get_page();
	ck_assert_mem_eq(page, original, MARK_OFFSET);
	ck_assert_mem_eq(page + MARK_SIGNATURE_OFFSET, signatures[_i], 10);
	/* Once more changes nothing, not even the reason. */
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_STALE, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.drop, MARK_DROP_BOOTED);
	ck_assert_int_eq(flushes, 2);
	/* And the next image can be armed over it. */
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_ARMED);
}
END_TEST

START_TEST(plain_swap_needs_no_disarming)
{
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_BOOTED, &failure), 0);
	ck_assert_int_eq(flushes, 0);
	ck_assert_int_eq(kind_now(), MARK_SWAP);
}
END_TEST

START_TEST(resume_leaves_its_numbers)
{
	const struct mark_boot boot = {.started_usec = 11, .start_usec = 12, .load_usec = 13, .total_usec = 14, .loaded_bytes = 15};

	ck_assert_int_eq(mark_begin_resume(&io, &boot, &failure), -EEXIST);
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	ck_assert_int_eq(mark_begin_resume(&io, &boot, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.state, MARK_STATE_IN_PROGRESS);
	ck_assert_uint_eq(mark.boot.started_usec, 11);
	ck_assert_uint_eq(mark.boot.start_usec, 12);
	ck_assert_uint_eq(mark.boot.load_usec, 13);
	ck_assert_uint_eq(mark.boot.total_usec, 14);
	ck_assert_uint_eq(mark.boot.loaded_bytes, 15);
	ck_assert_uint_eq(mark.boot.tries, 1);
	get_page();
	ck_assert_mem_eq(page + MARK_SIGNATURE_OFFSET, "SWAPSPACE2", 10);

	/* It came back: armed as before, and the second go counts. */
	ck_assert_int_eq(mark_rearm(&io, (uint8_t[16]){1}, &failure), -EEXIST);
	ck_assert_int_eq(mark_rearm(&io, sample.image_id, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_ARMED);
	/* When the first write had failed, there is nothing to put back, and nothing to tell anybody to discard. */
	ck_assert_int_eq(mark_rearm(&io, sample.image_id, &failure), 0);
	ck_assert_int_eq(mark_rearm(&io, (uint8_t[16]){1}, &failure), -EEXIST);
	ck_assert_int_eq(mark_begin_resume(&io, &boot, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_uint_eq(mark.boot.tries, 2);

	ck_assert_int_eq(mark_set_resumed(&io, sample.image_id, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.state, MARK_STATE_RESUMED);
	ck_assert_int_eq(mark_rearm(&io, sample.image_id, &failure), -EEXIST);
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_FAILED, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.state, MARK_STATE_RESUMED);
}
END_TEST

START_TEST(interrupted_resume_can_be_noted)
{
	const struct mark_boot boot = {0};

	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	ck_assert_int_eq(mark_begin_resume(&io, &boot, &failure), 0);
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_REFUSED, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.drop, MARK_DROP_REFUSED);
}
END_TEST

/* swapon puts the signature back over an armed image. It must never be resumed, and be reported. */
START_TEST(signature_taken_by_swapon)
{
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	get_page();
	memcpy(page + MARK_SIGNATURE_OFFSET, "SWAPSPACE2", 10);
	put_page();
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.state, MARK_STATE_DISARMED);
	ck_assert_int_eq(mark.drop, MARK_DROP_TAKEN);
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_BOOTED, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.drop, MARK_DROP_BOOTED);
}
END_TEST

static const struct {
	const char *signature;
	enum mark_kind kind;
	int refusal; /* errno of arming and disarming */
	enum reason reason;
} foreign[] = {
	{"S1SUSPEND\0", MARK_KERNEL, -EEXIST, REASON_FOREIGN_IMAGE},
	{"LINHIB0001", MARK_KERNEL, -EEXIST, REASON_FOREIGN_IMAGE},
	{"ULSUSPEND\0", MARK_USWSUSP, -EEXIST, REASON_FOREIGN_IMAGE},
	{"S2SUSPEND\0", MARK_OTHER, -EEXIST, REASON_FOREIGN_IMAGE},
	{"\0\0\0\0\0\0\0\0\0\0", MARK_NONE, -EEXIST, REASON_AREA_UNSUITABLE},
	{"SWAPSPACE3", MARK_NONE, -EEXIST, REASON_AREA_UNSUITABLE},
};

START_TEST(others_are_never_touched)
{
	make_swap(page, foreign[_i].signature);
	put_page();
	memcpy(original, page, PAGE_BYTES);
	ck_assert_int_eq(kind_now(), foreign[_i].kind);
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), foreign[_i].refusal);
	ck_assert_int_eq(failure.reason, foreign[_i].reason);
	failure = (struct failure){0};
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_BOOTED, &failure), foreign[_i].refusal);
	ck_assert_int_eq(failure.reason, foreign[_i].reason);
	ck_assert_int_eq(mark_begin_resume(&io, &sample.boot, &failure), -EEXIST);
	ck_assert_int_eq(flushes, 0);
	get_page();
	ck_assert_mem_eq(page, original, PAGE_BYTES);
}
END_TEST

START_TEST(tuxonice_is_not_ours)
{
	memcpy(page, "\xed\xc3\x02\xe9\x98\x56\xe5\x0c", 8);
	put_page();
	ck_assert_int_eq(kind_now(), MARK_OTHER);
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), -EEXIST);
}
END_TEST

START_TEST(armed_area_is_not_armed_again)
{
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), -EEXIST);
	ck_assert_int_eq(failure.reason, REASON_FOREIGN_IMAGE);
}
END_TEST

/* Any byte of the record: the mark is not believed, and disarming still gives a swap area. */
START_TEST(damage_is_found_everywhere)
{
	int flips[] = {16, 20, 24, 39, 40, 44, 48, 52, 56, 72, 88, 96, 128, 144, 183, 184, 279, 280, 320, 360, 491, 492, 501,
		       511}; /* the last byte of the signature itself */

	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	get_page();
	for (size_t i = 0; i < ARRAY_LENGTH(flips); i++) {
		page[MARK_OFFSET + flips[i]] ^= 0x40;
		put_page();
		ck_assert_msg(kind_now() == MARK_DAMAGED, "byte %d may change unseen", flips[i]);
		ck_assert_int_eq(mark_begin_resume(&io, &sample.boot, &failure), -EEXIST);
		page[MARK_OFFSET + flips[i]] ^= 0x40;
	}
	page[MARK_OFFSET + 16]++;
	put_page();
	ck_assert_int_eq(kind_now(), MARK_DAMAGED);
	ck_assert_uint_eq(mark.version, MARK_VERSION + 1);
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_UNREADABLE, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_DROPPED);
	ck_assert_int_eq(mark.drop, MARK_DROP_UNREADABLE);
	ck_assert_uint_eq(mark.header_offset, 0);
}
END_TEST

START_TEST(damaged_mark_keeps_the_old_signature)
{
	make_swap(page, "SWAP-SPACE");
	put_page();
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	get_page();
	page[MARK_OFFSET + 88]++;
	put_page();
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_UNREADABLE, &failure), 0);
	get_page();
	ck_assert_mem_eq(page + MARK_SIGNATURE_OFFSET, "SWAP-SPACE", 10);
}
END_TEST

/* Records whose checksum is right but whose values are not. */
static void seal(struct mark_disk *disk)
{
	struct checksum sum;

	memset(disk->checksum, 0, sizeof(disk->checksum));
	sum = checksum_of(disk, sizeof(*disk));
	memcpy(disk->checksum, sum.bytes, sizeof(disk->checksum));
}

static void nonsense_state(struct mark_disk *disk) { disk->state = htole32(MARK_STATE_RESUMED); }
static void nonsense_number(struct mark_disk *disk) { disk->state = htole32(_MARK_STATE_MAX); }
static void nonsense_drop(struct mark_disk *disk) { disk->drop = htole32(_MARK_DROP_MAX); }
static void nonsense_flag(struct mark_disk *disk) { disk->flags = htole32(1); }
static void nonsense_length(struct mark_disk *disk) { disk->length = htole32(501); }
static void nonsense_version(struct mark_disk *disk) { disk->version = htole32(2); }
static void nonsense_reserved(struct mark_disk *disk) { disk->reserved[107] = 1; }
static void nonsense_text(struct mark_disk *disk) { memset(disk->device_id, 'x', sizeof(disk->device_id)); }
static void nonsense_uuid(struct mark_disk *disk) { memset(disk->part_uuid, 'x', sizeof(disk->part_uuid)); }
static void nonsense_signature(struct mark_disk *disk) { memcpy(disk->signature, "ULSUSPEND", 10); }
static void sense(struct mark_disk *disk) { memset(disk->device_id, 'x', sizeof(disk->device_id) - 1); }

static const struct {
	void (*change)(struct mark_disk *);
	enum mark_kind kind;
} changes[] = {
	{nonsense_state, MARK_DAMAGED},   {nonsense_number, MARK_DAMAGED}, {nonsense_drop, MARK_DAMAGED},
	{nonsense_flag, MARK_DAMAGED},    {nonsense_length, MARK_DAMAGED}, {nonsense_version, MARK_DAMAGED},
	{nonsense_reserved, MARK_DAMAGED}, {nonsense_text, MARK_DAMAGED}, {nonsense_uuid, MARK_DAMAGED},   {nonsense_signature, MARK_DAMAGED},
	{sense, MARK_ARMED},
};

START_TEST(nonsense_is_not_believed)
{
	struct mark_disk *disk = (void *)(page + MARK_OFFSET);

	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
	get_page();
	changes[_i].change(disk);
	seal(disk);
	put_page();
	ck_assert_int_eq(kind_now(), changes[_i].kind);
}
END_TEST

START_TEST(long_texts_are_cut)
{
	struct mark longer = sample;

	memset(longer.identity.device_id, 'x', sizeof(longer.identity.device_id));
	ck_assert_int_eq(mark_arm(&io, &longer, &failure), 0);
	ck_assert_int_eq(kind_now(), MARK_ARMED);
	ck_assert_uint_eq(strlen(mark.identity.device_id), sizeof(mark.identity.device_id) - 1);
}
END_TEST

START_TEST(bad_pages_reach_the_record)
{
	struct swap_header_disk *header = (void *)page;

	header->bad_page_count = htole32(MARK_BAD_PAGES_MAX + 1);
	put_page();
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), -EFBIG);
	ck_assert_int_eq(failure.reason, REASON_AREA_UNSUITABLE);
	header->bad_page_count = htole32(MARK_BAD_PAGES_MAX);
	put_page();
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), 0);
}
END_TEST

START_TEST(disk_errors_are_told)
{
	fail_write = EIO;
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), -EIO);
	ck_assert_int_eq(failure.reason, REASON_IO);
	fail_write = ETXTBSY;
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), -ETXTBSY);
	ck_assert_int_eq(failure.reason, REASON_BUSY);
	fail_write = 0;
	fail_flush = EIO;
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), -EIO);
	ck_assert_int_eq(failure.reason, REASON_IO);
	ck_assert_ptr_nonnull(strstr(failure.text, "flushed"));
	fail_flush = 0;
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_FAILED, &failure), 0);
	corrupt = MARK_OFFSET + 90;
	ck_assert_int_eq(mark_arm(&io, &sample, &failure), -EIO);
	ck_assert_ptr_nonnull(strstr(failure.text, "reads back"));
}
END_TEST

START_TEST(area_cut_short)
{
	ck_assert_int_eq(ftruncate(io.fd, POSITION + 100), 0);
	ck_assert_int_eq(mark_read(&io, &mark, &failure), -EIO);
	ck_assert_int_eq(failure.reason, REASON_IO);
	ck_assert_str_eq(failure.object, "/dev/vda2");
}
END_TEST

START_TEST(names)
{
	for (int i = 0; i < _MARK_KIND_MAX; i++)
		ck_assert_ptr_nonnull(mark_kind_name(i));
	for (int i = 1; i < _MARK_STATE_MAX; i++)
		ck_assert_ptr_nonnull(mark_state_name(i));
	for (int i = 0; i < _MARK_DROP_MAX; i++) {
		ck_assert_ptr_nonnull(mark_drop_name(i));
		ck_assert_ptr_nonnull(mark_drop_phrase(i));
	}
	ck_assert_ptr_null(mark_kind_name(_MARK_KIND_MAX));
	ck_assert_ptr_null(mark_state_name(0));
	ck_assert_ptr_null(mark_drop_name(_MARK_DROP_INVALID));
}
END_TEST

static const struct {
	const char *what;
	struct area_identity found;
	int result;
} identities[] = {
	{"the same", {.swap_uuid = {1}, .device_size = 8, .partition_start = 4, .part_uuid = "p", .device_id = "d"}, 0},
	{"unknown PARTUUID", {.swap_uuid = {1}, .device_size = 8, .partition_start = 4, .device_id = "d"}, 0},
	{"unknown device", {.swap_uuid = {1}, .device_size = 8, .partition_start = 4, .part_uuid = "p"}, 0},
	{"unknown UUID", {.device_size = 8, .partition_start = 4, .part_uuid = "p", .device_id = "d"}, 0},
	{"other UUID", {.swap_uuid = {2}, .device_size = 8, .partition_start = 4, .part_uuid = "p", .device_id = "d"}, -EXDEV},
	{"other size", {.swap_uuid = {1}, .device_size = 9, .partition_start = 4, .part_uuid = "p", .device_id = "d"}, -EXDEV},
	{"other place", {.swap_uuid = {1}, .device_size = 8, .partition_start = 5, .part_uuid = "p", .device_id = "d"}, -EXDEV},
	{"other PARTUUID", {.swap_uuid = {1}, .device_size = 8, .partition_start = 4, .part_uuid = "q", .device_id = "d"}, -EXDEV},
	{"other disk", {.swap_uuid = {1}, .device_size = 8, .partition_start = 4, .part_uuid = "p", .device_id = "e"}, -EXDEV},
};

START_TEST(copies_are_told_apart)
{
	int r = area_identity_compare(&identities[0].found, &identities[_i].found, "/dev/x", &failure);

	ck_assert_msg(r == identities[_i].result, "%s: %d", identities[_i].what, r);
	ck_assert_int_eq(failure.reason, r ? REASON_WRONG_MACHINE : REASON_NONE);
}
END_TEST

/* Whoever can write the area can write a mark; what it says goes to a console before anything is authenticated. */
START_TEST(words_of_a_mark_move_no_cursor)
{
	struct area_identity recorded = identities[0].found;

	strcpy(recorded.device_id, "d\x1b[2J\xc2\x9b" "2J\x9b");
	ck_assert_int_eq(area_identity_compare(&recorded, &identities[0].found, "/dev/x", &failure), -EXDEV);
	ck_assert_ptr_nonnull(strstr(failure.text, "is d, but the image is of d\\x1b[2J\\u{9b}2J\\x9b"));
	/* The other way round: a disk that is plugged in says of itself what it likes. */
	ck_assert_int_eq(area_identity_compare(&identities[0].found, &recorded, "/dev/x", &failure), -EXDEV);
	ck_assert_ptr_nonnull(strstr(failure.text, "is d\\x1b[2J\\u{9b}2J\\x9b, but the image is of d"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mark");
	TCase *cases = tcase_create("mark");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, armed_mark_reads_back);
	tcase_add_loop_test(cases, disarm_puts_the_signature_back, 0, 2);
	tcase_add_test(cases, plain_swap_needs_no_disarming);
	tcase_add_test(cases, resume_leaves_its_numbers);
	tcase_add_test(cases, interrupted_resume_can_be_noted);
	tcase_add_test(cases, signature_taken_by_swapon);
	tcase_add_loop_test(cases, others_are_never_touched, 0, ARRAY_LENGTH(foreign));
	tcase_add_test(cases, tuxonice_is_not_ours);
	tcase_add_test(cases, armed_area_is_not_armed_again);
	tcase_add_test(cases, damage_is_found_everywhere);
	tcase_add_test(cases, damaged_mark_keeps_the_old_signature);
	tcase_add_loop_test(cases, nonsense_is_not_believed, 0, ARRAY_LENGTH(changes));
	tcase_add_test(cases, long_texts_are_cut);
	tcase_add_test(cases, bad_pages_reach_the_record);
	tcase_add_test(cases, disk_errors_are_told);
	tcase_add_test(cases, area_cut_short);
	tcase_add_test(cases, names);
	tcase_add_loop_test(cases, copies_are_told_apart, 0, ARRAY_LENGTH(identities));
	tcase_add_test(cases, words_of_a_mark_move_no_cursor);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
