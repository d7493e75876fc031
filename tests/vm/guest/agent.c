// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's process 1: mounts the kernel's filesystems, loads the modules listed in /modules, then serves the
 * harness over the second serial port. It lives in the initramfs' memory only and depends on no disk. Where another
 * system's process 1 starts it, as a service, it only serves.
 *
 * A request is one line, "NUMBER VERB REST"; its answer is "=NUMBER STATUS LENGTH\n", LENGTH bytes, "\n". Requests of
 * the verb "sh" run side by side and are answered when they end, so a request sent before a hibernation is answered
 * after the resume, by the same process: numbers are never used twice in one case.
 *
 *   ping                                     the boot id
 *   sh COMMAND                               run it; status as in a shell, output of both streams
 *   witness NONCE BYTES RANDOM% ZERO% DIR    start the witnesses, see witness.h
 *   ask                                      the witnesses' report, boot id, taint
 *   tail                                     the end of memory, see witness.h
 *   root DIR                                 make the file system mounted at DIR the root for all that follows
 *   init DIR                                 the same, and give process 1 to the /sbin/init there
 *   trace                                    start a process and keep it stopped as a debugger would; its pid
 *   secret                                   start a process that holds a memfd_secret; its pid
 */
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* The second serial line, behind the console; who compiles this says where it is another. */
#ifndef AGENT_LINE
#define AGENT_LINE "/dev/ttyS1"
#endif
#define JOBS_MAX 32
#define OUTPUT_MAX (512 * 1024)
#define LINE_MAX_BYTES (256 * 1024)

struct job {
	unsigned long number;
	pid_t pid; /* 0: free */
	int fd;
	size_t length;
	char *output;
};

struct agent {
	int port;
	struct witnesses witnesses;
	struct job jobs[JOBS_MAX];
	size_t length;
	char line[LINE_MAX_BYTES];
};

static void say(const char *format, ...)
{
	char text[512];
	va_list ap;
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (write(fd, text, strlen(text)) < 0)
		perror("kmsg");
	close(fd);
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno != EINTR)
			return;
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
}

static void answer(const struct agent *a, unsigned long number, int status, const char *bytes, size_t n)
{
	char head[64];

	snprintf(head, sizeof(head), "\n=%lu %d %zu\n", number, status, n);
	write_all(a->port, head, strlen(head));
	write_all(a->port, bytes, n);
	write_all(a->port, "\n", 1);
}

static void answer_text(const struct agent *a, unsigned long number, int status, const char *text)
{
	answer(a, number, status, text, strlen(text));
}

