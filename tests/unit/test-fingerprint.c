/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On superblocks made by hand here; test-fingerprint-tools does it with real ones.
 */
#include "allocator.h"
#include "area/fingerprint.h"
#include "base/fdio.h"
#include "tree.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (4 * MIB)

static char buffer[FINGERPRINT_BUFFER_BYTES] __attribute__((aligned(PAGE_BYTES)));
static struct tree tree;
static struct failure failure;
static struct fingerprint_set set;

/* The bytes of one made-up filesystem. */
static char *disk;

static void put(size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		disk[at + i] = (char)(value >> (8 * i));
}

static void put_be(size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		disk[at + i] = (char)(value >> (8 * (size - 1 - i)));
}

static void make_ext(void)
{
	put(1024 + 56, 0xef53, 2);
	put(1024 + 24, 2, 4);
	put(1024 + 44, 1000, 4);
	put(1024 + 48, 2000, 4);
	put(1024 + 52, 3, 2);
	put(1024 + 96, 0x2c2 | 4, 4);
	memset(disk + 1024 + 104, 0xe4, 16);
}


/* 16 groups of 64 blocks of 4 KiB; the log is 256 blocks at block 8 of group 1: 2048 basic blocks. */
static void make_xfs(void)
{
	memcpy(disk, "XFSB", 4);
	put_be(4, 4096, 4);
	put_be(8, 1024, 8);
	memset(disk + 32, 0x8f, 16);
	put_be(48, 1 << 6 | 8, 8);
	put_be(84, 64, 4);
	put_be(96, 256, 4);
	put_be(102, 512, 2);
	disk[124] = 6;
	for (size_t i = 0; i < 2048; i++)
		put_be((64 + 8) * 4096 + i * 512, i < 700 ? 5 : 4, 4);
	/* A record: its cycle stands behind the magic. */
	put_be((64 + 8) * 4096 + 690 * 512, 0xfeedbabe, 4);
	put_be((64 + 8) * 4096 + 690 * 512 + 4, 5, 4);
	put_be((64 + 8) * 4096 + 1023 * 512, 0xfeedbabe, 4);
	put_be((64 + 8) * 4096 + 1023 * 512 + 4, 4, 4);
}

static void xfs_cycle(size_t block, uint32_t cycle)
{
	put_be((64 + 8) * 4096 + block * 512, cycle, 4);
}

static void make_btrfs(void)
{
	memcpy(disk + 65536 + 64, "_BHRfS_M", 8);
	memset(disk + 65536 + 32, 0xb7, 16);
	put(65536, 0x11223344, 4);
	put(65536 + 72, 77, 8);
	put(65536 + 80, 30000, 8);
}

static void make_f2fs(void)
{
	put(1024, 0xf2f52010, 4);
	put(1024 + 16, 12, 4);
	put(1024 + 20, 2, 4);
	put(1024 + 76, 16, 4);
	memset(disk + 1024 + 108, 0xf2, 16);
	put(16 * 4096, 8, 8);
	put(20 * 4096, 9, 8);
}

static void make_vfat32(void)
{
	put(11, 512, 2);
	disk[13] = 8;
	put(14, 32, 2);
	disk[16] = 2;
	put(36, 300, 4);
	put(44, 2, 4);
	disk[65] = 1;
	put(67, 0xdeadbeef, 4);
	memcpy(disk + 82, "FAT32   ", 8);
	put(510, 0xaa55, 2);
}

static void make_vfat16(void)
{
	make_vfat32();
	memset(disk + 36, 0, 60);
	put(17, 512, 2);
	put(22, 64, 2);
	put(39, 0xdeadbeef, 4);
	memcpy(disk + 54, "FAT16   ", 8);
}

static int read_disk(struct fingerprint *print)
{
	int r, fd = memfd_create("disk", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_pwrite_full(fd, disk, SIZE, 0), 0);
	memset(print, 0, sizeof(*print));
	r = REFUSING(fingerprint_read(fd, buffer, print));
	fd_close(fd);
	ck_assert_uint_eq(allocator_refused(), 0);
	return r;
}

static void setup(void)
{
	disk = calloc(1, SIZE);
	ck_assert_ptr_nonnull(disk);
	failure = (struct failure){0};
	set = (struct fingerprint_set){0};
}

static void teardown(void)
{
	fingerprint_set_deinit(&set);
	free(disk);
}

