/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/self/mountinfo: what is mounted where. Allocates (the table has no bound); not for use under FREEZE. */
#pragma once

#include "base/sys.h"
#include "base/util.h"

struct mount_entry {
	dev_t devno;         /* as the filesystem reports it: anonymous (major 0) for btrfs */
	char target[256];    /* mount point */
	char type[32];       /* "ext4" */
	char source[256];    /* device or whatever was mounted */
	bool writable;       /* the filesystem itself, not only this mount of it */
};

/* Call @each for every mount, in the kernel's order, until it returns something other than 0, which is returned. 0 or -errno. */
int mounts_each(const struct sysctx *sys, int (*each)(void *data, const struct mount_entry *mount), void *data);

/* The mount that @path (absolute, without links) lies on. 0, -ENOENT, or -errno. */
int mounts_of_path(const struct sysctx *sys, const char *path, struct mount_entry *mount);

/* The first mount of device @devno, or of one whose source is @source (may be NULL). 0, -ENOENT, or -errno. */
int mounts_of_device(const struct sysctx *sys, dev_t devno, const char *source, struct mount_entry *mount);
