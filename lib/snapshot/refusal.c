/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel facts (6.1 to 7.2): opening asks hibernation_available(), which is false with nohibernate on the command
 * line, under lockdown (integrity and confidentiality), while any memfd_secret file is open anywhere, and with
 * active CXL memory. None of them is reported; each leaves a trace that can be looked up afterwards.
 */
#include "snapshot/refusal.h"

#include "base/fdio.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE "/dev/snapshot"

/* True if @word is one of the blank-separated words of @text. */
static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += length) {
		bool begins = at == text || isspace((unsigned char)at[-1]);
		bool ends = at[length] == '\0' || isspace((unsigned char)at[length]);

		if (begins && ends)
			return true;
	}
	return false;
}

static bool not_hibernating(const struct sysctx *sys)
{
	char line[8192];

	return sys_read(sys, "/proc/cmdline", line, sizeof(line)) > 0 && has_word(line, "nohibernate");
}

/* The lockdown mode in force, empty if none: the word in brackets. */
static void lockdown_mode(const struct sysctx *sys, char *mode, size_t size)
{
	char line[128], *begin, *end;

	mode[0] = '\0';
	if (sys_read(sys, "/sys/kernel/security/lockdown", line, sizeof(line)) <= 0)
		return;
	begin = strchr(line, '[');
	end = begin ? strchr(begin, ']') : NULL;
	if (!end)
		return;
	*end = '\0';
	if (strcmp(begin + 1, "none") != 0)
		snprintf(mode, size, "%s", begin + 1);
}

static DIR *open_directory(const struct sysctx *sys, const char *path)
{
	int fd = sys_open(sys, path, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		fd_close(fd);
	return dir;
}

/* True if one of the descriptors of @pid is a secret memory file. */
static bool holds_secret(const struct sysctx *sys, const char *pid)
{
	char path[320], target[256];
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = open_directory(sys, path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%.16s", pid, entry->d_name);
		if (sys_readlink(sys, path, target, sizeof(target)) > 0 && strstr(target, "secretmem"))
			return true;
	}
	return false;
}

/* True if @pid maps secret memory; the descriptor is usually closed by then. */
static bool maps_secret(const struct sysctx *sys, const char *pid)
{
	char path[320], *line = NULL;
	AUTO_FCLOSE FILE *file = NULL;
	bool found = false;
	size_t size = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	fd = sys_open(sys, path, O_RDONLY);
	if (fd < 0)
		return false;
	file = fdopen(fd, "re");
	if (!file) {
		fd_close(fd);
		return false;
	}
	while (!found && getline(&line, &size, file) > 0)
		found = strstr(line, "secretmem") != NULL;
	free(line);
	return found;
}

/* Names the first process that holds secret memory: "pid (comm)". */
static bool secret_memory_user(const struct sysctx *sys, char *name, size_t size)
{
	AUTO_CLOSEDIR DIR *dir = open_directory(sys, "/proc");
	char path[320], comm[64];
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (!maps_secret(sys, entry->d_name) && !holds_secret(sys, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (sys_read(sys, path, comm, sizeof(comm)) < 0)
			comm[0] = '\0';
		snprintf(name, size, "%.16s (%s)", entry->d_name, comm);
		return true;
	}
	return false;
}

static bool has_cxl_memory(const struct sysctx *sys)
{
	AUTO_CLOSEDIR DIR *dir = open_directory(sys, "/sys/bus/cxl/devices");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "mem", 3) == 0)
			return true;
	return false;
}

static int explain_not_available(const struct sysctx *sys, struct failure *f)
{
	char text[128];

	if (not_hibernating(sys))
		return failure_set(f, REASON_UNAVAILABLE, EPERM, DEVICE, "Remove nohibernate from the kernel's command line.",
				   "hibernation is switched off: nohibernate is on the kernel's command line");
	lockdown_mode(sys, text, sizeof(text));
	if (text[0])
		return failure_set(f, REASON_UNAVAILABLE, EPERM, DEVICE,
				   "Lockdown comes with Secure Boot, or with lockdown= on the kernel's command line.",
				   "the kernel is locked down (%s) and does not hibernate", text);
	if (secret_memory_user(sys, text, sizeof(text)))
		return failure_set(f, REASON_UNAVAILABLE, EPERM, DEVICE, "End that process first.",
				   "process %s holds secret memory (memfd_secret), which must not be saved", text);
	if (has_cxl_memory(sys))
		return failure_set(f, REASON_UNAVAILABLE, EPERM, DEVICE, NULL,
				   "CXL memory is active, and this kernel does not hibernate with it");
	return failure_set(f, REASON_UNAVAILABLE, EPERM, DEVICE, "See the kernel log.",
			   "the kernel does not allow hibernation, for none of the known reasons (nohibernate, lockdown, secret memory, CXL)");
}

int snapshot_explain_refusal(const struct sysctx *sys, int error, struct failure *f)
{
	switch (error) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return failure_set(f, REASON_UNAVAILABLE, -error, DEVICE,
				   "Use a kernel built with CONFIG_HIBERNATION and CONFIG_HIBERNATION_SNAPSHOT_DEV.",
				   "this kernel has no snapshot device");
	case -EACCES:
		return failure_set(f, REASON_PERMISSION, EACCES, DEVICE, "Run it as root.", "the device is root's");
	case -EPERM:
		return explain_not_available(sys, f);
	case -EBUSY:
		return failure_set(f, REASON_BUSY, EBUSY, DEVICE, "Wait until it is over.",
				   "another hibernation is going on");
	default:
		return failure_set(f, REASON_SNAPSHOT, -error, DEVICE, NULL, "the kernel refused to open the device");
	}
}
