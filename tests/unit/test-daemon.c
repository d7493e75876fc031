/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon decides before it changes anything. */
#include "base/clock.h"
#include "base/fdio.h"
#include "daemon/blockers.h"
#include "daemon/compat.h"
#include "daemon/discard.h"
#include "daemon/estimate.h"
#include "daemon/id.h"
#include "daemon/keys.h"
#include "daemon/log.h"
#include "daemon/manager.h"
#include "daemon/refusers.h"
#include "daemon/session.h"
#include "daemon/supervisor.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(boot_kernels_and_images)
{
	static const struct {
		const char *image, *image_machine, *boot, *boot_machine;
		enum reason reason;
	} rows[] = {
		{"6.1.0-40-amd64", "x86_64", "6.1.0-40-amd64", "x86_64", REASON_NONE},
		{"6.1.0-40-amd64", "x86_64", "7.2.0-1-amd64", "x86_64", REASON_NONE},
		{"6.12.3", "x86_64", "7.2.13", "x86_64", REASON_NONE},
		{"6.5.13", "x86_64", "6.1.0", "x86_64", REASON_NONE},
		{"6.6.0", "x86_64", "6.5.13", "x86_64", REASON_WRONG_KERNEL},
		{"6.12.3", "x86_64", "6.1.0-40-amd64", "x86_64", REASON_WRONG_KERNEL},
		{"7.2.13", "x86_64", "6.1.0-40-amd64", "x86_64", REASON_WRONG_KERNEL},
		{"6.12.3", "aarch64", "6.12.4", "aarch64", REASON_NONE},
		{"6.12.3", "riscv64", "6.12.4", "riscv64", REASON_WRONG_KERNEL},
		{"6.12.3", "riscv64", "6.12.3", "riscv64", REASON_NONE},
		{"6.12.3", "i686", "6.12.3", "x86_64", REASON_WRONG_MACHINE},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct failure f = {0};
		int r = compat_check(rows[i].image, rows[i].image_machine, rows[i].boot, rows[i].boot_machine, &f);

		ck_assert_msg(f.reason == rows[i].reason && (r < 0) == failed(&f), "row %zu: %s, not %s", i,
			      reason_name(f.reason), reason_name(rows[i].reason));
		if (f.reason == REASON_WRONG_KERNEL)
			ck_assert_ptr_nonnull(strstr(f.remedy, rows[i].image));
	}
}
END_TEST

START_TEST(words_of_an_image_move_no_cursor)
{
	static const char *const hostile[][2] = {{"6.12\x1b[2J\x9b", "x86_64"}, {"6.12", "riscv\x1b]0;x\x07"}};

	for (size_t i = 0; i < ARRAY_LENGTH(hostile); i++) {
		struct failure f = {0};

		ck_assert_int_lt(compat_check(hostile[i][0], hostile[i][1], "6.1.0", "x86_64", &f), 0);
		ck_assert_ptr_nonnull(strstr(f.text, "\\x1b"));
		ck_assert_ptr_null(strpbrk(f.text, "\x1b\x9b\x07"));
		ck_assert_ptr_null(strpbrk(f.remedy, "\x1b\x9b\x07"));
	}
}
END_TEST

#define MEMINFO                                                                                     \
	"MemTotal:        1000000 kB\nMemFree:          400000 kB\nMemAvailable:     700000 kB\n"    \
	"Buffers:           20000 kB\nCached:           280000 kB\nSReclaimable:     50000 kB\n"    \
	"Shmem:             50000 kB\nSlab:             90000 kB\n"