static const struct {
	void (*make)(void);
	enum fingerprint_kind kind;
	uint8_t uuid;
	/* Bytes whose change must change the fingerprint, and ones that must not. */
	size_t seen[8], unseen[4];
} kinds[] = {
	{make_ext, FINGERPRINT_EXT, 0xe4, {1024 + 44, 1024 + 48, 1024 + 52, 1024 + 64, 1024 + 96, 1024 + 0x274, 1024 + 0x275},
	 {1024 + 12, 1024 + 0x178, 100}},
	{make_xfs, FINGERPRINT_XFS, 0x8f, {(64 + 8) * 4096 + 695 * 512 + 99, 140, 300}, {4096, (64 + 8) * 4096 + 100 * 512 + 99, 40 * 4096}},
	{make_btrfs, FINGERPRINT_BTRFS, 0xb7, {65536, 65536 + 72, 65536 + 80, 65536 + 96}, {65536 + 120, 100, 1024 + 56}},
	{make_f2fs, FINGERPRINT_F2FS, 0xf2, {16 * 4096, 20 * 4096, 16 * 4096 + 500}, {17 * 4096, 1024 + 3000}},
	{make_vfat32, FINGERPRINT_VFAT, 0xef, {32 * 512, 331 * 512 + 511, 65, 632 * 512, 639 * 512}, {332 * 512, 640 * 512, 66}},
	{make_vfat16, FINGERPRINT_VFAT, 0xef, {32 * 512, 95 * 512, 37, 160 * 512, 191 * 512}, {96 * 512, 192 * 512, 66}},
};

START_TEST(what_changes_is_seen)
{
	struct fingerprint before, after;

	kinds[_i].make();
	ck_assert_int_eq(read_disk(&before), 0);
	ck_assert_int_eq(before.kind, kinds[_i].kind);
	ck_assert_uint_eq(before.uuid[0], kinds[_i].uuid);
	ck_assert_int_eq(read_disk(&after), 0);
	ck_assert_int_eq(fingerprint_compare(&before, &after, "/dev/x", &failure), 0);
	snprintf(before.mount, sizeof(before.mount), "/home");
	for (size_t i = 0; i < 8 && kinds[_i].seen[i]; i++) {
		disk[kinds[_i].seen[i]] ^= 4;
		ck_assert_int_eq(read_disk(&after), 0);
		ck_assert_msg(fingerprint_compare(&before, &after, "/dev/x", &failure) == -ESTALE, "byte %zu changed unseen",
			      kinds[_i].seen[i]);
		ck_assert_int_eq(failure.reason, REASON_STALE);
		ck_assert_str_eq(failure.object, "/dev/x");
		ck_assert_ptr_nonnull(strstr(failure.text, "/home"));
		disk[kinds[_i].seen[i]] ^= 4;
	}
	for (size_t i = 0; i < 4 && kinds[_i].unseen[i]; i++) {
		disk[kinds[_i].unseen[i]] ^= 4;
		ck_assert_int_eq(read_disk(&after), 0);
		ck_assert_msg(fingerprint_compare(&before, &after, "/dev/x", &failure) == 0, "byte %zu counts", kinds[_i].unseen[i]);
		disk[kinds[_i].unseen[i]] ^= 4;
	}
}
END_TEST

START_TEST(words_of_an_image_move_no_cursor)
{
	struct fingerprint before, after;

	make_ext();
	ck_assert_int_eq(read_disk(&before), 0);
	after = before;
	strcpy(before.mount, "/\x1b[2J\xc2\x9b\xe2\x80\xae/home");
	after.value[0] ^= 1;
	ck_assert_int_eq(fingerprint_compare(&before, &after, "/dev/x", &failure), -ESTALE);
	ck_assert_ptr_nonnull(strstr(failure.text, "mounted on /\\x1b[2J\\u{9b}\\u{202e}/home ("));
	after.uuid[0] ^= 1;
	ck_assert_int_eq(fingerprint_compare(&before, &after, "/dev/x", &failure), -EXDEV);
	ck_assert_ptr_nonnull(strstr(failure.text, "mounted on /\\x1b[2J\\u{9b}\\u{202e}/home"));
}
END_TEST

