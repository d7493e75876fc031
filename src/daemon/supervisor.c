/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/supervisor.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define POLL_USEC (100 * USEC_PER_MSEC)
#define DEATH_MSEC 1000
#define PROGRESS_STEPS 4096 /* in so many the work must be done, each within the limit for a stall */
#define PROGRAM_MAX (64 * MIB)
#define WORKER_PROGRAM SBINDIR "/hibernate-image"
#define REINSTALL "Reinstall hibernated."

void supervisor_init(struct supervisor *w)
{
	*w = (struct supervisor){
		.program = -1,
		.memory = -1,
		.socket = -1,
		.pidfd = -1,
		.user = WORKER_USER,
		.program_path = WORKER_PROGRAM,
	};
}

void supervisor_deinit(struct supervisor *w)
{
	supervisor_stop(w);
	if (w->job) {
		worker_wipe(w->job);
		munmap(w->job, w->memory_size);
	}
	if (w->program_map)
		munmap(w->program_map, w->program_size);
	w->job = NULL;
	w->program_map = NULL;
	w->memory = fd_close(w->memory);
	w->program = fd_close(w->program);
}

static int find_user(const struct supervisor *w, uid_t *uid, gid_t *gid, struct failure *f)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(w->user);
	if (!entry)
		return failure_set(f, REASON_WORKER, errno ? errno : ENOENT, w->user,
				   "Create it with systemd-sysusers, or with useradd --system.",
				   "the worker's user does not exist");
	if (entry->pw_uid == 0 || entry->pw_gid == 0)
		return failure_set(f, REASON_WORKER, EPERM, w->user,
				   "Give the worker a user of its own.", "the worker must not run as root");
	*uid = entry->pw_uid;
	*gid = entry->pw_gid;
	return 0;
}

static int copy_file(int from, int to, size_t size)
{
	while (size) {
		ssize_t n = sendfile(to, from, NULL, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		size -= (size_t)n;
	}
	return 0;
}

static int open_program(const char *path, struct stat *st, struct failure *f)
{
	AUTO_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int opened;

	if (from < 0 || fstat(from, st) < 0)
		return failure_set(f, REASON_WORKER, errno, path, REINSTALL, "cannot open the worker's program");
	if (!S_ISREG(st->st_mode) || st->st_size <= 0 || (uint64_t)st->st_size > PROGRAM_MAX)
		return failure_set(f, REASON_WORKER, ENOEXEC, path, REINSTALL, "not a program");
	opened = from;
	from = -1;
	return opened;
}

int supervisor_possible(const struct supervisor *w, struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	uid_t uid;
	gid_t gid;
	int r;

	if (w->stand_in)
		return 0;
	r = find_user(w, &uid, &gid, f);
	if (r < 0)
		return r;
	fd = open_program(w->program_path, &st, f);
	return fd < 0 ? fd : 0;
}

/* For a worker that starts under a frozen system: a copy that nothing has to be read for. */
static int copy_program(struct supervisor *w, const char *path, struct failure *f)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	AUTO_CLOSE int from = -1, memfd = -1;
	struct stat st;
	void *map;
	int r;

	from = open_program(path, &st, f);
	if (from < 0)
		return from;
	memfd = memfd_create("hibernate-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return failure_set(f, REASON_WORKER, errno, path, NULL, "cannot make a memory file");
	r = copy_file(from, memfd, (size_t)st.st_size);
	if (r < 0)
		return failure_set(f, REASON_WORKER, -r, path, REINSTALL, "cannot copy the worker's program");
	if (fcntl(memfd, F_ADD_SEALS, seals) < 0)
		return failure_set(f, REASON_WORKER, errno, path, NULL, "cannot seal the worker's program");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, memfd, 0);
	if (map == MAP_FAILED || mlock(map, (size_t)st.st_size) < 0) {
		r = errno;
		if (map != MAP_FAILED)
			munmap(map, (size_t)st.st_size);
		return failure_set(f, REASON_WORKER, r, path, NULL, "cannot lock the worker's program in memory");
	}
	madvise(map, (size_t)st.st_size, MADV_DONTFORK); /* the worker starts from the descriptor, the guard needs none of it */
	w->program = memfd;
	w->program_map = map;
	w->program_size = (size_t)st.st_size;
	memfd = -1;
	return 0;
}

