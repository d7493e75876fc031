/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys sealed to a TPM: swtpm, started here with a state of its own. A restart of it is a reset of the machine: the
 * state stays, the PCRs begin anew, and what firmware and boot loader would measure this program measures.
 */
#include "base/clock.h"
#include "base/secret.h"
#include "seal/blob.h"
#include "seal/disk.h"
#include "seal/tpm.h"
#include "secrets.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#define WAIT_USEC (20 * USEC_PER_SEC)
#define NOBODY_THERE 77
#define MAX_FAILURES 3 /* wrong PINs before swtpm locks itself up, as it comes */

static const uint8_t id[KEY_SET_ID_BYTES] = "a set of keys 01";
static const uint8_t blob_key[CRYPTO_KEY_BYTES] = "the key of a blob, of 32 bytes..";
static const unsigned int measured[] = {4, 7, 9};

static struct tree tree;
static pid_t swtpm;
static char where[128];
static struct tpm *tpm;
static uint8_t part[TPM_PART_BYTES];
static uint8_t got[CRYPTO_KEY_BYTES];
static struct failure failure;

static struct bytes text(const char *pin)
{
	return (struct bytes){pin, pin ? strlen(pin) : 0};
}

/* ---- the machine -------------------------------------------------------- */

static void power_off(void)
{
	tpm = tpm_free(tpm);
	if (swtpm <= 0)
		return;
	kill(swtpm, SIGTERM);
	waitpid(swtpm, NULL, 0);
	swtpm = 0;
}

static void be_quiet(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

/* @state: its folder; another one is another TPM. */
static void power_on(const char *state)
{
	uint64_t deadline = clock_monotonic_usec() + WAIT_USEC;
	char directory[128], server[160], control[160];

	power_off();
	snprintf(where, sizeof(where), "%s/swtpm", state); /* makes the folder */
	tree_write(&tree, where, "");
	snprintf(directory, sizeof(directory), "dir=%s", tree_path(&tree, state));
	snprintf(server, sizeof(server), "type=unixio,path=%s/s", tree_path(&tree, state));
	snprintf(control, sizeof(control), "type=unixio,path=%s/s.ctrl", tree_path(&tree, state));
	snprintf(where, sizeof(where), "%s/s", tree_path(&tree, state));
	unlink(where);
	swtpm = fork();
	if (swtpm == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_quiet();
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", directory, "--server", server, "--ctrl", control,
		       "--flags", "not-need-init,startup-clear", "--log", "level=0", (char *)NULL);
		_exit(NOBODY_THERE);
	}
	snprintf(where, sizeof(where), "swtpm:path=%s/s", tree_path(&tree, state));
	while (tpm_open(&tpm, where, &failure) < 0) {
		ck_assert_msg(clock_monotonic_usec() < deadline, "%s: %s", failure.object, failure.text);
		clock_sleep_usec(5 * USEC_PER_MSEC);
	}
}

/* By a connection of its own, which is the only one that swtpm has. */
static void measure(unsigned int pcr, const char *what)
{
	TPM2B_EVENT event = {.size = (uint16_t)strlen(what)};
	TPML_DIGEST_VALUES *digests = NULL;
	TSS2_TCTI_CONTEXT *tcti = NULL;
	ESYS_CONTEXT *esys = NULL;

	tpm = tpm_free(tpm);
	memcpy(event.buffer, what, event.size);
	ck_assert_uint_eq(Tss2_TctiLdr_Initialize(where, &tcti), TSS2_RC_SUCCESS);
	ck_assert_uint_eq(Esys_Initialize(&esys, tcti, NULL), TSS2_RC_SUCCESS);
	ck_assert_uint_eq(Esys_PCR_Event(esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &event,
					 &digests), TSS2_RC_SUCCESS);
	Esys_Free(digests);
	Esys_Finalize(&esys);
	Tss2_TctiLdr_Finalize(&tcti);
	ck_assert_int_eq(tpm_open(&tpm, where, &failure), 0);
}

/* A boot; in place of what is usual, @other is measured into @changed. */
static void boot_with(const char *state, unsigned int changed, const char *other)
{
	power_on(state);
	for (size_t i = 0; i < ARRAY_LENGTH(measured); i++)
		measure(measured[i], measured[i] == changed ? other : "as ever");
}