START_TEST(xfs_log_head_moves)
{
	struct fingerprint before, after;
	uint32_t head, cycle;

	make_xfs();
	ck_assert_int_eq(read_disk(&before), 0);
	memcpy(&cycle, before.value, 4);
	memcpy(&head, before.value + 4, 4);
	ck_assert_uint_eq(le32toh(cycle), 5);
	ck_assert_uint_eq(le32toh(head), 700);
	xfs_cycle(700, 5);
	ck_assert_int_eq(read_disk(&after), 0);
	memcpy(&head, after.value + 4, 4);
	ck_assert_uint_eq(le32toh(head), 701);
	ck_assert_int_eq(fingerprint_compare(&before, &after, "/dev/x", &failure), -ESTALE);
	/* Exactly full: the whole log in one round; then one block of the next. */
	for (size_t i = 0; i < 2048; i++)
		xfs_cycle(i, 5);
	ck_assert_int_eq(read_disk(&before), 0);
	memcpy(&head, before.value + 4, 4);
	ck_assert_uint_eq(le32toh(head), 2048);
	xfs_cycle(0, 6);
	ck_assert_int_eq(read_disk(&after), 0);
	memcpy(&head, after.value + 4, 4);
	ck_assert_uint_eq(le32toh(head), 1);
	ck_assert_int_eq(fingerprint_compare(&before, &after, "/dev/x", &failure), -ESTALE);
}
END_TEST

static const struct {
	void (*make)(void);
	size_t at;
	uint64_t value;
	size_t size;
	int result;
} nonsense[] = {
	{make_ext, 1024 + 24, 7, 4, -EUCLEAN},
	{make_xfs, 4, 0, 4, -EUCLEAN},
	{make_xfs, 4, 0xffffffff, 4, -EUCLEAN},
	{make_xfs, 84, 0, 4, -EUCLEAN},
	{make_xfs, 96, 0xffffffff, 4, -EUCLEAN},
	{make_xfs, 96, 0x01000000, 4, -EUCLEAN}, /* one block */
	{make_xfs, 96, 0xe8030000, 4, -EUCLEAN}, /* 1000 blocks: beyond the end of the filesystem */
	{make_xfs, 48, 0xffffffffffffff7f, 8, -EUCLEAN},
	{make_xfs, 48, 0, 8, -EOPNOTSUPP}, /* the log is on another device */
	{make_xfs, 124, 77, 1, -EUCLEAN},
	{make_f2fs, 1024 + 16, 40, 4, -EUCLEAN},
	{make_f2fs, 1024 + 20, 40, 4, -EUCLEAN},
	{make_f2fs, 1024 + 76, 0xfffffff0, 4, -EIO},
	{make_vfat32, 11, 100, 2, -EUCLEAN},
	{make_vfat32, 13, 0, 1, -EUCLEAN},
	{make_vfat32, 16, 0, 1, -EUCLEAN},
	{make_vfat32, 44, 1, 4, -EUCLEAN},
	{make_vfat32, 44, 0xffffffff, 4, -EIO},
	{make_vfat32, 36, 0xffffffff, 4, -EIO},
	{make_vfat32, 510, 0, 2, -ENODATA},
	{make_btrfs, 65536 + 64, 0, 1, -ENODATA},
};

START_TEST(nonsense_is_bounded)
{
	struct fingerprint print;

	nonsense[_i].make();
	put(nonsense[_i].at, nonsense[_i].value, nonsense[_i].size);
	ck_assert_int_eq(read_disk(&print), nonsense[_i].result);
	ck_assert_int_eq(print.kind, 0);
}
END_TEST

/* ---- a system ---------------------------------------------------------- */

static void add_device(const char *name, int minor, void (*make)(void), const char *serial)
{
	char path[128], text[128];

	memset(disk, 0, SIZE);
	make();
	snprintf(path, sizeof(path), "/dev/%s", name);
	tree_write_bytes(&tree, path, disk, SIZE);
	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	snprintf(text, sizeof(text), "8:%d\n", minor);
	tree_write(&tree, path, text);
	snprintf(path, sizeof(path), "/sys/class/block/%s/size", name);
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)(SIZE / 512));
	tree_write(&tree, path, text);
	snprintf(path, sizeof(path), "/sys/class/block/%s/serial", name);
	tree_write(&tree, path, serial);
	snprintf(path, sizeof(path), "/sys/dev/block/8:%d", minor);
	snprintf(text, sizeof(text), "../../x/%s", name);
	tree_link(&tree, path, text);
}

