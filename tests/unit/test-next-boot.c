/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this boot was told leads the next one to the image, or nothing is written. */
#include "common/next-boot.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define FILE_UUID "UUID=bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbb01"
#define SWAP_UUID "UUID=aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaa02"
#define SAY "Set ResumeDevice=" FILE_UUID " ResumeOffset=34816 in hibernate.conf, here and in the initramfs."
#define BOOT "Boot with resume=" FILE_UUID " resume_offset=34816 on the kernel command line"
#define CONF "/etc/hibernate.conf"

static struct tree tree;

static void add_device(const char *name, unsigned int minor_number)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	snprintf(text, sizeof(text), "8:%u\n", minor_number);
	tree_write(&tree, path, text);
	snprintf(path, sizeof(path), "/sys/class/block/%s/size", name);
	tree_write(&tree, path, "4096\n");
	snprintf(path, sizeof(path), "/sys/dev/block/8:%u", minor_number);
	snprintf(text, sizeof(text), "../../devices/x/%s", name);
	tree_link(&tree, path, text);
	snprintf(path, sizeof(path), "/dev/%s", name);
	tree_sparse(&tree, path, 2 * MIB);
}

static void setup(void)
{
	tree_init(&tree);
	add_device("vda1", 1);
	add_device("vda2", 2);
	tree_write(&tree, "/swapfile", "");
}

static void teardown(void)
{
	tree_deinit(&tree);
}

static struct area make_area(enum area_kind kind)
{
	bool file = kind == AREA_FILE;
	struct area area = {.kind = kind, .devno = makedev(8, file ? 1 : 2), .offset_pages = file ? 34816 : 0};
	uint8_t *uuid = file ? area.identity.filesystem_uuid : area.identity.swap_uuid;

	snprintf(area.name, sizeof(area.name), "%s", file ? "/swapfile" : "/dev/vda2");
	snprintf(area.device, sizeof(area.device), "/dev/vda%d", file ? 1 : 2);
	memset(uuid, file ? 0xbb : 0xaa, 16);
	uuid[15] = file ? 1 : 2;
	return area;
}

static const struct {
	enum area_kind kind;
	const char *conf, *cmdline;
	int result;
	const char *object, *text, *remedy;
} rows[] = {
	/* A partition is found by itself, or by what names it. */
	{AREA_PARTITION, "", "quiet ro", 0, NULL, NULL, NULL},
	{AREA_PARTITION, "ResumeDevice=/dev/vda2\n", "quiet ro", 0, NULL, NULL, NULL},
	{AREA_PARTITION, "", "resume=/dev/vda2", 0, NULL, NULL, NULL},
	{AREA_PARTITION, "", "resume=8:2", 0, NULL, NULL, NULL},
	{AREA_PARTITION, "", "resume=/dev/vda1", -ENXIO, "/proc/cmdline",
	 "ResumeDevice=/dev/vda1 is not /dev/vda2, where the image would go", "Boot with resume=" SWAP_UUID " on"},
	{AREA_PARTITION, "ResumeDevice=/dev/vda2\n", "resume=8:1", -ENXIO, "/proc/cmdline", "is not /dev/vda2", "Boot with"},
	{AREA_PARTITION, "", "resume=/dev/gone", -ENXIO, "/proc/cmdline", "/dev/gone is not /dev/vda2", "Boot with"},
	{AREA_PARTITION, "", "resume=UUID=0123-4567", -ENXIO, "/proc/cmdline", "is not /dev/vda2", "Boot with"},
	{AREA_PARTITION, "ResumeOffset=34816\n", "", -ENXIO, CONF ":2", "ResumeOffset=34816, but /dev/vda2 begins at page 0",
	 "Set ResumeDevice=" SWAP_UUID " in"},
	{AREA_PARTITION, "", "resume=/dev/vda2 resume_offset=8", -ENXIO, "/proc/cmdline", "ResumeOffset=8, but", "Boot with"},
	{AREA_PARTITION, "", "resume=vda2", -EINVAL, "/proc/cmdline", "ResumeDevice=vda2 makes no sense", "Allowed"},
	/* A swap file needs its place. */
	{AREA_FILE, "", "", -ENXIO, "/swapfile", "/swapfile is a swap file, whose place must be told", SAY},
	{AREA_FILE, "ResumeDevice=/swapfile\n", "", -ENXIO, CONF ":2", "the path /swapfile means nothing", SAY},
	{AREA_FILE, "ResumeDevice=/swapfile\nResumeOffset=34816\n", "", -ENXIO, CONF ":2", "the path /swapfile", SAY},
	{AREA_FILE, "ResumeDevice=/dev/vda1\n", "", -ENXIO, CONF ":2",
	 "no ResumeOffset= is given, but /swapfile begins at page 34816 of /dev/vda1", SAY},
	{AREA_FILE, "ResumeDevice=/dev/vda1\nResumeOffset=34815\n", "", -ENXIO, CONF ":3",
	 "ResumeOffset=34815, but /swapfile begins at page 34816 of /dev/vda1", SAY},
	{AREA_FILE, "ResumeDevice=/dev/vda1\nResumeOffset=34816\n", "", 0, NULL, NULL, NULL},
	{AREA_FILE, "ResumeDevice=/swapfile\n", "resume=/dev/vda1 resume_offset=34816", 0, NULL, NULL, NULL},
	{AREA_FILE, "", "resume=8:1 resume_offset=34816", 0, NULL, NULL, NULL},
	{AREA_FILE, "", "resume=/dev/vda1", -ENXIO, "/proc/cmdline", "no ResumeOffset= is given", BOOT},
	{AREA_FILE, "", "resume=/dev/vda1 resume_offset=99", -ENXIO, "/proc/cmdline", "ResumeOffset=99, but /swapfile", BOOT},
	{AREA_FILE, "", "resume=/dev/vda2 resume_offset=34816", -ENXIO, "/proc/cmdline", "is not /dev/vda1", BOOT},
	{AREA_FILE, "ResumeDevice=/dev/vda1\nResumeOffset=34816\n", "resume_offset=1", -ENXIO, "/proc/cmdline",
	 "ResumeOffset=1, but", BOOT},
};

