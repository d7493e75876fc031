/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker as a process of its own, spoken to over its real descriptors, sandbox closed: this
 * program plays the daemon. /dev/snapshot is a memfd; that the kernel takes no page after the last
 * one is played by a filter under which a writev() of a single page says 0.
 */
#include "base/clock.h"
#include "base/fdio.h"
#include "cli/worker-sandbox.h"
#include "pipeline/worker.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM (32 * MIB)
#define CHUNK 65536
#define PROGRAM_MOST (5 * MIB) /* code, data and stacks */
#define NOBODY 65534
#define LIMIT (10 * USEC_PER_SEC)
#define AREA_PAGES 4096
#define HEADER_PAGE 3

/* Both ends of one worker, and what the test knows about it. */
struct daemon {
	pid_t pid;
	int socket;
	int memory;
	int area;
	int snapshot;
	size_t size;
	struct worker_job *job;
	uint8_t *base;
	uid_t uid;         /* who the worker is */
	bool keep_capable; /* it keeps a capability that it must not have */
	bool fips;         /* libgcrypt does as in FIPS mode */
	bool take_more;    /* the snapshot takes pages after the last one */
	int status;        /* as waitpid() gave it */
};

/* hibernate-image as it was built beside this program. */
static const char *program(void)
{
	const char *path = getenv("HIBERNATE_IMAGE");

	return path ? path : "./hibernate-image";
}

/* Run by root the worker is somebody else, as it is in earnest; else it is whoever runs the test. */
static uid_t worker_uid(void)
{
	return getuid() ? getuid() : NOBODY;
}

static int memory_file(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* The pages of a pretended snapshot: two of three shrink. */
static void fill_page(uint8_t *page, uint64_t number)
{
	uint64_t state = number * 0x9e3779b97f4a7c15u + 1;

	for (size_t at = 0; at < PAGE_BYTES; at += 8) {
		uint64_t word = number;

		if (number % 3 == 0) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			word = state;
		}
		memcpy(page + at, &word, sizeof(word));
	}
}

static int snapshot_of(uint64_t pages)
{
	int fd = memory_file("snapshot", 0);
	uint8_t page[PAGE_BYTES];

	for (uint64_t i = 0; i < pages; i++) {
		fill_page(page, i);
		ck_assert_int_eq(fd_write_full(fd, page, sizeof(page)), 0);
	}
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Raise the limit for locked memory as far as it goes; whether that is enough for @size. */
static bool may_lock(size_t size)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		return true;
	ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur >= size;
}

static void daemon_init(struct daemon *d, enum worker_direction direction, enum codec_id codec)
{
	struct worker_job job = {
		.version = WORKER_PROTOCOL_VERSION,
		.direction = direction,
		.threads = 2,
		.writers = 1,
		.codec = codec,
		.chunk_size = CHUNK,
		.worker_uid = worker_uid(),
		.area_name = "/dev/area",
		.device_size = AREA_PAGES * PAGE_BYTES,
	};

	*d = (struct daemon){.socket = -1, .area = -1, .snapshot = -1, .uid = worker_uid()};
	d->size = worker_layout(&job, RAM);
	job.unlocked = !WORKER_SANDBOX || !may_lock(d->size + PROGRAM_MOST);
	d->memory = memory_file("job", d->size);
	d->base = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->memory, 0);
	ck_assert_ptr_ne(d->base, MAP_FAILED);
	d->job = (struct worker_job *)(void *)d->base;
	*d->job = job;
}

/* In the child: the last write of a restore must look as it does on the real device. */
static void refuse_single_pages(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(writev), 1, SCMP_A2(SCMP_CMP_EQ, 1)) ||
	    seccomp_load(filter))
		_exit(100);
	seccomp_release(filter);
}

static void move_fd(int fd, int to)
{
	if (fd < 0) {
		close(to);
		return;
	}
	if (dup2(fd, to) < 0)
		_exit(101);
}

/* In the child: become d->uid, without a capability unless the test wants one to be left. */
static void drop(const struct daemon *d)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (getuid() != 0 || d->uid == 0)
		return;
	prctl(PR_SET_KEEPCAPS, d->keep_capable, 0, 0, 0);
	if (setgroups(0, NULL) || setresgid(d->uid, d->uid, d->uid) || setresuid(d->uid, d->uid, d->uid))
		_exit(103);
	if (!d->keep_capable)
		return;
	data[0].permitted = data[0].effective = data[0].inheritable = 1u << CAP_KILL;
	if (syscall(SYS_capset, &header, data) || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0))
		_exit(104);
}