static void read_line_of(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

static void start_job(struct agent *a, unsigned long number, const char *command)
{
	struct job *job = NULL;
	int ends[2];

	for (size_t i = 0; i < JOBS_MAX && !job; i++)
		if (a->jobs[i].pid == 0)
			job = &a->jobs[i];
	if (!job || pipe2(ends, O_CLOEXEC) < 0) {
		answer_text(a, number, 126, "no room for a job");
		return;
	}
	if (!job->output)
		job->output = malloc(OUTPUT_MAX);
	job->pid = job->output ? fork() : -1;
	if (job->pid == 0) {
		int null = open("/dev/null", O_RDONLY);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGCHLD, SIG_DFL);
		setsid();
		dup2(null, 0);
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		signal(SIGPIPE, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (job->pid < 0) {
		job->pid = 0;
		close(ends[0]);
		answer_text(a, number, 126, "cannot fork");
		return;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	job->number = number;
	job->fd = ends[0];
	job->length = 0;
}

/* Take what the job has written; what does not fit is dropped, and the job's end shows it by the full length. */
static void drain_job(struct job *job)
{
	char rest[4096];
	ssize_t n;

	if (job->fd < 0)
		return;
	for (;;) {
		if (job->length < OUTPUT_MAX)
			n = read(job->fd, job->output + job->length, OUTPUT_MAX - job->length);
		else
			n = read(job->fd, rest, sizeof(rest));
		if (n > 0 && job->length < OUTPUT_MAX)
			job->length += (size_t)n;
		if (n == 0) {
			close(job->fd);
			job->fd = -1;
		}
		if (n <= 0)
			return;
	}
}

static void reap(struct agent *a)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < JOBS_MAX; i++) {
			struct job *job = &a->jobs[i];

			if (job->pid != pid)
				continue;
			drain_job(job);
			if (job->fd >= 0)
				close(job->fd);
			answer(a, job->number, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
			       job->output, job->length);
			job->pid = 0;
		}
}

static void do_witness(struct agent *a, unsigned long number, const char *rest)
{
	struct witness_order o = { 0 };
	int r;

	if (sscanf(rest, "%127s %zu %u %u %127s", o.nonce, &o.memory, &o.percent_random, &o.percent_zero, o.dir) != 5) {
		answer_text(a, number, 2, "witness NONCE BYTES RANDOM% ZERO% DIR");
		return;
	}
	r = witnesses_start(&a->witnesses, &o);
	answer_text(a, number, r < 0 ? 1 : 0, r < 0 ? strerror(-r) : "ready");
}

static void do_ask(struct agent *a, unsigned long number)
{
	char text[4096], boot[64], taint[32];
	ssize_t n = witnesses_report(&a->witnesses, text, sizeof(text) - 128);

	if (n < 0) {
		answer_text(a, number, 1, strerror((int)-n));
		return;
	}
	read_line_of("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	read_line_of("/proc/sys/kernel/tainted", taint, sizeof(taint));
	n += snprintf(text + n, sizeof(text) - (size_t)n, "boot=%s\ntaint=%s\n", boot, taint);
	answer(a, number, 0, text, (size_t)n);
}

static void do_tail(const struct agent *a, unsigned long number)
{
	char text[256];
	ssize_t n = witnesses_tail(&a->witnesses, text, sizeof(text));

	if (n < 0)
		answer_text(a, number, 1, strerror((int)-n));
	else
		answer(a, number, 0, text, (size_t)n);
}

static bool move_root(const char *dir)
{
	static const char *const moved[] = { "dev", "proc", "sys", "run", "tmp" };
	char to[256], from[16];

	for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		snprintf(to, sizeof(to), "%s/%s", dir, moved[i]);
		snprintf(from, sizeof(from), "/%s", moved[i]);
		mkdir(to, 0755);
		if (mount(from, to, NULL, MS_MOVE, NULL) < 0)
			return false;
	}
	return chdir(dir) == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 && chdir("/") == 0;
}

static void do_root(const struct agent *a, unsigned long number, const char *dir)
{
	bool moved = move_root(dir);

	answer_text(a, number, moved ? 0 : 1, moved ? "" : strerror(errno));
}

/* Answers only if it fails: else the next to speak is the service that the new process 1 starts. */
static void do_init(const struct agent *a, unsigned long number, const char *dir)
{
	static char *const environment[] = { (char *)"TERM=dumb", NULL };
	static char *const arguments[] = { (char *)"/sbin/init", NULL };
	sigset_t none;

	sigemptyset(&none);
	if (move_root(dir)) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		execve(arguments[0], arguments, environment);
	}
	answer_text(a, number, 1, strerror(errno));
}

/* A child that a debugger holds: it would not thaw, or freeze, as others do. */
static void do_trace(const struct agent *a, unsigned long number)
{
	char text[32];
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NAME, "traced");
		for (;;)
			pause();
	}
	if (pid < 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0) {
		answer_text(a, number, 1, strerror(errno));
		return;
	}
	snprintf(text, sizeof(text), "%d", (int)pid);
	answer_text(a, number, 0, text);
}

/* A child with a secret memory area: the kernel forbids hibernation as long as it lives. */
static void do_secret(const struct agent *a, unsigned long number)
{
	char text[32];
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	pid_t pid = fd < 0 ? -1 : fork();

	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0) {
		answer_text(a, number, 1, strerror(errno));
		return;
	}
	close(fd);
	snprintf(text, sizeof(text), "%d", (int)pid);
	answer_text(a, number, 0, text);
}