START_TEST(what_is_told_leads_there)
{
	struct area area = make_area(rows[_i].kind);
	struct next_boot next;
	struct failure f = {0};
	struct config config;
	char text[256];
	int r;

	snprintf(text, sizeof(text), "[Hibernate]\n%s", rows[_i].conf);
	tree_write(&tree, CONF, text);
	tree_write(&tree, "/proc/cmdline", rows[_i].cmdline);
	ck_assert_int_eq(config_load(&config, &tree.sys, &f), 0);
	r = next_boot_check(&next, &tree.sys, &config, &area, &f);
	ck_assert_msg(r == rows[_i].result, "row %d: %d, not %d: %s", _i, r, rows[_i].result, f.text);
	ck_assert_int_eq(failed(&f), r < 0);
	ck_assert_str_eq(next.device, rows[_i].kind == AREA_FILE ? FILE_UUID : SWAP_UUID);
	if (r == 0)
		return;
	ck_assert_int_eq(f.reason, REASON_CONFIG);
	ck_assert_str_eq(f.object, rows[_i].object);
	ck_assert_msg(strstr(f.text, rows[_i].text), "row %d: \"%s\" does not say \"%s\"", _i, f.text, rows[_i].text);
	ck_assert_msg(strstr(f.remedy, rows[_i].remedy), "row %d: \"%s\" does not say \"%s\"", _i, f.remedy, rows[_i].remedy);
}
END_TEST

START_TEST(lines_for_the_resume_side)
{
	struct area area = make_area(AREA_FILE);
	struct next_boot next;
	char text[160];

	next_boot_describe(&next, &area);
	ck_assert_str_eq(next_boot_format(&next, text, sizeof(text)), "ResumeDevice=" FILE_UUID " ResumeOffset=34816");
	memset(area.identity.filesystem_uuid, 0, 16);
	next_boot_describe(&next, &area);
	ck_assert_str_eq(next_boot_format(&next, text, sizeof(text)), "ResumeDevice=/dev/vda1 ResumeOffset=34816");
	area = make_area(AREA_PARTITION);
	next_boot_describe(&next, &area);
	ck_assert_str_eq(next_boot_format(&next, text, sizeof(text)), "ResumeDevice=" SWAP_UUID);
}
END_TEST

START_TEST(noresume_is_told)
{
	struct area area = make_area(AREA_PARTITION);
	struct next_boot next;
	struct failure f = {0};
	struct config config;

	config_init(&config);
	tree_write(&tree, "/proc/cmdline", "quiet noresume");
	ck_assert_int_eq(next_boot_check(&next, &tree.sys, &config, &area, &f), 0);
	ck_assert(next.noresume);
	tree_write(&tree, "/proc/cmdline", "quiet");
	ck_assert_int_eq(next_boot_check(&next, &tree.sys, &config, &area, &f), 0);
	ck_assert(!next.noresume);
}
END_TEST

/* Whoever hibernated before making the resume step lost the session, and nobody had said so. */
START_TEST(a_boot_without_a_resume_step_is_warned_of)
{
	struct area area = make_area(AREA_PARTITION);
	struct next_boot next;
	struct failure f = {0};
	struct config config;

	config_init(&config);
	tree_write(&tree, "/proc/cmdline", "quiet");
	ck_assert_int_eq(next_boot_check(&next, &tree.sys, &config, &area, &f), 0);
	ck_assert_ptr_nonnull(strstr(next_boot_warning(&next), "no resume step"));
	ck_assert_ptr_nonnull(strstr(next_boot_warning(&next), "hibernated(8)"));
	tree_write(&tree, RESUME_STEP_NOTE, "");
	ck_assert_int_eq(next_boot_check(&next, &tree.sys, &config, &area, &f), 0);
	ck_assert_ptr_null(next_boot_warning(&next));
	tree_write(&tree, "/proc/cmdline", "quiet noresume");
	ck_assert_int_eq(next_boot_check(&next, &tree.sys, &config, &area, &f), 0);
	ck_assert_ptr_nonnull(strstr(next_boot_warning(&next), "noresume"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("next-boot");
	TCase *cases = tcase_create("next-boot");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, what_is_told_leads_there, 0, ARRAY_LENGTH(rows));
	tcase_add_test(cases, lines_for_the_resume_side);
	tcase_add_test(cases, noresume_is_told);
	tcase_add_test(cases, a_boot_without_a_resume_step_is_warned_of);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