/* hibernate-image in a memfd, as the daemon keeps it: its folder need not be open to the worker's user. */
static int program_copy(void)
{
	int from = open(program(), O_RDONLY | O_CLOEXEC), to = memfd_create("hibernate-image", MFD_CLOEXEC);
	char buffer[65536];
	ssize_t n;

	ck_assert_msg(from >= 0, "%s: %s", program(), strerror(errno));
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		ck_assert_int_eq(fd_write_full(to, buffer, (size_t)n), 0);
	close(from);
	return to;
}

static void start(struct daemon *d)
{
	int pair[2], null, fds[4], binary = program_copy();

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	d->pid = fork();
	ck_assert_int_ge(d->pid, 0);
	if (d->pid == 0) {
		/* Out of the way of the fixed numbers first. */
		fds[0] = fcntl(pair[1], F_DUPFD_CLOEXEC, 20);
		fds[1] = fcntl(d->memory, F_DUPFD_CLOEXEC, 20);
		fds[2] = fcntl(d->area, F_DUPFD_CLOEXEC, 20);
		fds[3] = d->job->direction == WORKER_SAVE ? fcntl(d->snapshot, F_DUPFD_CLOEXEC, 20) : -1;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		move_fd(null, 0);
		move_fd(null, 1);
		move_fd(fds[0], WORKER_FD_SOCKET);
		move_fd(fds[1], WORKER_FD_MEMORY);
		move_fd(fds[2], WORKER_FD_AREA);
		move_fd(fds[3], WORKER_FD_SNAPSHOT);
		binary = fcntl(binary, F_DUPFD_CLOEXEC, 30);
		drop(d);
		if (d->job->direction == WORKER_RESTORE && !d->take_more)
			refuse_single_pages();
		fexecve(binary, (char *[]){"hibernate-image", "--worker", NULL},
			(char *[]){d->fips ? "LIBGCRYPT_FORCE_FIPS_MODE=1" : NULL, NULL});
		_exit(102);
	}
	close(binary);
	close(pair[1]);
	d->socket = pair[0];
}

static int reap(struct daemon *d)
{
	uint64_t deadline = clock_monotonic_usec() + LIMIT;

	while (waitpid(d->pid, &d->status, WNOHANG) == 0) {
		if (clock_monotonic_usec() > deadline) {
			kill(d->pid, SIGKILL);
			waitpid(d->pid, &d->status, 0);
			ck_abort_msg("the worker did not end");
		}
		clock_sleep_usec(1000);
	}
	return WIFEXITED(d->status) ? WEXITSTATUS(d->status) : -WTERMSIG(d->status);
}

static void daemon_deinit(struct daemon *d)
{
	munmap(d->base, d->size);
	fd_close(d->socket);
	fd_close(d->memory);
}

/* The next message that is no progress; its type, or a negative errno. */
static int next_message(struct daemon *d)
{
	struct worker_message message;
	int r;

	do
		r = worker_receive(d->socket, &message, NULL, LIMIT);
	while (!r && message.type == WORKER_PROGRESS);
	return r ? r : (int)message.type;
}

#define expect_message(d, type) \
	do { \
		int came = next_message(d); \
		char why[1024] = ""; \
		if (came == WORKER_FAILED) \
			failure_format(&(d)->job->failure, why, sizeof(why)); \
		ck_assert_msg(came == (int)(type), "message %d, not %d: %s", came, (int)(type), why); \
	} while (0)

/* Two extents; what is before, between and after them is somebody else's. */
static void grant(struct daemon *d, uint64_t pages)
{
	struct extent *e = (struct extent *)(void *)(d->base + d->job->extents_at);

	e[0] = (struct extent){.start = HEADER_PAGE * PAGE_BYTES, .length = 100 * PAGE_BYTES};
	e[1] = (struct extent){.start = 2000 * PAGE_BYTES, .length = 1500 * PAGE_BYTES};
	d->job->extent_count = 2;
	d->job->snapshot_pages = pages;
	d->job->meta = (struct image_meta){
		.created_usec = 1,
		.kernel_release = "6.1.0-test",
		.architecture = "x86_64",
		.hostname = "tester",
		.program_version = "0",
		.snapshot_pages = pages,
		.chunk_size = CHUNK,
		.codec = (enum codec_id)d->job->codec,
	};
}

static void start_save_with(struct daemon *d, uint64_t pages, enum codec_id codec)
{
	daemon_init(d, WORKER_SAVE, codec);
	d->area = memory_file("area", AREA_PAGES * PAGE_BYTES);
	d->snapshot = snapshot_of(pages);
	grant(d, pages);
}