static void serve_line(struct agent *a, char *line)
{
	char *rest, *verb;
	unsigned long number = strtoul(line, &verb, 10);

	if (verb == line || *verb != ' ')
		return; /* noise on the line */
	verb++;
	rest = strchr(verb, ' ');
	if (rest)
		*rest++ = '\0';
	else
		rest = verb + strlen(verb);

	if (!strcmp(verb, "ping")) {
		char boot[64];

		read_line_of("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
		answer_text(a, number, 0, boot);
	} else if (!strcmp(verb, "sh")) {
		start_job(a, number, rest);
	} else if (!strcmp(verb, "witness")) {
		do_witness(a, number, rest);
	} else if (!strcmp(verb, "ask")) {
		do_ask(a, number);
	} else if (!strcmp(verb, "tail")) {
		do_tail(a, number);
	} else if (!strcmp(verb, "root")) {
		do_root(a, number, rest);
	} else if (!strcmp(verb, "init")) {
		do_init(a, number, rest);
	} else if (!strcmp(verb, "trace")) {
		do_trace(a, number);
	} else if (!strcmp(verb, "secret")) {
		do_secret(a, number);
	} else {
		answer_text(a, number, 2, "unknown verb");
	}
}

static void serve_port(struct agent *a)
{
	ssize_t n = read(a->port, a->line + a->length, sizeof(a->line) - a->length);
	char *start = a->line, *end;

	if (n <= 0)
		return;
	a->length += (size_t)n;
	while ((end = memchr(start, '\n', (size_t)(a->line + a->length - start)))) {
		*end = '\0';
		serve_line(a, start);
		start = end + 1;
	}
	a->length = (size_t)(a->line + a->length - start);
	memmove(a->line, start, a->length);
	if (a->length == sizeof(a->line))
		a->length = 0; /* a line without end is noise */
}

static void load_modules(void)
{
	char path[256];
	FILE *list = fopen("/modules", "re");

	while (list && fgets(path, sizeof(path), list)) {
		int fd;

		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			say("agent: module %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (list)
		fclose(list);
}

static void mount_kernel_filesystems(void)
{
	static const struct {
		const char *type, *dir;
	} mounts[] = { { "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" }, { "tmpfs", "/run" },
		       { "tmpfs", "/tmp" } };

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].dir, 0755);
		if (mount("none", mounts[i].dir, mounts[i].type, 0, NULL) < 0 && errno != EBUSY)
			say("agent: mount %s: %s", mounts[i].dir, strerror(errno));
	}
}

static int open_port(void)
{
	int fd = open(AGENT_LINE, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (fd < 0 || tcgetattr(fd, &t) < 0)
		return -errno;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL;
	cfsetspeed(&t, B115200);
	if (tcsetattr(fd, TCSANOW, &t) < 0)
		return -errno;
	return fd;
}

static void child_ended(int signal_number)
{
	(void)signal_number; /* it only has to interrupt ppoll() */
}

int main(void)
{
	static struct agent agent = { .witnesses = { .socket = -1 } };
	struct agent *a = &agent;
	sigset_t block, none;

	if (getpid() == 1) {
		mount_kernel_filesystems();
		load_modules();
	}
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/", 1);
	umask(022);
	a->port = open_port();
	if (a->port < 0) {
		say("agent: " AGENT_LINE ": %s", strerror(-a->port));
		for (;;)
			pause();
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = child_ended }, NULL);
	answer_text(a, 0, 0, "up");

	for (;;) {
		struct pollfd p[JOBS_MAX + 1] = { { .fd = a->port, .events = POLLIN } };

		for (size_t i = 0; i < JOBS_MAX; i++)
			p[i + 1] = (struct pollfd){ .fd = a->jobs[i].pid ? a->jobs[i].fd : -1, .events = POLLIN };
		ppoll(p, JOBS_MAX + 1, NULL, &none);
		for (size_t i = 0; i < JOBS_MAX; i++)
			if (p[i + 1].revents)
				drain_job(&a->jobs[i]);
		reap(a);
		if (p[0].revents & POLLIN)
			serve_port(a);
	}
}
