/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dm-crypt names its devices in sysfs: dm/uuid begins with CRYPT-. Whatever is stacked on one (LVM, md, a partition) has it
 * among the devices below. A btrfs has an anonymous device number and may have several devices, which /sys/fs/btrfs lists.
 */
#include "area/encrypted.h"

#include "area/block.h"
#include "area/mounts.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DEPTH_MAX 8
#define BTRFS_DIRECTORY "/sys/fs/btrfs"

static bool block_encrypted(const struct sysctx *sys, const struct block *block, int depth);

/* Whether there is a device in the directory @path, and each is encrypted. Others than block devices do not count. */
static bool all_encrypted(const struct sysctx *sys, const char *path, int depth)
{
	int fd = sys_open(sys, path, O_RDONLY | O_DIRECTORY);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t seen = 0;

	if (!dir) {
		fd_close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		struct block block;

		if (entry->d_name[0] == '.' || block_by_name(sys, entry->d_name, &block) < 0)
			continue;
		seen++;
		if (!block_encrypted(sys, &block, depth))
			return false;
	}
	return seen > 0;
}

static bool block_encrypted(const struct sysctx *sys, const struct block *block, int depth)
{
	char text[256];

	if (block_disk_attribute(sys, block, "dm/uuid", text, sizeof(text)) > 0 && strncmp(text, "CRYPT-", 6) == 0)
		return true;
	if (depth == DEPTH_MAX)
		return false;
	snprintf(text, sizeof(text), "/sys/class/block/%s/%sslaves", block->name, block->partition ? "../" : "");
	return all_encrypted(sys, text, depth + 1);
}

/* The btrfs that has @block among its devices. */
static bool btrfs_encrypted(const struct sysctx *sys, const struct block *block)
{
	int fd = sys_open(sys, BTRFS_DIRECTORY, O_RDONLY | O_DIRECTORY);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		char path[400], devices[320];
		struct stat st;

		snprintf(devices, sizeof(devices), BTRFS_DIRECTORY "/%s/devices", entry->d_name);
		snprintf(path, sizeof(path), "%s/%s", devices, block->name);
		if (entry->d_name[0] != '.' && sys_stat(sys, path, &st) == 0)
			return all_encrypted(sys, devices, 0);
	}
	return false;
}

int path_encrypted(const struct sysctx *sys, const char *path, char *source, size_t size)
{
	struct mount_entry mount;
	struct block block;
	int r = mounts_of_path(sys, path, &mount);

	if (r < 0)
		return r;
	snprintf(source, size, "%s", mount.source);
	if (strcmp(mount.type, "tmpfs") == 0 || strcmp(mount.type, "ramfs") == 0)
		return ENCRYPTED_MEMORY;
	if (major(mount.devno) && block_by_devno(sys, mount.devno, &block) == 0)
		return block_encrypted(sys, &block, 0) ? ENCRYPTED_YES : ENCRYPTED_NO;
	if (strcmp(mount.type, "btrfs") == 0 && block_by_path(sys, mount.source, &block) == 0)
		return btrfs_encrypted(sys, &block) ? ENCRYPTED_YES : ENCRYPTED_NO;
	return ENCRYPTED_UNKNOWN;
}
