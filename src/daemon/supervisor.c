/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/supervisor.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define POLL_USEC (100 * USEC_PER_MSEC)
#define DEATH_MSEC 1000
#define PROGRESS_STEPS 4096 /* in so many the work must be done, each within the limit for a stall */

void supervisor_init(struct supervisor *w)
{
	*w = (struct supervisor){
		.memory = -1,
		.socket = -1,
		.pidfd = -1,
	};
	program_init(&w->program);
}

void supervisor_deinit(struct supervisor *w)
{
	supervisor_stop(w);
	if (w->job) {
		worker_wipe(w->job);
		munmap(w->job, w->memory_size);
	}
	w->job = NULL;
	w->memory = fd_close(w->memory);
	program_deinit(&w->program);
}

static int reserve(struct supervisor *w, const struct worker_job *request, uint64_t ram, struct failure *f)
{
	AUTO_CLOSE int memfd = memfd_create("hibernate-buffers", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
	struct worker_job job = *request;
	uint64_t size = worker_layout(&job, ram);
	void *map;
	int r;

	if (memfd < 0 || ftruncate(memfd, (off_t)size) < 0 || fcntl(memfd, F_ADD_SEALS, seals) < 0)
		return failure_set(f, REASON_INTERNAL, errno, "worker memory", "Free some memory.",
				   "cannot reserve %llu MiB", (unsigned long long)(size / MIB));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (map == MAP_FAILED || mlock(map, size) < 0) {
		r = errno;
		if (map != MAP_FAILED)
			munmap(map, size);
		return failure_set(f, REASON_INTERNAL, r, "worker memory", "Free some memory.",
				   "cannot lock %llu MiB", (unsigned long long)(size / MIB));
	}
	madvise(map, size, MADV_DONTFORK);
	job.version = WORKER_PROTOCOL_VERSION;
	job.unlocked = 0;
	job.worker_uid = w->program.uid;
	w->memory = memfd;
	w->memory_size = size;
	w->job = map;
	w->page_at = job.body_at;
	*w->job = job;
	memfd = -1;
	return 0;
}

int supervisor_possible(const struct supervisor *w, struct failure *f)
{
	return w->stand_in ? 0 : program_possible(&w->program, f);
}

int supervisor_prepare(struct supervisor *w, const struct worker_job *request, uint64_t ram, struct failure *f)
{
	int r = w->stand_in ? 0 : program_load(&w->program, request->direction == WORKER_SAVE, f);

	return r < 0 ? r : reserve(w, request, ram, f);
}

static _Noreturn void become_worker(const struct supervisor *w, int socket, int area, int snapshot, pid_t parent)
{
	if (!w->stand_in)
		program_execute(&w->program, socket, w->memory, area, snapshot, parent);
	w->stand_in(w->stand_in_data, socket, w->memory, area, snapshot);
	_exit(0);
}

static int await_ready(struct supervisor *w, struct failure *f)
{
	struct worker_message message;
	int r = supervisor_poll(w, READY_TIMEOUT_USEC, &message, f);

	if (r < 0)
		return r;
	if (r == 0)
		return failure_set(f, REASON_WORKER, ETIMEDOUT, "hibernate-image", NULL,
				   "the worker was not ready within %llu s",
				   (unsigned long long)(READY_TIMEOUT_USEC / USEC_PER_SEC));
	if (message.type != WORKER_READY || message.value[0] != WORKER_PROTOCOL_VERSION)
		return failure_set(f, REASON_WORKER, EPROTO, "hibernate-image", "Reinstall hibernated.",
				   "the worker's first message was %u, version %llu", message.type,
				   (unsigned long long)message.value[0]);
	return 0;
}

int supervisor_start(struct supervisor *w, int area, int snapshot, struct failure *f)
{
	pid_t parent = getpid();
	int pair[2], r;

	supervisor_expect(w, 0, 0);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return failure_set(f, REASON_WORKER, errno, "hibernate-image", NULL, "cannot make a socket pair");
	w->pid = fork();
	if (w->pid == 0)
		become_worker(w, pair[1], area, snapshot, parent);
	r = errno;
	fd_close(pair[1]);
	w->socket = pair[0];
	if (w->pid < 0) {
		w->pid = 0;
		supervisor_stop(w);
		return failure_set(f, REASON_WORKER, r, "hibernate-image", "Free some memory.", "cannot start the worker");
	}
	w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
	r = await_ready(w, f);
	if (r < 0)
		supervisor_stop(w);
	return r;
}

static int send_values(struct supervisor *w, enum worker_message_type type, const uint64_t *values, int fd, struct failure *f)
{
	int r = worker_send(w->socket, type, values, fd);

	if (r < 0)
		return failure_set(f, REASON_WORKER, -r, "hibernate-image", NULL, "cannot reach the worker");
	return 0;
}

int supervisor_send(struct supervisor *w, enum worker_message_type type, int fd, struct failure *f)
{
	return send_values(w, type, NULL, fd, f);
}

int supervisor_send_ahead(struct supervisor *w, int fd, const struct extent *range, struct failure *f)
{
	return send_values(w, WORKER_AHEAD, (uint64_t[4]){range->start, range->length}, fd, f);
}

/* The worker is gone: say how it ended. */
static int worker_died(struct supervisor *w, struct failure *f)
{
	siginfo_t info = {0};

	waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT);
	if (info.si_pid && info.si_code != CLD_EXITED)
		return failure_set(f, REASON_WORKER, EPIPE, "hibernate-image", NULL,
				   "the worker was killed by signal %d (%s)", info.si_status,
				   info.si_status == SIGSYS ? "a system call outside its sandbox"
							    : strsignal(info.si_status));
	return failure_set(f, REASON_WORKER, EPIPE, "hibernate-image", NULL, "the worker ended early with status %d",
			   info.si_status);
}

