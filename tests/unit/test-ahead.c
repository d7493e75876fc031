/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading ahead on a made-up machine: how much, where, and that it ends. The reader is a child with descriptors of its own, so
 * what it does is seen by its calls of pread(), in memory that is shared with it.
 */
#include "daemon/ahead.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "tree.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_BYTES (8 * MIB)
#define HEADER (16 * PAGE_BYTES)
#define STORED (20 * AHEAD_STEP_BYTES)
#define PLENTY 1000000
#define LONG_USEC (20 * USEC_PER_SEC) /* bounds a hang */

enum turn {
	TURN_NONE,
	TURN_LITTLE_MEMORY, /* something else takes it */
	TURN_ERROR,
	TURN_HANG,
};

static struct tree tree;
static struct area_place place;
static struct mark mark;
static struct ahead ahead;

/* What the reader does, and what happens at its call @turn_at. */
static struct watch {
	_Atomic unsigned int calls;
	uint64_t first, end; /* of what it asked for */
	uint64_t largest;
	int descriptors, priority;
	unsigned int turn_at;
	enum turn turn;
} *watch;

/* ---- what stands below -------------------------------------------------- */

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1; /* the folder itself */

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count - 2; /* "." and ".." */
}

static void set_memory(uint64_t total_kib, uint64_t idle_kib)
{
	char text[128];

	snprintf(text, sizeof(text), "MemTotal: %llu kB\nMemFree: %llu kB\nMemAvailable: %llu kB\n",
		 (unsigned long long)total_kib, (unsigned long long)idle_kib, (unsigned long long)idle_kib);
	tree_write(&tree, "/proc/meminfo", text);
}

ssize_t __real_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset);

ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset)
{
	unsigned int call = atomic_fetch_add(&watch->calls, 1);

	if (!call) {
		watch->first = (uint64_t)offset;
		watch->descriptors = count_descriptors();
		watch->priority = getpriority(PRIO_PROCESS, 0);
	}
	watch->end = (uint64_t)offset + size;
	watch->largest = MAX(watch->largest, size);
	if (call == watch->turn_at)
		switch (watch->turn) {
		case TURN_NONE:
			break;
		case TURN_LITTLE_MEMORY:
			set_memory(PLENTY, PLENTY / 2);
			break;
		case TURN_ERROR:
			errno = EIO;
			return -1;
		case TURN_HANG:
			for (;;)
				pause();
		}
	return __real_pread(fd, buffer, size, offset);
}

static unsigned int dropped;

int __wrap_posix_fadvise(int fd, off_t offset, off_t size, int advice);

int __wrap_posix_fadvise(int fd, off_t offset, off_t size, int advice)
{
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_DIRECT), O_RDONLY);
	ck_assert_int_eq(offset, HEADER + PAGE_BYTES);
	ck_assert_int_eq(size, 0);
	ck_assert_int_eq(advice, POSIX_FADV_DONTNEED);
	dropped++;
	return 0;
}