static void start_save(struct daemon *d, uint64_t pages)
{
	start_save_with(d, pages, CODEC_LZ4);
}

static void start_restore(struct daemon *d, const struct daemon *saved)
{
	daemon_init(d, WORKER_RESTORE, CODEC_NONE);
	d->area = saved->area;
	d->job->header_offset = saved->job->result.header_offset;
	d->snapshot = memory_file("restored", 0);
}

static void save_with(struct daemon *d, uint64_t pages, enum codec_id codec)
{
	start_save_with(d, pages, codec);
	start(d);
	expect_message(d, WORKER_READY);
	ck_assert_int_eq(worker_send(d->socket, WORKER_GRANT, NULL, -1), 0);
	expect_message(d, WORKER_DONE);
	ck_assert_int_eq(reap(d), 0);
	ck_assert_uint_eq(d->job->result.pages, pages);
	ck_assert_uint_eq(d->job->result.header_offset, HEADER_PAGE * PAGE_BYTES);
}

static void save_well(struct daemon *d, uint64_t pages)
{
	save_with(d, pages, CODEC_LZ4);
}

static void expect_pages(int fd, uint64_t pages)
{
	uint8_t want[PAGE_BYTES], got[PAGE_BYTES];

	ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)(pages * PAGE_BYTES));
	for (uint64_t i = 0; i < pages; i++) {
		fill_page(want, i);
		ck_assert_int_eq(fd_pread_full(fd, got, sizeof(got), i * PAGE_BYTES), 0);
		ck_assert_msg(memcmp(want, got, sizeof(got)) == 0, "page %llu", (unsigned long long)i);
	}
}

static const struct {
	uint64_t pages;
	enum codec_id codec;
} trips[] = {
	{2, CODEC_LZ4}, {16, CODEC_LZ4}, {18, CODEC_LZ4}, {1000, CODEC_LZ4}, {1500, CODEC_LZ4}, {1500, CODEC_NONE}, {1500, CODEC_ZSTD},
};

