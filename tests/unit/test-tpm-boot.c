/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TPM opens images on a made-up machine: what it is asked, whose images it opens, and what is done when it does not. What stands
 * for it here does as hibernated-tpm does.
 */
#include "sealed.h"

#include "base/secret.h"
#include "seal/blob.h"
#include "seal/open.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <linux/suspend_ioctls.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define RIGHT SEALED_PASSPHRASE "\r"
#define PIN   "4711"

static struct machine machine;
static struct key_public ours;

/* The TPM, as each boot finds it. */
static struct {
	uint8_t key[CRYPTO_KEY_BYTES];
	const char *pin;
	unsigned int left;
	int error;      /* of unsealing */
	int shut_error;
	bool shut;      /* in this boot */
} tpm;

static void shut(struct tpm_job *job)
{
	job->shut = 1;
	tpm.shut = true;
	if (!tpm.shut_error)
		return;
	job->shut = tpm.shut_error;
	failure_set(&job->shut_failure, REASON_CRYPTO, -tpm.shut_error, "TPM", NULL, "it does as it likes");
}

static int unseal(struct tpm_job *job)
{
	if (tpm.error)
		return failure_set(&job->failure, REASON_WRONG_SECRET, -tpm.error, job->name, NULL, "changed is PCR 9");
	if (tpm.shut)
		return failure_set(&job->failure, REASON_WRONG_SECRET, EPERM, job->name, NULL, "once in a boot");
	job->tries_left = tpm.left;
	if (tpm.pin && !job->pin_size)
		return tpm.left ? KEY_WRONG_SECRET : TPM_TRIES_USED;
	if (tpm.pin && (job->pin_size != strlen(tpm.pin) || memcmp(job->pin, tpm.pin, job->pin_size) != 0)) {
		job->tries_left = --tpm.left;
		return tpm.left ? KEY_WRONG_SECRET : TPM_TRIES_USED;
	}
	memcpy(job->blob_key, tpm.key, sizeof(job->blob_key));
	return 0;
}

static int do_job(struct machine *m, struct tpm_job *job)
{
	(void)m;
	if (job->kind == TPM_JOB_SHUT) {
		shut(job);
		return 0;
	}
	job->result = unseal(job);
	if (job->result != KEY_WRONG_SECRET)
		shut(job);
	return 0;
}

/* ---- the machine -------------------------------------------------------- */

static void configure(const struct key_public *named, const char *lines)
{
	char text[256] = "";

	for (size_t i = 0; named && i < sizeof(named->id); i++)
		snprintf(text + 10 + 2 * i, 3, "%02x", named->id[i]);
	if (named)
		memcpy(text, "TPMKeySet=", 10);
	strcat(text, "\nResumeWait=5\n");
	strcat(text, lines);
	sealed_configure(&machine, "/etc/keys", text);
}

/* A machine that has hibernated, with keys that the TPM opens, by @pin if it is not NULL. */
static void begin(const char *pin)
{
	struct tpm_disk part = {
		.kind = htole32(WRAP_KIND_TPM2),
		.flags = htole32(pin ? TPM_FLAG_PIN : 0),
		.pcrs = htole32(TPM_PCRS_DEFAULT | 1u << TPM_PCR_DOOR),
		.public_size = htole16(1),
		.private_size = htole16(1),
	};

	memset(&tpm, 0, sizeof(tpm));
	tpm.pin = pin;
	tpm.left = 9;
	machine_init(&machine);
	machine.tpm = do_job;
	sealed_make_keys(&machine, "/etc/keys", &part, &ours, tpm.key);
	sealed_configure(&machine, "/etc/keys", "");
	sealed_hibernate(&machine);
	configure(&ours, "ResumeFailure=poweroff");
}

static void setup(void)
{
	begin(NULL);
}

static void teardown(void)
{
	machine_deinit(&machine);
}

static void check_asked(unsigned int unseals, unsigned int shuts)
{
	ck_assert_msg(machine.state->tpm_jobs[TPM_JOB_UNSEAL] == unseals && machine.state->tpm_jobs[TPM_JOB_SHUT] == shuts,
		      "asked %u times for the key, not %u; shut %u times, not %u", machine.state->tpm_jobs[TPM_JOB_UNSEAL], unseals,
		      machine.state->tpm_jobs[TPM_JOB_SHUT], shuts);
}