static void change_device(const char *name, size_t at)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(tree_path(&tree, path), O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_pwrite_full(fd, "\x7f", 1, at), 0);
	fd_close(fd);
}

static void setup_system(void)
{
	setup();
	tree_init(&tree);
	add_device("vda", 1, make_ext, "A\n");
	add_device("vdb", 2, make_btrfs, "B\n");
	add_device("vdc", 3, make_vfat32, "C\n");
	add_device("vdd", 4, make_xfs, "D\n");
	add_device("loop0", 5, make_ext, "L\n");
	tree_write(&tree, "/proc/self/mountinfo",
		   "20 1 0:4 / /proc rw - proc proc rw\n"
		   "21 1 0:44 /sub /data rw - btrfs /dev/vdb rw\n"
		   "22 1 8:1 / / rw - ext4 /dev/root rw\n"
		   "23 1 8:1 /x /bind rw - ext4 /dev/root rw\n"
		   "24 1 8:3 / /boot/efi rw - vfat /dev/vdc rw\n"
		   "25 1 8:5 / /snap ro - ext4 /dev/loop0 ro\n"
		   "26 1 8:4 / /other rw - ntfs3 /dev/vdd rw\n");
}

static void teardown_system(void)
{
	teardown();
	tree_deinit(&tree);
}

static uint32_t record(struct fingerprint *prints)
{
	uint32_t count = 0;

	ck_assert_int_eq(fingerprint_collect(&set, &tree.sys, buffer, &failure), 0);
	ck_assert_int_eq(REFUSING(fingerprint_read_all(&set, buffer, prints, &count, &failure)), 0);
	ck_assert_uint_eq(allocator_refused(), 0);
	return count;
}

START_TEST(mounted_filesystems_are_collected_once)
{
	struct fingerprint prints[FINGERPRINTS_MAX];

	ck_assert_uint_eq(record(prints), 3);
	ck_assert_uint_eq(set.unknown, 1);
	ck_assert_uint_eq(set.dropped, 0);
	ck_assert_str_eq(prints[0].mount, "/");
	ck_assert_int_eq(prints[0].kind, FINGERPRINT_EXT);
	ck_assert_str_eq(prints[0].device_id, "serial:A");
	ck_assert_uint_eq(prints[0].device_size, SIZE);
	ck_assert_str_eq(prints[1].mount, "/data");
	ck_assert_int_eq(prints[1].kind, FINGERPRINT_BTRFS);
	ck_assert_str_eq(prints[2].mount, "/boot/efi");
}
END_TEST

/* A mount of a type that its device does not hold is not fingerprinted as something else. */
START_TEST(wrong_type_is_unknown)
{
	struct fingerprint prints[FINGERPRINTS_MAX];

	tree_write(&tree, "/proc/self/mountinfo", "22 1 8:1 / / rw - xfs /dev/vda rw\n");
	ck_assert_uint_eq(record(prints), 0);
	ck_assert_uint_eq(set.unknown, 1);
}
END_TEST

START_TEST(more_filesystems_than_fit)
{
	struct fingerprint prints[FINGERPRINTS_MAX];
	char text[8192] = "", name[16];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "sd%d", i);
		add_device(name, 100 + i, make_ext, "S\n");
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d 1 8:%d / /m%d rw - ext4 /dev/%s rw\n", i + 30, 100 + i, i, name);
	}
	strcat(text, "99 1 8:1 / / rw - ext4 /dev/root rw\n");
	tree_write(&tree, "/proc/self/mountinfo", text);
	ck_assert_uint_eq(record(prints), FINGERPRINTS_MAX);
	ck_assert_uint_eq(set.dropped, 41 - FINGERPRINTS_MAX);
	ck_assert_str_eq(prints[0].mount, "/");
}
END_TEST

