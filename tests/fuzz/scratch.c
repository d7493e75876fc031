/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scratch.h"

#include "base/fdio.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 256

static char folder[128];

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void drop_all(void)
{
	nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void)
{
	const char *above = getenv("TMPDIR");

	if (*folder)
		return folder;
	snprintf(folder, sizeof(folder), "%.80s/fuzz-XXXXXX", above ? above : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(folder) || atexit(drop_all)) {
		perror(folder);
		abort();
	}
	return folder;
}

static const char *path_of(const char *name, char path[NAMES_MAX])
{
	snprintf(path, NAMES_MAX, "%s/%s", scratch_folder(), name);
	return path;
}

void scratch_write(const char *name, const void *data, size_t size)
{
	char path[NAMES_MAX], *slash;
	AUTO_CLOSE int fd = -1;

	path_of(name, path);
	slash = strchr(path + strlen(folder) + 1, '/');
	if (slash) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_full(fd, data, size) < 0) {
		perror(path);
		abort();
	}
}

bool scratch_holds(const char *name, const void *data, size_t size)
{
	char path[NAMES_MAX];
	AUTO_CLOSE int fd = open(path_of(name, path), O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *found = malloc(size + 1);

	return fd >= 0 && found && fd_pread_full(fd, found, size, 0) >= 0 && memcmp(found, data, size) == 0;
}