START_TEST(estimates)
{
	static const struct {
		struct image_size_wish wish;
		enum codec_id codec;
		uint64_t free_kib;
		uint64_t image_kib, stored_kib, least_kib;
	} rows[] = {
		/* in use: 1000000 - 400000 - (20000 + 280000 - 50000) - 50000 = 300000 */
		{{.automatic = true}, CODEC_LZ4, 500000, 400000, 240000, 60000},
		{{.automatic = true}, CODEC_LZ4, 100000, 100000, 180000, 60000},
		{{.percent = 50}, CODEC_NONE, 500000, 500000, 500000, 300000},
		{{.bytes = 0}, CODEC_NONE, 500000, 0, 300000, 300000},
		{{.bytes = 900000 * KIB}, CODEC_NONE, 500000, 900000, 600000, 300000},
	};
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, "/proc/meminfo", MEMINFO);
	tree_write(&tree, "/sys/power/image_size", "409600000\n");
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct failure f = {0};
		struct estimate e;

		ck_assert_int_eq(estimate_make(&e, &tree.sys, &rows[i].wish, rows[i].codec, rows[i].free_kib * KIB, &f), 0);
		ck_assert_msg(e.in_use == 300000 * KIB, "row %zu: in use %llu", i, (unsigned long long)e.in_use / KIB);
		ck_assert_msg(e.image_size / KIB == rows[i].image_kib, "row %zu: image %llu", i,
			      (unsigned long long)e.image_size / KIB);
		ck_assert_msg(div_up(e.stored, 100 * KIB) == rows[i].stored_kib / 100, "row %zu: stored %llu", i,
			      (unsigned long long)e.stored / KIB);
		ck_assert_msg(div_up(e.least, 100 * KIB) == rows[i].least_kib / 100, "row %zu: least %llu", i,
			      (unsigned long long)e.least / KIB);
		ck_assert_int_eq(estimate_check(&e, "/dev/x", e.least, &f), 0);
		ck_assert_int_lt(estimate_check(&e, "/dev/x", e.least - 1, &f), 0);
		ck_assert_int_eq(f.reason, REASON_TOO_SMALL);
	}
	tree_deinit(&tree);
}
END_TEST

static void quiet_tree(struct tree *tree)
{
	tree_init(tree);
	tree_write(tree, "/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\nnone /proc proc rw 0 0\nx /mnt fuse.sshfs rw 0 0\n");
	tree_write(tree, "/proc/1/status", "Name:\tinit\nState:\tS (sleeping)\nTracerPid:\t0\nUid:\t0\nVmSize:\t100 kB\n");
	tree_write(tree, "/proc/1/comm", "init\n");
	tree_write(tree, "/proc/1/fd/keep", "");
}

START_TEST(nothing_blocks)
{
	struct failure f = {0};
	struct tree tree;

	quiet_tree(&tree);
	ck_assert_int_eq(blockers_check(&tree.sys, &f), 0);
	/* A fanotify listener that is only told does no harm. */
	tree_link(&tree, "/proc/1/fd/5", "anon_inode:[fanotify]");
	tree_write(&tree, "/proc/1/fdinfo/5", "pos:\t0\nflags:\t02\nfanotify flags:0 event-flags:8000\n");
	ck_assert_int_eq(blockers_check(&tree.sys, &f), 0);
	tree_deinit(&tree);
}
END_TEST

START_TEST(blockers_are_named)
{
	struct tree tree;
	struct failure f = {0};

	quiet_tree(&tree);
	tree_write(&tree, "/proc/self/mounts", "zfs-fuse / fuse.zfs rw 0 0\n");
	ck_assert_int_lt(blockers_check(&tree.sys, &f), 0);
	ck_assert_int_eq(f.reason, REASON_BLOCKED);
	ck_assert_str_eq(f.object, "zfs-fuse");
	tree_deinit(&tree);

	quiet_tree(&tree);
	tree_write(&tree, "/proc/77/status", "Name:\tvi\nTracerPid:\t42\nVmSize:\t100 kB\n");
	tree_write(&tree, "/proc/77/comm", "vi\n");
	ck_assert_int_lt(blockers_check(&tree.sys, &f), 0);
	ck_assert_str_eq(f.object, "process 77 (vi)");
	ck_assert_ptr_nonnull(strstr(f.text, "42"));
	tree_deinit(&tree);

	quiet_tree(&tree);
	tree_link(&tree, "/proc/1/fd/5", "anon_inode:[fanotify]");
	tree_write(&tree, "/proc/1/fdinfo/5", "pos:\t0\nfanotify flags:4 event-flags:8000\n");
	ck_assert_int_lt(blockers_check(&tree.sys, &f), 0);
	ck_assert_str_eq(f.object, "process 1 (init)");
	tree_deinit(&tree);
}
END_TEST

