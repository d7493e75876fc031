/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine.h"

#include "area/mark-disk.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "cli/worker.h"

#include <check.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/input.h>
#include <linux/suspend_ioctls.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 4096
#define DISK_BYTES ((SLOTS + 1) * (uint64_t)PAGE_BYTES)
#define NOBODY 65534
#define GONE_USEC (4 * USEC_PER_SEC)

#define SETTINGS_PRINTK "4\t4\t1\t7"
#define SETTINGS_IMAGE_SIZE "409600000"

/* The machine of this process, for the calls that are wrapped; and whether this is its worker. */
static struct machine *here;
static bool in_worker;

/* ---- disk --------------------------------------------------------------- */

ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t position);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t position);
ssize_t __real_pread(int fd, void *data, size_t size, off_t position);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t position);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
ssize_t __real_readv(int fd, const struct iovec *iov, int count);
ssize_t __wrap_readv(int fd, const struct iovec *iov, int count);
ssize_t __real_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count);

/* What no worker may do, in the thread where the test wants it: the one that moves pages, or the main one. */
static void overstep(bool moving)
{
	if (in_worker && here->overstep && here->overstep_moving == moving)
		here->overstep();
}

/* What the run has forked to survive it, in whose memory the knobs are its own. */
static bool in_guard(const struct machine *m)
{
	return m && !in_worker && m->pid && getpid() != m->pid;
}

/* A disk that takes nothing from the guard, not even a flush. */
static int guard_fault(void)
{
	if (!in_guard(here) || !here->guard_faults)
		return 0;
	here->guard_faults--;
	errno = EIO;
	return -1;
}

static int disk_fault(int error)
{
	if (!here || in_worker || !error || !here->fault_times)
		return 0;
	if (here->fault_skip) {
		here->fault_skip--;
		return 0;
	}
	here->fault_times--;
	errno = -error;
	return -1;
}

static bool is_first_page(off_t position)
{
	return position == 0;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t position)
{
	overstep(false);
	if (guard_fault() < 0)
		return -1;
	if (is_first_page(position) && disk_fault(here ? here->write_error : 0) < 0)
		return -1;
	return __real_pwrite(fd, data, size, position);
}

int __wrap_fdatasync(int fd)
{
	if (disk_fault(here ? here->flush_error : 0) < 0)
		return -1;
	if (here && !in_worker)
		here->state->flushes++;
	return __real_fdatasync(fd);
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t position)
{
	overstep(false);
	return __real_pread(fd, data, size, position);
}

/* The worker reads and writes the device by the real calls, and nothing else in this way. */
static bool is_snapshot(int fd)
{
	if (in_worker && fd != WORKER_FD_AREA)
		overstep(true);
	return in_worker && fd != WORKER_FD_AREA;
}

