/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sealed images on a made-up machine: there and back, and everything that must not lead back.
 */
#include "sealed.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

#define PASSPHRASE SEALED_PASSPHRASE

static struct machine machine;

/* ---- the machine -------------------------------------------------------- */

/* A machine that has hibernated sealed and is being booted again. */
static void setup(void)
{
	machine_init(&machine);
	sealed_make_keys(&machine, "/etc/keys", NULL, NULL, NULL);
	sealed_configure(&machine, "/etc/keys", "");
	sealed_hibernate(&machine);
	sealed_configure(&machine, "/etc/keys", "ResumeFailure=poweroff\nResumeWait=5");
	tree_write(&machine.tree, "/proc/meminfo",
		   "MemTotal:        16384 kB\nMemFree:        204800 kB\nMemAvailable:   204800 kB\n");
}

static void teardown(void)
{
	machine_deinit(&machine);
}

static uint64_t header_offset(void)
{
	struct mark mark;

	machine_mark(&machine, &mark);
	return mark.header_offset;
}

static void read_header(struct image_header *header)
{
	uint8_t page[PAGE_BYTES];
	struct failure f;

	machine_read(&machine, header_offset(), page, sizeof(page));
	ck_assert_int_eq(image_header_decode(page, "test", UINT64_MAX, header, &f), 0);
}

static void flip(uint64_t at)
{
	uint8_t byte;

	machine_read(&machine, at, &byte, 1);
	byte ^= 0x10;
	machine_write(&machine, at, &byte, 1);
}

/* The checksum at the end of the header page, which anybody can make. */
static void sum_header(void)
{
	uint8_t page[PAGE_BYTES];
	struct checksum sum;

	machine_read(&machine, header_offset(), page, sizeof(page));
	sum = checksum_of(page, PAGE_BYTES - CHECKSUM_BYTES);
	machine_write(&machine, header_offset() + PAGE_BYTES - CHECKSUM_BYTES, sum.bytes, sizeof(sum.bytes));
}

static const char *const right[] = {PASSPHRASE "\r", NULL};

/* ---- there and back ----------------------------------------------------- */

START_TEST(a_sealed_machine_comes_back)
{
	static const char *const wrong_then_right[] = {"wrong\r", PASSPHRASE "\r", NULL};
	uint8_t page[PAGE_BYTES], zeros[PAGE_BYTES] = {0};
	uint64_t at = header_offset();
	struct image_header header;

	read_header(&header);
	ck_assert(suite_seals(header.suite));
	sealed_boot(&machine, MACHINE_ENTERED, wrong_then_right, "boot");
	ck_assert_ptr_nonnull(strstr(somebody.seen, "1 wrong so far"));
	sealed_check_mark(&machine, MARK_DROPPED, MARK_STATE_IN_PROGRESS, MARK_DROP_NONE);
	ck_assert(machine.kernel->entered);
	for (size_t i = 0; i < machine.kernel->image_pages; i++)
		ck_assert_uint_eq(machine.kernel->page_sums[i], fake_kernel_page_word(i));

	/* Of the slot nothing is left. */
	machine_read(&machine, at, page, sizeof(page));
	ck_assert_mem_eq(page, zeros, sizeof(page));
}
END_TEST

/* While the second and the third secret are held back there is time for it. */
START_TEST(what_is_read_ahead_is_resumed_from)
{
	static const char *const late[] = {"wrong\r", "wrong\r", PASSPHRASE "\r", NULL};

	if (_i)
		tree_write(&machine.tree, "/proc/meminfo",
			   "MemTotal:        16384 kB\nMemFree:         65536 kB\nMemAvailable:   204800 kB\n");
	sealed_boot(&machine, MACHINE_ENTERED, late, "boot");
	ck_assert_int_eq(machine_said(&machine, "had been read ahead"), !_i);
	for (size_t i = 0; i < machine.kernel->image_pages; i++)
		ck_assert_uint_eq(machine.kernel->page_sums[i], fake_kernel_page_word(i));
}
END_TEST

