/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a filesystem lies on dm-crypt, on made-up machines. */
#include "area/encrypted.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct tree tree;

static void attribute(const char *name, const char *what, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "/sys/class/block/%s/%s", name, what);
	tree_write(&tree, path, text);
}

/* A device of number 8:@minor; @uuid of the device mapper, or NULL; @below are names of devices, ended by NULL. */
static void device(const char *name, unsigned int minor, const char *uuid, const char *const *below)
{
	char link[64], target[96], number[32];

	snprintf(number, sizeof(number), "8:%u\n", minor);
	attribute(name, "dev", number);
	snprintf(link, sizeof(link), "/sys/dev/block/8:%u", minor);
	snprintf(target, sizeof(target), "../../class/block/%s", name);
	tree_link(&tree, link, target);
	snprintf(link, sizeof(link), "/dev/%s", name);
	tree_write(&tree, link, "");
	if (uuid)
		attribute(name, "dm/uuid", uuid);
	for (; below && *below; below++) {
		snprintf(target, sizeof(target), "slaves/%s/x", *below);
		attribute(name, target, "");
	}
}

static void mounted(const char *number, const char *type, const char *source)
{
	char text[512];

	snprintf(text, sizeof(text), "1 0 8:99 / / rw - ext4 /dev/other rw\n2 1 %s / /etc rw - %s %s rw\n", number, type, source);
	tree_write(&tree, "/proc/self/mountinfo", text);
}

static void expect(enum encrypted wanted, const char *source)
{
	char found[256] = "";

	ck_assert_int_eq(path_encrypted(&tree.sys, "/etc/hibernate/keys", found, sizeof(found)), (int)wanted);
	ck_assert_str_eq(found, source);
}

static void begin(void)
{
	tree_init(&tree);
	device("other", 99, NULL, NULL);
}

static void end(void)
{
	tree_deinit(&tree);
}

#define BELOW(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(a_plain_disk_is_not)
{
	mounted("8:1", "ext4", "/dev/sda");
	device("sda", 1, NULL, NULL);
	expect(ENCRYPTED_NO, "/dev/sda");
	attribute("sda", "slaves/no-device", ""); /* the directory is always there */
	expect(ENCRYPTED_NO, "/dev/sda");
}
END_TEST

START_TEST(luks_is)
{
	mounted("8:1", "ext4", "/dev/dm-0");
	device("dm-0", 1, "CRYPT-LUKS2-0123-root\n", BELOW("sda"));
	device("sda", 2, NULL, NULL);
	expect(ENCRYPTED_YES, "/dev/dm-0");
}
END_TEST

START_TEST(a_volume_is_if_all_below_are)
{
	mounted("8:1", "xfs", "/dev/dm-2");
	device("dm-2", 1, "LVM-abc\n", BELOW("dm-0", "dm-1"));
	device("dm-0", 2, "CRYPT-LUKS2-0123-a\n", BELOW("sda"));
	device("dm-1", 3, "CRYPT-PLAIN-b\n", BELOW("sdb"));
	device("sda", 4, NULL, NULL);
	device("sdb", 5, NULL, NULL);
	expect(ENCRYPTED_YES, "/dev/dm-2");
	attribute("dm-1", "dm/uuid", "LVM-other\n");
	expect(ENCRYPTED_NO, "/dev/dm-2");
}
END_TEST

START_TEST(a_loop_of_devices_ends)
{
	mounted("8:1", "xfs", "/dev/dm-2");
	device("dm-2", 1, "LVM-abc\n", BELOW("dm-3"));
	device("dm-3", 2, "LVM-abd\n", BELOW("dm-2"));
	expect(ENCRYPTED_NO, "/dev/dm-2");
}
END_TEST

START_TEST(a_btrfs_is_if_all_its_devices_are)
{
	mounted("0:33", "btrfs", "/dev/dm-0");
	device("dm-0", 1, "CRYPT-LUKS2-0123-a\n", BELOW("sda"));
	device("sda", 4, NULL, NULL);
	device("sdb", 5, NULL, NULL);
	expect(ENCRYPTED_NO, "/dev/dm-0"); /* no such filesystem is known */
	tree_write(&tree, "/sys/fs/btrfs/features/x", "");
	tree_write(&tree, "/sys/fs/btrfs/0-other/devices/sdb/x", "");
	tree_write(&tree, "/sys/fs/btrfs/1-ours/devices/dm-0/x", "");
	expect(ENCRYPTED_YES, "/dev/dm-0");
	tree_write(&tree, "/sys/fs/btrfs/1-ours/devices/sdb/x", "");
	expect(ENCRYPTED_NO, "/dev/dm-0");
}
END_TEST

START_TEST(what_has_no_device_is_unknown)
{
	static const struct {
		const char *type;
		enum encrypted wanted;
	} types[] = {
		{"tmpfs", ENCRYPTED_MEMORY},
		{"ramfs", ENCRYPTED_MEMORY},
		{"overlay", ENCRYPTED_UNKNOWN},
		{"zfs", ENCRYPTED_UNKNOWN},
		{"btrfs", ENCRYPTED_UNKNOWN},
	};
	char found[256];

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		mounted("0:33", types[i].type, "pool/etc");
		expect(types[i].wanted, "pool/etc");
	}
	tree_remove(&tree, "/proc/self/mountinfo");
	ck_assert_int_eq(path_encrypted(&tree.sys, "/etc", found, sizeof(found)), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encrypted");
	TCase *cases = tcase_create("encrypted");
	SRunner *runner = srunner_create(suite);
	int failures;

	tcase_add_checked_fixture(cases, begin, end);
	tcase_add_test(cases, a_plain_disk_is_not);
	tcase_add_test(cases, luks_is);
	tcase_add_test(cases, a_volume_is_if_all_below_are);
	tcase_add_test(cases, a_loop_of_devices_ends);
	tcase_add_test(cases, a_btrfs_is_if_all_its_devices_are);
	tcase_add_test(cases, what_has_no_device_is_unknown);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
