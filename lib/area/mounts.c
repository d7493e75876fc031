/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/mounts.h"

#include "area/swaps.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* "id parent major:minor root target options [optional ...] - type source superoptions". False if it makes no sense. */
static bool parse_line(char *line, struct mount_entry *mount)
{
	struct mount_entry found = {0};
	char *fields[6], *word, *rest = line, *type, *source, *options;
	unsigned int major_number, minor_number;

	for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
		if (!(fields[i] = strsep(&rest, " ")))
			return false;
	do
		word = strsep(&rest, " ");
	while (word && strcmp(word, "-") != 0);
	type = strsep(&rest, " ");
	source = strsep(&rest, " ");
	options = strsep(&rest, " \n");
	if (!word || !type || !source || !options || sscanf(fields[2], "%u:%u", &major_number, &minor_number) != 2)
		return false;
	unescape_octal(fields[4]);
	unescape_octal(source);
	found.devno = makedev(major_number, minor_number);
	snprintf(found.target, sizeof(found.target), "%s", fields[4]);
	snprintf(found.type, sizeof(found.type), "%s", type);
	snprintf(found.source, sizeof(found.source), "%s", source);
	found.writable = strncmp(options, "rw", 2) == 0;
	*mount = found;
	return true;
}

int mounts_each(const struct sysctx *sys, int (*each)(void *data, const struct mount_entry *mount), void *data)
{
	int fd = sys_open(sys, "/proc/self/mountinfo", O_RDONLY);
	AUTO_FCLOSE FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	if (fd < 0)
		return fd;
	if (!file) {
		fd_close(fd);
		return -ENOMEM;
	}
	while (getline(&line, &size, file) > 0) {
		struct mount_entry mount;
		int r;

		if (!parse_line(line, &mount))
			continue;
		r = each(data, &mount);
		if (r != 0)
			return r;
	}
	return ferror(file) ? -EIO : 0;
}

struct search {
	const char *path;
	const char *source;
	dev_t devno;
	size_t longest;
	bool found;
	struct mount_entry mount;
};

/* True if @path is @target or lies below it. */
static bool below(const char *path, const char *target)
{
	size_t length = strlen(target);

	if (length == 1)
		return true;
	return strncmp(path, target, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static int match_path(void *data, const struct mount_entry *mount)
{
	struct search *search = data;

	/* Of two mounts on one place the later one covers the earlier. */
	if (below(search->path, mount->target) && strlen(mount->target) >= search->longest) {
		search->longest = strlen(mount->target);
		search->mount = *mount;
		search->found = true;
	}
	return 0;
}

static int match_device(void *data, const struct mount_entry *mount)
{
	struct search *search = data;

	if (mount->devno != search->devno && !(search->source && strcmp(mount->source, search->source) == 0))
		return 0;
	search->mount = *mount;
	search->found = true;
	return 1;
}

static int finish(const struct search *search, int r, struct mount_entry *mount)
{
	if (r < 0)
		return r;
	if (!search->found)
		return -ENOENT;
	*mount = search->mount;
	return 0;
}

int mounts_of_path(const struct sysctx *sys, const char *path, struct mount_entry *mount)
{
	struct search search = {.path = path};

	return finish(&search, mounts_each(sys, match_path, &search), mount);
}

int mounts_of_device(const struct sysctx *sys, dev_t devno, const char *source, struct mount_entry *mount)
{
	struct search search = {.devno = devno, .source = source};

	return finish(&search, mounts_each(sys, match_device, &search), mount);
}
