/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/secret.h"
#include "secrets.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(memory_is_zeros_and_aligned)
{
	static const size_t sizes[] = {1, 32, 64, 4032, 4033, 4096, 70000};

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		uint8_t *secret = secret_new(sizes[i]);

		ck_assert_ptr_nonnull(secret);
		ck_assert_uint_eq((uintptr_t)secret % 64, 0);
		ck_assert_uint_ge(secret_size(secret), sizes[i]);
		for (size_t at = 0; at < secret_size(secret); at++)
			ck_assert_uint_eq(secret[at], 0);
		memset(secret, 0xa5, secret_size(secret));
		ck_assert_ptr_null(secret_free(secret));
	}
	ck_assert_uint_eq(secrets_live(), 0);
}
END_TEST

START_TEST(freeing_wipes)
{
	uint8_t *secret = secret_new(5000);

	memset(secret, 0xa5, secret_size(secret));
	secret_free(secret);
	ck_assert_uint_eq(secrets_removed(), 1);
	ck_assert_uint_eq(secrets_dirty(), 0);
	ck_assert_ptr_null(secret_free(NULL));
	ck_assert_uint_eq(secrets_removed(), 1);
}
END_TEST

static int leave_early(bool early)
{
	AUTO_SECRET uint8_t *secret = secret_new(32);

	memset(secret, 0xa5, 32);
	if (early)
		return -EIO;
	secret[0] = 1;
	return 0;
}

START_TEST(every_way_out_wipes)
{
	leave_early(true);
	leave_early(false);
	ck_assert_uint_eq(secrets_removed(), 2);
	ck_assert_uint_eq(secrets_dirty(), 0);
	ck_assert_uint_eq(secrets_live(), 0);
}
END_TEST

/* What the kernel says about the pages of @secret: the flags of its mapping. */
static void mapping_flags(const void *secret, char *flags, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false;

	ck_assert_ptr_nonnull(maps);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (uintptr_t)secret >= start && (uintptr_t)secret < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, size, "%s", line + 8);
	}
	fclose(maps);
}

START_TEST(pages_are_locked_and_kept_out_of_dumps_and_children)
{
	static const char *const wanted[] = {" dd ", " wf ", " lo "};
	void *secret = secret_new(32);
	char flags[512];

	mapping_flags(secret, flags, sizeof(flags));
	for (size_t i = 0; i < ARRAY_LENGTH(wanted) - !SECRETS_CAN_LOCK; i++)
		ck_assert_msg(strstr(flags, wanted[i]), "no '%s' among '%s'", wanted[i], flags);
	secret_free(secret);
}
END_TEST

START_TEST(a_child_sees_nothing)
{
	uint8_t *secret = secret_new(32);
	int status;
	pid_t pid;

	memset(secret, 0xa5, 32);
	pid = fork();
	if (pid == 0) {
		bool empty = true;

		for (size_t i = 0; i < 32; i++)
			empty = empty && !secret[i];
		secret_free(secret);
		_exit(empty && secret_size(secret) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	secret_free(secret);
}
END_TEST

START_TEST(what_cannot_be_locked_is_refused)
{
	struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* Without CAP_IPC_LOCK; an ordinary user has none anyway. */
		if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
			_exit(2);
		_exit(secret_new(32) == NULL && (errno == ENOMEM || errno == EPERM || errno == EAGAIN) ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(no_memory_is_an_answer)
{
	void *secret;

	secrets_refuse(true);
	secret = secret_new(32);
	secrets_refuse(false);
	ck_assert_ptr_null(secret);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(secrets_refused(), 1);
	ck_assert_ptr_null(secret_new(0));
	ck_assert_ptr_null(secret_new(SIZE_MAX));
	ck_assert_ptr_null(secret_new(SIZE_MAX - 64));
}
END_TEST

START_TEST(comparing_sees_each_bit)
{
	uint8_t a[32], b[32];

	memset(a, 0xa5, sizeof(a));
	memcpy(b, a, sizeof(b));
	ck_assert(secret_equal(a, b, sizeof(a)));
	ck_assert(secret_equal(a, b, 0));
	for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(!secret_equal(a, b, sizeof(a)));
		b[bit / 8] = a[bit / 8];
	}
}
END_TEST

START_TEST(random_bytes_fill_all)
{
	uint8_t seen[300] = {0};

	for (int round = 0; round < 8; round++) {
		uint8_t bytes[300] = {0};

		ck_assert_int_eq(secret_random(bytes, sizeof(bytes)), 0);
		for (size_t i = 0; i < sizeof(bytes); i++)
			seen[i] |= bytes[i];
	}
	for (size_t i = 0; i < sizeof(seen); i++)
		ck_assert_uint_ne(seen[i], 0);
}
END_TEST

/* The search that other tests rely on finds what is there. */
START_TEST(the_search_finds_planted_copies)
{
	uint8_t *first = secret_new(8192), *second = malloc(300000);
	uint8_t pattern[32];

	ck_assert_int_eq(secret_random(pattern, sizeof(pattern)), 0);
	ck_assert_uint_eq(secrets_copies(pattern, sizeof(pattern)), 1);
	memcpy(first + 4070, pattern, sizeof(pattern));
	memcpy(second + 131000, pattern, sizeof(pattern));
	__asm__ volatile("" : : "r"(first), "r"(second) : "memory"); /* the compiler must believe that they are read */
	ck_assert_uint_eq(secrets_copies(pattern, sizeof(pattern)), 3);
	secret_free(first);
	ck_assert_uint_eq(secrets_copies(pattern, sizeof(pattern)), 2);
	free(second);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *cases = tcase_create("secret");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, memory_is_zeros_and_aligned);
	tcase_add_test(cases, freeing_wipes);
	tcase_add_test(cases, every_way_out_wipes);
	tcase_add_test(cases, pages_are_locked_and_kept_out_of_dumps_and_children);
	tcase_add_test(cases, a_child_sees_nothing);
	if (SECRETS_CAN_LOCK)
		tcase_add_test(cases, what_cannot_be_locked_is_refused);
	tcase_add_test(cases, no_memory_is_an_answer);
	tcase_add_test(cases, comparing_sees_each_bit);
	tcase_add_test(cases, random_bytes_fill_all);
	tcase_add_test(cases, the_search_finds_planted_copies);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