START_TEST(what_one_worker_saves_another_restores)
{
	uint64_t pages = trips[_i].pages;
	struct daemon saved, d;

	if (!codec_available(trips[_i].codec))
		return;
	save_with(&saved, pages, trips[_i].codec);
	start_restore(&d, &saved);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	expect_message(&d, WORKER_META);
	ck_assert_str_eq(d.job->meta.kernel_release, "6.1.0-test");
	ck_assert_uint_eq(d.job->meta.snapshot_pages, pages);
	ck_assert_int_eq(worker_send(d.socket, WORKER_LOAD, NULL, d.snapshot), 0);
	expect_message(&d, WORKER_DONE);
	ck_assert_int_eq(reap(&d), 0);
	ck_assert_uint_eq(d.job->result.pages, pages);
	expect_pages(d.snapshot, pages);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

/* Garbage over some pages of @fd. */
static void spoil(int fd, uint64_t page, uint64_t count)
{
	static const uint8_t garbage[PAGE_BYTES] = {1, 2, 3};

	for (; count; page++, count--)
		ck_assert_int_eq(fd_pwrite_full(fd, garbage, sizeof(garbage), page * PAGE_BYTES), 0);
}

static void send_ahead(struct daemon *d, int fd, uint64_t page, uint64_t count)
{
	const uint64_t values[4] = {page * PAGE_BYTES, count * PAGE_BYTES};

	ck_assert_int_eq(worker_send(d->socket, WORKER_AHEAD, values, fd), 0);
}

/* The second descriptor has what was read ahead, and nothing else; the first has the rest. */
START_TEST(what_was_read_ahead_is_restored_from_there)
{
	struct daemon saved, d;
	uint8_t page[PAGE_BYTES];
	int ahead = memory_file("ahead", AREA_PAGES * PAGE_BYTES);

	save_well(&saved, 1000);
	for (uint64_t i = HEADER_PAGE + 1; i < 2000; i++) {
		ck_assert_int_eq(fd_pread_full(saved.area, page, sizeof(page), i * PAGE_BYTES), 0);
		ck_assert_int_eq(fd_pwrite_full(ahead, page, sizeof(page), i * PAGE_BYTES), 0);
	}
	start_restore(&d, &saved);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	expect_message(&d, WORKER_META);
	spoil(d.area, HEADER_PAGE + 1, 60);
	send_ahead(&d, ahead, HEADER_PAGE + 1, 60);
	ck_assert_int_eq(worker_send(d.socket, WORKER_LOAD, NULL, d.snapshot), 0);
	expect_message(&d, WORKER_DONE);
	ck_assert_int_eq(reap(&d), 0);
	ck_assert_uint_eq(d.job->result.ahead_bytes, 60 * PAGE_BYTES);
	expect_pages(d.snapshot, 1000);
	close(ahead);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

/* Verified like what comes from the disk. */
START_TEST(what_was_read_ahead_and_is_damaged_is_reported)
{
	struct daemon saved, d;
	int ahead = memory_file("ahead", AREA_PAGES * PAGE_BYTES);

	save_well(&saved, 1000);
	start_restore(&d, &saved);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	expect_message(&d, WORKER_META);
	send_ahead(&d, ahead, HEADER_PAGE + 1, 60);
	ck_assert_int_eq(worker_send(d.socket, WORKER_LOAD, NULL, d.snapshot), 0);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_IMAGE_DAMAGED);
	ck_assert_int_eq(reap(&d), 1);
	close(ahead);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

START_TEST(a_damaged_image_is_reported)
{
	struct daemon saved, d;
	uint8_t page[PAGE_BYTES] = {1};

	save_well(&saved, 1000);
	/* Stream page 200. */
	ck_assert_int_eq(fd_pwrite_full(saved.area, page, sizeof(page), 2100 * PAGE_BYTES), 0);
	start_restore(&d, &saved);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	expect_message(&d, WORKER_META);
	ck_assert_int_eq(worker_send(d.socket, WORKER_LOAD, NULL, d.snapshot), 0);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_IMAGE_DAMAGED);
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

/* The kernel takes one page more than the image has: then it waits for others, and the image was not whole. */
START_TEST(a_kernel_that_wants_more_pages_is_reported)
{
	struct daemon saved, d;

	save_well(&saved, 1000);
	start_restore(&d, &saved);
	d.take_more = true;
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	expect_message(&d, WORKER_META);
	ck_assert_int_eq(worker_send(d.socket, WORKER_LOAD, NULL, d.snapshot), 0);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_RESTORE_REFUSED);
	ck_assert_int_eq(d.job->failure.error, ENODATA);
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

/* The writer fails while the mover sits in a readv() that never returns: nobody waits for it. */
START_TEST(a_failure_does_not_wait_for_a_thread_that_hangs)
{
	struct daemon d;
	uint8_t page[PAGE_BYTES];
	uint64_t since;
	int silent[2];

	start_save(&d, 1000);
	close(d.area);
	d.area = memfd_create("area", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(fcntl(d.area, F_ADD_SEALS, F_SEAL_WRITE), 0);
	ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
	for (uint64_t i = 0; i < CHUNK / PAGE_BYTES; i++) {
		fill_page(page, i);
		ck_assert_int_eq(fd_write_full(silent[1], page, sizeof(page)), 0);
	}
	d.snapshot = silent[0];
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_GRANT, NULL, -1), 0);
	since = clock_monotonic_usec();
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(reap(&d), 1);
	ck_assert_uint_lt(clock_monotonic_usec() - since, 2 * USEC_PER_SEC);
	ck_assert_int_eq(d.job->failure.reason, REASON_IO);
	ck_assert_str_eq(d.job->failure.object, "/dev/area");
	daemon_deinit(&d);
}
END_TEST

START_TEST(no_image_is_reported_before_the_snapshot_is_asked_for)
{
	struct daemon saved, d;

	save_well(&saved, 100);
	saved.job->result.header_offset += PAGE_BYTES;
	start_restore(&d, &saved);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert(failed(&d.job->failure));
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

START_TEST(an_area_that_is_too_small_is_reported)
{
	struct daemon d;

	start_save(&d, 6000);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_GRANT, NULL, -1), 0);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_TOO_SMALL);
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
}
END_TEST

START_TEST(a_snapshot_that_ends_early_is_reported)
{
	struct daemon d;

	start_save(&d, 100);
	d.job->snapshot_pages = 101;
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_GRANT, NULL, -1), 0);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_SNAPSHOT);
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
}
END_TEST

START_TEST(a_closed_socket_ends_a_waiting_worker)
{
	struct daemon d;

	start_save(&d, 10);
	start(&d);
	expect_message(&d, WORKER_READY);
	d.socket = fd_close(d.socket);
	ck_assert_int_eq(reap(&d), 2);
	daemon_deinit(&d);
}
END_TEST

