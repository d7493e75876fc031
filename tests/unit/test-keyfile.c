/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that hold a key set: written, read, and refused in each way that one can be wrong. */
#include "base/fdio.h"
#include "base/secret.h"
#include "seal/blob.h"
#include "seal/keyfile.h"
#include "secrets.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSPHRASE ((struct bytes){"correct horse", 13})

static const struct argon2_cost cheap = {.memory_kib = 64, .passes = 1, .lanes = 1};

static char top[64], keys[96];
static struct key_material *material, *loaded;
static struct failure failure;

static void make_material(struct key_material *out)
{
	struct blob_random *random = secret_new(sizeof(*random));
	struct key_set *set = secret_new(sizeof(*set));

	ck_assert_int_eq(key_set_generate(set), 0);
	ck_assert_int_eq(secret_random(random, sizeof(*random)), 0);
	ck_assert_int_eq(key_blob_make(set, PASSPHRASE, &cheap, random, out->blob), 0);
	out->public = set->public;
	memcpy(out->signing_seed, set->signing_seed, sizeof(out->signing_seed));
	memset(out->label, 0, sizeof(out->label));
	snprintf(out->label, sizeof(out->label), "a laptop");
	out->created_usec = UINT64_C(1795282800000000);
	secret_free(random);
	secret_free(set);
}

static void begin(void)
{
	char text[1024];

	if (crypto_init(&failure) < 0)
		ck_abort_msg("%s", failure_format(&failure, text, sizeof(text)));
	failure = (struct failure){0};
	snprintf(top, sizeof(top), "/tmp/test-keyfile-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(keys, sizeof(keys), "%s/etc/keys", top);
	material = secret_new(sizeof(*material));
	loaded = secret_new(sizeof(*loaded));
	make_material(material);
}

static void end(void)
{
	char command[128];

	material = secret_free(material);
	loaded = secret_free(loaded);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	ck_assert_int_eq(system(command), 0);
	ck_assert_uint_eq(secrets_dirty(), 0);
}

static const char *path_of(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", keys, name);
	return path;
}

static void store(void)
{
	char text[1024];

	if (key_file_store(keys, material, &failure) < 0)
		ck_abort_msg("%s", failure_format(&failure, text, sizeof(text)));
}

static void expect(int r, int error, enum reason reason, const char *object, const char *fragment)
{
	ck_assert_msg(failure.reason == reason, "%s, not %s: %s", reason_name(failure.reason), reason_name(reason),
		      failure.text);
	ck_assert_msg(r == error, "%d, not %d: %s", r, error, failure.text);
	ck_assert_msg(strstr(failure.text, fragment), "\"%s\" lacks \"%s\"", failure.text, fragment);
	ck_assert_msg(strstr(failure.object, object), "\"%s\" lacks \"%s\"", failure.object, object);
	ck_assert(failure.remedy[0]);
	failure = (struct failure){0};
}

static void expect_refused(int error, enum reason reason, const char *object, const char *fragment)
{
	memset(loaded, 0x55, sizeof(*loaded));
	expect(key_file_load(keys, loaded, &failure), error, reason, object, fragment);
	ck_assert_uint_eq(loaded->signing_seed[0], 0x55);
	ck_assert_uint_eq(loaded->blob[0], 0x55);
	memset(loaded, 0, sizeof(*loaded));
}

/* Change one byte of a file, and with @again make its hash fit. */
static void poke(const char *name, size_t at, uint8_t change, bool again)
{
	AUTO_CLOSE int fd = open(path_of(name), O_RDWR | O_CLOEXEC);
	uint8_t file[sizeof(struct public_file_disk)];
	ssize_t size = read(fd, file, sizeof(file));

	ck_assert_int_gt(size, KEY_FILE_HASH_BYTES);
	file[at] ^= change;
	if (again)
		ck_assert_int_eq(hash_of(HASH_SHA256, &(struct bytes){file, (size_t)size - KEY_FILE_HASH_BYTES}, 1,
					 file + size - KEY_FILE_HASH_BYTES), 0);
	ck_assert_int_eq(fd_pwrite_full(fd, file, (size_t)size, 0), 0);
	memset(file, 0, sizeof(file));
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s is not there", path);
	return st.st_mode & 07777;
}

START_TEST(what_is_stored_is_loaded)
{
	umask(0); /* whatever it is */
	store();
	ck_assert_uint_eq(mode_of(keys), 0700);
	ck_assert_uint_eq(mode_of(path_of("public")), 0600);
	ck_assert_uint_eq(mode_of(path_of("signing")), 0600);
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
	ck_assert_mem_eq(loaded, material, sizeof(*loaded));
	umask(0777);
	unlink(path_of("public"));
	store();
	umask(022);
	ck_assert_uint_eq(mode_of(path_of("public")), 0600);
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
}
END_TEST

/* A new blob of the same set leaves the seed's file alone; another set replaces both. */
START_TEST(what_changed_is_replaced)
{
	struct stat seed, now;

	store();
	ck_assert_int_eq(stat(path_of("signing"), &seed), 0);
	snprintf(material->label, sizeof(material->label), "another name");
	store();
	ck_assert_int_eq(stat(path_of("signing"), &now), 0);
	ck_assert_uint_eq(now.st_ino, seed.st_ino);
	ck_assert_int_eq(now.st_mtim.tv_nsec, seed.st_mtim.tv_nsec);
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
	ck_assert_str_eq(loaded->label, "another name");
	make_material(material);
	store();
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
	ck_assert_mem_eq(loaded, material, sizeof(*loaded));
	ck_assert_int_eq(access(path_of("public.new"), F_OK), -1);
	ck_assert_int_eq(access(path_of("signing.new"), F_OK), -1);
}
END_TEST

START_TEST(what_is_missing_is_told)
{
	expect_refused(-ENOENT, REASON_NO_KEYS, "/etc/keys", "there is no key set");
	store();
	unlink(path_of("signing"));
	expect_refused(-EBADMSG, REASON_KEY_FILE, "/keys/signing", "it is missing, and the file public is there");
	store();
	unlink(path_of("public"));
	expect_refused(-EBADMSG, REASON_KEY_FILE, "/keys/public", "it is missing, and the file signing is there");
}
END_TEST

static const struct {
	const char *name;
	mode_t mode;
	const char *text;
} weak[] = {
	{"public", 0640, "mode is 0640, which lets others read it"},
	{"public", 0604, "read it"},
	{"signing", 0620, "mode is 0620, which lets others change it"},
	{"signing", 0602, "change it"},
	{"signing", 0610, "read it"},
	{".", 0770, "mode is 0770, which lets others change it"},
	{".", 0702, "change it"},
};

START_TEST(weak_permissions_are_refused)
{
	store();
	ck_assert_int_eq(chmod(path_of(weak[_i].name), weak[_i].mode), 0);
	expect_refused(-EPERM, REASON_KEY_FILE, strcmp(weak[_i].name, ".") ? weak[_i].name : "/etc/keys", weak[_i].text);
}
END_TEST

START_TEST(what_belongs_to_others_is_refused)
{
	static const char *const names[] = {"public", "signing", "."};

	if (geteuid() != 0)
		return; /* only root can give a file away */
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		store();
		ck_assert_int_eq(chown(path_of(names[i]), 12345, 0), 0);
		expect_refused(-EPERM, REASON_KEY_FILE, strcmp(names[i], ".") ? names[i] : "/etc/keys", "belongs to user 12345");
		ck_assert_int_eq(chown(path_of(names[i]), 0, 0), 0);
	}
}
END_TEST

