/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/session.h"

#include "base/fdio.h"
#include "daemon/discard.h"
#include "daemon/hibernate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REPORT_FD 3 /* in the session; with stdin, stdout and stderr the only one that it inherits */

static const char *const kind_names[] = {
	[SESSION_HIBERNATE] = "hibernate",
	[SESSION_HYBRID] = "hybrid",
	[SESSION_DISCARD] = "discard",
};
_Static_assert(ARRAY_LENGTH(kind_names) == _SESSION_KIND_MAX, "each kind has a name");

static const char *const outcome_names[] = {
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_RESUMED] = "resumed",
	[OUTCOME_WOKE] = "woke",
	[OUTCOME_DISCARDED] = "discarded",
};
_Static_assert(ARRAY_LENGTH(outcome_names) == _OUTCOME_MAX, "each outcome has a name");

const char *session_kind_name(enum session_kind kind)
{
	return kind < 0 || kind >= _SESSION_KIND_MAX ? NULL : kind_names[kind];
}

enum session_kind session_kind_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(kind_names); i++)
		if (strcmp(kind_names[i], name) == 0)
			return (enum session_kind)i;
	return _SESSION_KIND_INVALID;
}

const char *session_outcome_name(enum session_outcome outcome)
{
	return outcome < 0 || outcome >= _OUTCOME_MAX ? NULL : outcome_names[outcome];
}

static void run(const struct session_request *request, const struct config *config, struct session_report *report)
{
	switch (request->kind) {
	case SESSION_HIBERNATE:
	case SESSION_HYBRID:
		hibernate_run(request, config, report);
		return;
	case SESSION_DISCARD:
		discard_run(request, config, report);
		return;
	case _SESSION_KIND_MAX:
	case _SESSION_KIND_INVALID:
		break;
	}
	failure_set(&report->failure, REASON_INTERNAL, EINVAL, "session", NULL, "unknown kind %d", (int)request->kind);
}

/* The bus and its peers are the main process' own. */
static void keep_only(int fd)
{
	if (fd != REPORT_FD)
		dup3(fd, REPORT_FD, O_CLOEXEC);
	syscall(SYS_close_range, REPORT_FD + 1, ~0U, 0);
}

/* The session begins when it is known by a descriptor: it cannot be gone, and its pid another's, before that. */
static bool told_to_begin(void)
{
	char go;

	return recv(REPORT_FD, &go, 1, 0) == 1;
}

/* 0 with *@pidfd, or -errno. */
static int let_begin(pid_t pid, int fd, int *pidfd)
{
	AUTO_CLOSE int opened = (int)syscall(SYS_pidfd_open, pid, 0);

	if (opened < 0 || send(fd, "", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	*pidfd = opened;
	opened = -1;
	return 0;
}

int session_spawn(const struct session_request *request, const struct config *config, int *report_fd)
{
	int pair[2], pidfd = -1, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
		fd_close(pair[0]);
		fd_close(pair[1]);
		return r;
	}
	if (pid == 0) {
		struct session_report report = {.outcome = OUTCOME_FAILED};

		signal(SIGCHLD, SIG_DFL); /* the session does wait for its children */
		keep_only(pair[1]);
		if (!told_to_begin())
			_exit(1);
		run(request, config, &report);
		_exit(send(REPORT_FD, &report, sizeof(report), MSG_NOSIGNAL) == sizeof(report) ? 0 : 1);
	}
	fd_close(pair[1]);
	r = let_begin(pid, pair[0], &pidfd);
	if (r < 0) {
		fd_close(pair[0]);
		return r;
	}
	*report_fd = pair[0];
	return pidfd;
}

int session_read_report(int report_fd, struct session_report *report)
{
	struct session_report got;
	ssize_t n = recv(report_fd, &got, sizeof(got), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	if ((size_t)n != sizeof(got))
		return -EPIPE;
	*report = got;
	return 0;
}
