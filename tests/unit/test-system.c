/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the system: paths below a root, whole reads and writes, and failpoints where they are compiled in. */
#include "tree.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fdio.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(nothing_leads_out_of_the_root)
{
	struct tree tree;
	char text[64];

	tree_init(&tree);
	tree_write(&tree, "/etc/passwd", "inside\n");
	tree_link(&tree, "/absolute", "/etc/passwd");
	tree_link(&tree, "/upward", "../../../../../../etc/passwd");
	ck_assert_int_eq(sys_read(&tree.sys, "/etc/passwd", text, sizeof(text)), 6);
	ck_assert_str_eq(text, "inside");
	ck_assert_int_eq(sys_read(&tree.sys, "/absolute", text, sizeof(text)), 6);
	ck_assert_int_eq(sys_read(&tree.sys, "/upward", text, sizeof(text)), 6);
	ck_assert_int_eq(sys_read(&tree.sys, "/../../../../../etc/passwd", text, sizeof(text)), 6);
	ck_assert_str_eq(text, "inside");
	ck_assert_int_eq(sys_read(&tree.sys, "/proc/version", text, sizeof(text)), -ENOENT);
	tree_deinit(&tree);
}
END_TEST

START_TEST(descriptors_are_not_inherited)
{
	struct tree tree;
	int fd;

	tree_init(&tree);
	tree_write(&tree, "/x", "");
	fd = sys_open(&tree.sys, "/x", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fd_close(fd), -1);
	tree_deinit(&tree);
}
END_TEST

START_TEST(texts_fit_with_their_end_or_not_at_all)
{
	struct tree tree;
	char text[8];

	tree_init(&tree);
	tree_write(&tree, "/seven", "1234567");
	tree_write(&tree, "/eight", "12345678");
	tree_write(&tree, "/empty", "");
	tree_write(&tree, "/lines", "a\nb\n");
	ck_assert_int_eq(sys_read(&tree.sys, "/seven", text, sizeof(text)), 7);
	ck_assert_str_eq(text, "1234567");
	ck_assert_int_eq(sys_read(&tree.sys, "/eight", text, sizeof(text)), -EFBIG);
	ck_assert_int_eq(sys_read(&tree.sys, "/empty", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(sys_read(&tree.sys, "/lines", text, sizeof(text)), 3);
	ck_assert_str_eq(text, "a\nb");
	tree_link(&tree, "/link", "1234567");
	ck_assert_int_eq(sys_readlink(&tree.sys, "/link", text, sizeof(text)), 7);
	ck_assert_str_eq(text, "1234567");
	ck_assert_int_eq(sys_readlink(&tree.sys, "/link", text, 7), -ENAMETOOLONG);
	ck_assert_int_eq(sys_readlink(&tree.sys, "/seven", text, sizeof(text)), -ENOENT);
	tree_deinit(&tree);
}
END_TEST

static const struct {
	const char *text;
	int result;
	uint64_t value;
} numbers[] = {
	{"0", 0, 0},
	{"18446744073709551615\n", 0, UINT64_MAX},
	{"18446744073709551616\n", -EINVAL, 0},
	{"-1\n", -EINVAL, 0},
	{" 1\n", -EINVAL, 0},
	{"12 34\n", -EINVAL, 0},
	{"0x10\n", -EINVAL, 0},
	{"\n", -EINVAL, 0},
	{"123456789012345678901234567890123\n", -EFBIG, 0},
};

START_TEST(numbers_are_whole_files)
{
	uint64_t value = 77;
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, "/number", numbers[_i].text);
	ck_assert_int_eq(sys_read_u64(&tree.sys, "/number", &value), numbers[_i].result);
	ck_assert_uint_eq(value, numbers[_i].result ? 77 : numbers[_i].value);
	tree_deinit(&tree);
}
END_TEST

START_TEST(settings_are_written_to_what_exists)
{
	struct tree tree;
	char text[16];

	tree_init(&tree);
	ck_assert_int_eq(sys_write(&tree.sys, "/setting", "1"), -ENOENT);
	tree_write(&tree, "/setting", "");
	ck_assert_int_eq(sys_write(&tree.sys, "/setting", "disk"), 0);
	ck_assert_int_eq(sys_read(&tree.sys, "/setting", text, sizeof(text)), 4);
	ck_assert_str_eq(text, "disk");
	tree_deinit(&tree);
}
END_TEST

static int fake_ioctl(void *data, int fd, unsigned long request, void *argument)
{
	*(int *)data += fd;
	return argument ? (int)request : -EBUSY;
}

static int fake_reboot(void *data, int command)
{
	*(int *)data = command;
	return -EPERM;
}

START_TEST(calls_go_to_the_fake)
{
	static const struct sysctx_ops ops = {.ioctl = fake_ioctl, .reboot = fake_reboot};
	struct tree tree;
	int seen = 0;

	tree_init_with(&tree, &ops, &seen);
	ck_assert_int_eq(sys_ioctl(&tree.sys, 5, 7, &seen), 7);
	ck_assert_int_eq(sys_ioctl(&tree.sys, 5, 7, NULL), -EBUSY);
	ck_assert_int_eq(seen, 10);
	ck_assert_int_eq(sys_reboot(&tree.sys, 99), -EPERM);
	ck_assert_int_eq(seen, 99);
	tree_deinit(&tree);
}
END_TEST

START_TEST(whole_reads_and_writes)
{
	AUTO_CLOSE int fd = memfd_create("file", MFD_CLOEXEC);
	char data[8] = "abcdefg", back[8] = "";

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_pwrite_full(fd, data, 8, 4), 0);
	ck_assert_int_eq(fd_pread_full(fd, back, 8, 4), 0);
	ck_assert_str_eq(back, data);
	ck_assert_int_eq(fd_pread_full(fd, back, 8, 5), -EIO);
	ck_assert_int_eq(fd_pread_full(-1, back, 8, 0), -EBADF);
	ck_assert_int_eq(fd_pwrite_full(-1, back, 8, 0), -EBADF);
	ck_assert_int_eq(fd_write_full(fd, "xy", 2), 0);
	ck_assert_int_eq(fd_pread_full(fd, back, 2, 0), 0);
	ck_assert_mem_eq(back, "xy", 2);
}
END_TEST