static void check_refused(const char *what)
{
	sealed_check_armed(&machine);
	ck_assert_msg(machine.kernel->opens == 0, "%s: the kernel was given pages", what);
	ck_assert_msg(somebody.length == 0, "%s: it was asked: %s", what, somebody.seen);
}

static const char *const nothing[] = {NULL};
static const char *const right[] = {RIGHT, NULL};

/* ---- without a PIN ------------------------------------------------------ */

START_TEST(it_opens_the_image_and_nobody_is_asked)
{
	sealed_boot(&machine, MACHINE_ENTERED, nothing, "boot");
	ck_assert_msg(somebody.length == 0, "asked: %s", somebody.seen);
	check_asked(1, 0);
}
END_TEST

START_TEST(a_changed_chunk_is_refused)
{
	struct mark mark;
	uint8_t byte;

	machine_mark(&machine, &mark);
	machine_read(&machine, mark.header_offset + PAGE_BYTES + 17, &byte, 1);
	byte ^= 0x10;
	machine_write(&machine, mark.header_offset + PAGE_BYTES + 17, &byte, 1);
	sealed_boot(&machine, MACHINE_OFF, nothing, "chunk");
	sealed_check_armed(&machine);
	ck_assert_uint_eq(somebody.length, 0);
}
END_TEST

/* Nothing says whose keys to believe, so what the TPM opens is not believed, and the TPM not touched. */
START_TEST(without_a_name_it_is_left_alone)
{
	configure(NULL, "ResumeFailure=poweroff");
	sealed_boot(&machine, MACHINE_ENTERED, right, "boot");
	ck_assert_ptr_nonnull(strstr(somebody.seen, "TPMKeySet="));
	check_asked(0, 0);
}
END_TEST

START_TEST(the_command_line_names_nobody)
{
	char text[128] = "quiet hibernated.TPMKeySet=";

	for (size_t i = 0; i < sizeof(ours.id); i++)
		snprintf(text + strlen(text), 3, "%02x", ours.id[i]);
	tree_write(&machine.tree, "/proc/cmdline", text);
	configure(NULL, "ResumeFailure=poweroff");
	sealed_boot(&machine, MACHINE_ENTERED, right, "boot");
	check_asked(0, 0);
}
END_TEST

/* ---- somebody else's keys, sealed to the same TPM ----------------------- */

/* By a TPM, or by a passphrase that they know: it is refused before anything is asked. */
START_TEST(an_image_of_another_set_is_refused)
{
	struct key_public other = ours;

	other.id[_i] ^= 1;
	configure(&other, "ResumeFailure=poweroff");
	sealed_boot(&machine, MACHINE_OFF, nothing, "another set");
	check_refused("another set");
	check_asked(0, 0);
	ck_assert(machine_said(&machine, "another key set"));
	machine_power_on(&machine, 3);
	configure(&other, "ResumeFailure=boot");
	sealed_boot(&machine, MACHINE_RUNS, nothing, "booting without it");
	sealed_check_mark(&machine, MARK_DROPPED, MARK_STATE_DISARMED, MARK_DROP_UNREADABLE);
	check_asked(0, 1);
}
END_TEST

/* The blob says that it is of @id; the rest, signature and checksum fit again. */
static void forge(const uint8_t *id)
{
	AUTO_SECRET struct key_material *theirs = secret_new(sizeof(*theirs));
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	const struct blob_change change = {0};
	uint8_t page[PAGE_BYTES], *blob = page + SEAL_PAGE_BLOB;
	struct checksum sum;
	struct failure f;
	struct mark mark;

	machine_mark(&machine, &mark);
	machine_read(&machine, mark.header_offset, page, sizeof(page));
	ck_assert_int_eq(key_file_load(tree_path(&machine.tree, "/etc/keys"), theirs, &f), 0);
	ck_assert_int_eq(key_blob_open_key(blob, tpm.key, "test", opened, &f), 0);
	memcpy(opened->public.id, id, sizeof(opened->public.id));
	memcpy(blob + offsetof(struct blob_disk, key_set), id, sizeof(opened->public.id));
	ck_assert_int_eq(secret_random(random, sizeof(*random)), 0);
	ck_assert_int_eq(key_blob_change(blob, opened, &change, random, blob), 0);
	ck_assert_int_eq(header_sign(theirs->signing_seed, page), 0);
	sum = checksum_of(page, PAGE_BYTES - CHECKSUM_BYTES);
	memcpy(page + PAGE_BYTES - CHECKSUM_BYTES, sum.bytes, sizeof(sum.bytes));
	machine_write(&machine, mark.header_offset, page, sizeof(page));
}