/* The snapshot is a pipe that never says anything: the mover sits in readv() and the socket closes. */
START_TEST(a_closed_socket_ends_a_working_worker)
{
	struct daemon d;
	int silent[2];
	uint64_t since;

	start_save(&d, 10);
	ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
	d.snapshot = silent[0];
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_GRANT, NULL, -1), 0);
	clock_sleep_usec(50000);
	since = clock_monotonic_usec();
	d.socket = fd_close(d.socket);
	ck_assert_int_eq(reap(&d), 2);
	ck_assert_uint_lt(clock_monotonic_usec() - since, USEC_PER_SEC);
	daemon_deinit(&d);
}
END_TEST

START_TEST(progress_is_reported_meanwhile)
{
	struct worker_message message;
	struct daemon d;
	int silent[2];

	start_save(&d, 10);
	ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
	d.snapshot = silent[0];
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_GRANT, NULL, -1), 0);
	ck_assert_int_eq(worker_receive(d.socket, &message, NULL, LIMIT), 0);
	ck_assert_uint_eq(message.type, WORKER_PROGRESS);
	ck_assert_uint_eq(message.value[1], 10);
	kill(d.pid, SIGKILL);
	ck_assert_int_eq(reap(&d), -SIGKILL);
	daemon_deinit(&d);
}
END_TEST

static const struct {
	const char *what;
	enum worker_direction direction;
	bool after_grant;
	uint32_t version, type;
	size_t size;
} violations[] = {
	{"restore's message in a save", WORKER_SAVE, false, WORKER_PROTOCOL_VERSION, WORKER_OPEN, 40},
	{"worker's message", WORKER_SAVE, false, WORKER_PROTOCOL_VERSION, WORKER_DONE, 40},
	{"LOAD before OPEN", WORKER_RESTORE, false, WORKER_PROTOCOL_VERSION, WORKER_LOAD, 40},
	{"GRANT in a restore", WORKER_RESTORE, false, WORKER_PROTOCOL_VERSION, WORKER_GRANT, 40},
	{"unknown type", WORKER_SAVE, false, WORKER_PROTOCOL_VERSION, 77, 40},
	{"type 0", WORKER_SAVE, false, WORKER_PROTOCOL_VERSION, 0, 40},
	{"other version", WORKER_SAVE, false, WORKER_PROTOCOL_VERSION + 1, WORKER_GRANT, 40},
	{"short message", WORKER_SAVE, false, WORKER_PROTOCOL_VERSION, WORKER_GRANT, 39},
	{"long message", WORKER_SAVE, false, WORKER_PROTOCOL_VERSION, WORKER_GRANT, 41},
	{"second GRANT at work", WORKER_SAVE, true, WORKER_PROTOCOL_VERSION, WORKER_GRANT, 40},
};

START_TEST(a_wrong_message_ends_the_worker)
{
	struct {
		struct worker_message message;
		uint8_t more;
	} packet = {.message = {.version = violations[_i].version, .type = violations[_i].type}};
	struct daemon saved, d;
	int silent[2];

	save_well(&saved, 100);
	if (violations[_i].direction == WORKER_SAVE)
		start_save(&d, 10);
	else
		start_restore(&d, &saved);
	ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
	if (violations[_i].after_grant)
		d.snapshot = silent[0];
	start(&d);
	expect_message(&d, WORKER_READY);
	if (violations[_i].after_grant)
		ck_assert_int_eq(worker_send(d.socket, WORKER_GRANT, NULL, -1), 0);
	ck_assert_int_eq(send(d.socket, &packet, violations[_i].size, 0), (ssize_t)violations[_i].size);
	ck_assert_msg(reap(&d) == 3, "%s: status %#x", violations[_i].what, (unsigned int)d.status);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

START_TEST(a_load_without_a_snapshot_ends_the_worker)
{
	struct daemon saved, d;

	save_well(&saved, 100);
	start_restore(&d, &saved);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	expect_message(&d, WORKER_META);
	ck_assert_int_eq(worker_send(d.socket, WORKER_LOAD, NULL, -1), 0);
	ck_assert_int_eq(reap(&d), 3);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

START_TEST(what_was_read_ahead_is_said_once_and_with_a_descriptor)
{
	struct daemon saved, d;

	save_well(&saved, 100);
	start_restore(&d, &saved);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	expect_message(&d, WORKER_META);
	if (_i)
		send_ahead(&d, d.area, HEADER_PAGE + 1, 1);
	send_ahead(&d, _i ? d.area : -1, HEADER_PAGE + 1, 1);
	ck_assert_int_eq(reap(&d), 3);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

START_TEST(another_user_is_refused)
{
	struct daemon d;

	start_save(&d, 10);
	d.job->worker_uid = d.uid - 1;
	start(&d);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_WORKER);
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
}
END_TEST

/* Without the algorithms there is no sealed image, and no unsealed one in its place. */
START_TEST(fips_mode_seals_nothing)
{
	struct daemon d;

	start_save(&d, 10);
	d.fips = true;
	d.job->seal.suite = SUITE_AES256_OCB;
	start(&d);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_CRYPTO);
	ck_assert_ptr_nonnull(strstr(d.job->failure.text, "FIPS"));
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
}
END_TEST

START_TEST(root_is_refused)
{
	struct daemon d;

	start_save(&d, 10);
	d.uid = d.job->worker_uid = 0;
	start(&d);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_int_eq(d.job->failure.reason, REASON_WORKER);
	ck_assert_ptr_nonnull(strstr(d.job->failure.text, "root"));
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
}
END_TEST

START_TEST(a_capable_worker_is_refused)
{
	struct daemon d;

	if (getuid() != 0)
		return; /* nothing to keep */
	start_save(&d, 10);
	d.keep_capable = true;
	start(&d);
	ck_assert_int_eq(next_message(&d), WORKER_FAILED);
	ck_assert_ptr_nonnull(strstr(d.job->failure.text, "capabilities"));
	ck_assert_int_eq(reap(&d), 1);
	daemon_deinit(&d);
}
END_TEST

/* A number in /proc/PID/task/TID/status. */
static long long status_of(pid_t pid, const char *task, const char *key)
{
	char path[128], line[256];
	long long value = -1;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, task);
	AUTO_FCLOSE FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			value = strtoll(line + strlen(key) + 1, NULL, 0);
	return value;
}

