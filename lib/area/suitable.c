/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a dm-crypt key outlives the boot cannot be seen in the kernel. LUKS keys do. A plain device (UUID CRYPT-PLAIN-)
 * has whatever key it was given: crypttab(5) says from where, and a random source there is the sign of a volatile
 * key. Without a line in crypttab nobody knows.
 */
#include "area/suitable.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16
#define CRYPTTAB_MAX (64 * 1024)

static const struct {
	const char *prefix; /* of the kernel's name, followed by a digit */
	const char *why;
} refused_drivers[] = {
	{"zram", "it is zram: compressed memory, which is lost when the power goes off"},
	{"ram", "it is a ram disk, which is lost when the power goes off"},
	{"loop", "it is a loop device: writing to it needs its filesystem, which is at a standstill then"},
	{"nbd", "it is a network block device: writing to it needs programs that are frozen then"},
	{"drbd", "it is a network block device: writing to it needs programs that are frozen then"},
	{"ublkb", "it is served by a program, which is frozen then"},
};

static const char *const random_sources[] = {"/dev/urandom", "/dev/random", "/dev/hwrng"};

enum key {
	KEY_LASTING,
	KEY_VOLATILE,
	KEY_UNKNOWN,
};

/* What crypttab says about the key of the device-mapper device @name. */
static enum key key_of(const struct sysctx *sys, const char *name)
{
	AUTO_FREE char *text = malloc(CRYPTTAB_MAX);
	char *rest = text, *line;

	if (!text || sys_read(sys, "/etc/crypttab", text, CRYPTTAB_MAX) <= 0)
		return KEY_UNKNOWN;
	while ((line = strsep(&rest, "\n"))) {
		char *save = NULL, *target = strtok_r(line, " \t", &save);
		char *key;

		if (!target || target[0] == '#' || strcmp(target, name) != 0)
			continue;
		strtok_r(NULL, " \t", &save);
		key = strtok_r(NULL, " \t", &save);
		for (size_t i = 0; key && i < ARRAY_LENGTH(random_sources); i++)
			if (strcmp(key, random_sources[i]) == 0)
				return KEY_VOLATILE;
		return KEY_LASTING;
	}
	return KEY_UNKNOWN;
}

static int refuse(struct failure *f, const char *name, const struct block *block, const char *why)
{
	return failure_set(f, REASON_AREA_UNSUITABLE, EOPNOTSUPP, name, "Use a swap partition or a swap file on a disk.",
			   "cannot hold an image on %s: %s", block->name, why);
}

static int check_crypt(const struct sysctx *sys, const struct block *block, const char *name, bool strict,
		       struct failure *f)
{
	char uuid[256], dm_name[128] = "";

	if (block_attribute(sys, block, "dm/uuid", uuid, sizeof(uuid)) <= 0 || strncmp(uuid, "CRYPT-PLAIN-", 12) != 0)
		return 0;
	if (block_attribute(sys, block, "dm/name", dm_name, sizeof(dm_name)) <= 0)
		dm_name[0] = '\0';
	switch (key_of(sys, dm_name)) {
	case KEY_LASTING:
		return 0;
	case KEY_VOLATILE:
		return refuse(f, name, block, "it is encrypted with a random key that is made anew at each boot (/etc/crypttab)");
	case KEY_UNKNOWN:
		break;
	}
	if (!strict)
		return 0;
	return refuse(f, name, block,
		      "it is plain dm-crypt, and its key may be gone after a reboot; name it in ResumeDevice if it is not");
}

static int check_one(const struct sysctx *sys, const struct block *block, const char *name, bool strict,
		     struct failure *f)
{
	for (size_t i = 0; i < ARRAY_LENGTH(refused_drivers); i++) {
		size_t length = strlen(refused_drivers[i].prefix);
		char next = strncmp(block->name, refused_drivers[i].prefix, length) == 0 ? block->name[length] : '\0';

		if (next >= '0' && next <= '9')
			return refuse(f, name, block, refused_drivers[i].why);
	}
	return check_crypt(sys, block, name, strict, f);
}

static int check_tree(const struct sysctx *sys, const struct block *block, const char *name, bool strict, int depth,
		      struct failure *f)
{
	char path[160];
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int r = check_one(sys, block, name, strict, f), fd;

	if (r < 0)
		return r;
	if (depth == DEPTH_MAX)
		return refuse(f, name, block, "too many devices lie below it");
	snprintf(path, sizeof(path), "/sys/class/block/%s/%sslaves", block->name, block->partition ? "../" : "");
	fd = sys_open(sys, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		struct block slave;

		if (entry->d_name[0] == '.' || block_by_name(sys, entry->d_name, &slave) < 0)
			continue;
		r = check_tree(sys, &slave, name, strict, depth + 1, f);
		if (r < 0)
			return r;
	}
	return 0;
}

int block_check_suitable(const struct sysctx *sys, const struct block *block, const char *name, bool strict,
			 struct failure *f)
{
	return check_tree(sys, block, name, strict, 0, f);
}