START_TEST(an_image_that_claims_to_be_of_this_set_is_refused)
{
	struct key_public other = ours;
	uint8_t page[PAGE_BYTES];
	struct mark mark;

	machine_mark(&machine, &mark);
	machine_read(&machine, mark.header_offset, page, sizeof(page));
	other.id[3] ^= 1;
	forge(other.id);
	configure(&other, "ResumeFailure=poweroff");
	sealed_boot(&machine, MACHINE_OFF, nothing, "a claim");
	check_refused("a claim");
	check_asked(1, 0); /* it gives its key to anybody in such a boot: that is no reason to believe what it opens */
	machine_write(&machine, mark.header_offset, page, sizeof(page));
	configure(&ours, "ResumeFailure=poweroff");
	machine_power_on(&machine, 3);
	sealed_boot(&machine, MACHINE_ENTERED, nothing, "as it was");
}
END_TEST

/* What the worker goes by, without the rest around it. */
START_TEST(only_a_named_key_set_is_believed)
{
	AUTO_SECRET struct seal_opened *opened = secret_new(sizeof(*opened));
	uint8_t page[PAGE_BYTES], other[KEY_SET_ID_BYTES];
	struct failure f = {0};
	struct mark mark;

	machine_mark(&machine, &mark);
	machine_read(&machine, mark.header_offset, page, sizeof(page));
	memcpy(other, ours.id, sizeof(other));
	other[15] ^= 0x80;
	ck_assert_int_eq(seal_page_open_tpm(page, tpm.key, NULL, "test", opened, &f), -EBADMSG);
	ck_assert_int_eq(f.reason, REASON_UNAUTHENTIC);
	ck_assert_int_eq(seal_page_open_tpm(page, tpm.key, other, "test", opened, &f), -EBADMSG);
	ck_assert_int_eq(f.reason, REASON_UNAUTHENTIC);
	ck_assert_int_eq(seal_page_open_tpm(page, tpm.key, ours.id, "test", opened, &f), 0);
	ck_assert_mem_eq(&opened->by, &ours, sizeof(ours));
}
END_TEST

/* ---- when it does not --------------------------------------------------- */

START_TEST(what_keeps_it_from_it_is_said)
{
	tpm.error = -ESTALE;
	sealed_boot(&machine, MACHINE_ENTERED, right, "another boot");
	ck_assert_ptr_nonnull(strstr(somebody.seen, "Not opened by the TPM: changed is PCR 9. Passphrase"));
	ck_assert(machine_said(&machine, "changed is PCR 9"));
	check_asked(1, 0);
}
END_TEST

START_TEST(without_a_tpm_there_is_the_passphrase)
{
	machine.tpm = NULL;
	sealed_boot(&machine, MACHINE_ENTERED, right, "no TPM");
	ck_assert_ptr_nonnull(strstr(somebody.seen, "cannot be started"));
	check_asked(1, 1);
	ck_assert(machine_said(&machine, "stays open"));
}
END_TEST

START_TEST(a_door_that_does_not_shut_is_said)
{
	tpm.shut_error = -EIO;
	sealed_boot(&machine, MACHINE_ENTERED, nothing, "boot");
	check_asked(1, 1);
	ck_assert(machine_said(&machine, "stays open"));
	ck_assert(machine_said(&machine, "it does as it likes"));
}
END_TEST

/* The TPM gives the key out once; a fault of the moment does not make anybody type. */
START_TEST(the_key_is_kept_for_another_try)
{
	machine_fault(&machine, SNAPSHOT_FREEZE, -EBUSY, 0, 2);
	sealed_boot(&machine, MACHINE_ENTERED, nothing, "FREEZE refused");
	ck_assert(machine.kernel->faults[0].times == 0);
	ck_assert_uint_gt(machine.state->workers, 2);
	check_asked(1, 0);
}
END_TEST

/* ...but it is not kept where the image could find it. */
START_TEST(the_key_is_gone_before_the_image_is_entered)
{
	machine_fault(&machine, SNAPSHOT_ATOMIC_RESTORE, -EPERM, 0, 1);
	sealed_boot(&machine, MACHINE_ENTERED, right, "not entered");
	ck_assert_ptr_nonnull(strstr(somebody.seen, "once in a boot"));
	check_asked(2, 0);
}
END_TEST

