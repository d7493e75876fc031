/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New passphrases: whether they can be guessed, and what trying one shall cost. */
#include "seal/cost.h"
#include "seal/quality.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static const struct {
	const char *passphrase;
	unsigned int bits;
} estimates[] = {
	{"", 0},
	{"x", 4},
	{"teapot", 12}, /* o and p are neighbours */
	{"mxkzvbpd", 18},
	{"mxkzvbpdm", 19},
	{"mxkzvbpdmxkzvbpdmxkw", 36},
	{"mxkzvbpdmxkzvbpdmxkzvb", 38},
	{"Mxkzv4pd", 24},           /* three kinds */
	{"Mxkzvbpd", 18},           /* two */
	{"aaaaaaaaaaaaaaaaaaaa", 4},
	{"abcdefghijklmnopqrst", 4},
	{"98765432101234567890", 6}, /* its ends are no neighbours */
	{"azaz", 10},
	{"\xc3\xa4\xc3\xb6\xc3\xbc", 8}, /* three characters of two bytes */
	{"a\xc3\xa4", 6},
	{"correct horse battery staple", 39},
};

START_TEST(bits_are_estimated)
{
	struct bytes passphrase = {estimates[_i].passphrase, strlen(estimates[_i].passphrase)};
	unsigned int bits = quality_bits(passphrase);

	ck_assert_msg(bits == estimates[_i].bits, "\"%s\": %u, not %u", estimates[_i].passphrase, bits, estimates[_i].bits);
}
END_TEST

static const struct {
	const char *passphrase;
	bool weak_too;
	const char *text; /* NULL: good enough */
} checks[] = {
	{"correct horse battery staple", false, NULL},
	{"mxkzvbpdmxkzvbpd", false, NULL},
	{"mxkzvbpdmxkzvbp", false, "about 28 bits, of at least 30"},
	{"mxkzvbpdmxkzvbp", true, NULL},
	{"", true, "it is empty"},
	{"", false, "it is empty"},
	{"correct horse\nbattery staple", true, "control characters"},
	{"correct horse battery staple\x7f", false, "control characters"},
};

static const struct {
	const char *pin;
	bool weak_too;
	const char *text;
} pins[] = {
	{"1234", false, NULL},
	{"123", false, "fewer than 4"},
	{"123", true, NULL},
	{"", true, "it is empty"},
	{"", false, "it is empty"},
	{"12\t34", true, "control characters"},
};

START_TEST(pins_that_say_nothing_are_refused)
{
	struct bytes pin = {pins[_i].pin, strlen(pins[_i].pin)};
	struct failure f = {0};

	ck_assert_int_eq(quality_check_pin(pin, pins[_i].weak_too, &f), pins[_i].text ? -EINVAL : 0);
	ck_assert_int_eq(f.reason, pins[_i].text ? REASON_WEAK_SECRET : REASON_NONE);
	if (pins[_i].text)
		ck_assert_msg(strstr(f.text, pins[_i].text), "%s", f.text);
}
END_TEST

START_TEST(weak_passphrases_are_refused)
{
	struct bytes passphrase = {checks[_i].passphrase, strlen(checks[_i].passphrase)};
	struct failure f = {0};
	int r = quality_check(passphrase, checks[_i].weak_too, &f);

	ck_assert_int_eq(r, checks[_i].text ? -EINVAL : 0);
	ck_assert_int_eq(f.reason, checks[_i].text ? REASON_WEAK_SECRET : REASON_NONE);
	ck_assert_msg(!checks[_i].text || strstr(f.text, checks[_i].text), "%s", f.text);
	ck_assert_msg(!passphrase.size || !strstr(f.text, checks[_i].passphrase), "%s", f.text);
}
END_TEST

static const struct {
	uint64_t usec, kib_per_second;
	uint32_t limit, memory_kib, passes;
} fits[] = {
	{1000000, 300 * 1024, 1 << 20, 100 * 1024, 3},
	{1000000, 3500 * 1024, 1 << 20, 1 << 20, 3},
	{1000000, 8000 * 1024, 1 << 20, 1 << 20, 7},
	{1000000, 300 * 1024, 20 * 1024, 20 * 1024, 15},
	{1000000, 20 * 1024, 1 << 20, 16 * 1024, 3}, /* slow: no less for that */
	{1000000, 1, 1 << 20, 16 * 1024, 3},
	{1000000, UINT32_MAX, 16 * 1024, 16 * 1024, 64},
	{500000, 300 * 1024, 1 << 20, 50 * 1024, 3},
};

START_TEST(a_cost_fits_time_and_memory)
{
	struct argon2_cost cost = cost_fit(fits[_i].usec, fits[_i].kib_per_second, fits[_i].limit);

	ck_assert_uint_eq(cost.memory_kib, fits[_i].memory_kib);
	ck_assert_uint_eq(cost.passes, fits[_i].passes);
	ck_assert_uint_eq(cost.lanes, 1);
	ck_assert(argon2_cost_valid(&cost));
}
END_TEST

static const struct {
	const char *meminfo;
	int r;
	uint32_t memory_kib;
} memories[] = {
	{"MemTotal:       1000000 kB\nMemFree: 1 kB\n", 0, 125000},
	{"MemTotal:      65000000 kB\n", 0, 1 << 20},
	{"MemTotal:         50000 kB\n", 0, 16 * 1024},
	{"MemFree: 5000000 kB\n", -EBADMSG, 0},
	{NULL, -ENOENT, 0},
};

START_TEST(the_memory_of_an_initramfs_is_less)
{
	uint32_t memory_kib = 0;
	struct tree tree;

	tree_init(&tree);
	if (memories[_i].meminfo)
		tree_write(&tree, "/proc/meminfo", memories[_i].meminfo);
	ck_assert_int_eq(cost_memory_limit(&tree.sys, &memory_kib), memories[_i].r);
	ck_assert_uint_eq(memory_kib, memories[_i].memory_kib);
	tree_deinit(&tree);
}
END_TEST

START_TEST(this_machine_can_be_measured)
{
	struct argon2_cost cost = {0};
	struct failure f;

	ck_assert_int_eq(crypto_init(&f), 0);
	ck_assert_int_eq(cost_measure(10000, 64 * 1024, &cost), 0);
	ck_assert(argon2_cost_valid(&cost));
	ck_assert_uint_le(cost.memory_kib, 64 * 1024);
	ck_assert_uint_ge(cost.passes, COST_PASSES_MIN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("passphrase");
	TCase *cases = tcase_create("passphrase");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_add_loop_test(cases, bits_are_estimated, 0, (int)ARRAY_LENGTH(estimates));
	tcase_add_loop_test(cases, pins_that_say_nothing_are_refused, 0, (int)ARRAY_LENGTH(pins));
	tcase_add_loop_test(cases, weak_passphrases_are_refused, 0, (int)ARRAY_LENGTH(checks));
	tcase_add_loop_test(cases, a_cost_fits_time_and_memory, 0, (int)ARRAY_LENGTH(fits));
	tcase_add_loop_test(cases, the_memory_of_an_initramfs_is_less, 0, (int)ARRAY_LENGTH(memories));
	tcase_add_test(cases, this_machine_can_be_measured);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