START_TEST(links_are_refused)
{
	char moved[192];

	store();
	snprintf(moved, sizeof(moved), "%s/moved", top);
	ck_assert_int_eq(rename(path_of("signing"), moved), 0);
	ck_assert_int_eq(symlink(moved, path_of("signing")), 0);
	expect_refused(-ELOOP, REASON_KEY_FILE, "/keys/signing", "symbolic link");
	/* Storing puts a file in its place, and does not write through it. */
	make_material(material);
	store();
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
	ck_assert_mem_eq(loaded, material, sizeof(*loaded));
	snprintf(moved, sizeof(moved), "%s/elsewhere", top);
	ck_assert_int_eq(rename(keys, moved), 0);
	ck_assert_int_eq(symlink(moved, keys), 0);
	expect_refused(-ELOOP, REASON_KEY_FILE, "/etc/keys", "symbolic link");
	expect(key_file_store(keys, material, &failure), -ELOOP, REASON_KEY_FILE, "/etc/keys", "symbolic link");
	ck_assert_int_eq(unlink(keys), 0);
	ck_assert_int_eq(mkdir(keys, 0700), 0);
	ck_assert_int_eq(mkfifo(path_of("public"), 0600), 0);
	expect_refused(-EBADMSG, REASON_KEY_FILE, "/keys/public", "not a regular file");
}
END_TEST

