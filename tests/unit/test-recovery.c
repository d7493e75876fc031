/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovery keys as people write and type them, and one question for both kinds of secret. The known texts were made by another program. */
#include "base/secret.h"
#include "seal/blob.h"
#include "seal/disk.h"
#include "seal/unlock.h"
#include "secrets.h"

#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char known[] = "jcjbjdff-jejfjgbc-jhjijjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifn";
static const char alphabet[] = "cbdefghijklnrtuv";

static uint8_t key[RECOVERY_KEY_BYTES];

static void begin(void)
{
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x80 + i);
}

/* @group is -1 for a key that is read as ours. */
static void expect(const char *typed, int group)
{
	uint8_t read[RECOVERY_KEY_BYTES] = {0x55};
	unsigned int found = 99;
	int r = recovery_key_parse((struct bytes){typed, strlen(typed)}, read, &found);

	ck_assert_msg(r == (group < 0 ? 0 : RECOVERY_TYPO), "%d: %s", r, typed);
	if (group < 0)
		ck_assert_mem_eq(read, key, sizeof(key));
	else
		ck_assert_uint_eq(read[0], 0x55);
	ck_assert_msg(found == (group < 0 ? 99 : (unsigned int)group), "group %u, not %d: %s", found, group, typed);
}

START_TEST(keys_are_written_as_the_format_says)
{
	uint8_t same[RECOVERY_KEY_BYTES];
	char text[RECOVERY_TEXT_BYTES];

	recovery_key_format(key, text);
	ck_assert_str_eq(text, known);
	memset(same, 0, sizeof(same));
	recovery_key_format(same, text);
	ck_assert_str_eq(text, "cccccchn-ccccccth-ccccccnt-ccccccln-ccccccrc-ccccccit-ccccccbh-ccccccgb");
	memset(same, 0xff, sizeof(same));
	recovery_key_format(same, text);
	ck_assert_str_eq(text, "vvvvvvhf-vvvvvvtk-vvvvvvnd-vvvvvvlf-vvvvvvrv-vvvvvvid-vvvvvvbk-vvvvvvgu");
}
END_TEST

START_TEST(typing_may_be_free)
{
	expect(known, -1);
	expect("JCJBJDFF-JEJFJGBC-JHJIJJLI-JKJLJNBH-JRJTJURT-JVKCKBDU-KDKEKFGD-KGKHKIFN", -1);
	expect("jcjbjdffjejfjgbcjhjijjlijkjljnbhjrjtjurtjvkckbdukdkekfgdkgkhkifn", -1);
	expect("  jcjb jdff jejf jgbc jhji jjli jkjl jnbh\tjrjt jurt jvkc kbdu kdke kfgd kgkh kifn \r\n", -1);
	expect("j-cjbjdff--jejfjgbc-jhjijjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifn-", -1);
}
END_TEST

/* Each letter replaced by each other one: always noticed, and in its own group. */
START_TEST(one_wrong_letter_is_found)
{
	char typed[sizeof(known)];

	for (size_t at = 0; at < sizeof(known) - 1; at++)
		for (size_t i = 0; known[at] != '-' && i < sizeof(alphabet) - 1; i++) {
			memcpy(typed, known, sizeof(known));
			typed[at] = (char)toupper((unsigned char)alphabet[i]);
			if (alphabet[i] != known[at])
				expect(typed, (int)(at / 9 + 1));
		}
}
END_TEST

START_TEST(neighbours_exchanged_are_found)
{
	char typed[sizeof(known)];

	for (size_t at = 0; at + 2 < sizeof(known); at++) {
		memcpy(typed, known, sizeof(known));
		typed[at] = known[at + 1];
		typed[at + 1] = known[at];
		if (known[at] != known[at + 1] && known[at] != '-' && known[at + 1] != '-')
			expect(typed, (int)(at / 9 + 1));
	}
}
END_TEST

START_TEST(groups_exchanged_are_found)
{
	char typed[sizeof(known)];

	for (size_t i = 0; i < RECOVERY_GROUPS; i++)
		for (size_t j = i + 1; j < RECOVERY_GROUPS; j++) {
			memcpy(typed, known, sizeof(known));
			memcpy(typed + 9 * i, known + 9 * j, 8);
			memcpy(typed + 9 * j, known + 9 * i, 8);
			expect(typed, (int)i + 1);
		}
}
END_TEST

START_TEST(other_typos_are_found)
{
	expect("", 1);
	expect(" - ", 1);
	expect("jcjbjdf", 1);
	expect("jcjbjdff", 2);
	expect("jcjbjdff-jejfjgbc-jhjijjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkif", 8);
	expect("jcjbjdff-jejfjgbc-jhjijjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifnc", 0);
	expect("jcjbjdff-jejfjgbc-jhjijjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifn.", 0);
	expect("jcjbjdff-jejfjgbc-jhj1jjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifn", 3);
	expect("jcjbjdff-jejfjgbc-jhj\xc3\xa9jjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifn", 3);
	expect("jcjbjdff_jejfjgbc", 2);
	ck_assert_int_eq(recovery_key_parse((struct bytes){"j\0", 2}, key, NULL), RECOVERY_TYPO);
}
END_TEST