static void boot(void)
{
	boot_with("/tpm", TPM_PCR_COUNT, NULL);
}

static void setup(void)
{
	ck_assert_int_eq(crypto_init(&failure), 0);
	tree_init(&tree);
	boot();
}

static void teardown(void)
{
	power_off();
	tree_deinit(&tree);
}

/* ---- what is done with it ----------------------------------------------- */

static void seal(uint32_t pcrs, const char *pin)
{
	const struct tpm_policy policy = {.pcrs = pcrs, .pin = text(pin)};
	int r = tpm_seal(tpm, &policy, id, blob_key, part, &failure);

	ck_assert_msg(r == 0, "%d: %s", r, failure.text);
}

static int unseal(const char *pin)
{
	memset(got, 0, sizeof(got));
	memset(&failure, 0, sizeof(failure));
	return tpm_unseal(tpm, part, text(pin), id, "key", got, &failure);
}

static void expect_key(const char *pin)
{
	int r = unseal(pin);

	ck_assert_msg(r == 0, "%d: %s", r, failure.text);
	ck_assert_mem_eq(got, blob_key, sizeof(got));
}

static void expect_refusal(const char *pin, int error, const char *words)
{
	static const uint8_t nothing[CRYPTO_KEY_BYTES];
	int r = unseal(pin);

	ck_assert_msg(r == error, "%d, not %d: %s", r, error, failure.text);
	ck_assert_mem_eq(got, nothing, sizeof(got));
	if (words)
		ck_assert_msg(strstr(failure.text, words), "no '%s' in: %s", words, failure.text);
}

/* ---- without a PIN ------------------------------------------------------ */

START_TEST(the_next_boot_gets_the_key)
{
	struct tpm_part said;

	seal(0, NULL);
	ck_assert_int_eq(tpm_part_decode(part, "key", &said, &failure), 0);
	ck_assert(!said.pin);
	ck_assert_uint_eq(said.pcrs, TPM_PCRS_DEFAULT | 1u << TPM_PCR_DOOR);
	expect_key(NULL);
	boot();
	expect_key(NULL);
	expect_key(NULL);
}
END_TEST

START_TEST(a_door_that_was_shut_opens_with_the_next_boot_only)
{
	seal(0, NULL);
	boot();
	ck_assert_int_eq(tpm_shut(tpm, &failure), 0);
	expect_refusal(NULL, -EPERM, "PCR 15");
	ck_assert_int_eq(failure.reason, REASON_WRONG_SECRET);
	ck_assert_int_eq(tpm_shut(tpm, &failure), 0);
	expect_refusal(NULL, -EPERM, "PCR 15");
	boot();
	expect_key(NULL);
}
END_TEST

/* As it would be for who changes the hint to what the shut door reads: the TPM itself looks. */
START_TEST(the_tpm_looks_at_the_door_itself)
{
	static const char said[] = "hibernated: shut";
	struct tpm_disk *disk = (struct tpm_disk *)(void *)part;
	uint8_t event[CRYPTO_HASH_MAX], value[CRYPTO_HASH_MAX], zeros[32] = {0};

	seal(0, NULL);
	ck_assert_int_eq(tpm_shut(tpm, &failure), 0);
	ck_assert_int_eq(hash_of(HASH_SHA256, &(struct bytes){said, sizeof(said) - 1}, 1, event), 0);
	ck_assert_int_eq(hash_of(HASH_SHA256, (struct bytes[]){{zeros, 32}, {event, 32}}, 2, value), 0);
	memcpy(disk->hints + 3 * TPM_HINT_BYTES, value, TPM_HINT_BYTES);
	expect_refusal(NULL, -ESTALE, "another");
}
END_TEST

/* On the running system, whose door the resume step has shut: the key is sealed for boots that will find it open. */
START_TEST(sealing_looks_ahead)
{
	ck_assert_int_eq(tpm_shut(tpm, &failure), 0);
	seal(0, NULL);
	expect_refusal(NULL, -EPERM, "PCR 15");
	boot();
	expect_key(NULL);
}
END_TEST

static const struct {
	unsigned int pcr;
	const char *words;
} changes[] = {
	{4, "4 (boot loader and kernel)"},
	{7, "7 (Secure Boot)"},
	{9, "9 (initramfs, kernel command line)"},
};