static const struct {
	const char *name;
	off_t size;
	const char *text;
} sizes[] = {
	{"public", 0, "it has 0 bytes, not 1024"},
	{"public", 1023, "it has 1023 bytes, not 1024"},
	{"public", 1025, "it has 1025 bytes, not 1024"},
	{"signing", 127, "it has 127 bytes, not 128"},
	{"signing", 1 << 30, "it has 1073741824 bytes, not 128"},
};

START_TEST(wrong_sizes_are_refused)
{
	store();
	ck_assert_int_eq(truncate(path_of(sizes[_i].name), sizes[_i].size), 0);
	expect_refused(-EBADMSG, REASON_KEY_FILE, sizes[_i].name, sizes[_i].text);
}
END_TEST

/* Made by hand, with the right checksum, and still not what it must be. */
static const struct {
	const char *name;
	size_t at;
	int error;
	const char *text;
} poked[] = {
	{"public", 0, -EBADMSG, "no such file"},
	{"public", 16, -ENOTSUP, "version 3 is unknown"},
	{"public", 20, -ENOTSUP, "version 1 is unknown"},
	{"public", 24, -EBADMSG, "of another key set"}, /* id */
	{"public", 40, -EBADMSG, "do not make the id"}, /* X25519 */
	{"public", 72, -EBADMSG, "do not make the id"}, /* Ed25519 */
	{"public", 174, -EBADMSG, "behind the end of its label"},
	{"public", 176, -ENOTSUP, "unknown here"},
	{"public", 303, -ENOTSUP, "unknown here"},
	{"public", 304, -EBADMSG, "no sealed private key"},
	{"public", 304 + 8, -ENOTSUP, "a version"},
	{"public", 304 + 16, -EBADMSG, "of another key set"},
	{"signing", 0, -EBADMSG, "no such file"},
	{"signing", 16, -ENOTSUP, "version 3 is unknown"},
	{"signing", 24, -EBADMSG, "of another key set"},
	{"signing", 40, -EBADMSG, "does not fit the public key"},
	{"signing", 72, -ENOTSUP, "unknown here"},
	{"signing", 95, -ENOTSUP, "unknown here"},
};

START_TEST(forgeries_are_refused)
{
	store();
	poke(poked[_i].name, poked[_i].at, 2, true);
	expect_refused(poked[_i].error, REASON_KEY_FILE, poked[_i].name, poked[_i].text);
}
END_TEST

START_TEST(each_byte_is_summed)
{
	static const struct {
		const char *name;
		size_t size;
	} files[] = {{"public", 1024}, {"signing", 128}};

	store();
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		for (size_t at = 16; at < files[i].size; at++) {
			poke(files[i].name, at, (uint8_t)(1 << at % 8), false);
			expect_refused(-EBADMSG, REASON_KEY_FILE, files[i].name, "checksum does not match");
			poke(files[i].name, at, (uint8_t)(1 << at % 8), false);
		}
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
}
END_TEST

/* As somebody leaves it who copies one file and not the other. */
START_TEST(halves_of_two_sets_are_refused)
{
	char kept[192];

	store();
	snprintf(kept, sizeof(kept), "%s/kept", top);
	ck_assert_int_eq(rename(path_of("public"), kept), 0);
	make_material(material);
	store();
	ck_assert_int_eq(rename(kept, path_of("public")), 0);
	expect_refused(-EBADMSG, REASON_KEY_FILE, "/keys/signing", "of another key set than the file public");
}
END_TEST

/* ---- replacing: all or nothing ------------------------------------------ */

/* What changes files: a letter for each call. From one on nothing has any effect, as after a death; or that one alone fails. */
static char calls[64];
static size_t call_count, die_at = SIZE_MAX, fail_at = SIZE_MAX;

static bool lost(char letter)
{
	if (call_count + 1 < sizeof(calls))
		calls[call_count] = letter;
	errno = EIO;
	return call_count == fail_at ? call_count++, true : call_count++ >= die_at;
}

ssize_t __real_write(int fd, const void *buf, size_t size);
int __real_fchmod(int fd, mode_t mode);
int __real_renameat(int from, const char *old, int to, const char *new);
int __real_unlinkat(int directory, const char *name, int flags);
ssize_t __wrap_write(int fd, const void *buf, size_t size);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fsync(int fd);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_unlinkat(int directory, const char *name, int flags);

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
	return lost('w') ? -1 : __real_write(fd, buf, size);
}

int __wrap_fchmod(int fd, mode_t mode)
{
	return lost('m') ? -1 : __real_fchmod(fd, mode);
}

int __wrap_fsync(int fd)
{
	struct stat st;

	/* Nobody loses power here, and waiting for the disk would take longer than all the rest. */
	return lost(fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? 'D' : 'f') ? -1 : 0;
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	return lost(strcmp(new, "public") == 0 ? 'P' : 'S') ? -1 : __real_renameat(from, old, to, new);
}

