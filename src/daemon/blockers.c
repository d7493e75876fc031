/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/blockers.h"

#include "base/fdio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Classes of fanotify_init() that decide over permissions; shown in fdinfo as "fanotify flags:". */
#define FANOTIFY_PERMISSION_CLASSES 0xc

static int check_root(const struct sysctx *s, struct failure *f)
{
	char text[16384], *save, *line;
	ssize_t n = sys_read(s, "/proc/self/mounts", text, sizeof(text));

	if (n < 0)
		return 0; /* longer than the buffer: not a reason to refuse */
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char source[256], target[256], type[64];

		if (sscanf(line, "%255s %255s %63s", source, target, type) == 3 && strcmp(target, "/") == 0 &&
		    (strcmp(type, "fuse") == 0 || strncmp(type, "fuse.", 5) == 0 || strcmp(type, "fuseblk") == 0))
			return failure_set(f, REASON_BLOCKED, 0, source, "Boot from a filesystem of the kernel's own.",
					   "the root filesystem is on FUSE (%s): its server would be frozen", type);
	}
	return 0;
}

static void process_name(const struct sysctx *s, const char *pid, char *name, size_t size)
{
	char path[64], comm[64];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	if (sys_read(s, path, comm, sizeof(comm)) <= 0)
		snprintf(comm, sizeof(comm), "?");
	snprintf(name, size, "process %s (%s)", pid, comm);
}

/* @status: of the process, as in /proc/PID/status. */
static int check_traced(const struct sysctx *s, const char *pid, const char *status, struct failure *f)
{
	const char *at = strstr(status, "\nTracerPid:");
	long tracer = at ? strtol(at + strlen("\nTracerPid:"), NULL, 10) : 0;
	char name[128];

	if (tracer <= 0)
		return 0;
	process_name(s, pid, name, sizeof(name));
	return failure_set(f, REASON_BLOCKED, 0, name, "End the debugger or let it detach.",
			   "it is being traced by process %ld", tracer);
}

static int check_fanotify(const struct sysctx *s, const char *pid, struct failure *f)
{
	char path[64], name[128];
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	fd = sys_open(s, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return 0;
	}
	while ((entry = readdir(dir))) {
		char target[64], info[512], info_path[352];
		const char *flags;
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, "anon_inode:[fanotify]") != 0)
			continue;
		snprintf(info_path, sizeof(info_path), "/proc/%s/fdinfo/%s", pid, entry->d_name);
		if (sys_read(s, info_path, info, sizeof(info)) <= 0)
			continue;
		flags = strstr(info, "fanotify flags:");
		if (!flags || !(strtoul(flags + strlen("fanotify flags:"), NULL, 16) & FANOTIFY_PERMISSION_CLASSES))
			continue;
		process_name(s, pid, name, sizeof(name));
		return failure_set(f, REASON_BLOCKED, 0, name, "Stop it while hibernating.",
				   "it decides over file access through fanotify: whoever opens a file would "
				   "wait for it while it is frozen");
	}
	return 0;
}

static int check_process(const struct sysctx *s, const char *pid, struct failure *f)
{
	char path[64], status[4096];
	int r;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	if (sys_read(s, path, status, sizeof(status)) <= 0)
		return 0;
	/* Kernel threads, most of the processes there are, have no memory, no tracer and no descriptors. */
	if (!strstr(status, "\nVmSize:"))
		return 0;
	r = check_traced(s, pid, status, f);
	return r < 0 ? r : check_fanotify(s, pid, f);
}

int blockers_check(const struct sysctx *s, struct failure *f)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int fd, r = check_root(s, f);

	if (r < 0)
		return r;
	fd = sys_open(s, "/proc", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return failure_set(f, REASON_INTERNAL, -fd, "/proc", "Mount /proc.", "cannot read it");
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return failure_set(f, REASON_INTERNAL, ENOMEM, "/proc", NULL, "cannot read it");
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		r = check_process(s, entry->d_name, f);
	}
	return r;
}