START_TEST(what_has_changed_is_named)
{
	seal(0, NULL);
	boot_with("/tpm", changes[_i].pcr, "something else");
	expect_refusal(NULL, -ESTALE, changes[_i].words);
	ck_assert_int_eq(failure.reason, REASON_WRONG_SECRET);
	ck_assert_ptr_nonnull(strstr(failure.remedy, "passphrase"));
	boot();
	expect_key(NULL);
}
END_TEST

/* Who changes what is recorded of the PCRs deceives the message, not the TPM. */
START_TEST(the_tpm_does_not_go_by_the_hints)
{
	struct tpm_disk *disk = (struct tpm_disk *)(void *)part;
	uint8_t another[TPM_PART_BYTES];

	seal(0, NULL);
	memcpy(another, part, sizeof(another));
	boot_with("/tpm", 9, "another initramfs");
	seal(0, NULL);
	memcpy(another + offsetof(struct tpm_disk, hints), disk->hints, sizeof(disk->hints));
	memcpy(part, another, sizeof(part));
	expect_refusal(NULL, -ESTALE, "another");
}
END_TEST

START_TEST(a_pcr_that_nobody_measures_into_is_no_policy)
{
	const struct tpm_policy without_pin = {0}, with_pin = {.pin = text("1234")};

	power_on("/tpm");
	measure(4, "as ever");
	measure(7, "as ever");
	ck_assert_int_eq(tpm_seal(tpm, &without_pin, id, blob_key, part, &failure), -ENODATA);
	ck_assert_ptr_nonnull(strstr(failure.text, "PCR 9"));
	ck_assert_ptr_nonnull(strstr(failure.remedy, "PIN"));
	ck_assert_int_eq(tpm_seal(tpm, &with_pin, id, blob_key, part, &failure), 0);
}
END_TEST

START_TEST(policies_that_are_none)
{
	static const struct tpm_policy wrong[] = {
		{.pcrs = 1u << 7},
		{.pcrs = TPM_PCRS_DEFAULT & ~(1u << 4)},
		{.pcrs = 1u << 24, .pin = {"1", 1}},
		{.pcrs = 0xff, .pin = {"1", 1}},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		ck_assert_int_eq(tpm_seal(tpm, &wrong[i], id, blob_key, part, &failure), -EINVAL);
		ck_assert_int_eq(failure.reason, REASON_USAGE);
	}
}
END_TEST

START_TEST(another_tpm_knows_nothing)
{
	seal(0, NULL);
	boot_with("/stolen", TPM_PCR_COUNT, NULL);
	expect_refusal(NULL, -ENOKEY, "another TPM");
	boot();
	expect_key(NULL);
}
END_TEST

START_TEST(there_is_no_tpm)
{
	struct tpm *none = NULL;

	ck_assert_int_eq(tpm_open(&none, "device:/nowhere/tpmrm0", &failure), -ENODEV);
	ck_assert_int_eq(failure.reason, REASON_NO_TPM);
	ck_assert_ptr_null(none);
	ck_assert_ptr_null(tpm_free(NULL));
}
END_TEST


/* ---- with a PIN --------------------------------------------------------- */

START_TEST(a_pin_is_asked_for)
{
	struct tpm_part said;

	seal(0, "a PIN that is long enough");
	ck_assert_int_eq(tpm_part_decode(part, "key", &said, &failure), 0);
	ck_assert(said.pin);
	ck_assert_uint_eq(said.pcrs, TPM_PCRS_WITH_PIN | 1u << TPM_PCR_DOOR);
	boot_with("/tpm", 4, "a new kernel");
	expect_refusal(NULL, KEY_WRONG_SECRET, NULL);
	ck_assert_int_eq(tpm_tries_left(tpm, &failure), MAX_FAILURES - 1);
	expect_refusal("a PIN that is long enougH", KEY_WRONG_SECRET, NULL);
	ck_assert_int_eq(tpm_tries_left(tpm, &failure), MAX_FAILURES - 2);
	expect_key("a PIN that is long enough");
	boot_with("/tpm", 7, "other keys");
	expect_refusal("a PIN that is long enough", -ESTALE, "7 (Secure Boot)");
}
END_TEST