START_TEST(closing_keeps_errno_and_forgets)
{
	int fd = dup(STDERR_FILENO);

	errno = EXDEV;
	ck_assert_int_eq(fd_close(fd), -1);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(fd_close(-1), -1);
	fd = dup(STDERR_FILENO);
	fd_cleanup(&fd);
	ck_assert_int_eq(fd, -1);
	fd_cleanup(&fd);
}
END_TEST

START_TEST(clocks_run_in_microseconds)
{
	uint64_t before = clock_monotonic_usec(), slept;

	clock_sleep_usec(20 * USEC_PER_MSEC);
	slept = clock_monotonic_usec() - before;
	ck_assert_uint_ge(slept, 20 * USEC_PER_MSEC);
	ck_assert_uint_lt(slept, 10 * USEC_PER_SEC);
	/* After 2020, before 2200. */
	ck_assert_uint_gt(clock_realtime_usec(), UINT64_C(1577836800) * USEC_PER_SEC);
	ck_assert_uint_lt(clock_realtime_usec(), UINT64_C(7258118400) * USEC_PER_SEC);
}
END_TEST

#if ENABLE_FAILPOINTS
static volatile sig_atomic_t signals_seen;

START_TEST(failpoints_skip_then_fire_once)
{
	struct failpoints set;

	ck_assert_int_eq(failpoints_parse(&set, "write error:5 2\n\nread kill:worker\nwrite error:28\n"), 0);
	ck_assert_uint_eq(set.count, 3);
	ck_assert_int_eq(failpoint_hit(&set, "elsewhere"), 0);
	ck_assert_int_eq(failpoint_hit(&set, "write"), -28); /* the first skips twice, so the last fires */
	ck_assert_int_eq(failpoint_hit(&set, "write"), 0);
	ck_assert_int_eq(failpoint_hit(&set, "write"), -5);
	ck_assert_int_eq(failpoint_hit(&set, "write"), 0);
	ck_assert_int_eq(failpoint_hit(&set, "read"), FAILPOINT_KILL_OTHER);
	ck_assert_int_eq(failpoint_hit(&set, "read"), 0);
}
END_TEST