static void setup(void)
{
	tree_init(&tree);
	tree_sparse(&tree, "/dev/vda2", DISK_BYTES);
	tree_write(&tree, "/sys/class/block/vda2/dev", "8:2\n");
	tree_write(&tree, "/sys/class/block/vda2/size", "16384\n");
	tree_link(&tree, "/sys/dev/block/8:2", "../../devices/x/vda2");
	set_memory(PLENTY, PLENTY);
	place = (struct area_place){.device = "/dev/vda2", .devno = makedev(8, 2), .identity.device_size = DISK_BYTES};
	mark = (struct mark){.header_offset = HEADER, .save = {.stored_bytes = STORED + PAGE_BYTES, .pages = 1000}};
	watch = mmap(NULL, sizeof(*watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(watch, MAP_FAILED);
	ahead_init(&ahead);
	dropped = 0;
}

static void teardown(void)
{
	ahead_drop(&ahead);
	munmap(watch, sizeof(*watch));
	tree_deinit(&tree);
}

/* Until the reader has ended by itself; it is not reaped. */
static void wait_ended(void)
{
	siginfo_t info;

	ck_assert_int_gt(ahead.reader, 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)ahead.reader, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(info.si_code, CLD_EXITED);
	ck_assert_int_eq(info.si_status, 0);
}

static void wait_calls(unsigned int calls)
{
	uint64_t deadline = clock_monotonic_usec() + LONG_USEC;

	while (atomic_load(&watch->calls) < calls && clock_monotonic_usec() < deadline)
		usleep(1000);
	ck_assert_uint_ge(atomic_load(&watch->calls), calls);
}

static void check_no_child(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

/* ---- how much, and where ------------------------------------------------ */

#define G (1024 * MIB)
#define HALF (G / 2 + G / 32)

START_TEST(as_much_as_leaves_room_for_the_image)
{
	static const struct {
		struct estimate_memory memory;
		uint64_t pages, spare, room;
	} rows[] = {
		{{G, G, G}, 1000, 0, G - HALF},
		{{G, G, G}, 1000, 64 * MIB, G - HALF - 64 * MIB},
		{{G, 900 * MIB, G}, 1000, 64 * MIB, 900 * MIB - HALF - 64 * MIB},
		{{G, G, 900 * MIB}, 1000, 64 * MIB, 900 * MIB - HALF - 64 * MIB},
		/* Larger than a snapshot can be: it is taken at its word. */
		{{G, G, G}, 768 * MIB / PAGE_BYTES, 64 * MIB, G - 768 * MIB - 64 * MIB},
		{{G, G, G}, G / PAGE_BYTES, 0, 0},
		{{G, G, G}, G / PAGE_BYTES + 1, 0, 0},
		{{G, G, G}, UINT64_MAX, 0, 0},
		{{G, G, G}, UINT64_MAX / PAGE_BYTES + 2, 0, 0},
		/* None left, or less than the spare. */
		{{G, G, HALF}, 1000, 0, 0},
		{{G, G, HALF + 1}, 1000, 0, 1},
		{{G, G, HALF + 1}, 1000, 1, 0},
		{{G, G, HALF + 64 * MIB}, 1000, 64 * MIB, 0},
		{{G, G, G}, 1000, UINT64_MAX, 0},
		{{UINT64_MAX, UINT64_MAX, UINT64_MAX}, 1000, 0, UINT64_MAX - UINT64_MAX / 2 - UINT64_MAX / 32},
		/* What the kernel does not say. */
		{{G, 0, G}, 1000, 0, 0},
		{{G, G, 0}, 1000, 0, 0},
		{{0, G, G}, 1000, 0, 0},
		{{0, 0, 0}, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		uint64_t room = ahead_room(&rows[i].memory, rows[i].pages, rows[i].spare);

		ck_assert_msg(room == rows[i].room, "row %zu: %llu", i, (unsigned long long)room);
	}
}
END_TEST

START_TEST(nothing_outside_the_device_is_read)
{
	static const struct {
		uint64_t header, stored, device;
		struct extent range;
	} rows[] = {
		{0, 3 * PAGE_BYTES, MIB, {PAGE_BYTES, 2 * PAGE_BYTES}},
		{PAGE_BYTES, 3 * PAGE_BYTES + 5, MIB, {2 * PAGE_BYTES, 2 * PAGE_BYTES}},
		{PAGE_BYTES, UINT64_MAX, MIB, {2 * PAGE_BYTES, MIB - 2 * PAGE_BYTES}},
		{PAGE_BYTES, UINT64_MAX, MIB + 7, {2 * PAGE_BYTES, MIB - 2 * PAGE_BYTES}},
		{MIB - 2 * PAGE_BYTES, MIB, MIB, {MIB - PAGE_BYTES, PAGE_BYTES}},
		{MIB - PAGE_BYTES, MIB, MIB, {0, 0}},
		{MIB, MIB, MIB, {0, 0}},
		{2 * MIB, MIB, MIB, {0, 0}},
		{UINT64_MAX - PAGE_BYTES + 1, MIB, UINT64_MAX, {0, 0}},
		{512, MIB, MIB, {0, 0}},
		{PAGE_BYTES, PAGE_BYTES, MIB, {0, 0}},
		{PAGE_BYTES, 0, MIB, {0, 0}},
		{PAGE_BYTES, MIB, 0, {0, 0}},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct extent range = ahead_range(rows[i].header, rows[i].stored, rows[i].device);

		ck_assert_msg(range.length == rows[i].range.length, "row %zu: %llu bytes", i, (unsigned long long)range.length);
		ck_assert_msg(!range.length || range.start == rows[i].range.start, "row %zu: at %llu", i,
			      (unsigned long long)range.start);
	}
}
END_TEST

/* ---- the reader --------------------------------------------------------- */

START_TEST(an_image_is_read_to_its_end)
{
	ahead_begin(&ahead, &tree.sys, &place, &mark);
	wait_ended();
	ahead_begin(&ahead, &tree.sys, &place, &mark); /* a second secret is asked for */
	ahead_end(&ahead, &tree.sys);
	check_no_child();
	ck_assert_uint_eq(ahead.range.start, HEADER + PAGE_BYTES);
	ck_assert_uint_eq(ahead.range.length, STORED);
	ck_assert_uint_eq(atomic_load(&watch->calls), STORED / AHEAD_STEP_BYTES);
	ck_assert_uint_eq(watch->first, HEADER + PAGE_BYTES);
	ck_assert_uint_eq(watch->end, HEADER + PAGE_BYTES + STORED);
	ck_assert_uint_le(watch->largest, AHEAD_STEP_BYTES);
	ck_assert_int_eq(watch->descriptors, 2); /* device and tree */
	ck_assert_int_eq(watch->priority, 19);
	ck_assert_uint_eq(dropped, 0);
	ahead_drop(&ahead);
	ahead_drop(&ahead);
	ck_assert_uint_eq(dropped, 1);
	ck_assert_int_eq(ahead.fd, -1);
	ck_assert_uint_eq(ahead.range.length, 0);
}
END_TEST

START_TEST(a_disk_that_is_cut_short_ends_it)
{
	ck_assert_int_eq(truncate(tree_path(&tree, "/dev/vda2"), HEADER + PAGE_BYTES + 3 * AHEAD_STEP_BYTES + 5), 0);
	ahead_begin(&ahead, &tree.sys, &place, &mark);
	wait_ended();
	ahead_end(&ahead, &tree.sys);
	ck_assert_uint_eq(ahead.range.length, 3 * AHEAD_STEP_BYTES);
}
END_TEST

static const struct {
	enum turn turn;
	unsigned int at;
	uint64_t read, calls; /* bytes that count, calls that were made */
	bool kept;
} turns[] = {
	{TURN_ERROR, 2, 2 * AHEAD_STEP_BYTES, 3, true},
	{TURN_ERROR, 0, 0, 1, false},
	{TURN_HANG, 3, 3 * AHEAD_STEP_BYTES, 4, true},
	{TURN_HANG, 0, 0, 1, false},
	{TURN_LITTLE_MEMORY, 2, 3 * AHEAD_STEP_BYTES, 3, false}, /* and what there is must make room */
};

START_TEST(it_ends_when_something_comes_between)
{
	uint64_t since;

	watch->turn = turns[_i].turn;
	watch->turn_at = turns[_i].at;
	ahead_begin(&ahead, &tree.sys, &place, &mark);
	if (turns[_i].turn == TURN_HANG)
		wait_calls((unsigned int)turns[_i].calls);
	else
		wait_ended();
	since = clock_monotonic_usec();
	ck_assert_uint_eq(atomic_load(ahead.done), turns[_i].read);
	ahead_end(&ahead, &tree.sys);
	ck_assert_uint_lt(clock_monotonic_usec() - since, LONG_USEC);
	check_no_child();
	ck_assert_uint_eq(atomic_load(&watch->calls), turns[_i].calls);
	ck_assert_uint_eq(ahead.range.length, turns[_i].kept ? turns[_i].read : 0);
	ck_assert_uint_eq(dropped, turns[_i].kept ? 0 : 1);
}
END_TEST

/* While it reads 64 MiB stay free; that somebody else has taken of these since does not matter yet. */
START_TEST(what_was_read_is_kept_while_the_image_has_room)
{
	const uint64_t half = PLENTY / 2 + PLENTY / 32;

	ahead_begin(&ahead, &tree.sys, &place, &mark);
	wait_ended();
	set_memory(PLENTY, half + (33 * MIB + STORED) / KIB);
	ahead_end(&ahead, &tree.sys);
	ck_assert_uint_eq(ahead.range.length, STORED);
	ahead_drop(&ahead);
	set_memory(PLENTY, PLENTY);
	ahead_begin(&ahead, &tree.sys, &place, &mark);
	wait_ended();
	set_memory(PLENTY, half + (31 * MIB + STORED) / KIB);
	ahead_end(&ahead, &tree.sys);
	ck_assert_uint_eq(ahead.range.length, 0);
	ck_assert_uint_eq(dropped, 2);
}
END_TEST

/* The kernel counts what was read as available. */
START_TEST(what_was_read_is_not_read_again_into_the_same_memory)
{
	const uint64_t half = PLENTY / 2 + PLENTY / 32;
	char text[128];

	snprintf(text, sizeof(text), "MemTotal: %d kB\nMemFree: %d kB\nMemAvailable: %llu kB\n", PLENTY, PLENTY,
		 (unsigned long long)(half + 64 * 1024 + 5 * AHEAD_STEP_BYTES / KIB + 1));
	tree_write(&tree, "/proc/meminfo", text);
	ahead_begin(&ahead, &tree.sys, &place, &mark);
	wait_ended();
	ahead_end(&ahead, &tree.sys);
	ck_assert_uint_eq(ahead.range.length, 5 * AHEAD_STEP_BYTES);
}
END_TEST

static void little_memory(void)
{
	set_memory(PLENTY, PLENTY / 2 + PLENTY / 32 + 65535);
}

static void no_word_of_memory(void)
{
	tree_write(&tree, "/proc/meminfo", "MemTotal: 1000000 kB\nMemFree: 1000000 kB\n");
}

static void no_meminfo(void)
{
	tree_remove(&tree, "/proc/meminfo");
}

static void no_image(void)
{
	mark.save.stored_bytes = 0;
}

static void image_elsewhere(void)
{
	mark.header_offset = DISK_BYTES;
}

static void no_device(void)
{
	tree_remove(&tree, "/dev/vda2");
}

static void (*const nothings[])(void) = {
	little_memory, no_word_of_memory, no_meminfo, no_image, image_elsewhere, no_device,
};

START_TEST(there_is_nothing_to_read_or_no_room)
{
	nothings[_i]();
	ahead_begin(&ahead, &tree.sys, &place, &mark);
	ck_assert_int_eq(ahead.fd, -1);
	check_no_child();
	ahead_end(&ahead, &tree.sys);
	ck_assert_uint_eq(ahead.range.length, 0);
	ck_assert_uint_eq(atomic_load(&watch->calls), 0);
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(it_dies_with_the_daemon)
{
	pid_t *reader = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), daemon;
	int status;

	ck_assert_ptr_ne(reader, MAP_FAILED);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	watch->turn = TURN_HANG;
	daemon = fork();
	if (daemon == 0) {
		ahead_begin(&ahead, &tree.sys, &place, &mark);
		wait_calls(1);
		*reader = ahead.reader;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(daemon, &status, 0), daemon);
	ck_assert_int_gt(*reader, 0);
	ck_assert_int_eq(waitpid(*reader, &status, 0), *reader);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	munmap(reader, PAGE_BYTES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ahead");
	TCase *pure = tcase_create("pure"), *reader = tcase_create("reader");
	SRunner *runner;
	int bad;

	tcase_add_test(pure, as_much_as_leaves_room_for_the_image);
	tcase_add_test(pure, nothing_outside_the_device_is_read);
	suite_add_tcase(suite, pure);
	tcase_add_checked_fixture(reader, setup, teardown);
	tcase_set_timeout(reader, 60);
	tcase_add_test(reader, an_image_is_read_to_its_end);
	tcase_add_test(reader, a_disk_that_is_cut_short_ends_it);
	tcase_add_loop_test(reader, it_ends_when_something_comes_between, 0, ARRAY_LENGTH(turns));
	tcase_add_test(reader, what_was_read_is_kept_while_the_image_has_room);
	tcase_add_test(reader, what_was_read_is_not_read_again_into_the_same_memory);
	tcase_add_loop_test(reader, there_is_nothing_to_read_or_no_room, 0, ARRAY_LENGTH(nothings));
	tcase_add_test(reader, it_dies_with_the_daemon);
	suite_add_tcase(suite, reader);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