static ssize_t as_libc(ssize_t n)
{
	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

ssize_t __wrap_readv(int fd, const struct iovec *iov, int count)
{
	return is_snapshot(fd) ? as_libc(fake_kernel_ops.readv(here->kernel, fd, iov, count)) : __real_readv(fd, iov, count);
}

ssize_t __wrap_writev(int fd, const struct iovec *iov, int count)
{
	return is_snapshot(fd) ? as_libc(fake_kernel_ops.writev(here->kernel, fd, iov, count)) : __real_writev(fd, iov, count);
}

void machine_write(struct machine *m, uint64_t position, const void *data, size_t size)
{
	ck_assert_int_eq(__real_pwrite(m->disk, data, size, (off_t)position), (ssize_t)size);
}

void machine_read(struct machine *m, uint64_t position, void *data, size_t size)
{
	ck_assert_int_eq(pread(m->disk, data, size, (off_t)position), (ssize_t)size);
}

void machine_mark(struct machine *m, struct mark *mark)
{
	char page[PAGE_BYTES];

	machine_read(m, 0, page, sizeof(page));
	mark_decode(page, mark);
}

bool machine_has_header(struct machine *m, const struct mark *mark)
{
	static const char blank[PAGE_BYTES];
	char page[PAGE_BYTES];

	machine_read(m, mark->header_offset, page, sizeof(page));
	return memcmp(page, blank, sizeof(page)) != 0;
}

static bool has_swap_signature(struct machine *m)
{
	char signature[10];

	machine_read(m, PAGE_BYTES - sizeof(signature), signature, sizeof(signature));
	return memcmp(signature, "SWAPSPACE2", sizeof(signature)) == 0;
}

/* ---- rules -------------------------------------------------------------- */

/* Alive, or dead and not waited for. */
static bool has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

static void check_leaving(struct machine *m)
{
	struct mark mark;
	sigset_t set;

	machine_mark(m, &mark);
	if (mark.kind != MARK_ARMED)
		fake_kernel_violate(m->kernel, "the machine leaves without an armed mark");
	if (m->hibernation && m->hibernation->worker.pid)
		fake_kernel_violate(m->kernel, "the machine leaves while the worker lives");
	sigprocmask(SIG_SETMASK, NULL, &set);
	if (!sigismember(&set, SIGTERM) || !sigismember(&set, SIGUSR1) || !sigismember(&set, SIGALRM))
		fake_kernel_violate(m->kernel, "signals are not blocked after the commit point");
}

/* Giving back what an armed mark stands for. */
static void check_giving_back(struct machine *m, const char *what)
{
	struct mark mark;

	machine_mark(m, &mark);
	if (m->hibernation && mark.kind == MARK_ARMED && machine_has_header(m, &mark) &&
	    !(in_guard(m) && m->kernel->areas[0].taken)) /* it keeps the slots */
		fake_kernel_violate(m->kernel, "%s under an armed mark", what);
	if (m->resume && mark.kind == MARK_DROPPED && mark.state == MARK_STATE_IN_PROGRESS)
		fake_kernel_violate(m->kernel, "%s with the image still in progress", what);
}

static void check_thaw(struct machine *m, const char *what)
{
	check_giving_back(m, what);
	if (m->kernel->frozen && has_children())
		fake_kernel_violate(m->kernel, "%s while a process from after FREEZE is there", what);
}

static void check_entering(struct machine *m)
{
	struct mark mark;

	machine_mark(m, &mark);
	if (mark.kind != MARK_DROPPED || mark.state != MARK_STATE_IN_PROGRESS || !has_swap_signature(m))
		fake_kernel_violate(m->kernel, "the image is entered while its mark is %s", mark_kind_name(mark.kind));
	if (has_children())
		fake_kernel_violate(m->kernel, "the image is entered while the worker is there");
}

static void check_rules(struct machine *m, unsigned long request)
{
	const struct hibernation *h = m->hibernation;

	switch (request) {
	case SNAPSHOT_FREEZE:
		if (has_children())
			fake_kernel_violate(m->kernel, "a child from before FREEZE would be frozen");
		break;
	case SNAPSHOT_CREATE_IMAGE:
		if (!h || !h->worker.pid || !h->guard.pid)
			fake_kernel_violate(m->kernel, "CREATE_IMAGE without worker and guard");
		break;
	case SNAPSHOT_POWER_OFF:
	case SNAPSHOT_S2RAM:
		check_leaving(m);
		break;
	case SNAPSHOT_FREE_SWAP_PAGES:
		check_giving_back(m, "FREE_SWAP_PAGES");
		if (h && h->worker.pid && h->worker.job->extent_count)
			fake_kernel_violate(m->kernel, "FREE_SWAP_PAGES while the worker can write to them");
		break;
	case SNAPSHOT_FREE:
		if (h)
			check_giving_back(m, "FREE");
		break;
	case SNAPSHOT_UNFREEZE:
		check_thaw(m, "UNFREEZE");
		break;
	case SNAPSHOT_ATOMIC_RESTORE:
		check_entering(m);
		break;
	default:
		break;
	}
}

/* ---- the operations ----------------------------------------------------- */

/* Everything ends at once, the guard too. */
static _Noreturn void lose_power(struct machine *m, enum machine_end end)
{
	if (m->hibernation)
		guard_stop(&m->hibernation->guard);
	_exit(end);
}

static int machine_ioctl(void *data, int fd, unsigned long request, unsigned long argument)
{
	struct machine *m = data;
	int r;

	if (m->action && request == m->at && m->at_skip-- == 0) {
		void (*action)(struct machine *) = m->action;

		m->action = NULL;
		action(m);
	}
	m->state->calls[_IOC_NR(request)]++;
	check_rules(m, request);
	r = fake_kernel_ops.ioctl(m->kernel, fd, request, argument);
	if (request == SNAPSHOT_POWER_OFF && m->kernel->powered_off)
		lose_power(m, MACHINE_OFF);
	if (request == SNAPSHOT_ATOMIC_RESTORE && m->kernel->entered)
		lose_power(m, MACHINE_ENTERED);
	return r;
}

static int machine_open(void *data, int flags)
{
	struct machine *m = data;

	return fake_kernel_ops.open(m->kernel, flags);
}

static int machine_close(void *data, int fd)
{
	struct machine *m = data;

	check_thaw(m, "the last close");
	if (m->hibernation && m->hibernation->keep_slots)
		return close(fd); /* not the last one */
	if (m->kernel->frozen || m->kernel->ready || m->kernel->kernel_threads_frozen || m->kernel->areas[0].taken)
		fake_kernel_violate(m->kernel, "the last close has to clean up: %s",
				    m->kernel->frozen ? "frozen" : m->kernel->areas[0].taken ? "slots" : "image");
	return fake_kernel_ops.close(m->kernel, fd);
}

static const struct snapshot_ops machine_ops = {
	.open = machine_open,
	.close = machine_close,
	.ioctl = machine_ioctl,
};

static int system_ioctl(void *data, int fd, unsigned long request, void *argument)
{
	(void)data;
	(void)fd;
	if (_IOC_TYPE(request) != 'E' || _IOC_NR(request) != _IOC_NR(EVIOCGBIT(EV_KEY, 0)))
		return -ENOTTY;
	((unsigned char *)argument)[KEY_POWER / 8] |= 1U << KEY_POWER % 8;
	return 0;
}

static int system_reboot(void *data, int command)
{
	struct machine *m = data;

	m->state->reboot_command = command;
	m->state->reboots++;
	if (m->hibernation)
		check_leaving(m);
	if (m->reboot_error < 0)
		return m->reboot_error;
	if (m->reboot_error > 0 || m->state->reboots <= m->reboot_returns)
		return 0;
	lose_power(m, MACHINE_OFF);
}

static int system_lock_memory(void *data)
{
	const struct machine *m = data;

	return m->lock_error;
}

static void system_sync(void *data)
{
	struct machine *m = data;

	if (m->sync)
		m->sync(m);
}

static const struct sysctx_ops system_ops = {
	.ioctl = system_ioctl,
	.reboot = system_reboot,
	.lock_memory = system_lock_memory,
	.sync = system_sync,
};

/* ---- the worker --------------------------------------------------------- */

/* What the supervisor does before it executes the program, then the program's own main function. */
static void worker_process(void *data, int socket, int memory, int area, int snapshot)
{
	const int sources[] = {socket, memory, area, snapshot};
	struct machine *m = data;
	struct worker_job *job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	unsigned int number = ++m->state->workers;
	int moved[ARRAY_LENGTH(sources)];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	in_worker = true;
	if (job == MAP_FAILED)
		_exit(1);
	if (m->worker && (!m->worker_times || number <= m->worker_times))
		m->worker(m, socket, job);
	for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
		moved[i] = sources[i] < 0 ? -1 : fcntl(sources[i], F_DUPFD_CLOEXEC, 32);
	for (int i = 0; i < (int)ARRAY_LENGTH(sources); i++)
		if (moved[i] >= 0)
			dup2(moved[i], WORKER_FD_SOCKET + i);
		else
			close(WORKER_FD_SOCKET + i);
	close_range(WORKER_FD_SNAPSHOT + 1, ~0U, 0);
	if (getuid() == 0 && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
		_exit(1);
	job->worker_uid = getuid();
	job->unlocked = 1;
	_exit(worker_main());
}

static int ask_tpm(void *data, struct tpm_job *job)
{
	struct machine *m = data;

	ck_assert_uint_eq(job->version, TPM_JOB_VERSION);
	ck_assert_uint_lt(job->kind, ARRAY_LENGTH(m->state->tpm_jobs));
	m->state->tpm_jobs[job->kind]++;
	return m->tpm ? m->tpm(m, job) : -ENOENT;
}

static void open_something(void)
{
	open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void make_a_socket(void)
{
	socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void execute_something(void)
{
	char *const none[] = {NULL};

	execve("/no/such/program", none, none); /* one that is there would die of the same filter */
}

static void trace_somebody(void)
{
	ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

const struct machine_overstep machine_oversteps[MACHINE_OVERSTEPS] = {
	{"open, main thread", open_something, false},       {"open, pipeline", open_something, true},
	{"socket, main thread", make_a_socket, false},      {"socket, pipeline", make_a_socket, true},
	{"execve, main thread", execute_something, false},  {"execve, pipeline", execute_something, true},
	{"ptrace, main thread", trace_somebody, false},     {"ptrace, pipeline", trace_somebody, true},
};

void machine_let_overstep(struct machine *m, const struct machine_overstep *what)
{
	m->overstep = what->call;
	m->overstep_moving = what->moving;
}

bool machine_said(struct machine *m, const char *words)
{
	char log[PAGE_BYTES + 1] = "";

	sys_read(&m->tree.sys, "/dev/kmsg", log, sizeof(log));
	return strstr(log, words) != NULL;
}

/* ---- the tree ----------------------------------------------------------- */

static void make_disk(struct machine *m)
{
	char page[PAGE_BYTES] = {0};
	struct swap_header_disk *header = (void *)page;

	tree_sparse(&m->tree, "/dev/vda2", DISK_BYTES);
	m->disk = open(tree_path(&m->tree, "/dev/vda2"), O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(m->disk, 0);
	header->version = htole32(1);
	header->last_page = htole32(SLOTS);
	memset(header->uuid, 0xaa, sizeof(header->uuid));
	memcpy(page + PAGE_BYTES - 10, "SWAPSPACE2", 10);
	machine_write(m, 0, page, sizeof(page));
}

static void make_root(struct machine *m)
{
	char page[PAGE_BYTES] = {0};
	char *super = page + 1024;

	super[56] = 0x53;
	super[57] = (char)0xef;
	super[24] = 2;
	memset(super + 104, 0xbb, 16);
	tree_write_bytes(&m->tree, "/dev/vda1", page, sizeof(page));
	ck_assert_int_eq(truncate(tree_path(&m->tree, "/dev/vda1"), (off_t)MIB), 0);
}

static void add_device(struct machine *m, const char *name, unsigned int minor_number, uint64_t size)
{
	static const char *const attributes[] = {"dev", "size", "serial"};
	char text[64], path[128], target[64];

	for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++) {
		if (i == 0)
			snprintf(text, sizeof(text), "8:%u\n", minor_number);
		else
			snprintf(text, sizeof(text), "%llu\n", i == 1 ? (unsigned long long)(size / 512) : 4711ULL);
		snprintf(path, sizeof(path), "/sys/class/block/%s/%s", name, attributes[i]);
		tree_write(&m->tree, path, text);
	}
	snprintf(path, sizeof(path), "/sys/dev/block/8:%u", minor_number);
	snprintf(target, sizeof(target), "../../devices/x/%s", name);
	tree_link(&m->tree, path, target);
}

static int make_fifo(struct machine *m, const char *path)
{
	int fd;

	tree_write(&m->tree, path, ""); /* its folder */
	tree_remove(&m->tree, path);
	ck_assert_int_eq(mkfifo(tree_path(&m->tree, path), 0600), 0);
	fd = open(tree_path(&m->tree, path), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

void machine_set_used(struct machine *m, unsigned int used)
{
	char text[256];

	snprintf(text, sizeof(text), "Filename\tType\tSize\tUsed\tPriority\n/dev/vda2 partition %u %u -2\n", SLOTS * 4, used);
	tree_write(&m->tree, "/proc/swaps", text);
}

void machine_power_on(struct machine *m, unsigned int boot)
{
	struct fake_kernel fresh;
	char text[64];

	fake_kernel_init(&fresh);
	fresh.image_pages = m->kernel->image_pages;
	fresh.violations = m->kernel->violations;
	memcpy(fresh.violation, m->kernel->violation, sizeof(fresh.violation));
	*m->kernel = fresh;
	snprintf(text, sizeof(text), "00000000-0000-0000-0000-0000000000%02x\n", boot);
	tree_write(&m->tree, "/proc/sys/kernel/random/boot_id", text);
	tree_write(&m->tree, "/proc/sys/kernel/printk", SETTINGS_PRINTK "\n");
	tree_write(&m->tree, "/sys/power/image_size", SETTINGS_IMAGE_SIZE "\n");
	while (m->console && read(m->console, text, sizeof(text)) > 0)
		; /* what the last boot said */
}

void machine_init(struct machine *m)
{
	char blank[PAGE_BYTES];

	*m = (struct machine){0};
	m->state = mmap(NULL, sizeof(*m->state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(m->state, MAP_FAILED);
	m->kernel = &m->state->kernel;
	m->kernel->image_pages = 600;
	tree_init_with(&m->tree, &system_ops, m);
	machine_power_on(m, 1);
	make_disk(m);
	make_root(m);
	add_device(m, "vda1", 1, MIB);
	add_device(m, "vda2", 2, DISK_BYTES);
	machine_set_used(m, 0);
	tree_write(&m->tree, "/proc/self/mountinfo", "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n");
	tree_write(&m->tree, "/proc/self/mounts", "/dev/vda1 / ext4 rw 0 0\n");
	tree_write(&m->tree, "/proc/meminfo",
		   "MemTotal:        16384 kB\nMemFree:          8192 kB\nMemAvailable:    32768 kB\nBuffers:           0 kB\nCached:           4096 kB\n");
	tree_write(&m->tree, "/proc/cmdline", "quiet\n");
	tree_write(&m->tree, "/sys/power/state", "mem disk\n");
	tree_write(&m->tree, "/sys/power/disk", "[platform] shutdown reboot\n");
	tree_write(&m->tree, "/etc/hibernate.conf", "[Hibernate]\nThreads=1\nConsoleLogLevel=7\n");
	/* What the daemon logs goes to the beginning of it; what the kernel logs, to its end. */
	memset(blank, ' ', sizeof(blank));
	tree_write_bytes(&m->tree, "/dev/kmsg", blank, sizeof(blank));
	m->keys = make_fifo(m, "/dev/input/event0");
	m->console = make_fifo(m, "/dev/console");
	/* Guards of sessions that were killed become children of the test. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void machine_deinit(struct machine *m)
{
	fd_close(m->disk);
	fd_close(m->keys);
	fd_close(m->console);
	munmap(m->state, sizeof(*m->state));
	tree_deinit(&m->tree);
}

/* ---- a run -------------------------------------------------------------- */

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void check_setting(struct machine *m, const char *path, const char *expected)
{
	char text[64] = "";

	sys_read(&m->tree.sys, path, text, sizeof(text));
	if (strcmp(text, expected) != 0)
		fake_kernel_violate(m->kernel, "%s is '%s' afterwards", path, text);
}

static void check_returned(struct machine *m, size_t descriptors)
{
	m->action = NULL;
	if (open_descriptors() != descriptors)
		fake_kernel_violate(m->kernel, "%zu descriptors were left open", open_descriptors() - descriptors);
	check_setting(m, "/proc/sys/kernel/printk", SETTINGS_PRINTK);
	check_setting(m, "/sys/power/image_size", SETTINGS_IMAGE_SIZE);
	if (!m->sync && has_children() && !(m->hibernation && m->hibernation->keep_slots))
		fake_kernel_violate(m->kernel, "a child is left");
}

static _Noreturn void run_hibernation(struct machine *m, const struct session_request *request)
{
	struct session_report report = {.outcome = OUTCOME_FAILED};
	struct hibernation *h = calloc(1, sizeof(*h));
	struct config config;
	size_t descriptors;

	if (config_load(&config, &m->tree.sys, &report.failure) < 0)
		fake_kernel_violate(m->kernel, "configuration: %s", report.failure.text);
	descriptors = open_descriptors();
	m->pid = getpid();
	m->hibernation = h;
	hibernation_init(h, &m->tree.sys, request, &config, &report);
	h->snapshot_ops = &machine_ops;
	h->snapshot_data = m;
	h->worker.stand_in = worker_process;
	h->worker.stand_in_data = m;
	hibernation_run(h);
	hibernation_deinit(h);
	check_returned(m, descriptors);
	m->state->report = report;
	_exit(MACHINE_RUNS);
}

static _Noreturn void run_resume(struct machine *m)
{
	struct resume *r = calloc(1, sizeof(*r));
	size_t descriptors = open_descriptors();
	struct failure f = {0};

	m->resume = r;
	resume_init(r, &m->tree.sys, &f);
	r->snapshot_ops = &machine_ops;
	r->snapshot_data = m;
	r->worker.stand_in = worker_process;
	r->worker.stand_in_data = m;
	r->unseal.tpm.stand_in = ask_tpm;
	r->unseal.tpm.stand_in_data = m;
	r->console.fd = fd_close(r->console.fd); /* what is said there would be read as typed */
	if (m->terminal)
		r->unseal.prompt.terminal.given = m->terminal;
	resume_go(r, &f);
	resume_deinit(r);
	check_returned(m, descriptors);
	m->state->failure = f;
	_exit(MACHINE_RUNS);
}

/* Wait for @pid, then for everything else that it has left. */
static enum machine_end await(struct machine *m, pid_t pid)
{
	uint64_t deadline = clock_monotonic_usec() + GONE_USEC;
	int status;
	pid_t other;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	while ((other = waitpid(-1, NULL, WNOHANG)) >= 0) {
		ck_assert_msg(clock_monotonic_usec() < deadline, "a process was left behind");
		if (!other)
			clock_sleep_usec(USEC_PER_MSEC);
	}
	m->action = NULL;
	if (WIFSIGNALED(status))
		return MACHINE_KILLED;
	ck_assert_msg(WEXITSTATUS(status) >= MACHINE_RUNS, "the run ended with status %d", WEXITSTATUS(status));
	return (enum machine_end)WEXITSTATUS(status);
}

enum machine_end machine_hibernate(struct machine *m, enum session_kind kind)
{
	const struct session_request request = {.kind = kind};
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		here = m;
		run_hibernation(m, &request);
	}
	return await(m, pid);
}

enum machine_end machine_boot(struct machine *m)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		here = m;
		run_resume(m);
	}
	return await(m, pid);
}

/* ---- actions and looks -------------------------------------------------- */

void machine_press_power(struct machine *m)
{
	const struct input_event event = {.type = EV_KEY, .code = KEY_POWER, .value = 1};

	if (write(m->keys, &event, sizeof(event)) != sizeof(event))
		fake_kernel_violate(m->kernel, "cannot press the key");
}

void machine_swapoff(struct machine *m)
{
	tree_write(&m->tree, "/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
}

void machine_kill_session(struct machine *m)
{
	(void)m;
	kill(getpid(), SIGKILL);
}

unsigned int machine_count(const struct machine *m, unsigned long request)
{
	return m->state->calls[_IOC_NR(request)];
}

void machine_fault(struct machine *m, unsigned long request, int error, unsigned int skip, unsigned int times)
{
	m->kernel->faults[0] = (struct fake_fault){request, error, skip, times};
}

void machine_hear(int socket, enum worker_message_type type)
{
	struct worker_message message;
	int fd = -1;

	if (worker_receive(socket, &message, &fd, UINT64_MAX) < 0 || message.type != (uint32_t)type)
		_exit(1);
}

void machine_check_undone(struct machine *m, const char *what)
{
	const struct fake_kernel *k = m->kernel;
	struct mark mark;

	ck_assert_msg(!k->violations, "%s: %u violations, the first: %s", what, k->violations, k->violation);
	machine_mark(m, &mark);
	ck_assert_msg(has_swap_signature(m), "%s: the mark is %s", what, mark_kind_name(mark.kind));
	ck_assert_msg(!k->open, "%s: the device is still open", what);
	ck_assert_msg(!k->frozen, "%s: user space is still frozen", what);
	ck_assert_msg(!k->kernel_threads_frozen, "%s: kernel threads are still frozen", what);
	ck_assert_msg(!k->areas[0].taken, "%s: %zu slots are still taken", what, k->areas[0].taken);
}