START_TEST(pins_are_tried_while_the_tpm_stays_open)
{
	seal(0, "1234");
	for (int i = 0; i < MAX_FAILURES - 1; i++)
		expect_refusal("4321", KEY_WRONG_SECRET, NULL);
	ck_assert_int_eq(tpm_tries_left(tpm, &failure), 0);
	expect_refusal("4321", TPM_TRIES_USED, NULL);
	/* The right one neither: that would be for the TPM to count, and it is not asked. */
	expect_refusal("1234", TPM_TRIES_USED, NULL);
	boot();
	expect_refusal("1234", TPM_TRIES_USED, NULL);
	/* A key without a PIN is no matter of tries. */
	seal(0, NULL);
	expect_key(NULL);
}
END_TEST

START_TEST(a_pin_is_of_one_key_set)
{
	static const uint8_t other[KEY_SET_ID_BYTES] = "a set of keys 02";

	seal(0, "1234");
	ck_assert_int_eq(tpm_unseal(tpm, part, text("1234"), other, "key", got, &failure), KEY_WRONG_SECRET);
}
END_TEST

/* ---- what lies on the disk ---------------------------------------------- */

static bool is_hint(size_t at)
{
	return at >= offsetof(struct tpm_disk, hints) && at < offsetof(struct tpm_disk, salt);
}

/* One bit in each byte of the head, and of every seventh of the rest: never the key. */
START_TEST(a_changed_part_opens_nothing)
{
	uint8_t whole[TPM_PART_BYTES];

	seal(0, NULL);
	memcpy(whole, part, sizeof(whole));
	for (size_t at = 0; at < sizeof(part); at += at < offsetof(struct tpm_disk, object) ? 1 : 7) {
		memcpy(part, whole, sizeof(part));
		part[at] ^= (uint8_t)(1u << at % 8);
		/* The hint of a PCR that is not there is not looked at; blobs are bound to all of it anyway. */
		if (is_hint(at) && at >= offsetof(struct tpm_disk, hints) + 4 * TPM_HINT_BYTES)
			continue;
		ck_assert_msg(unseal(NULL) < 0, "byte %zu", at);
		ck_assert_msg(failure.text[0], "byte %zu: no words", at);
	}
	memcpy(part, whole, sizeof(part));
	expect_key(NULL);
}
END_TEST

static void other_kind(struct tpm_disk *disk) { disk->kind = 2; }
static void other_flag(struct tpm_disk *disk) { disk->flags = 2; }
static void other_parent(struct tpm_disk *disk) { disk->parent = 0x40000001; }
static void salt_without_pin(struct tpm_disk *disk) { disk->salt[0] = 1; }
static void door_open(struct tpm_disk *disk) { disk->pcrs &= ~(1u << TPM_PCR_DOOR); }
static void too_many_pcrs(struct tpm_disk *disk) { disk->pcrs |= 0xfff; }
static void unknown_pcr(struct tpm_disk *disk) { disk->pcrs |= 1u << 24; }
static void no_public(struct tpm_disk *disk) { disk->public_size = 0; }
static void no_private(struct tpm_disk *disk) { disk->private_size = 0; }
static void larger_than_its_place(struct tpm_disk *disk) { disk->private_size = (uint16_t)(sizeof(disk->object) + 1 - disk->public_size); }
static void larger_by_far(struct tpm_disk *disk) { disk->private_size = 0xffff; }
static void tail(struct tpm_disk *disk) { disk->object[sizeof(disk->object) - 1] = 1; }

static const struct {
	void (*change)(struct tpm_disk *disk);
	int error;
} senseless[] = {
	{other_kind, -ENOTSUP}, {other_flag, -ENOTSUP}, {other_parent, -ENOTSUP}, {salt_without_pin, -ENOTSUP},
	{door_open, -EBADMSG}, {too_many_pcrs, -EBADMSG}, {unknown_pcr, -EBADMSG}, {no_public, -EBADMSG},
	{no_private, -EBADMSG}, {larger_than_its_place, -EBADMSG}, {larger_by_far, -EBADMSG}, {tail, -ENOTSUP},
};

START_TEST(parts_that_make_no_sense)
{
	struct tpm_disk disk = {
		.kind = WRAP_KIND_TPM2, .pcrs = TPM_PCRS_DEFAULT | 1u << TPM_PCR_DOOR, .public_size = 80, .private_size = 142};
	struct tpm_part said;

	ck_assert_int_eq(tpm_part_decode(&disk, "key", &said, &failure), 0);
	senseless[_i].change(&disk);
	ck_assert_int_eq(tpm_part_decode(&disk, "key", &said, &failure), senseless[_i].error);
	ck_assert_str_eq(failure.object, "key");
}
END_TEST