/* Nothing of the memory is on the disk in the clear, and no chunk is like another. */
START_TEST(nothing_of_the_memory_is_readable)
{
	uint64_t word = fake_kernel_page_word(1);
	const uint8_t *disk = mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED, machine.disk, 0);

	ck_assert_ptr_ne(disk, MAP_FAILED);
	ck_assert_ptr_null(memmem(disk, 4 * MIB, &word, sizeof(word)));
	munmap((void *)(uintptr_t)disk, 4 * MIB);
}
END_TEST

START_TEST(a_slot_comes_back_when_the_image_is_not_entered)
{
	static const char *const answers[] = {PASSPHRASE "\r", PASSPHRASE "\r", PASSPHRASE "\r", NULL};
	uint8_t before[PAGE_BYTES], after[PAGE_BYTES];

	machine_read(&machine, header_offset(), before, sizeof(before));
	machine_fault(&machine, SNAPSHOT_ATOMIC_RESTORE, -EPERM, 0, 3);
	sealed_boot(&machine, MACHINE_OFF, answers, "not entered");
	sealed_check_armed(&machine);
	machine_read(&machine, header_offset(), after, sizeof(after));
	ck_assert_mem_eq(before, after, sizeof(before));
	machine_power_on(&machine, 3);
	sealed_boot(&machine, MACHINE_ENTERED, right, "afterwards");
}
END_TEST

/* The image is not entered, the machine tries again by itself, and asks. */
START_TEST(wrong_secrets_are_counted_in_all_tries)
{
	static const char *const answers[] = {"wrong\r", PASSPHRASE "\r", PASSPHRASE "\r", NULL};
	const char *first;

	machine_fault(&machine, SNAPSHOT_ATOMIC_RESTORE, -EPERM, 0, 1);
	sealed_boot(&machine, MACHINE_ENTERED, answers, "the second try");
	first = strstr(somebody.seen, "1 wrong so far");
	ck_assert_ptr_nonnull(first);
	ck_assert_msg(strstr(first + 1, "1 wrong so far") != NULL, "forgotten: %s", somebody.seen);
	ck_assert_ptr_null(strstr(somebody.seen, "2 wrong"));
}
END_TEST

/* ---- the other answers -------------------------------------------------- */

START_TEST(a_question_has_other_answers)
{
	static const struct {
		const char *lines;
		const char *answers[4];
		enum machine_end end;
	} rows[] = {
		{"ResumeFailure=boot", {"\r", "p\r"}, MACHINE_OFF},
		{"ResumeFailure=poweroff", {"wrong\r", "\r", "b\r"}, MACHINE_RUNS},
		{"ResumeFailure=ask\nResumeWait=0", {NULL}, MACHINE_OFF},
		{"ResumeFailure=boot\nResumeWait=0", {NULL}, MACHINE_RUNS},
	};
	struct image_header header;

	sealed_configure(&machine, "/etc/keys", rows[_i].lines);
	sealed_boot(&machine, rows[_i].end, rows[_i].answers, rows[_i].lines);
	ck_assert(!machine.kernel->entered);
	ck_assert_uint_eq(machine.kernel->opens, 0);
	if (rows[_i].end == MACHINE_OFF)
		sealed_check_armed(&machine);
	else
		sealed_check_mark(&machine, MARK_DROPPED, MARK_STATE_DISARMED, MARK_DROP_REFUSED);
	read_header(&header); /* an image that was passed over can still be extracted */
}
END_TEST

/* ---- what must not be resumed ------------------------------------------- */

static const struct {
	const char *what;
	size_t at;
} header_places[] = {
	{"magic", 0},          {"suite", 32},       {"image id", 40},     {"body's tag", 64}, {"slots", 80},
	{"release", 84},       {"reserved", 200},   {"body extent", 256}, {"slot's kind", 1280},
	{"slot's set", 1288},  {"ephemeral", 1304}, {"commitment", 1336}, {"wrapped", 1368},  {"second slot", 1792},
	{"blob's nonce", 3364}, {"salt", 3392},     {"payload", 3936},    {"signature", 4016},
};

/* A flipped bit in the header page, with a checksum that was made right again. */
START_TEST(a_changed_header_is_refused)
{
	flip(header_offset() + header_places[_i].at);
	sum_header();
	sealed_boot(&machine, MACHINE_OFF, right, header_places[_i].what);
	sealed_check_armed(&machine);
	ck_assert_msg(machine.kernel->opens == 0, "%s: the kernel was given pages", header_places[_i].what);
}
END_TEST