int __wrap_unlinkat(int directory, const char *name, int flags)
{
	return lost('u') ? -1 : __real_unlinkat(directory, name, flags);
}

/* Store @set, with @fault at a call. False if there were not so many. */
static bool store_with(size_t *fault, size_t at, const struct key_material *set)
{
	int r;

	call_count = 0;
	*fault = at;
	r = key_file_store(keys, set, NULL);
	*fault = SIZE_MAX;
	ck_assert_msg(call_count > at || r == 0, "%d without a fault", r);
	return call_count > at;
}

/* What is there opens, and is the one or the other. True if it is @new. */
static bool is_whole(const struct key_material *old, const struct key_material *new, size_t step)
{
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	char text[1024];
	int r = key_file_load(keys, loaded, &failure);

	ck_assert_msg(r == 0, "step %zu: %s", step, failure_format(&failure, text, sizeof(text)));
	ck_assert_int_eq(key_blob_open(loaded->blob, PASSPHRASE, 64, "keys", opened, &failure), 0);
	ck_assert_mem_eq(&opened->public, &loaded->public, sizeof(opened->public));
	if (memcmp(loaded, new, sizeof(*loaded)) == 0)
		return true;
	ck_assert_msg(memcmp(loaded, old, sizeof(*loaded)) == 0, "step %zu: neither set", step);
	return false;
}

static struct key_material *sets[3];

static void make_sets(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(sets); i++) {
		sets[i] = secret_new(sizeof(*sets[i]));
		make_material(sets[i]);
	}
}

static void free_sets(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
		sets[i] = secret_free(sets[i]);
}

/* What must be on the disk before the next step is: the seed, and its name, before the public half takes its place. */
START_TEST(a_set_is_replaced_in_this_order)
{
	store();
	make_material(material);
	call_count = 0;
	memset(calls, 0, sizeof(calls));
	store();
	ck_assert_str_eq(calls, "umwfDumwfPDSD");
	ck_assert_int_lt(access(path_of("signing.new"), F_OK), 0);
	ck_assert_int_lt(access(path_of("public.new"), F_OK), 0);
	/* Another blob of the same set. */
	call_count = 0;
	memset(calls, 0, sizeof(calls));
	material->label[0] = 'A';
	store();
	ck_assert_str_eq(calls, "umwfPD");
}
END_TEST

/*
 * A crash between the two renames of a replacement used to leave a pair that was refused, until somebody made other keys. Now it is
 * the one set or the other wherever it comes, also in the replacement that comes after a crash.
 */
START_TEST(whoever_dies_leaves_a_whole_set)
{
	size_t *fault = _i ? &fail_at : &die_at, first = 0, new_ones = 0;
	bool lost_some = true;

	make_sets();
	for (; lost_some; first++) {
		bool again = true;

		for (size_t second = 0; again; second++) {
			bool replaced;

			ck_assert_int_eq(key_file_store(keys, sets[0], &failure), 0);
			lost_some = store_with(fault, first, sets[1]);
			replaced = is_whole(sets[0], sets[1], first);
			ck_assert(replaced || lost_some);
			new_ones += replaced;
			again = store_with(fault, second, sets[2]);
			ck_assert(is_whole(sets[replaced], sets[2], second) || again);
		}
	}
	ck_assert_uint_eq(first, strlen("umwfDumwfPDSD") + 1);
	ck_assert_uint_gt(new_ones, 0);
	free_sets();
}
END_TEST

/* The first set of all: there is none, or it is whole. */
START_TEST(whoever_dies_leaves_the_first_set_whole_or_none)
{
	bool lost_some = true;

	make_sets();
	for (size_t step = 0; lost_some; step++) {
		char command[128];

		snprintf(command, sizeof(command), "rm -rf '%s'", keys);
		ck_assert_int_eq(system(command), 0);
		lost_some = store_with(&die_at, step, sets[0]);
		if (key_file_present(keys))
			is_whole(sets[0], sets[0], step);
		else
			expect_refused(-ENOENT, REASON_NO_KEYS, "", "no key set");
	}
	ck_assert(key_file_present(keys));
	free_sets();
}
END_TEST

static void *replace_often(void *failed)
{
	for (size_t i = 1; i <= 300; i++)
		if (key_file_store(keys, sets[i % 2], NULL) < 0)
			*(bool *)failed = true;
	return NULL;
}