/* ---- what stays in memory ----------------------------------------------- */

START_TEST(no_copy_of_the_key_is_left)
{
	AUTO_SECRET uint8_t *key = secret_new(CRYPTO_KEY_BYTES), *again = secret_new(CRYPTO_KEY_BYTES);
	const struct tpm_policy policy = {.pin = text("1234")};

	ck_assert_int_eq(secret_random(key, CRYPTO_KEY_BYTES), 0);
	ck_assert_int_eq(tpm_seal(tpm, &policy, id, key, part, &failure), 0);
	ck_assert_uint_eq(secrets_copies(key, CRYPTO_KEY_BYTES), 1);
	ck_assert_int_eq(tpm_unseal(tpm, part, text("1234"), id, "key", again, &failure), 0);
	ck_assert_uint_eq(secrets_copies(key, CRYPTO_KEY_BYTES), 2);
}
END_TEST

/* ---- a blob that a TPM opens, too --------------------------------------- */

static const struct argon2_cost cheap = {.memory_kib = 8, .passes = 1, .lanes = 1};
static uint8_t blob[SEAL_BLOB_BYTES];

static int open_by(const char *passphrase, struct key_opened *opened)
{
	return key_blob_open(blob, text(passphrase), 1024, "key", opened, &failure);
}

/* A key set whose blob "passphrase" opens, and this TPM. */
static void make_blob(struct key_set *set, struct key_opened *opened)
{
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	const struct tpm_policy policy = {0};
	const struct blob_change change = {.tpm = part};

	ck_assert_int_eq(key_set_generate(set), 0);
	ck_assert_int_eq(secret_random(random, sizeof(*random)), 0);
	ck_assert_int_eq(key_blob_make(set, text("passphrase"), &cheap, random, blob), 0);
	ck_assert_int_eq(open_by("passphrase", opened), 0);
	ck_assert_int_eq(tpm_seal(tpm, &policy, set->public.id, opened->blob_key, part, &failure), 0);
	ck_assert_int_eq(key_blob_change(blob, opened, &change, random, blob), 0);
}

static int open_by_tpm(const uint8_t *set_id, struct key_opened *opened)
{
	AUTO_SECRET uint8_t *key = secret_new(CRYPTO_KEY_BYTES);
	int r = tpm_unseal(tpm, blob + SEAL_BLOB_TPM, text(NULL), set_id, "key", key, &failure);

	return r ? r : key_blob_open_key(blob, key, "key", opened, &failure);
}

START_TEST(a_blob_opens_both_ways)
{
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened)), *again = secret_new(sizeof(*again));
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	AUTO_SECRET struct key_set *set = secret_new(sizeof(*set));
	struct blob_change change = {.remove = BLOB_WRAP_PASSPHRASE};
	struct key_blob said;

	make_blob(set, opened);
	ck_assert_int_eq(key_blob_decode(blob, "key", &said, &failure), 0);
	ck_assert_uint_eq(said.wraps, BLOB_WRAP_PASSPHRASE | BLOB_WRAP_TPM);
	ck_assert(!said.tpm.pin);
	boot();
	ck_assert_int_eq(open_by_tpm(set->public.id, again), 0);
	ck_assert_mem_eq(again->recipient_secret, set->recipient_secret, sizeof(set->recipient_secret));
	ck_assert(!again->by_human);
	ck_assert_int_eq(tpm_shut(tpm, &failure), 0);
	ck_assert_int_eq(open_by_tpm(set->public.id, again), -EPERM);
	ck_assert_int_eq(open_by("passphrase", again), 0);
	ck_assert_mem_eq(again->recipient_secret, set->recipient_secret, sizeof(set->recipient_secret));
	ck_assert(again->by_human);

	/* Never by a TPM alone: that may be gone tomorrow. */
	ck_assert_int_eq(key_blob_change(blob, again, &change, random, blob), -EINVAL);
	change.remove = BLOB_WRAP_TPM;
	ck_assert_int_eq(key_blob_change(blob, again, &change, random, blob), 0);
	ck_assert_int_eq(key_blob_decode(blob, "key", &said, &failure), 0);
	ck_assert_uint_eq(said.wraps, BLOB_WRAP_PASSPHRASE);
	ck_assert_int_eq(open_by("passphrase", again), 0);
}
END_TEST