START_TEST(failpoints_kill_the_parent_and_go_on)
{
	struct failpoints set;
	int status, ends[2];
	char byte = 0;
	pid_t parent;

	ck_assert_int_eq(failpoints_parse(&set, "write kill:parent\nwrite error:5\n"), 0);
	ck_assert_int_eq(pipe(ends), 0);
	parent = fork();
	if (parent == 0 && fork() > 0) {
		alarm(30); /* a failpoint that does not kill */
		for (;;)
			pause();
	}
	if (parent == 0) {
		byte = failpoint_hit(&set, "write") == -5;
		_exit(write(ends[1], &byte, 1) != 1);
	}
	ck_assert_int_eq(waitpid(parent, &status, 0), parent);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static void count_signal(int number)
{
	(void)number;
	signals_seen++;
}

START_TEST(failpoints_signal_and_wait_and_go_on)
{
	struct sigaction action = {.sa_handler = count_signal};
	struct failpoints set;
	uint64_t before = clock_monotonic_usec();

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	ck_assert_int_eq(failpoints_parse(&set, "write term\nread int\nflush wait:1\n"), 0);
	ck_assert_int_eq(failpoint_hit(&set, "write"), 0);
	ck_assert_int_eq(signals_seen, 1);
	ck_assert_int_eq(failpoint_hit(&set, "write"), 0);
	ck_assert_int_eq(signals_seen, 1);
	ck_assert_int_eq(failpoint_hit(&set, "read"), 0);
	ck_assert_int_eq(signals_seen, 2);
	ck_assert_uint_lt(clock_monotonic_usec(), before + USEC_PER_SEC);
	ck_assert_int_eq(failpoint_hit(&set, "flush"), 0);
	ck_assert_uint_ge(clock_monotonic_usec(), before + USEC_PER_SEC);
}
END_TEST

/* Whom no sandbox kills, the point fails: a test that tries must not pass because nothing was tried. */
START_TEST(failpoints_try_and_fail)
{
	struct failpoints set;

	ck_assert_int_eq(failpoints_parse(&set, "write try:open\nwrite try:socket\nwrite try:execve\nwrite try:ptrace\n"), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(failpoint_hit(&set, "write"), -EPROTO);
	ck_assert_int_eq(failpoint_hit(&set, "write"), 0);
}
END_TEST

static const char *const bad_failpoints[] = {
	"write\n", "write fail\n", "write errors:5\n", "write try\n", "write try:\n", "write try:close\n",
	"a-name-of-more-characters-than-any-failpoint-in-the-source-has-and-some-more-so-that-the-line-is-too-long-to-be-right-in-any-way error:5\n",
};

START_TEST(failpoints_that_make_no_sense)
{
	struct failure f = {0};
	struct failpoints set;
	struct tree tree;

	ck_assert_int_eq(failpoints_parse(&set, bad_failpoints[_i]), -EINVAL);
	tree_init(&tree);
	ck_assert_int_eq(failpoints_load(&set, &tree.sys, &f), 0);
	ck_assert_uint_eq(set.count, 0);
	tree_write(&tree, FAILPOINTS_PATH, bad_failpoints[_i]);
	ck_assert_int_eq(failpoints_load(&set, &tree.sys, &f), -EINVAL);
	ck_assert_int_eq(f.reason, REASON_CONFIG);
	tree_deinit(&tree);
}
END_TEST
#else
START_TEST(failpoints_are_nothing)
{
	struct failpoints set = {.count = 1, .items = {{.name = "write", .action = "kill"}}};

	ck_assert_int_eq(failpoint_hit(&set, "write"), 0);
	ck_assert_int_eq(failpoints_parse(&set, "write kill\n"), 0);
	ck_assert_uint_eq(set.count, 0);
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("system");
	TCase *cases = tcase_create("system");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_test(cases, nothing_leads_out_of_the_root);
	tcase_add_test(cases, descriptors_are_not_inherited);
	tcase_add_test(cases, texts_fit_with_their_end_or_not_at_all);
	tcase_add_loop_test(cases, numbers_are_whole_files, 0, ARRAY_LENGTH(numbers));
	tcase_add_test(cases, settings_are_written_to_what_exists);
	tcase_add_test(cases, calls_go_to_the_fake);
	tcase_add_test(cases, whole_reads_and_writes);
	tcase_add_test(cases, closing_keeps_errno_and_forgets);
	tcase_add_test(cases, clocks_run_in_microseconds);
#if ENABLE_FAILPOINTS
	tcase_add_test(cases, failpoints_skip_then_fire_once);
	tcase_add_test(cases, failpoints_kill_the_parent_and_go_on);
	tcase_add_test(cases, failpoints_signal_and_wait_and_go_on);
	tcase_add_test(cases, failpoints_try_and_fail);
	tcase_add_loop_test(cases, failpoints_that_make_no_sense, 0, ARRAY_LENGTH(bad_failpoints));
#else
	tcase_add_test(cases, failpoints_are_nothing);
#endif
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