static bool is_dead(const struct supervisor *w, int timeout_msec)
{
	struct pollfd dead = {.fd = w->pidfd, .events = POLLIN};

	return poll(&dead, 1, timeout_msec) > 0;
}

int supervisor_check(struct supervisor *w, struct failure *f)
{
	return w->pid && is_dead(w, 0) ? worker_died(w, f) : 0;
}

void supervisor_wait_dead(struct supervisor *w)
{
	is_dead(w, DEATH_MSEC);
}

int supervisor_poll(struct supervisor *w, uint64_t timeout_usec, struct worker_message *message, struct failure *f)
{
	uint64_t deadline = clock_monotonic_usec() + timeout_usec;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = w->socket, .events = POLLIN},
			{.fd = w->pidfd, .events = POLLIN},
		};
		uint64_t now = clock_monotonic_usec();
		int r = poll(fds, 2, now >= deadline ? 0 : (int)div_up(deadline - now, USEC_PER_MSEC));

		if (r < 0 && errno != EINTR)
			return failure_set(f, REASON_INTERNAL, errno, "hibernate-image", NULL, "poll");
		if (r <= 0) {
			if (clock_monotonic_usec() >= deadline)
				return 0;
			continue;
		}
		if (!(fds[0].revents & POLLIN))
			return worker_died(w, f);
		r = worker_receive(w->socket, message, NULL, 0);
		if (r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN) {
			supervisor_wait_dead(w); /* its end of the socket closes a moment before that */
			return worker_died(w, f);
		}
		if (r < 0)
			return failure_set(f, REASON_WORKER, -r, "hibernate-image", NULL, "the worker broke the protocol");
		if (message->type == WORKER_FAILED) {
			*f = w->job->failure;
			f->object[sizeof(f->object) - 1] = f->text[sizeof(f->text) - 1] = '\0';
			f->remedy[sizeof(f->remedy) - 1] = '\0';
			if (f->reason <= REASON_NONE || f->reason >= _REASON_MAX)
				f->reason = REASON_WORKER;
			return f->error > 0 && f->error < 4096 ? -f->error : -EIO;
		}
		return 1;
	}
}

void supervisor_expect(struct supervisor *w, uint64_t pages, uint64_t bytes)
{
	w->progress = (struct supervisor_progress){.pages_most = pages, .bytes_most = bytes};
}

/* It could report for ever: what it says only grows, ends where the work ends, and grows by a share worth its time. */
static int take_progress(struct supervisor_progress *p, const struct worker_message *message, struct failure *f)
{
	uint64_t pages = message->value[0], total = message->value[1], bytes = message->value[2];
	uint64_t least = p->pages_most / PROGRESS_STEPS + 1;

	if (pages < p->pages || bytes < p->bytes || pages > p->pages_most || bytes > p->bytes_most || total != p->pages_most)
		return failure_set(f, REASON_WORKER, EPROTO, "hibernate-image", NULL,
				   "the worker's progress makes no sense: page %llu of %llu after page %llu of %llu",
				   (unsigned long long)pages, (unsigned long long)total, (unsigned long long)p->pages,
				   (unsigned long long)p->pages_most);
	p->pages = pages;
	p->bytes = bytes;
	if (pages - p->counted_pages >= least || bytes - p->counted_bytes >= least * PAGE_BYTES) {
		p->counted_pages = pages;
		p->counted_bytes = bytes;
		p->moved_at = clock_monotonic_usec();
	}
	return 0;
}

int supervisor_await_either(struct supervisor *w, enum worker_message_type type, enum worker_message_type other,
			    uint64_t stall_usec, supervisor_tick tick, void *data, struct failure *f)
{
	struct worker_message message;
	int r;

	w->progress.moved_at = clock_monotonic_usec();
	for (;;) {
		r = supervisor_poll(w, POLL_USEC, &message, f);
		if (r < 0)
			return r;
		if (r > 0 && (message.type == (uint32_t)type || message.type == (uint32_t)other))
			return message.type == (uint32_t)type ? 0 : 1;
		if (r > 0 && message.type != WORKER_PROGRESS)
			return failure_set(f, REASON_WORKER, EPROTO, "hibernate-image", NULL, "unexpected message %u",
					   message.type);
		if (r > 0 && take_progress(&w->progress, &message, f) < 0)
			return -EPROTO;
		r = tick(data, r > 0 ? &message : NULL, f);
		if (r < 0)
			return r;
		if (clock_monotonic_usec() - w->progress.moved_at > stall_usec)
			return failure_set(f, REASON_WORKER, ETIMEDOUT, "hibernate-image", NULL,
					   "the worker moved nothing for %llu s",
					   (unsigned long long)(stall_usec / USEC_PER_SEC));
	}
}

int supervisor_await(struct supervisor *w, enum worker_message_type type, uint64_t stall_usec, supervisor_tick tick,
		     void *data, struct failure *f)
{
	return supervisor_await_either(w, type, type, stall_usec, tick, data, f);
}

void supervisor_copy_page(const struct supervisor *w, void *page)
{
	memcpy(page, (const uint8_t *)w->job + w->page_at, PAGE_BYTES);
}

void supervisor_stop(struct supervisor *w)
{
	if (w->pid > 0) {
		kill(w->pid, SIGKILL);
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	w->pid = 0;
	w->pidfd = fd_close(w->pidfd);
	w->socket = fd_close(w->socket);
}
