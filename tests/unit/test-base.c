/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cursor.h"
#include "base/escape.h"
#include "base/extent.h"
#include "base/failure.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(reasons_have_names_and_distinct_statuses)
{
	for (int i = 0; i < _REASON_MAX; i++) {
		ck_assert_ptr_nonnull(reason_name(i));
		ck_assert_int_eq(reason_from_name(reason_name(i)), i);
		for (int j = 0; j < i; j++)
			ck_assert_int_ne(reason_exit_status(i), reason_exit_status(j));
	}
	ck_assert_ptr_null(reason_name(_REASON_MAX));
	ck_assert_int_eq(reason_from_name("no such reason"), _REASON_INVALID);
}
END_TEST

START_TEST(failure_text_names_object_reason_remedy)
{
	struct failure f = {0};
	char text[512];

	ck_assert_int_eq(failure_set(&f, REASON_IO, EIO, "/dev/\x1bvda2", "Check the disk.", "write failed at %d", 4096), -EIO);
	failure_format(&f, text, sizeof(text));
	ck_assert_str_eq(text, "/dev/?vda2: write failed at 4096: Input/output error. Check the disk.");
	ck_assert(failed(&f));
	ck_assert_int_eq(failure_set(NULL, REASON_IO, 0, NULL, NULL, "x"), -EINVAL);
	/* What became of an image is not made clearer by "Stale file handle". */
	failure_set(&f, REASON_STALE, ESTALE, "/dev/vda1", NULL, "it was written since");
	ck_assert_str_eq(failure_format(&f, text, sizeof(text)), "/dev/vda1: it was written since.");
	f.reason = _REASON_INVALID;
	ck_assert_str_eq(failure_format(&f, text, sizeof(text)), "/dev/vda1: it was written since: Stale file handle.");
}
END_TEST

START_TEST(reader_stops_at_the_end_for_good)
{
	const uint8_t data[] = {1, 2, 3, 4, 5};
	struct reader r;

	reader_init(&r, data, sizeof(data));
	ck_assert_uint_eq(get_u32(&r), 0x04030201);
	ck_assert_uint_eq(get_u16(&r), 0);
	ck_assert(r.overrun);
	ck_assert_uint_eq(get_u8(&r), 0);
	ck_assert_uint_eq(reader_left(&r), 0);
}
END_TEST

START_TEST(strings_must_be_terminated)
{
	char in[4] = {'a', 'b', 'c', 'd'}, out[4];
	struct reader r;

	reader_init(&r, in, sizeof(in));
	get_string(&r, out, sizeof(out));
	ck_assert(r.overrun);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(writer_round_trip)
{
	uint8_t data[32];
	char text[8];
	struct writer w;
	struct reader r;

	writer_init(&w, data, sizeof(data));
	put_u64(&w, UINT64_C(0x1122334455667788));
	put_u16(&w, 0xabcd);
	put_string(&w, "longer than eight", 8);
	put_zeros(&w, 4);
	ck_assert(!w.overrun);
	put_bytes(&w, data, 11);
	ck_assert(w.overrun);

	reader_init(&r, data, sizeof(data));
	ck_assert_uint_eq(get_u64(&r), UINT64_C(0x1122334455667788));
	ck_assert_uint_eq(get_u16(&r), 0xabcd);
	get_string(&r, text, sizeof(text));
	ck_assert_str_eq(text, "longer ");
	ck_assert(get_zeros(&r, 4));
}
END_TEST

static struct extent_list list_of(struct extent *items, size_t capacity, const uint64_t (*pages)[2], size_t count)
{
	struct extent_list list;

	extent_list_init(&list, items, capacity);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(extent_list_append(&list, pages[i][0] * PAGE_BYTES, pages[i][1] * PAGE_BYTES), 0);
	return list;
}

START_TEST(extents_sort_merge_and_locate)
{
	const uint64_t pages[][2] = {{50, 1}, {10, 2}, {12, 3}, {5, 1}, {51, 4}, {4, 1}};
	struct extent items[8];
	struct extent_list list = list_of(items, 8, pages, ARRAY_LENGTH(pages));
	struct extent_cursor cursor;
	uint64_t start, run;

	ck_assert_uint_eq(list.count, 5);
	ck_assert_int_eq(extent_list_normalize(&list), 0);
	ck_assert_uint_eq(list.count, 3);
	ck_assert_uint_eq(extent_list_total(&list), 12 * PAGE_BYTES);
	ck_assert(extent_list_contains(&list, 10 * PAGE_BYTES, 5 * PAGE_BYTES));
	ck_assert(!extent_list_contains(&list, 10 * PAGE_BYTES, 6 * PAGE_BYTES));
	ck_assert(!extent_list_contains(&list, 9 * PAGE_BYTES, PAGE_BYTES));

	extent_cursor_init(&cursor, &list);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(extent_cursor_locate(&cursor, 3 * PAGE_BYTES, &start, &run), 0);
		ck_assert_uint_eq(start, 11 * PAGE_BYTES);
		ck_assert_uint_eq(run, 4 * PAGE_BYTES);
		ck_assert_int_eq(extent_cursor_locate(&cursor, 11 * PAGE_BYTES, &start, &run), 0);
		ck_assert_uint_eq(start, 54 * PAGE_BYTES);
		ck_assert_uint_eq(run, PAGE_BYTES);
	}
	ck_assert_int_eq(extent_cursor_locate(&cursor, 12 * PAGE_BYTES, &start, &run), -ERANGE);
}
END_TEST