START_TEST(refusing_tasks_are_read_from_the_log)
{
	char name[16];
	int pid = 0;

	ck_assert(refusers_parse("6,901,4242,-;task:dd              state:D stack:0     pid:123   tgid:123   ppid:1\n", name, &pid));
	ck_assert_str_eq(name, "dd");
	ck_assert_int_eq(pid, 123);
	ck_assert(refusers_parse("6,9,4,-;task:a b             state:D stack:13320 pid:  77 ppid:   1 flags:0x4\n", name, &pid));
	ck_assert_str_eq(name, "a b");
	ck_assert_int_eq(pid, 77);
	ck_assert(!refusers_parse("6,9,4,-;a task:x state:D pid:1\n", name, &pid));
	ck_assert(!refusers_parse("6,9,4,-;task:x\n", name, &pid));
	ck_assert(!refusers_parse("no record", name, &pid));
}
END_TEST

START_TEST(only_a_lone_escape_aborts)
{
	static const struct {
		const char *typed;
		bool aborts;
	} rows[] = {
		{"", false},       {"abc\r\n", false}, {"\x1b[A", false},  {"\x1bOP", false},
		{"\x1b", true},    {"x\x1b", true},     {"\x1b\x1b[A", true}, {"\x1b[A\x1b", true},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct keys keys = {.signals = -1, .esc = true};
		int ends[2];

		ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
		keys.console = ends[0];
		ck_assert_int_eq(write(ends[1], rows[i].typed, strlen(rows[i].typed)), (ssize_t)strlen(rows[i].typed));
		ck_assert_msg(keys_aborted(&keys) == rows[i].aborts, "row %zu", i);
		ck_assert_msg(keys_aborted(&keys) == rows[i].aborts, "row %zu: not sticky", i);
		if (rows[i].aborts)
			ck_assert_str_eq(keys.by, "the Esc key");
		close(ends[0]);
		close(ends[1]);
	}
}
END_TEST

START_TEST(input_devices_abort)
{
	static const struct {
		struct input_event event;
		bool esc, power, aborts;
	} rows[] = {
		{{.type = EV_KEY, .code = KEY_POWER, .value = 1}, true, true, true},
		{{.type = EV_KEY, .code = KEY_POWER, .value = 0}, true, true, false}, /* let go */
		{{.type = EV_KEY, .code = KEY_POWER, .value = 1}, true, false, false},
		{{.type = EV_KEY, .code = KEY_ESC, .value = 1}, true, false, true},
		{{.type = EV_KEY, .code = KEY_ESC, .value = 1}, false, true, false},
		{{.type = EV_REL, .code = KEY_ESC, .value = 1}, true, true, false},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct keys keys = {.signals = -1, .console = -1, .esc = rows[i].esc, .power = rows[i].power, .device_count = 1};
		int ends[2];

		ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
		keys.devices[0] = ends[0];
		ck_assert_int_eq(write(ends[1], &rows[i].event, sizeof(rows[i].event)), sizeof(rows[i].event));
		ck_assert_msg(keys_aborted(&keys) == rows[i].aborts, "row %zu", i);
		close(ends[0]);
		close(ends[1]);
	}
}
END_TEST

START_TEST(signals_wait_to_be_looked_at)
{
	struct keys keys;

	ck_assert_int_eq(keys_init(&keys), 0);
	ck_assert(!keys_aborted(&keys));
	kill(getpid(), SIGTERM);
	ck_assert(keys_aborted(&keys));
	ck_assert_str_eq(keys.by, "SIGTERM");
	keys_deinit(&keys);
}
END_TEST