START_TEST(what_was_meant_is_told)
{
	static const struct {
		const char *typed;
		bool meant;
	} texts[] = {
		{known, true},
		{"jcjbjdff-jejfjgbc-jhj1jjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd", true},
		{"jcjbjdff-jejfjgbc-jhjijjli-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifncccc", true},
		{"jcjbjdff-jejfjgbc", false},
		{"", false},
		{"correct horse battery staple, and whatever else may come into the mind of somebody", false},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		ck_assert_msg(recovery_key_meant((struct bytes){texts[i].typed, strlen(texts[i].typed)}) == texts[i].meant,
			      "%s", texts[i].typed);
}
END_TEST

/* ---- one question ---- */

static void make_blob(uint8_t place[SEAL_BLOB_BYTES], struct bytes passphrase, bool recovery)
{
	struct blob_change change = {.recovery = recovery ? key : NULL};
	struct blob_random *random = secret_new(sizeof(*random));
	struct key_opened *opened = secret_new(sizeof(*opened));
	struct key_set *set = secret_new(sizeof(*set));
	struct argon2_cost cost = {.memory_kib = 8, .passes = 1, .lanes = 1};
	struct failure failure;

	ck_assert_int_eq(crypto_init(&failure), 0);
	ck_assert_int_eq(key_set_generate(set), 0);
	ck_assert_int_eq(key_blob_make(set, passphrase, &cost, random, place), 0);
	ck_assert_int_eq(key_blob_open(place, passphrase, 8, "test", opened, &failure), 0);
	ck_assert_int_eq(key_blob_change(place, opened, &change, random, place), 0);
	secret_free(random);
	secret_free(opened);
	secret_free(set);
}

static int answer_with(const uint8_t *place, const char *typed, struct key_answer *answer)
{
	struct key_opened *opened = secret_new(sizeof(*opened));
	struct failure failure;
	int r;

	memset(answer, 0x55, sizeof(*answer));
	r = key_blob_open_typed(place, (struct bytes){typed, strlen(typed)}, 8, "test", opened, answer, &failure);
	secret_free(opened);
	return r;
}

START_TEST(one_question_takes_both)
{
	uint8_t place[SEAL_BLOB_BYTES];
	struct key_answer answer;

	make_blob(place, (struct bytes){"correct horse", 13}, true);
	ck_assert_int_eq(answer_with(place, "correct horse", &answer), 0);
	ck_assert_int_eq(answer.way, KEY_WAY_PASSPHRASE);
	ck_assert_int_eq(answer_with(place, known, &answer), 0);
	ck_assert_int_eq(answer.way, KEY_WAY_RECOVERY);
	ck_assert_int_eq(answer_with(place, "battery staple", &answer), KEY_WRONG_SECRET);
	ck_assert_int_eq(answer.way, _KEY_WAY_INVALID);
	ck_assert(!answer.typo);
	ck_assert_int_eq(answer_with(place, "jcjbjdff-jejfjgbc-jhjijjlj-jkjljnbh-jrjtjurt-jvkckbdu-kdkekfgd-kgkhkifn",
				     &answer), KEY_WRONG_SECRET);
	ck_assert(answer.typo);
	ck_assert_uint_eq(answer.group, 3);
	/* Well typed, and another one. */
	ck_assert_int_eq(answer_with(place, "cccccchn-ccccccth-ccccccnt-ccccccln-ccccccrc-ccccccit-ccccccbh-ccccccgb",
				     &answer), KEY_WRONG_SECRET);
	ck_assert(!answer.typo);
	/* A passphrase that looks like a recovery key is one all the same. */
	make_blob(place, (struct bytes){known, sizeof(known) - 1}, false);
	ck_assert_int_eq(answer_with(place, known, &answer), 0);
	ck_assert_int_eq(answer.way, KEY_WAY_PASSPHRASE);
	ck_assert_uint_eq(secrets_dirty(), 0);
}
END_TEST

START_TEST(ways_have_names)
{
	for (int way = 0; way < _KEY_WAY_MAX; way++)
		ck_assert_int_eq(key_way_from_name(key_way_name((enum key_way)way)), way);
	ck_assert_str_eq(key_way_name(KEY_WAY_RECOVERY), "recovery");
	ck_assert_ptr_null(key_way_name(_KEY_WAY_MAX));
	ck_assert_int_eq(key_way_from_name("tea"), _KEY_WAY_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recovery");
	TCase *cases = tcase_create("recovery");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_add_checked_fixture(cases, begin, NULL);
	tcase_add_test(cases, keys_are_written_as_the_format_says);
	tcase_add_test(cases, typing_may_be_free);
	tcase_add_test(cases, one_wrong_letter_is_found);
	tcase_add_test(cases, neighbours_exchanged_are_found);
	tcase_add_test(cases, groups_exchanged_are_found);
	tcase_add_test(cases, other_typos_are_found);
	tcase_add_test(cases, what_was_meant_is_told);
	tcase_add_test(cases, one_question_takes_both);
	tcase_add_test(cases, ways_have_names);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