/* Hibernating while the keys are replaced. */
START_TEST(whoever_reads_meanwhile_gets_a_whole_set)
{
	size_t seen[2] = {0};
	bool failed = false;
	pthread_t writer;

	make_sets();
	ck_assert_int_eq(key_file_store(keys, sets[0], &failure), 0);
	ck_assert_int_eq(pthread_create(&writer, NULL, replace_often, &failed), 0);
	for (size_t i = 0; pthread_tryjoin_np(writer, NULL) != 0; i++)
		seen[is_whole(sets[0], sets[1], i)]++;
	ck_assert(!failed);
	ck_assert_uint_gt(seen[0], 0);
	ck_assert_uint_gt(seen[1], 0);
	free_sets();
}
END_TEST

/* A seed that a dead replacement left is one like any other. */
START_TEST(a_seed_left_beside_is_looked_at_as_closely)
{
	size_t before_its_name = strlen("umwfDumwfPD");

	make_sets();
	ck_assert_int_eq(key_file_store(keys, sets[0], &failure), 0);
	ck_assert(store_with(&die_at, before_its_name, sets[1]));
	ck_assert_int_eq(access(path_of("signing.new"), F_OK), 0);
	ck_assert(is_whole(sets[0], sets[1], 0));
	ck_assert_int_eq(chmod(path_of("signing.new"), 0640), 0);
	expect_refused(-EBADMSG, REASON_KEY_FILE, "/keys/signing", "of another key set than the file public");
	ck_assert_int_eq(chmod(path_of("signing.new"), 0600), 0);
	ck_assert(is_whole(sets[0], sets[1], 0));
	/* Not when the seed is there, and others may read it. */
	ck_assert_int_eq(chmod(path_of("signing"), 0640), 0);
	expect_refused(-EPERM, REASON_KEY_FILE, "/keys/signing", "lets others read it");
	free_sets();
}
END_TEST

START_TEST(what_cannot_be_written_is_told)
{
	AUTO_CLOSE int fd = -1;

	ck_assert_int_eq(chdir(top), 0);
	fd = open("etc", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(key_file_store(keys, material, &failure), -ENOTDIR);
	ck_assert_int_eq(failure.reason, REASON_KEY_FILE);
	ck_assert_int_eq(chdir("/"), 0);
	unlink("etc");
}
END_TEST

START_TEST(without_memory_nothing_is_loaded)
{
	int r;

	store();
	secrets_refuse(true);
	r = key_file_load(keys, loaded, &failure);
	secrets_refuse(false);
	expect(r, -ENOMEM, REASON_CRYPTO, "/etc/keys", "no memory");
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
}
END_TEST

START_TEST(no_copy_of_the_seed_stays_behind)
{
	store();
	ck_assert_uint_eq(secrets_copies(material->signing_seed, CRYPTO_KEY_BYTES), 1);
	ck_assert_int_eq(key_file_load(keys, loaded, &failure), 0);
	ck_assert_uint_eq(secrets_copies(material->signing_seed, CRYPTO_KEY_BYTES), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyfile");
	TCase *cases = tcase_create("keyfile");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 60);
	tcase_set_timeout(cases, 120); /* looks through the whole address space, with sanitizers too */
	tcase_add_checked_fixture(cases, begin, end);
	tcase_add_test(cases, what_is_stored_is_loaded);
	tcase_add_test(cases, what_changed_is_replaced);
	tcase_add_test(cases, what_is_missing_is_told);
	tcase_add_loop_test(cases, weak_permissions_are_refused, 0, (int)ARRAY_LENGTH(weak));
	tcase_add_test(cases, what_belongs_to_others_is_refused);
	tcase_add_test(cases, links_are_refused);
	tcase_add_loop_test(cases, wrong_sizes_are_refused, 0, (int)ARRAY_LENGTH(sizes));
	tcase_add_loop_test(cases, forgeries_are_refused, 0, (int)ARRAY_LENGTH(poked));
	tcase_add_test(cases, each_byte_is_summed);
	tcase_add_test(cases, halves_of_two_sets_are_refused);
	tcase_add_test(cases, a_set_is_replaced_in_this_order);
	tcase_add_loop_test(cases, whoever_dies_leaves_a_whole_set, 0, 2);
	tcase_add_test(cases, whoever_dies_leaves_the_first_set_whole_or_none);
	tcase_add_test(cases, whoever_reads_meanwhile_gets_a_whole_set);
	tcase_add_test(cases, a_seed_left_beside_is_looked_at_as_closely);
	tcase_add_test(cases, what_cannot_be_written_is_told);
	tcase_add_test(cases, without_memory_nothing_is_loaded);
	tcase_add_test(cases, no_copy_of_the_seed_stays_behind);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