START_TEST(waiting_ends_with_a_signal)
{
	struct keys keys;
	int ends[2];

	ck_assert_int_eq(keys_init(&keys), 0);
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	ck_assert_int_eq(keys_wait(&keys, ends[0], 0), 0);
	ck_assert_int_eq(write(ends[1], "\x1b", 1), 1);
	ck_assert_int_eq(keys_wait(&keys, ends[0], UINT64_MAX), 1);
	kill(getpid(), SIGHUP);
	ck_assert_int_eq(keys_wait(&keys, ends[0], UINT64_MAX), -ECANCELED);
	ck_assert_str_eq(keys.by, "SIGHUP");

	/* Forgotten is what was pressed, but no signal. */
	keys.aborted = false;
	keys.console = ends[0];
	kill(getpid(), SIGTERM);
	keys_forget(&keys);
	ck_assert(!keys.aborted);
	ck_assert(keys_aborted(&keys));
	ck_assert_str_eq(keys.by, "SIGTERM");
	keys.console = -1;
	keys_deinit(&keys);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(lines_are_held_back_while_frozen)
{
	struct log *log = calloc(1, sizeof(*log));
	char text[256] = "";
	int ends[2], saved = dup(STDERR_FILENO);

	log->kmsg = -1;
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	log_hold(log);
	log_line(log, LOG_LEVEL_INFO, "one %d", 1);
	log_line(log, LOG_LEVEL_ERROR, "two");
	ck_assert_int_lt(read(ends[0], text, sizeof(text) - 1), 0);
	log_release(log);
	ck_assert_int_gt(read(ends[0], text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "hibernated: one 1\nhibernated: two\n");
	log_hold(log);
	for (int i = 0; i < 4000; i++)
		log_line(log, LOG_LEVEL_INFO, "a line that fills the ring, again and again");
	ck_assert(log->lost);
	ck_assert_uint_le(log->used, sizeof(log->ring));
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	free(log);
}
END_TEST

/* How a stand-in for the worker reports: so many times, so far apart, with so much more each time; then it is done. */
struct reports {
	unsigned int times;
	unsigned int msec;
	uint64_t pages, bytes, total;
};

static void reporter(void *data, int socket, int memory, int area, int snapshot)
{
	const struct reports *reports = data;

	(void)memory;
	(void)area;
	(void)snapshot;
	worker_send(socket, WORKER_READY, (uint64_t[4]){WORKER_PROTOCOL_VERSION}, -1);
	for (uint64_t i = 1; i <= reports->times; i++) {
		usleep(reports->msec * 1000);
		worker_send(socket, WORKER_PROGRESS, (uint64_t[4]){i * reports->pages, reports->total, i * reports->bytes}, -1);
	}
	worker_send(socket, WORKER_DONE, NULL, -1);
	pause();
}

static int no_tick(void *data, const struct worker_message *progress, struct failure *f)
{
	(void)data;
	(void)progress;
	(void)f;
	return 0;
}

/* A byte at a time is not progress: a worker that moves that much would take years. */
START_TEST(a_worker_that_hardly_moves_is_ended)
{
	static const struct {
		struct reports reports;
		int result;
	} rows[] = {
		{{.times = 8, .msec = 100, .pages = 1, .total = 40}, 0},
		{{.times = 8, .msec = 100, .bytes = 16 * PAGE_BYTES, .total = 40960}, 0},
		{{.times = 1000, .msec = 10, .bytes = 1, .total = 40960}, -ETIMEDOUT},
		{{.times = 1000, .msec = 10, .pages = 0, .total = 40960}, -ETIMEDOUT},
		{{.times = 20, .msec = 100, .pages = 1, .total = 40960}, -ETIMEDOUT},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct reports reports = rows[i].reports;
		struct supervisor w;
		struct failure f = {0};
		int r;

		supervisor_init(&w);
		w.stand_in = reporter;
		w.stand_in_data = &reports;
		ck_assert_int_eq(supervisor_start(&w, -1, -1, &f), 0);
		supervisor_expect(&w, rows[i].reports.total, GIB);
		r = supervisor_await(&w, WORKER_DONE, 400 * USEC_PER_MSEC, no_tick, NULL, &f);
		ck_assert_msg(r == rows[i].result, "row %zu: %d, %s", i, r, f.text);
		ck_assert_int_eq(f.reason, r ? REASON_WORKER : REASON_NONE);
		supervisor_deinit(&w);
	}
}
END_TEST

START_TEST(ids_are_read_as_they_are_written)
{
	static const uint8_t expected[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, [15] = 0x0f};
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{"01234567-89ab-cdef-0000-00000000000f\n", true},
		{"0123456789abcdef000000000000000f\n", true},
		{"0123456789abcdef000000000000000\n", false},
		{"0123456789abcdeg000000000000000f\n", false},
		{"uninitialized\n", false},
		{"", false},
	};
	struct tree tree;

	tree_init(&tree);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		uint8_t id[16] = {0};

		tree_write(&tree, "/id", rows[i].text);
		ck_assert_msg(id_read(&tree.sys, "/id", id) == rows[i].valid, "row %zu", i);
		ck_assert_msg((memcmp(id, expected, sizeof(id)) == 0) == rows[i].valid, "row %zu: another id", i);
	}
	tree_deinit(&tree);
}
END_TEST