START_TEST(a_changed_body_is_refused)
{
	struct image_header header;

	read_header(&header);
	flip(header.body_extents[0].start + (_i ? header.body_size - 1 : 40));
	sealed_boot(&machine, MACHINE_OFF, right, "body");
	sealed_check_armed(&machine);
	ck_assert_uint_eq(machine.kernel->opens, 0);
}
END_TEST

START_TEST(a_changed_chunk_is_refused)
{
	flip(header_offset() + PAGE_BYTES + 17); /* the first chunk comes behind the header page */
	sealed_boot(&machine, MACHINE_OFF, right, "chunk");
	sealed_check_armed(&machine);
}
END_TEST

/* Nobody but this machine signs: the keys of another open the blob, and the blob is not this image's. */
START_TEST(an_image_of_another_key_set_is_refused)
{
	uint8_t before[PAGE_BYTES], after[PAGE_BYTES];
	uint64_t at = header_offset();

	machine_read(&machine, at, before, sizeof(before));
	machine_deinit(&machine);
	setup();
	machine_read(&machine, header_offset(), after, sizeof(after));
	ck_assert_uint_eq(header_offset(), at);
	ck_assert_mem_ne(before, after, sizeof(before));
	machine_write(&machine, at, before, sizeof(before));
	sealed_boot(&machine, MACHINE_OFF, right, "header page of another image");
	sealed_check_armed(&machine);
	ck_assert_uint_eq(machine.kernel->opens, 0);
}
END_TEST

START_TEST(an_unsealed_image_is_refused_where_sealing_is_required)
{
	static const char *const nothing[] = {NULL};

	machine_deinit(&machine);
	machine_init(&machine);
	sealed_hibernate(&machine);
	sealed_configure(&machine, "/etc/keys", "ResumeFailure=poweroff\nResumeWait=5");
	sealed_boot(&machine, MACHINE_OFF, nothing, "unsealed");
	sealed_check_armed(&machine);
	ck_assert_uint_eq(machine.kernel->opens, 0);
	tree_write(&machine.tree, "/proc/cmdline", "quiet hibernated.Sealing=off\n");
	machine_power_on(&machine, 3);
	sealed_boot(&machine, MACHINE_OFF, nothing, "unsealed, and the command line says that this is well");
	sealed_check_armed(&machine);
	tree_write(&machine.tree, "/etc/hibernate.conf", "[Hibernate]\nThreads=1\n");
	machine_power_on(&machine, 4);
	sealed_boot(&machine, MACHINE_ENTERED, nothing, "unsealed where that is well");
}
END_TEST

/* Sealing=off is about writing; what is sealed is opened all the same. */
START_TEST(a_sealed_image_is_resumed_where_sealing_is_not_required)
{
	tree_write(&machine.tree, "/etc/hibernate.conf", "[Hibernate]\nThreads=1\n");
	sealed_boot(&machine, MACHINE_ENTERED, right, "Sealing=off");
}
END_TEST

START_TEST(what_argon2_needs_must_be_there)
{
	tree_write(&machine.tree, "/proc/meminfo", "MemTotal: 16384 kB\nMemAvailable: 16400 kB\n");
	sealed_boot(&machine, MACHINE_OFF, right, "no memory for Argon2");
	sealed_check_armed(&machine);
}
END_TEST

/* ---- saving ------------------------------------------------------------- */

static void check_refused(enum reason reason)
{
	ck_assert_int_eq(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS);
	ck_assert_int_eq(machine.state->report.outcome, OUTCOME_FAILED);
	ck_assert_msg(machine.state->report.failure.reason == reason, "reason %s: %s",
		      reason_name(machine.state->report.failure.reason), machine.state->report.failure.text);
	machine_check_undone(&machine, "refused");
}

/* What an estimate says beforehand. */
static void check_possible(enum reason reason)
{
	struct failure f = {0};
	struct config config;

	ck_assert_int_eq(config_load(&config, &machine.tree.sys, &f), 0);
	ck_assert_int_eq(sealing_possible(&config, &f) < 0, reason != REASON_NONE);
	ck_assert_msg(f.reason == reason, "reason %s: %s", reason_name(f.reason), f.text);
}