START_TEST(a_ready_worker_is_locked_up_with_all_its_threads)
{
	struct dirent *entry;
	struct daemon d;
	char path[64];
	int tasks = 0;

	if (!WORKER_SANDBOX)
		return;
	start_save(&d, 10);
	start(&d);
	expect_message(&d, WORKER_READY);
	snprintf(path, sizeof(path), "/proc/%d/task", d.pid);
	AUTO_CLOSEDIR DIR *folder = opendir(path);

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		tasks++;
		ck_assert_int_eq(status_of(d.pid, entry->d_name, "Seccomp"), 2);
		ck_assert_int_eq(status_of(d.pid, entry->d_name, "NoNewPrivs"), 1);
		ck_assert_int_eq(status_of(d.pid, entry->d_name, "CapEff"), 0);
		if (!d.job->unlocked)
			ck_assert_int_ge(status_of(d.pid, entry->d_name, "VmLck") * 1024, (long long)d.size);
	}
	ck_assert_int_eq(tasks, 1 + 1 + 2 + 1);
	d.socket = fd_close(d.socket);
	ck_assert_int_eq(reap(&d), 2);
	daemon_deinit(&d);
}
END_TEST

START_TEST(what_is_not_in_the_table_kills)
{
	struct failure f;
	int status;
	pid_t pid;

	if (!WORKER_SANDBOX)
		return;
	pid = fork();
	if (pid == 0) {
		if (worker_sandbox(&f) < 0)
			_exit(1);
		open("/dev/null", O_RDONLY | O_CLOEXEC);
		_exit(2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %#x", (unsigned int)status);
}
END_TEST

static void other_version(struct worker_job *job) { job->version++; }
static void no_direction(struct worker_job *job) { job->direction = 0; }
static void buffers_outside(struct worker_job *job) { job->buffers_size += PAGE_BYTES; }
static void index_outside(struct worker_job *job) { job->index_capacity = UINT64_MAX / 2; }
static void extents_unaligned(struct worker_job *job) { job->extents_at += 8; }
static void body_over_the_job(struct worker_job *job) { job->body_at = 0; }

static void (*const wrong_jobs[])(struct worker_job *) = {
	other_version, no_direction, buffers_outside, index_outside, extents_unaligned, body_over_the_job,
};

START_TEST(a_job_that_cannot_be_is_not_begun)
{
	struct daemon d;

	start_save(&d, 10);
	wrong_jobs[_i](d.job);
	start(&d);
	ck_assert_int_eq(next_message(&d), -ECONNRESET);
	ck_assert_int_eq(reap(&d), 4);
	daemon_deinit(&d);
}
END_TEST

/* ---- messages, without a worker ---- */

START_TEST(messages_carry_values_and_descriptors)
{
	static const enum worker_message_type carriers[] = {WORKER_AHEAD, WORKER_LOAD};
	const uint64_t values[4] = {1, UINT64_MAX, 3, 4};
	struct worker_message message;
	int pair[2], passed = -2;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(worker_receive(pair[1], &message, NULL, 1000), -ETIMEDOUT);
	ck_assert_int_eq(worker_send(pair[0], WORKER_PROGRESS, values, -1), 0);
	ck_assert_int_eq(worker_receive(pair[1], &message, &passed, 1000), 0);
	ck_assert_int_eq(memcmp(message.value, values, sizeof(values)), 0);
	ck_assert_int_eq(passed, -1);

	for (size_t i = 0; i < ARRAY_LENGTH(carriers); i++) {
		ck_assert_int_eq(worker_send(pair[0], carriers[i], NULL, pair[0]), 0);
		ck_assert_int_eq(worker_receive(pair[1], &message, &passed, 1000), 0);
		ck_assert_int_ge(passed, 0);
		ck_assert_int_eq(fcntl(passed, F_GETFD), FD_CLOEXEC);
		close(passed);
	}

	close(pair[0]);
	ck_assert_int_eq(worker_receive(pair[1], &message, NULL, UINT64_MAX), -ECONNRESET);
	ck_assert_int_eq(worker_send(pair[1], WORKER_DONE, NULL, -1), -EPIPE);
	close(pair[1]);
}
END_TEST

START_TEST(descriptors_where_none_belong_are_closed)
{
	struct worker_message message;
	int pair[2], pipes[2], passed;
	char byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_eq(worker_send(pair[0], WORKER_READY, NULL, pipes[1]), 0);
	ck_assert_int_eq(worker_receive(pair[1], &message, &passed, 1000), -EPROTO);
	ck_assert_int_eq(worker_send(pair[0], WORKER_LOAD, NULL, pipes[1]), 0);
	ck_assert_int_eq(worker_receive(pair[1], &message, NULL, 1000), -EPROTO);
	close(pipes[1]);
	/* No copy of the writing end is left. */
	ck_assert_int_eq(read(pipes[0], &byte, 1), 0);
	close(pipes[0]);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(progress_is_dropped_when_nobody_reads)
{
	int pair[2], r = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; i < 100000 && !r; i++)
		r = worker_send(pair[0], WORKER_PROGRESS, NULL, -1);
	ck_assert_int_eq(r, -EAGAIN);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(layouts_are_sound_and_bounded)
{
	for (uint64_t ram = 128 * MIB; ram <= 1024 * GIB; ram *= 4) {
		struct worker_job job = {.direction = _i ? WORKER_SAVE : WORKER_RESTORE, .threads = 4, .writers = 2,
					 .codec = CODEC_LZ4, .chunk_size = 512 * KIB};
		uint64_t size = worker_layout(&job, ram);
		uint64_t chunk = _i ? 512 * KIB : IMAGE_CHUNK_MAX;

		ck_assert_int_eq(worker_check_layout(&job, size), 0);
		ck_assert_int_lt(worker_check_layout(&job, size - 1), 0);
		ck_assert_uint_le(job.buffers_size, MIN(64 * MIB, ram / 16) + 16 * chunk);
		ck_assert_uint_ge(job.index_capacity * (_i ? 512 * KIB : IMAGE_CHUNK_MIN), ram);
		ck_assert_uint_ge(job.extent_capacity, 4096);
	}
}
END_TEST

START_TEST(a_machine_of_many_processors_gets_what_the_pipeline_can_have)
{
	struct worker_job job = {.direction = WORKER_SAVE, .threads = 1000, .writers = 0, .codec = CODEC_LZ4, .chunk_size = CHUNK};

	worker_layout(&job, GIB);
	ck_assert_uint_eq(job.threads, 64);
	ck_assert_uint_eq(job.writers, 1);
}
END_TEST

#if ENABLE_FAILPOINTS
static const struct {
	const char *point;
	const char *action;
	int exit_status;
} points[] = {
	{"worker-start", "error:5", 1},     {"worker-ready", "error:5", 1},      {"worker-page", "error:5", 1},
	{"worker-write", "error:28", 1},    {"worker-before-body", "error:5", 1}, {"worker-before-header", "error:5", 1},
	{"worker-start", "kill", -SIGKILL}, {"worker-page", "kill", -SIGKILL},   {"worker-write", "kill", -SIGKILL},
	{"worker-before-body", "kill", -SIGKILL},
};

static const char *const load_points[] = {"worker-load-header", "worker-load-page"};

START_TEST(failpoints_of_the_load_fail_where_they_stand)
{
	struct daemon saved, d;
	char text[64];
	int got;

	save_well(&saved, 1000);
	start_restore(&d, &saved);
	snprintf(text, sizeof(text), "%s error:5", load_points[_i]);
	ck_assert_int_eq(failpoints_parse(&d.job->failpoints, text), 0);
	start(&d);
	expect_message(&d, WORKER_READY);
	ck_assert_int_eq(worker_send(d.socket, WORKER_OPEN, NULL, -1), 0);
	got = next_message(&d);
	if (got == WORKER_META) {
		ck_assert_int_eq(worker_send(d.socket, WORKER_LOAD, NULL, d.snapshot), 0);
		got = next_message(&d);
	}
	ck_assert_int_eq(got, WORKER_FAILED);
	ck_assert_ptr_nonnull(strstr(d.job->failure.text, load_points[_i]));
	ck_assert_int_eq(reap(&d), 1);
	ck_assert_int_eq(lseek(d.snapshot, 0, SEEK_END), 0);
	daemon_deinit(&d);
	daemon_deinit(&saved);
}
END_TEST

START_TEST(failpoints_fail_where_they_stand)
{
	struct daemon d;
	char text[64];
	int got;

	start_save(&d, 1000);
	snprintf(text, sizeof(text), "%s %s", points[_i].point, points[_i].action);
	ck_assert_int_eq(failpoints_parse(&d.job->failpoints, text), 0);
	start(&d);
	got = next_message(&d);
	if (got == WORKER_READY) {
		ck_assert_int_eq(worker_send(d.socket, WORKER_GRANT, NULL, -1), 0);
		got = next_message(&d);
	}
	ck_assert_int_eq(got, points[_i].exit_status == 1 ? WORKER_FAILED : -ECONNRESET);
	if (got == WORKER_FAILED)
		ck_assert_ptr_nonnull(strstr(d.job->failure.text, points[_i].point));
	ck_assert_int_eq(reap(&d), points[_i].exit_status);
	daemon_deinit(&d);
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("worker");
	TCase *cases = tcase_create("worker");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, what_one_worker_saves_another_restores, 0, ARRAY_LENGTH(trips));
	tcase_add_test(cases, what_was_read_ahead_is_restored_from_there);
	tcase_add_test(cases, what_was_read_ahead_and_is_damaged_is_reported);
	tcase_add_test(cases, a_damaged_image_is_reported);
	tcase_add_test(cases, a_kernel_that_wants_more_pages_is_reported);
	tcase_add_test(cases, a_failure_does_not_wait_for_a_thread_that_hangs);
	tcase_add_test(cases, no_image_is_reported_before_the_snapshot_is_asked_for);
	tcase_add_test(cases, an_area_that_is_too_small_is_reported);
	tcase_add_test(cases, a_snapshot_that_ends_early_is_reported);
	tcase_add_test(cases, a_closed_socket_ends_a_waiting_worker);
	tcase_add_test(cases, a_closed_socket_ends_a_working_worker);
	tcase_add_test(cases, progress_is_reported_meanwhile);
	tcase_add_loop_test(cases, a_wrong_message_ends_the_worker, 0, ARRAY_LENGTH(violations));
	tcase_add_test(cases, a_load_without_a_snapshot_ends_the_worker);
	tcase_add_loop_test(cases, what_was_read_ahead_is_said_once_and_with_a_descriptor, 0, 2);
	tcase_add_test(cases, another_user_is_refused);
	tcase_add_test(cases, fips_mode_seals_nothing);
	tcase_add_test(cases, root_is_refused);
	tcase_add_test(cases, a_capable_worker_is_refused);
	tcase_add_test(cases, a_ready_worker_is_locked_up_with_all_its_threads);
	tcase_add_test(cases, what_is_not_in_the_table_kills);
	tcase_add_loop_test(cases, a_job_that_cannot_be_is_not_begun, 0, ARRAY_LENGTH(wrong_jobs));
	tcase_add_test(cases, messages_carry_values_and_descriptors);
	tcase_add_test(cases, descriptors_where_none_belong_are_closed);
	tcase_add_test(cases, progress_is_dropped_when_nobody_reads);
	tcase_add_test(cases, a_machine_of_many_processors_gets_what_the_pipeline_can_have);
	tcase_add_loop_test(cases, layouts_are_sound_and_bounded, 0, 2);
#if ENABLE_FAILPOINTS
	tcase_add_loop_test(cases, failpoints_of_the_load_fail_where_they_stand, 0, ARRAY_LENGTH(load_points));
	tcase_add_loop_test(cases, failpoints_fail_where_they_stand, 0, ARRAY_LENGTH(points));
#endif
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