/* "The system that wrote it is still running" was said of every mark that was found on swap in use. */
START_TEST(a_mark_on_swap_in_use_is_dropped_for_what_it_is)
{
	struct mark mark = {.kind = MARK_ARMED, .boot_id = {[15] = 1}};
	struct tree tree;

	tree_init(&tree);
	ck_assert_int_eq(discard_reason(&mark, &tree.sys), MARK_DROP_IN_USE); /* nobody knows */
	tree_write(&tree, BOOT_ID_PATH, "00000000-0000-0000-0000-000000000001\n");
	ck_assert_int_eq(discard_reason(&mark, &tree.sys), MARK_DROP_SAME_BOOT);
	tree_write(&tree, BOOT_ID_PATH, "00000000-0000-0000-0000-000000000002\n");
	ck_assert_int_eq(discard_reason(&mark, &tree.sys), MARK_DROP_IN_USE);
	mark = (struct mark){.kind = MARK_DAMAGED};
	tree_write(&tree, BOOT_ID_PATH, "00000000-0000-0000-0000-000000000000\n");
	ck_assert_int_eq(discard_reason(&mark, &tree.sys), MARK_DROP_IN_USE);
	tree_deinit(&tree);
}
END_TEST

static bool is_gone(int pidfd, int msec)
{
	struct pollfd item = {.fd = pidfd, .events = POLLIN};

	return poll(&item, 1, msec) == 1;
}

/* What one session has seen of the kernel stays known when the next one did not get so far. */
START_TEST(what_the_kernel_can_is_remembered)
{
	struct session_report report = {.outcome = OUTCOME_FAILED};
	struct manager manager;

	manager_init(&manager, NULL);
	ck_assert_ptr_null(manager_kernel_encryption(&manager));
	manager_keep(&manager, &report);
	ck_assert_ptr_null(manager_kernel_encryption(&manager));
	report.kernel_encrypts = true;
	manager_keep(&manager, &report);
	report.kernel_encrypts = false;
	manager_keep(&manager, &report);
	ck_assert_ptr_nonnull(strstr(manager_kernel_encryption(&manager), "21 and 22"));
	manager_deinit(&manager);
}
END_TEST

/* The signal went to a pid, which is anybody's as soon as the session is gone. */
START_TEST(stopping_signals_the_session_and_nobody_else)
{
	struct manager manager;
	pid_t pid;

	signal(SIGTERM, SIG_DFL); /* the handler of Check ends the test */
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	manager_init(&manager, NULL);
	ck_assert(manager_stop(&manager)); /* nothing to wait for */
	manager.session = (int)syscall(SYS_pidfd_open, pid, 0);
	ck_assert(!manager_stop(&manager));
	ck_assert(is_gone(manager.session, 10000));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(!manager_stop(&manager)); /* gone, and not reported yet: that will end the loop */
	ck_assert(manager.stopping);
	manager_deinit(&manager);
	ck_assert_int_eq(manager.session, -1);
}
END_TEST