START_TEST(what_the_tpm_is_asked_is_bound_to_the_blob)
{
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET struct key_set *set = secret_new(sizeof(*set));
	uint8_t whole[SEAL_BLOB_BYTES];

	make_blob(set, opened);
	memcpy(whole, blob, sizeof(whole));
	for (size_t at = SEAL_BLOB_TPM; at < SEAL_BLOB_TPM + TPM_PART_BYTES; at++) {
		memcpy(blob, whole, sizeof(blob));
		blob[at] ^= 0x10;
		ck_assert_msg(open_by("passphrase", opened) < 0, "byte %zu", at);
	}
}
END_TEST

/*
 * Anybody can do that who has the disk: a key set and a blob of their own, sealed to this TPM and these PCRs, and an image
 * signed with it. The blob opens without a prompt, and that is no reason to believe the image.
 */
START_TEST(a_key_set_that_somebody_else_sealed_vouches_for_nothing)
{
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET struct key_set *attacker = secret_new(sizeof(*attacker)), *ours = secret_new(sizeof(*ours));
	uint8_t page[PAGE_BYTES] = "hibernated-image", verifier[CRYPTO_KEY_BYTES];
	const uint8_t *from_human;

	ck_assert_int_eq(key_set_generate(ours), 0);
	make_blob(attacker, opened);
	ck_assert_int_eq(header_sign(attacker->signing_seed, page), 0);
	boot();
	ck_assert_int_eq(open_by_tpm(attacker->public.id, opened), 0);
	ck_assert_int_eq(header_verify(opened->public.verifier, page), 0); /* it fits together */
	from_human = opened->by_human ? opened->public.verifier : NULL;
	ck_assert_int_eq(key_choose_verifier(from_human, NULL, verifier), -ENOKEY);
	ck_assert_int_eq(key_choose_verifier(from_human, ours->public.verifier, verifier), 0);
	ck_assert_int_eq(header_verify(verifier, page), -EBADMSG);
}
END_TEST

static bool have_swtpm(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		be_quiet();
		execlp("swtpm", "swtpm", "--version", (char *)NULL);
		_exit(NOBODY_THERE);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

int main(void)
{
	Suite *suite = suite_create("tpm");
	TCase *cases = tcase_create("swtpm"), *alone = tcase_create("part");
	SRunner *runner = srunner_create(suite);
	int bad;

	if (!have_swtpm()) {
		puts("there is no swtpm to test with");
		return NOBODY_THERE;
	}
	suite_add_tcase(suite, alone);
	tcase_add_loop_test(alone, parts_that_make_no_sense, 0, (int)ARRAY_LENGTH(senseless));
	suite_add_tcase(suite, cases);
	tcase_set_timeout(cases, 120); /* with a TPM in software, and looking through the whole address space */
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, the_next_boot_gets_the_key);
	tcase_add_test(cases, a_door_that_was_shut_opens_with_the_next_boot_only);
	tcase_add_test(cases, the_tpm_looks_at_the_door_itself);
	tcase_add_test(cases, sealing_looks_ahead);
	tcase_add_loop_test(cases, what_has_changed_is_named, 0, (int)ARRAY_LENGTH(changes));
	tcase_add_test(cases, the_tpm_does_not_go_by_the_hints);
	tcase_add_test(cases, a_pcr_that_nobody_measures_into_is_no_policy);
	tcase_add_test(cases, policies_that_are_none);
	tcase_add_test(cases, another_tpm_knows_nothing);
	tcase_add_test(cases, there_is_no_tpm);
	tcase_add_test(cases, a_pin_is_asked_for);
	tcase_add_test(cases, pins_are_tried_while_the_tpm_stays_open);
	tcase_add_test(cases, a_pin_is_of_one_key_set);
	tcase_add_test(cases, a_changed_part_opens_nothing);
	tcase_add_test(cases, no_copy_of_the_key_is_left);
	tcase_add_test(cases, a_blob_opens_both_ways);
	tcase_add_test(cases, what_the_tpm_is_asked_is_bound_to_the_blob);
	tcase_add_test(cases, a_key_set_that_somebody_else_sealed_vouches_for_nothing);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