/* ---- with a PIN --------------------------------------------------------- */

START_TEST(pins)
{
	static const struct {
		const char *what;
		unsigned int left;
		const char *answers[5];
		enum machine_end end;
		unsigned int unseals, shuts;
		const char *seen, *unseen;
	} rows[] = {
		{"right", 9, {PIN "\r"}, MACHINE_ENTERED, 2, 0, "9 more may be tried. PIN for", "Passphrase"},
		{"wrong, right", 9, {"1234\r", PIN "\r"}, MACHINE_ENTERED, 3, 0, "1 wrong so far. 8 more may be tried. PIN", "Passphrase"},
		{"wrong, wrong", 2, {"1\r", "2\r", RIGHT}, MACHINE_ENTERED, 3, 0, "one more wrong PIN", "wrong so far. Passphrase"},
		{"none left", 0, {RIGHT}, MACHINE_ENTERED, 1, 0, "one more wrong PIN", "PIN for"},
		{"passphrase instead", 9, {"\r", "s\r", RIGHT}, MACHINE_ENTERED, 1, 1, "s: the passphrase", PIN},
		{"boot without it", 9, {"\r", "b\r"}, MACHINE_RUNS, 1, 1, "PIN for", "Passphrase"},
		{"power off", 9, {"\r", "p\r"}, MACHINE_OFF, 1, 0, "PIN for", "Passphrase"},
	};

	machine_deinit(&machine);
	begin(PIN);
	tpm.left = rows[_i].left;
	sealed_boot(&machine, rows[_i].end, rows[_i].answers, rows[_i].what);
	ck_assert_msg(strstr(somebody.seen, rows[_i].seen) != NULL, "%s: seen: %s", rows[_i].what, somebody.seen);
	ck_assert_msg(strstr(somebody.seen, rows[_i].unseen) == NULL, "%s: seen: %s", rows[_i].what, somebody.seen);
	ck_assert_msg(strstr(somebody.seen, PIN) == NULL, "%s: the PIN was shown", rows[_i].what);
	check_asked(rows[_i].unseals, rows[_i].shuts);
	if (rows[_i].end == MACHINE_OFF)
		sealed_check_armed(&machine);
}
END_TEST

/* Before anybody is asked for a PIN in vain. */
START_TEST(no_pin_is_asked_for_in_another_boot)
{
	machine_deinit(&machine);
	begin(PIN);
	tpm.error = -ESTALE;
	sealed_boot(&machine, MACHINE_ENTERED, right, "another boot");
	ck_assert_ptr_null(strstr(somebody.seen, "PIN for"));
}
END_TEST

/* ---- which boots shut it ------------------------------------------------ */

START_TEST(each_boot_of_a_machine_with_a_name_shuts_it)
{
	static const struct {
		const char *cmdline, *lines;
		bool named;
		unsigned int shuts;
	} rows[] = {
		{"quiet\n", "", true, 1},
		{"quiet noresume\n", "", true, 1},
		{"hibernated.Nonsense=1\n", "", true, 1},
		{"quiet\n", "", false, 0},
		{"quiet noresume\n", "", false, 0},
	};

	machine_deinit(&machine);
	memset(&tpm, 0, sizeof(tpm));
	machine_init(&machine);
	machine.tpm = do_job;
	configure(rows[_i].named ? &ours : NULL, rows[_i].lines);
	tree_write(&machine.tree, "/proc/cmdline", rows[_i].cmdline);
	ck_assert_int_eq(machine_boot(&machine), MACHINE_RUNS);
	check_asked(0, rows[_i].shuts);
}
END_TEST

/* Of this set, but from before the TPM had a key: nobody gets the key that it has afterwards. */
START_TEST(an_image_that_needs_no_tpm_is_entered_behind_it)
{
	machine_deinit(&machine);
	memset(&tpm, 0, sizeof(tpm));
	machine_init(&machine);
	machine.tpm = do_job;
	sealed_make_keys(&machine, "/etc/keys", NULL, &ours, NULL);
	sealed_configure(&machine, "/etc/keys", "");
	sealed_hibernate(&machine);
	configure(&ours, "");
	sealed_boot(&machine, MACHINE_ENTERED, right, "boot");
	check_asked(0, 1);
}
END_TEST

