/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/sync.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY_MSEC 100

/* Dirty and under writeback, in bytes. */
static uint64_t unwritten(const struct sysctx *s)
{
	char text[8192];
	uint64_t sum = 0;
	const char *at;

	if (sys_read(s, "/proc/meminfo", text, sizeof(text)) < 0)
		return 0;
	at = strstr(text, "\nDirty:");
	if (at)
		sum += strtoull(at + 7, NULL, 10);
	at = strstr(text, "\nWriteback:");
	if (at)
		sum += strtoull(at + 11, NULL, 10);
	return sum * KIB;
}

int sync_with_progress(const struct sysctx *s, struct console *console, struct keys *keys, struct failure *f)
{
	uint64_t most = unwritten(s);
	AUTO_CLOSE int pidfd = -1;
	pid_t pid = fork();

	if (pid < 0)
		return failure_set(f, REASON_INTERNAL, errno, "sync", "Free some memory.", "cannot start it");
	if (pid == 0) {
		sys_sync(s);
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	console_begin(console);
	for (;;) {
		struct pollfd ended = {.fd = pidfd, .events = POLLIN};
		uint64_t left;

		poll(&ended, 1, LOOK_EVERY_MSEC);
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return 0;
		if (keys_aborted(keys))
			return failure_set(f, REASON_ABORTED, ECANCELED, "hibernation", NULL, "aborted by %s", keys->by);
		left = unwritten(s);
		most = MAX(most, left);
		console_progress(console, "writing out files", most - left, most, most - left);
	}
}
