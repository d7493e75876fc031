/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fingerprints of filesystems that their own tools made and changed. A tool that is not installed skips its
 * case; the program then ends with 77, which the test driver counts as skipped.
 */
#include "area/fingerprint.h"
#include "base/fdio.h"

#include <check.h>
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char buffer[FINGERPRINT_BUFFER_BYTES] __attribute__((aligned(PAGE_BYTES)));

#define IN_PLACE "cd \"$TOOLS_DIR\" && PATH=$PATH:/sbin:/usr/sbin && { "
#define QUIETLY "; } >/dev/null 2>&1"

static int run(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), IN_PLACE "%s" QUIETLY, command);
	return system(line);
}

static const struct {
	const char *tools, *make, *change;
	enum fingerprint_kind kind;
} cases[] = {
	{"mkfs.ext4 tune2fs", "E2FSPROGS_FAKE_TIME=1700000000 mkfs.ext4 -q -F -U 33333333-2222-1111-0000-999999999999 fs 16M",
	 "tune2fs -L changed fs", FINGERPRINT_EXT},
	{"mkfs.ext2 e2fsck", "E2FSPROGS_FAKE_TIME=1700000000 mkfs.ext2 -q -F -U 33333333-2222-1111-0000-999999999999 fs 4M",
	 "e2fsck -f -y fs", FINGERPRINT_EXT},
	{"mkfs.xfs xfs_db", "truncate -s 400M fs && mkfs.xfs -q -f -m uuid=33333333-2222-1111-0000-999999999999 fs",
	 "xfs_db -x -c 'logformat -c 9' fs", FINGERPRINT_XFS},
	{"mkfs.xfs xfs_admin", "truncate -s 400M fs && mkfs.xfs -q -f -b size=1024 -m uuid=33333333-2222-1111-0000-999999999999 fs",
	 "xfs_admin -L changed fs", FINGERPRINT_XFS},
	{"mkfs.btrfs btrfs", "truncate -s 200M fs && mkfs.btrfs -q -f -U 33333333-2222-1111-0000-999999999999 fs",
	 "btrfs filesystem label fs changed", FINGERPRINT_BTRFS},
	{"mkfs.vfat fatlabel", "truncate -s 40M fs && mkfs.vfat -F 32 -i 33333333 fs", "fatlabel fs CHANGED", FINGERPRINT_VFAT},
	{"mkfs.vfat fatlabel", "truncate -s 32M fs && mkfs.vfat -F 16 -i 33333333 fs", "fatlabel fs CHANGED", FINGERPRINT_VFAT},
	{"mkfs.f2fs", "truncate -s 100M fs && mkfs.f2fs -q -f -U 33333333-2222-1111-0000-999999999999 fs",
	 "printf '\\377' | dd of=fs bs=1 seek=$((512 * 4096 + 3)) conv=notrunc", FINGERPRINT_F2FS},
};

static bool tools_there(const char *tools)
{
	char command[256];

	snprintf(command, sizeof(command), "for t in %s; do command -v $t || exit 1; done", tools);
	return run(command) == 0;
}

static struct fingerprint read_now(void)
{
	struct fingerprint print = {0};
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/fs", getenv("TOOLS_DIR"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fingerprint_read(fd, buffer, &print), 0);
	fd_close(fd);
	return print;
}

START_TEST(real_filesystem)
{
	struct fingerprint before, after;
	struct failure failure;

	if (!tools_there(cases[_i].tools))
		return;
	ck_assert_int_eq(run(cases[_i].make), 0);
	before = read_now();
	ck_assert_int_eq(before.kind, cases[_i].kind);
	ck_assert_uint_eq(before.uuid[0], 0x33);
	after = read_now();
	ck_assert_int_eq(fingerprint_compare(&before, &after, "fs", &failure), 0);
	ck_assert_int_eq(run(cases[_i].change), 0);
	after = read_now();
	ck_assert_int_lt(fingerprint_compare(&before, &after, "fs", &failure), 0);
	ck_assert_int_eq(failure.reason, REASON_STALE);
}
END_TEST

/* The head of the log is where XFS' own tool finds it. */
START_TEST(log_head_as_xfs_sees_it)
{
	static const char *const logs[] = {"logformat -c 9", "logformat -c 200"};
	struct fingerprint print;
	uint32_t head;
	char command[256];

	if (!tools_there("mkfs.xfs xfs_db xfs_logprint"))
		return;
	ck_assert_int_eq(run("truncate -s 400M fs && mkfs.xfs -q -f fs"), 0);
	for (size_t i = 0; i <= ARRAY_LENGTH(logs); i++) {
		print = read_now();
		memcpy(&head, print.value + 4, sizeof(head));
		snprintf(command, sizeof(command), "xfs_logprint -t fs | grep -q 'head: %u '", le32toh(head));
		ck_assert_msg(run(command) == 0, "xfs_logprint finds another head than %u", le32toh(head));
		if (i < ARRAY_LENGTH(logs)) {
			snprintf(command, sizeof(command), "xfs_db -x -c '%s' fs", logs[i]);
			ck_assert_int_eq(run(command), 0);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fingerprint-tools");
	TCase *tcase = tcase_create("tools");
	SRunner *runner = srunner_create(suite);
	char place[] = "/tmp/fingerprint-XXXXXX";
	int bad, missing = 0;

	if (!mkdtemp(place) || setenv("TOOLS_DIR", place, 1) < 0)
		return EXIT_FAILURE;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		if (tools_there(cases[i].tools))
			continue;
		printf("skipped, not installed: one of %s\n", cases[i].tools);
		missing++;
	}
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, real_filesystem, 0, ARRAY_LENGTH(cases));
	tcase_add_test(tcase, log_head_as_xfs_sees_it);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	run("rm -f fs; cd /; rmdir \"$TOOLS_DIR\"");
	return bad ? EXIT_FAILURE : missing ? 77 : EXIT_SUCCESS;
}