START_TEST(without_keys_no_image_is_written)
{
	machine_deinit(&machine);
	machine_init(&machine);
	sealed_configure(&machine, "/etc/nothing", "");
	check_possible(REASON_NO_KEYS);
	check_refused(REASON_NO_KEYS);
	ck_assert_uint_eq(machine.kernel->opens, 0);
	sealed_make_keys(&machine, "/etc/keys", NULL, NULL, NULL);
	ck_assert_int_eq(chmod(tree_path(&machine.tree, "/etc/keys/signing"), 0644), 0);
	sealed_configure(&machine, "/etc/keys", "");
	check_possible(REASON_KEY_FILE);
	check_refused(REASON_KEY_FILE);
	ck_assert_uint_eq(machine.kernel->opens, 0);
	ck_assert_int_eq(chmod(tree_path(&machine.tree, "/etc/keys/signing"), 0600), 0);
	check_possible(REASON_NONE);
}
END_TEST

/* A worker that was taken over wants something of its own signed. */
static void want_signed(struct machine *m, int socket, struct worker_job *job)
{
	struct image_header header = {.suite = (enum seal_suite)job->seal.suite};
	uint64_t at = job->body_at;
	uint8_t *memory;

	(void)m;
	worker_send(socket, WORKER_READY, (uint64_t[4]){WORKER_PROTOCOL_VERSION}, -1);
	machine_hear(socket, WORKER_GRANT);
	/* This image's slot and blob, and the id of another. */
	header.id = job->meta.id;
	header.id.bytes[0] ^= 1;
	memcpy(header.kernel_release, job->meta.kernel_release, sizeof(header.kernel_release));
	memcpy(header.slot, job->seal.slot, sizeof(header.slot));
	memcpy(header.blob, job->seal.blob, sizeof(header.blob));
	job->body_at = UINT64_MAX / 2; /* is not believed either */
	memory = mremap(job, round_up(sizeof(*job), PAGE_BYTES), at + PAGE_BYTES, MREMAP_MAYMOVE);
	if (memory == MAP_FAILED)
		_exit(1);
	image_header_encode(&header, memory + at);
	worker_send(socket, WORKER_SIGN, NULL, -1);
	machine_hear(socket, WORKER_SIGNED);
	_exit(0);
}

START_TEST(nothing_else_is_signed)
{
	machine_deinit(&machine);
	machine_init(&machine);
	sealed_make_keys(&machine, "/etc/keys", NULL, NULL, NULL);
	sealed_configure(&machine, "/etc/keys", "");
	machine.worker = want_signed;
	check_refused(REASON_WORKER);
	ck_assert_ptr_nonnull(strstr(machine.state->report.failure.text, "signed"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sealed");
	TCase *cases = tcase_create("sealed");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 120);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, a_sealed_machine_comes_back);
	tcase_add_loop_test(cases, what_is_read_ahead_is_resumed_from, 0, 2);
	tcase_add_test(cases, nothing_of_the_memory_is_readable);
	tcase_add_test(cases, a_slot_comes_back_when_the_image_is_not_entered);
	tcase_add_test(cases, wrong_secrets_are_counted_in_all_tries);
	tcase_add_loop_test(cases, a_question_has_other_answers, 0, 4);
	tcase_add_loop_test(cases, a_changed_header_is_refused, 0, (int)ARRAY_LENGTH(header_places));
	tcase_add_loop_test(cases, a_changed_body_is_refused, 0, 2);
	tcase_add_test(cases, a_changed_chunk_is_refused);
	tcase_add_test(cases, an_image_of_another_key_set_is_refused);
	tcase_add_test(cases, an_unsealed_image_is_refused_where_sealing_is_required);
	tcase_add_test(cases, a_sealed_image_is_resumed_where_sealing_is_not_required);
	tcase_add_test(cases, what_argon2_needs_must_be_there);
	tcase_add_test(cases, without_keys_no_image_is_written);
	tcase_add_test(cases, nothing_else_is_signed);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