START_TEST(a_session_is_known_by_a_descriptor)
{
	const struct session_request request = {.kind = _SESSION_KIND_MAX};
	struct session_report report;
	struct config config;
	int report_fd = -1, pidfd, r;

	signal(SIGCHLD, SIG_IGN); /* as in the daemon */
	pidfd = session_spawn(&request, &config, &report_fd);
	ck_assert_int_ge(pidfd, 0);
	ck_assert(is_gone(pidfd, 10000));
	while ((r = session_read_report(report_fd, &report)) == -EAGAIN)
		;
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(report.failure.reason, REASON_INTERNAL);
	ck_assert_int_eq(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
	close(pidfd);
	close(report_fd);
}
END_TEST

START_TEST(the_worker_needs_a_user_of_its_own)
{
	static const struct {
		const char *user, *program, *object; /* NULL: nothing is wrong */
	} rows[] = {
		{"nobody", "/bin/sh", NULL},
		{"no-such-user-here", "/bin/sh", "no-such-user-here"},
		{"root", "/bin/sh", "root"},
		{"nobody", "/no/such/program", "/no/such/program"},
		{"nobody", "/", "/"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct failure f = {0};
		struct supervisor w;

		supervisor_init(&w);
		w.program.user = rows[i].user;
		w.program.path = rows[i].program;
		ck_assert_msg((supervisor_possible(&w, &f) == 0) == !rows[i].object, "row %zu: %s", i, f.text);
		ck_assert_int_eq(f.reason, rows[i].object ? REASON_WORKER : REASON_NONE);
		ck_assert_str_eq(f.object, rows[i].object ? rows[i].object : "");
	}
}
END_TEST

/* What has come out of a pipe since the last look, or lies in a file. */
static const char *heard(int fd)
{
	static char text[512];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* The journal takes stderr and the kernel's log, so that each line stood in it twice. */
START_TEST(the_journal_gets_each_line_once)
{
	struct log *log = calloc(1, sizeof(*log));
	int ends[2], kernel, saved = dup(STDERR_FILENO);
	struct tree tree;
	char stream[64];
	struct stat st;

	tree_init(&tree);
	tree_write(&tree, "/dev/kmsg", "");
	kernel = sys_open(&tree.sys, "/dev/kmsg", O_RDONLY);
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	ck_assert_int_eq(fstat(ends[1], &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);

	setenv("JOURNAL_STREAM", stream, 1);
	log_init(log, &tree.sys);
	log_line(log, LOG_LEVEL_WARNING, "one");
	ck_assert_str_eq(heard(ends[0]), "<4>hibernated: one\n");
	log_line(log, LOG_LEVEL_INFO, "%s (12)", "sh\n<2>forged\x1b[2J"); /* the name of a task */
	ck_assert_str_eq(heard(ends[0]), "<6>hibernated: sh?<2>forged?[2J (12)\n");
	ck_assert_str_eq(heard(kernel), "");
	log_hold(log);
	log_line(log, LOG_LEVEL_NOTICE, "two");
	log_line(log, LOG_LEVEL_INFO, "three");
	ck_assert_str_eq(heard(kernel), "<5>hibernated: two\n");
	log_release(log);
	ck_assert_str_eq(heard(ends[0]), "<6>hibernated: three\n");
	log->kmsg = fd_close(log->kmsg); /* what the kernel does not take is not lost */
	log_hold(log);
	log_line(log, LOG_LEVEL_ERROR, "four");
	log_deinit(log);
	ck_assert_str_eq(heard(ends[0]), "<3>hibernated: four\n");

	/* Elsewhere both have it, without levels for people. */
	close(kernel);
	tree_write(&tree, "/dev/kmsg", "");
	kernel = sys_open(&tree.sys, "/dev/kmsg", O_RDONLY);
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init(log, &tree.sys);
	log_line(log, LOG_LEVEL_WARNING, "five");
	ck_assert_str_eq(heard(ends[0]), "hibernated: five\n");
	ck_assert_str_eq(heard(kernel), "<4>hibernated: five\n");
	log_deinit(log);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(kernel);
	close(ends[0]);
	close(ends[1]);
	tree_deinit(&tree);
	free(log);
}
END_TEST

START_TEST(kinds_have_names)
{
	for (int i = 0; i < _SESSION_KIND_MAX; i++)
		ck_assert_int_eq(session_kind_from_name(session_kind_name(i)), i);
	ck_assert_int_eq(session_kind_from_name("sleep"), _SESSION_KIND_INVALID);
	ck_assert_ptr_null(session_kind_name(_SESSION_KIND_MAX));
	for (int i = 0; i < _OUTCOME_MAX; i++)
		ck_assert_ptr_nonnull(session_outcome_name(i));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemon");
	TCase *cases = tcase_create("decide");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_test(cases, boot_kernels_and_images);
	tcase_add_test(cases, words_of_an_image_move_no_cursor);
	tcase_add_test(cases, estimates);
	tcase_add_test(cases, nothing_blocks);
	tcase_add_test(cases, blockers_are_named);
	tcase_add_test(cases, refusing_tasks_are_read_from_the_log);
	tcase_add_test(cases, only_a_lone_escape_aborts);
	tcase_add_test(cases, input_devices_abort);
	tcase_add_test(cases, signals_wait_to_be_looked_at);
	tcase_add_test(cases, waiting_ends_with_a_signal);
	tcase_add_test(cases, lines_are_held_back_while_frozen);
	tcase_add_test(cases, a_worker_that_hardly_moves_is_ended);
	tcase_add_test(cases, ids_are_read_as_they_are_written);
	tcase_add_test(cases, a_mark_on_swap_in_use_is_dropped_for_what_it_is);
	tcase_add_test(cases, what_the_kernel_can_is_remembered);
	tcase_add_test(cases, stopping_signals_the_session_and_nobody_else);
	tcase_add_test(cases, a_session_is_known_by_a_descriptor);
	tcase_add_test(cases, the_worker_needs_a_user_of_its_own);
	tcase_add_test(cases, the_journal_gets_each_line_once);
	tcase_add_test(cases, kinds_have_names);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