START_TEST(an_unsealed_image_is_refused)
{
	machine_deinit(&machine);
	machine_init(&machine);
	machine.tpm = do_job;
	sealed_hibernate(&machine);
	configure(&ours, "ResumeFailure=poweroff");
	sealed_boot(&machine, MACHINE_OFF, nothing, "unsealed");
	check_refused("unsealed");
	check_asked(0, 0);
}
END_TEST

/* ---- the program that asks it ------------------------------------------- */

/* Started in earnest: one that is not there, two that say nothing, and a signal meanwhile. */
START_TEST(programs_that_do_not_answer)
{
	static const struct {
		const char *program;
		int error;
		enum reason reason;
	} rows[] = {
		{"/no/such/program", ENOENT, REASON_CRYPTO},
		{"/bin/true", EIO, REASON_CRYPTO},
		{"/bin/false", EIO, REASON_CRYPTO},
		{"/bin/cat", ECANCELED, REASON_ABORTED},
	};
	static const uint8_t blob[SEAL_BLOB_BYTES];
	struct failure f = {0};
	struct tpmkey key;
	struct keys keys;

	ck_assert_int_eq(keys_init(&keys), 0);
	tpmkey_init(&key, &keys);
	key.program = rows[_i].program;
	if (rows[_i].error == ECANCELED)
		raise(SIGTERM);
	ck_assert_int_eq(tpmkey_unseal(&key, "test", blob, (struct bytes){"1", 1}, &f), -rows[_i].error);
	ck_assert_msg(f.reason == rows[_i].reason, "%s: %s", rows[_i].program, f.text);
	ck_assert(!key.held && !key.shut);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_uint_eq(key.job->pin[0], 0);
	if (rows[_i].error != ECANCELED)
		ck_assert_int_eq(tpmkey_shut(&key, &f), -rows[_i].error);
	tpmkey_deinit(&key);
	keys_deinit(&keys);
}
END_TEST

/* ---- saving ------------------------------------------------------------- */

START_TEST(no_image_is_written_that_the_next_boot_refuses)
{
	struct key_public other = ours;

	other.id[0] ^= 1;
	machine_deinit(&machine);
	machine_init(&machine);
	sealed_make_keys(&machine, "/etc/keys", NULL, &ours, NULL);
	configure(&other, "");
	ck_assert_int_eq(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS);
	ck_assert_int_eq(machine.state->report.failure.reason, REASON_CONFIG);
	ck_assert_ptr_nonnull(strstr(machine.state->report.failure.text, "TPMKeySet="));
	machine_check_undone(&machine, "refused");
	configure(&ours, "");
	sealed_hibernate(&machine);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tpm-boot");
	TCase *cases = tcase_create("tpm-boot");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 120);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, it_opens_the_image_and_nobody_is_asked);
	tcase_add_test(cases, a_changed_chunk_is_refused);
	tcase_add_test(cases, without_a_name_it_is_left_alone);
	tcase_add_test(cases, the_command_line_names_nobody);
	tcase_add_loop_test(cases, an_image_of_another_set_is_refused, 0, KEY_SET_ID_BYTES);
	tcase_add_test(cases, an_image_that_claims_to_be_of_this_set_is_refused);
	tcase_add_test(cases, only_a_named_key_set_is_believed);
	tcase_add_test(cases, what_keeps_it_from_it_is_said);
	tcase_add_test(cases, without_a_tpm_there_is_the_passphrase);
	tcase_add_test(cases, a_door_that_does_not_shut_is_said);
	tcase_add_test(cases, the_key_is_kept_for_another_try);
	tcase_add_test(cases, the_key_is_gone_before_the_image_is_entered);
	tcase_add_loop_test(cases, pins, 0, 7);
	tcase_add_test(cases, no_pin_is_asked_for_in_another_boot);
	tcase_add_loop_test(cases, each_boot_of_a_machine_with_a_name_shuts_it, 0, 5);
	tcase_add_test(cases, an_image_that_needs_no_tpm_is_entered_behind_it);
	tcase_add_test(cases, an_unsealed_image_is_refused);
	tcase_add_test(cases, no_image_is_written_that_the_next_boot_refuses);
	suite_add_tcase(suite, cases);
	cases = tcase_create("program");
	tcase_add_loop_test(cases, programs_that_do_not_answer, 0, 4);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