/* Before a resume nothing is frozen: the worker starts from its file, and locks what it maps of it. */
static int load_program(struct supervisor *w, const char *path, enum worker_direction direction, struct failure *f)
{
	struct stat st;

	if (direction == WORKER_SAVE)
		return copy_program(w, path, f);
	w->program = open_program(path, &st, f);
	return MIN(w->program, 0);
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
	job.worker_uid = w->uid;
	w->memory = memfd;
	w->memory_size = size;
	w->job = map;
	w->page_at = job.body_at;
	*w->job = job;
	memfd = -1;
	return 0;
}

int supervisor_prepare(struct supervisor *w, const struct worker_job *request, uint64_t ram, struct failure *f)
{
	int r = 0;

	if (!w->stand_in) {
		r = find_user(w, &w->uid, &w->gid, f);
		if (r >= 0)
			r = load_program(w, w->program_path, (enum worker_direction)request->direction, f);
	}
	return r < 0 ? r : reserve(w, request, ram, f);
}

/* Put @fd at @number without close-on-exec; the numbers above the fixed ones are free by now. */
static int place_fd(int fd, int number)
{
	return dup2(fd, number) < 0 ? -errno : 0;
}

/* Child: no capability can be had any more, whatever is executed. Ends at the first that this kernel does not know. */
static void drop_bounding_set(void)
{
	int held;

	for (int capability = 0; (held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0)) >= 0; capability++)
		if (held && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			_exit(119);
}

/* Child: become the worker. Only system calls that cannot allocate. */
static _Noreturn void run_worker(const struct supervisor *w, int socket, int area, int snapshot, pid_t parent)
{
	char name[] = "hibernate-image", mode[] = "--worker";
	char *const argv[] = {name, mode, NULL}, *const envp[] = {NULL};
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY}, none = {0, 0};
	const int sources[] = {socket, w->memory, area, snapshot, w->program};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct nothing[_LINUX_CAPABILITY_U32S_3] = {0};
	int moved[ARRAY_LENGTH(sources)], null;
	sigset_t empty;

	/* Move everything above the fixed numbers first, so that no dup2() hits a source. */
	for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
		moved[i] = sources[i] < 0 ? -1 : fcntl(sources[i], F_DUPFD_CLOEXEC, 32);
		if (sources[i] >= 0 && moved[i] < 0)
			_exit(121);
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		if (null < 0 || place_fd(null, i) < 0)
			_exit(122);
	for (int i = 0; i < 4; i++)
		if (moved[i] >= 0 && place_fd(moved[i], WORKER_FD_SOCKET + i) < 0)
			_exit(123);
	if (snapshot < 0)
		close(WORKER_FD_SNAPSHOT);
	if (dup3(moved[4], WORKER_FD_SNAPSHOT + 1, O_CLOEXEC) < 0)
		_exit(124);
	syscall(SYS_close_range, WORKER_FD_SNAPSHOT + 2, ~0U, 0);

	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* A terminal, or a service manager, may send these to all of us: it is the daemon that decides. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	setrlimit(RLIMIT_CORE, &none);
	drop_bounding_set();
	if (setgroups(0, NULL) < 0 || setresgid(w->gid, w->gid, w->gid) < 0 ||
	    setresuid(w->uid, w->uid, w->uid) < 0 || syscall(SYS_capset, &header, nothing) < 0)
		_exit(125);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(126);
	if (getppid() != parent) /* it died before PDEATHSIG was set */
		_exit(127);
	syscall(SYS_execveat, WORKER_FD_SNAPSHOT + 1, "", argv, envp, AT_EMPTY_PATH);
	_exit(120);
}

static _Noreturn void become_worker(const struct supervisor *w, int socket, int area, int snapshot, pid_t parent)
{
	if (!w->stand_in)
		run_worker(w, socket, area, snapshot, parent);
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
