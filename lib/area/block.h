/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block devices as sysfs describes them.
 *
 * Everything comes from /sys/class/block, so that it also works where no udev runs. In a rooted context a
 * regular file /dev/NAME stands for the device NAME; on the real system only device nodes count.
 */
#pragma once

#include "area/identity.h"
#include "base/failure.h"
#include "base/sys.h"

#define BLOCK_NAME_MAX 64
#define BLOCK_PATH_MAX 80

struct block {
	char name[BLOCK_NAME_MAX]; /* in /sys/class/block */
	char path[BLOCK_PATH_MAX]; /* /dev/NAME */
	dev_t devno;
	uint64_t size;             /* bytes */
	uint64_t start;            /* bytes into its disk, 0 for a whole device */
	uint32_t sector_size;      /* logical, bytes */
	bool partition;
	bool removable;
	bool rotational;
};

/* 0, -ENODEV if there is none, -ENOTBLK if @path is something else, or -errno. */
int block_by_name(const struct sysctx *sys, const char *name, struct block *block);
int block_by_devno(const struct sysctx *sys, dev_t devno, struct block *block);
int block_by_path(const struct sysctx *sys, const char *path, struct block *block);

/*
 * Call @each for every block device until it returns something other than 0, which is returned.
 * 0 at the end, or -errno.
 */
int block_each(const struct sysctx *sys, int (*each)(void *data, const struct block *block), void *data);

/* False for devices that are slow to answer or hold nothing that outlives a boot: floppies, optical disks, memory, loops, empty readers. */
bool block_worth_reading(const struct block *block);

/* Read attribute @name of the device, e.g. "dm/uuid". Length or -errno. */
ssize_t block_attribute(const struct sysctx *sys, const struct block *block, const char *name, char *buf, size_t size);
/* The same of the disk that a partition belongs to, or of the device itself. */
ssize_t block_disk_attribute(const struct sysctx *sys, const struct block *block, const char *name, char *buf, size_t size);

/* "wwid:...", "serial:...", "dm:...", "md:..." or "path:..." as in struct area_identity; empty if nothing is known. */
void block_device_id(const struct sysctx *sys, const struct block *block, char out[IDENTITY_DEVICE_ID_MAX]);

/*
 * open() with @flags; checks that it is the device that @block describes (-ESTALE), and that it is not read-only if it is to
 * be written (-EROFS). Descriptor or -errno.
 */
int block_open(const struct sysctx *sys, const struct block *block, int flags);
