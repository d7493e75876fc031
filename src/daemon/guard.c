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

static void guard_main(struct guard *guard, const struct sysctx *s, pid_t session, int life, int ready, int snapshot_fd,
		       int area_fd)
{
	struct guard_shared *shared = guard->shared;
	struct mark_io io = {.fd = area_fd, .position = shared->area_start, .buffer = guard->page, .name = "area"};
	uint64_t deadline;
	char byte = 0;
	pid_t worker;

	if (sys_lock_memory(s) < 0)
		_exit(1);
	if (write(ready, &byte, 1) != 1)
		_exit(1);
	fd_close(ready);
	failpoint_hit(&guard->failpoints, "guard-start");
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
		mark_disarm(&io, MARK_DROP_FAILED, NULL);
	failpoint_hit(&guard->failpoints, "guard-disarmed");
	fd_close(snapshot_fd);
	_exit(0);
}

int guard_start(struct guard *guard, const struct sysctx *s, int snapshot_fd, int area_fd, uint64_t area_start)
{
	int life[2], ready[2];
	pid_t session = getpid(), pid;
	char byte;
	ssize_t n;

	guard->shared->armed = 0;
	guard->shared->worker = 0;
	guard->shared->area_start = area_start;
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
		guard_main(guard, s, session, life[0], ready[1], snapshot_fd, area_fd);
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