START_TEST(extents_refuse_overlap_and_bad_input)
{
	const uint64_t pages[][2] = {{10, 2}, {5, 6}};
	struct extent items[2];
	struct extent_list list = list_of(items, 2, pages, ARRAY_LENGTH(pages));

	ck_assert_int_eq(extent_list_normalize(&list), -EEXIST);
	ck_assert_int_eq(extent_list_append(&list, 100 * PAGE_BYTES, PAGE_BYTES), -ENOSPC);
	ck_assert_int_eq(extent_list_append(&list, 1, PAGE_BYTES), -EINVAL);
	ck_assert_int_eq(extent_list_append(&list, 0, 0), -EINVAL);
	ck_assert_int_eq(extent_list_append(&list, UINT64_MAX - PAGE_BYTES + 1, 2 * PAGE_BYTES), -EINVAL);
}
END_TEST

START_TEST(hostile_text_is_escaped)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{"", ""},
		{"my laptop", "my laptop"},
		{"B\xc3\xbcro \xe2\x82\xac \xe6\x97\xa5\xf0\x9f\x94\x91", "B\xc3\xbcro \xe2\x82\xac \xe6\x97\xa5\xf0\x9f\x94\x91"},
		{"a\"b\\x0a", "a\\x22b\\x5cx0a"},
		{"a\nb\r\t\x01\x7f", "a\\x0ab\\x0d\\x09\\x01\\x7f"},
		{"\x1b[2J\x1b]0;t\x07", "\\x1b[2J\\x1b]0;t\\x07"},
		{"\xc2\x9b" "2J", "\\u{9b}2J"},                           /* CSI in one character */
		{"\x9b" "2J", "\\x9b2J"},                                  /* and in one byte */
		{"\xe2\x80\xae" "fdp.\xe2\x81\xa6", "\\u{202e}fdp.\\u{2066}"}, /* right to left */
		{"\xe2\x80\x8b\xef\xbb\xbf\xc2\xad", "\\u{200b}\\u{feff}\\u{ad}"}, /* no width */
		{"\xc2\xa0\xe3\x80\x80", "\\u{a0}\\u{3000}"},            /* blanks */
		{"z\xcc\x80", "z\\u{300}"},                              /* drawn over another */
		{"\xf3\xa0\x81\x81\xef\xbf\xbf\xf0\x9f\xbf\xbe", "\\u{e0041}\\u{ffff}\\u{1fffe}"},
		{"\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf\\xf0\\x80\\x80\\xaf"}, /* overlong */
		{"\xed\xa0\x80\xf4\x90\x80\x80\xff", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xff"}, /* surrogate, beyond */
		{"\xc3", "\\xc3"},
		{"\xe2\x82", "\\xe2\\x82"},
		{"\xc3(", "\\xc3("},
		{"\x80\xbf", "\\x80\\xbf"},
	};
	char buf[128];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		ck_assert_ptr_eq(escape_text(rows[i].text, SIZE_MAX, buf, sizeof(buf)), buf);
		ck_assert_str_eq(buf, rows[i].shown);
	}
}
END_TEST