START_TEST(resume_checks_them_all)
{
	struct fingerprint prints[FINGERPRINTS_MAX];
	struct fingerprint_result result;
	uint32_t count = record(prints);

	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, count, buffer, &result, &failure), 0);
	ck_assert_uint_eq(result.checked, 3);
	ck_assert_uint_eq(result.absent, 0);
	ck_assert_uint_eq(result.warnings, 0);

	change_device("vdc", 32 * 512 + 7);
	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, count, buffer, &result, &failure), 0);
	ck_assert_uint_eq(result.warnings, 1);
	ck_assert_str_eq(result.warning.object, "/dev/vdc");

	change_device("vdb", 65536 + 72);
	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, count, buffer, &result, &failure), -ESTALE);
	ck_assert_int_eq(failure.reason, REASON_STALE);
	ck_assert_str_eq(failure.object, "/dev/vdb");
	ck_assert_ptr_nonnull(strstr(failure.text, "/data"));
	ck_assert_uint_eq(result.checked, 3);

	tree_remove(&tree, "/dev/vdb");
	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, count, buffer, &result, &failure), 0);
	ck_assert_uint_eq(result.absent, 1);
	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, FINGERPRINTS_MAX + 1, buffer, &result, &failure), -E2BIG);
}
END_TEST

/* A clean copy must not hide that the original was written, and a written copy does not make it stale. */
START_TEST(copies_do_not_count)
{
	struct fingerprint prints[FINGERPRINTS_MAX];
	struct fingerprint_result result;
	uint32_t count = record(prints);

	add_device("vd0", 50, make_ext, "copy\n");
	add_device("vdz", 51, make_ext, "another\n");
	change_device("vd0", 1024 + 48);
	change_device("vdz", 1024 + 48);
	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, count, buffer, &result, &failure), 0);
	add_device("vdy", 52, make_ext, "third\n");
	change_device("vda", 1024 + 48);
	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, count, buffer, &result, &failure), -ESTALE);
	ck_assert_str_eq(failure.object, "/dev/vda");
	/* Its disk has another name now: what is equal will do. */
	tree_remove(&tree, "/dev/vda");
	ck_assert_int_eq(fingerprint_check_all(&tree.sys, prints, count, buffer, &result, &failure), 0);
}
END_TEST

START_TEST(another_filesystem_is_told)
{
	struct fingerprint prints[FINGERPRINTS_MAX];

	record(prints);
	ck_assert_int_eq(fingerprint_compare(&prints[0], &prints[1], "/dev/x", &failure), -EXDEV);
	ck_assert_int_eq(failure.reason, REASON_WRONG_MACHINE);
}
END_TEST

START_TEST(device_that_fails_is_named)
{
	struct fingerprint prints[FINGERPRINTS_MAX];
	uint32_t count = 99;

	ck_assert_int_eq(fingerprint_collect(&set, &tree.sys, buffer, &failure), 0);
	ck_assert_int_eq(truncate(tree_path(&tree, "/dev/vdb"), 65536), 0);
	ck_assert_int_lt(fingerprint_read_all(&set, buffer, prints, &count, &failure), 0);
	ck_assert_int_eq(failure.reason, REASON_IO);
	ck_assert_str_eq(failure.object, "/data");
	ck_assert_uint_eq(count, 99);
}
END_TEST

START_TEST(names)
{
	for (int i = FINGERPRINT_EXT; i < _FINGERPRINT_KIND_MAX; i++) {
		ck_assert_ptr_nonnull(fingerprint_kind_name(i));
		ck_assert_int_eq(fingerprint_only_warns(i), i == FINGERPRINT_VFAT);
	}
	ck_assert_ptr_null(fingerprint_kind_name(0));
	ck_assert_ptr_null(fingerprint_kind_name(_FINGERPRINT_KIND_MAX));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fingerprint");
	TCase *bytes = tcase_create("bytes"), *system_case = tcase_create("system");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, bytes);
	tcase_add_checked_fixture(bytes, setup, teardown);
	tcase_add_loop_test(bytes, what_changes_is_seen, 0, ARRAY_LENGTH(kinds));
	tcase_add_test(bytes, xfs_log_head_moves);
	tcase_add_test(bytes, words_of_an_image_move_no_cursor);
	tcase_add_loop_test(bytes, nonsense_is_bounded, 0, ARRAY_LENGTH(nonsense));
	tcase_add_test(bytes, names);
	suite_add_tcase(suite, system_case);
	tcase_add_checked_fixture(system_case, setup_system, teardown_system);
	tcase_add_test(system_case, mounted_filesystems_are_collected_once);
	tcase_add_test(system_case, wrong_type_is_unknown);
	tcase_add_test(system_case, more_filesystems_than_fit);
	tcase_add_test(system_case, resume_checks_them_all);
	tcase_add_test(system_case, copies_do_not_count);
	tcase_add_test(system_case, another_filesystem_is_told);
	tcase_add_test(system_case, device_that_fails_is_named);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
