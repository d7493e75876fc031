/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/guard.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD_BYTES (PAGE_BYTES + MARK_BUFFER_BYTES)
#define GUARD_GONE_USEC (2 * USEC_PER_SEC)
#define GUARD_RETRY_USEC USEC_PER_SEC
#define DESCRIPTORS_MAX 1024

int guard_init(struct guard *guard)
{
	void *memory = mmap(NULL, GUARD_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	*guard = (struct guard){.life = -1};
	if (memory == MAP_FAILED)
		return -errno;
	guard->shared = memory;
	guard->page = (char *)memory + PAGE_BYTES;
	return 0;
}

void guard_deinit(struct guard *guard)
{
	guard_stop(guard);
	if (guard->shared)
		munmap(guard->shared, GUARD_BYTES);
	guard->shared = NULL;
}

/* Until @pid is no process any more, dead ones included; false when it takes too long. */
static bool wait_gone(pid_t pid, uint64_t deadline)
{
	while (kill(pid, 0) == 0 || errno != ESRCH) {
		if (clock_monotonic_usec() > deadline)
			return false;
		clock_sleep_usec(USEC_PER_MSEC);
	}
	return true;
}

/* What the guard works with: its own copies. */
struct duty {
	struct guard *guard;
	struct snapshot snapshot;
	struct mark_io io;
	struct log *log;
};

static int retract(const struct duty *duty, struct failure *f)
{
	return mark_retract(&duty->io, duty->guard->shared->header_offset, MARK_DROP_FAILED, f);
}

/* Whoever waits for the session to end must not wait for us. */
static void close_others(const struct duty *duty)
{
	for (int fd = 0; fd < sysconf(_SC_OPEN_MAX) && fd < DESCRIPTORS_MAX; fd++)
		if (fd != STDERR_FILENO && fd != duty->snapshot.fd && fd != duty->io.fd && fd != duty->log->kmsg)
			close(fd);
}

/* The image stays whole and its mark armed, until the disk comes back. User space runs. */
static void keep_slots(struct duty *duty)
{
	close_others(duty);
	munlockall();
	while (retract(duty, NULL) < 0)
		clock_sleep_usec(GUARD_RETRY_USEC);
	log_line(duty->log, LOG_LEVEL_NOTICE, "%s: the image is dropped at last", duty->io.name);
}

int guard_retract(const struct mark_io *io, uint64_t header_offset, enum mark_drop drop, struct log *log)
{
	struct failure f = {0};
	int r = mark_retract(io, header_offset, drop, &f);

	if (r == MARK_RETRACTED)
		return r;
	log_failure(log, &f);
	if (r == MARK_HEADER_DESTROYED)
		log_line(log, LOG_LEVEL_WARNING, "%s: the mark stays, but its image is destroyed; mkswap removes it", io->name);
	else
		log_line(log, LOG_LEVEL_ERROR,
			 "%s: the image cannot be dropped; its swap is kept and nothing hibernates until it can. "
			 "Check the disk; or boot with noresume, then use mkswap",
			 io->name);
	return r;
}

/* A frozen machine would help nobody. */
static void disarm(struct duty *duty)
{
	struct failure f = {0};

	if (guard_retract(&duty->io, duty->guard->shared->header_offset, MARK_DROP_FAILED, duty->log) >= 0)
		return;
	if (snapshot_take_over(&duty->snapshot, &f) < 0) {
		log_failure(duty->log, &f);
		return; /* closing the descriptor thaws */
	}
	log_release(duty->log);
	keep_slots(duty);
}

void guard_keep_slots(struct guard *guard, const struct snapshot *snapshot, const struct mark_io *area, struct log *log)
{
	struct duty duty = {.guard = guard, .snapshot = *snapshot, .io = *area, .log = log};

	if (fork() != 0) /* where it fails the slots go with the session; the log has said what to do */
		return;
	keep_slots(&duty);
	_exit(0);
}

static void guard_main(struct duty *duty, const struct sysctx *s, pid_t session, int life, int ready)
{
	struct guard_shared *shared = duty->guard->shared;
	uint64_t deadline;
	char byte = 0;
	pid_t worker;

	if (sys_lock_memory(s) < 0)
		_exit(1);
	if (write(ready, &byte, 1) != 1)
		_exit(1);
	fd_close(ready);
	failpoint_hit(&duty->guard->failpoints, "guard-start");
	while (read(life, &byte, 1) < 0 && errno == EINTR)
		;

	deadline = clock_monotonic_usec() + GUARD_GONE_USEC;
	worker = shared->worker;
	if (worker > 0)
		kill(worker, SIGKILL);
	wait_gone(session, deadline);
	if (worker > 0)
		wait_gone(worker, deadline);
	if (shared->armed)
		disarm(duty);
	failpoint_hit(&duty->guard->failpoints, "guard-disarmed");
	fd_close(duty->snapshot.fd);
	log_release(duty->log); /* what the session had held back when this was forked */
	_exit(0);
}

int guard_start(struct guard *guard, const struct sysctx *s, const struct snapshot *snapshot, const struct mark_io *area,
		struct log *log)
{
	struct duty duty = {.guard = guard, .snapshot = *snapshot, .io = *area, .log = log};
	int life[2], ready[2];
	pid_t session = getpid(), pid;
	char byte;
	ssize_t n;

	duty.io.buffer = guard->page;
	guard->shared->armed = 0;
	guard->shared->worker = 0;
	guard->shared->header_offset = area->position;
	if (pipe2(life, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(ready, O_CLOEXEC) < 0) {
		int r = -errno;

		fd_close(life[0]);
		fd_close(life[1]);
		return r;
	}
	pid = fork();
	if (pid == 0) {
		fd_close(life[1]);
		fd_close(ready[0]);
		guard_main(&duty, s, session, life[0], ready[1]);
	}
	n = pid < 0 ? -errno : 0;
	fd_close(life[0]);
	fd_close(ready[1]);
	guard->life = life[1];
	guard->pid = MAX(pid, 0);
	if (pid > 0) {
		while ((n = read(ready[0], &byte, 1)) < 0 && errno == EINTR)
			;
		n = n == 1 ? 0 : -EIO;
	}
	fd_close(ready[0]);
	if (n < 0)
		guard_stop(guard);
	return (int)n;
}

void guard_stop(struct guard *guard)
{
	if (guard->pid > 0) {
		kill(guard->pid, SIGKILL);
		while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	guard->pid = 0;
	guard->life = fd_close(guard->life);
}