START_TEST(a_message_shows_what_it_says)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{"", ""},
		{"/dev/vda: \"caf\xc3\xa9\" \\", "/dev/vda: \"caf\xc3\xa9\" \\"},
		{"\x1b[2J\x7f\x9b" "2J\xc2\x9b" "2J", "?[2J??2J?2J"},
		{"a\nb\tc", "a?b?c"},
		{"\xe2\x80\xae" "fdp\xe2\x81\xa6", "?fdp?"},
		{"cut \xe2\x82", "cut ??"},
		{"\xf3\xa0\x81\x81\xc3\xbc", "?\xc3\xbc"},
	};
	struct failure f = {0};
	char text[64], cut[17];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		snprintf(text, sizeof(text), "%s", rows[i].text);
		ck_assert_ptr_eq(escape_message(text), text);
		ck_assert_str_eq(text, rows[i].shown);
	}
	/* Cut inside of a character: still UTF-8, which the bus insists on. */
	failure_set(&f, REASON_STALE, 0, "/mnt/12345678\xe2\x82\xac", NULL, "\xc2\x9b");
	ck_assert_str_eq(failure_format(&f, cut, sizeof(cut)), "/mnt/12345678\xe2\x82\xac");
	ck_assert_str_eq(failure_format(&f, cut, sizeof(cut) - 1), "/mnt/12345678??");
	ck_assert_str_eq(failure_format(&f, text, sizeof(text)), "/mnt/12345678\xe2\x82\xac: ?.");
}
END_TEST

START_TEST(escaped_text_keeps_to_its_bounds)
{
	char unended[4] = {'a', 'b', '\xc3', '\xbc'}, buf[16];

	ck_assert_str_eq(escape_text(unended, 4, buf, sizeof(buf)), "ab\xc3\xbc");
	ck_assert_str_eq(escape_text(unended, 3, buf, sizeof(buf)), "ab\\xc3"); /* the rest is not looked at */
	ck_assert_str_eq(escape_text("a\0b", 3, buf, sizeof(buf)), "a");
	ck_assert_str_eq(escape_text("a", 0, buf, sizeof(buf)), "");
	ck_assert_str_eq(escape_text("123456789012345", SIZE_MAX, buf, sizeof(buf)), "123456789012345");
	ck_assert_str_eq(escape_text("1234567890123456", SIZE_MAX, buf, sizeof(buf)), "123456789012...");
	/* Not cut inside of what belongs together. */
	ck_assert_str_eq(escape_text("1234567890\xe2\x82\xac" "456", SIZE_MAX, buf, sizeof(buf)), "1234567890...");
	ck_assert_str_eq(escape_text("1234567890\n1234", SIZE_MAX, buf, sizeof(buf)), "1234567890...");
	for (size_t size = 8; size <= sizeof(buf); size++) {
		memset(buf, '!', sizeof(buf));
		escape_text("\xf3\xa0\x81\x81\xf3\xa0\x81\x81", SIZE_MAX, buf, size);
		ck_assert_uint_lt(strlen(buf), size);
		for (size_t i = size; i < sizeof(buf); i++)
			ck_assert_int_eq(buf[i], '!');
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *cases = tcase_create("base");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_test(cases, reasons_have_names_and_distinct_statuses);
	tcase_add_test(cases, failure_text_names_object_reason_remedy);
	tcase_add_test(cases, reader_stops_at_the_end_for_good);
	tcase_add_test(cases, strings_must_be_terminated);
	tcase_add_test(cases, writer_round_trip);
	tcase_add_test(cases, extents_sort_merge_and_locate);
	tcase_add_test(cases, extents_refuse_overlap_and_bad_input);
	tcase_add_test(cases, hostile_text_is_escaped);
	tcase_add_test(cases, a_message_shows_what_it_says);
	tcase_add_test(cases, escaped_text_keeps_to_its_bounds);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
