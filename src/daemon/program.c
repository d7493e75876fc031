/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/program.h"

#include "base/fdio.h"
#include "pipeline/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAM_MAX (64 * MIB)
#define WORKER_PROGRAM SBINDIR "/hibernate-image"
#define REINSTALL "Reinstall hibernated."

void program_init(struct program *p)
{
	*p = (struct program){.fd = -1, .user = WORKER_USER, .path = WORKER_PROGRAM};
}

void program_deinit(struct program *p)
{
	if (p->map)
		munmap(p->map, p->size);
	p->map = NULL;
	p->fd = fd_close(p->fd);
}

static int find_user(const struct program *p, uid_t *uid, gid_t *gid, struct failure *f)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(p->user);
	if (!entry)
		return failure_set(f, REASON_WORKER, errno ? errno : ENOENT, p->user,
				   "Create it with systemd-sysusers, or with useradd --system.",
				   "the worker's user does not exist");
	if (entry->pw_uid == 0 || entry->pw_gid == 0)
		return failure_set(f, REASON_WORKER, EPERM, p->user,
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

int program_possible(const struct program *p, struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	uid_t uid;
	gid_t gid;
	int r;

	r = find_user(p, &uid, &gid, f);
	if (r < 0)
		return r;
	fd = open_program(p->path, &st, f);
	return fd < 0 ? fd : 0;
}

/* For a worker that starts under a frozen system: a copy that nothing has to be read for. */
static int copy(struct program *p, struct failure *f)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	AUTO_CLOSE int from = -1, memfd = -1;
	struct stat st;
	void *map;
	int r;

	from = open_program(p->path, &st, f);
	if (from < 0)
		return from;
	memfd = memfd_create("hibernate-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return failure_set(f, REASON_WORKER, errno, p->path, NULL, "cannot make a memory file");
	r = copy_file(from, memfd, (size_t)st.st_size);
	if (r < 0)
		return failure_set(f, REASON_WORKER, -r, p->path, REINSTALL, "cannot copy the worker's program");
	if (fcntl(memfd, F_ADD_SEALS, seals) < 0)
		return failure_set(f, REASON_WORKER, errno, p->path, NULL, "cannot seal the worker's program");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, memfd, 0);
	if (map == MAP_FAILED || mlock(map, (size_t)st.st_size) < 0) {
		r = errno;
		if (map != MAP_FAILED)
			munmap(map, (size_t)st.st_size);
		return failure_set(f, REASON_WORKER, r, p->path, NULL, "cannot lock the worker's program in memory");
	}
	madvise(map, (size_t)st.st_size, MADV_DONTFORK); /* the worker starts from the descriptor, the guard needs none of it */
	p->fd = memfd;
	p->map = map;
	p->size = (size_t)st.st_size;
	memfd = -1;
	return 0;
}

int program_load(struct program *p, bool ahead, struct failure *f)
{
	struct stat st;
	int r = find_user(p, &p->uid, &p->gid, f);

	if (r < 0)
		return r;
	if (ahead)
		return copy(p, f);
	p->fd = open_program(p->path, &st, f);
	return MIN(p->fd, 0);
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

_Noreturn void program_execute(const struct program *p, int socket, int memory, int area, int snapshot, pid_t parent)
{
	char name[] = "hibernate-image", mode[] = "--worker";
	char *const argv[] = {name, mode, NULL}, *const envp[] = {NULL};
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY}, none = {0, 0};
	const int sources[] = {socket, memory, area, snapshot, p->fd};
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
	if (setgroups(0, NULL) < 0 || setresgid(p->gid, p->gid, p->gid) < 0 ||
	    setresuid(p->uid, p->uid, p->uid) < 0 || syscall(SYS_capset, &header, nothing) < 0)
		_exit(125);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(126);
	if (getppid() != parent) /* it died before PDEATHSIG was set */
		_exit(127);
	syscall(SYS_execveat, WORKER_FD_SNAPSHOT + 1, "", argv, envp, AT_EMPTY_PATH);
	_exit(120);
}
