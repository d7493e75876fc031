/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one way to the system: /sys, /proc, /dev, /etc, ioctl, reboot, sync and locking memory.
 *
 * Production code uses sysctx_host(). A test opens a context rooted at a captured tree, where
 * "/proc/swaps" means <root>/proc/swaps, and may replace ioctl() and what else struct sysctx_ops has by fakes. Paths are
 * absolute and resolved below the root; a rooted context never follows a link out of it.
 */
#pragma once

#include "base/util.h"

#include <sys/stat.h>
#include <sys/types.h>

struct sysctx_ops {
	int (*ioctl)(void *data, int fd, unsigned long request, void *argument); /* 0.. or -errno */
	int (*reboot)(void *data, int command);                                  /* 0 or -errno */
	int (*lock_memory)(void *data);                                          /* 0 or -errno */
	void (*sync)(void *data);
};

struct sysctx {
	int root;                     /* directory that paths start from; -1 for the real root */
	const struct sysctx_ops *ops; /* NULL: the real calls */
	void *data;                   /* handed to @ops */
};

/* The real system. */
struct sysctx sysctx_host(void);

/* A context rooted at directory @path. 0 or -errno; closed by sysctx_deinit(). */
int sysctx_init_rooted(struct sysctx *s, const char *path, const struct sysctx_ops *ops, void *data);
void sysctx_deinit(struct sysctx *s);

/* open() below the root, O_CLOEXEC added; what is created has mode 0600. Returns the descriptor or -errno. */
int sys_open(const struct sysctx *s, const char *path, int flags);
/* stat() below the root (follows links). 0 or -errno. */
int sys_stat(const struct sysctx *s, const char *path, struct stat *st);
/* readlink() as a string. Length or -errno; -ENAMETOOLONG if it does not fit. */
ssize_t sys_readlink(const struct sysctx *s, const char *path, char *buf, size_t size);
/* Whole file as a string, trailing newline removed. Length or -errno (-EFBIG if too large). */
ssize_t sys_read(const struct sysctx *s, const char *path, char *buf, size_t size);
/* Write @text in one write() to an existing file. 0 or -errno. */
int sys_write(const struct sysctx *s, const char *path, const char *text);
/* Append @text to a file, which is created if need be, in a directory that exists. 0 or -errno. */
int sys_append(const struct sysctx *s, const char *path, const char *text);
/* mkdir() in a directory that exists; one that is there already is fine. 0 or -errno. */
int sys_mkdir(const struct sysctx *s, const char *path, mode_t mode);
/* The file as one unsigned decimal number. 0, -EINVAL if it is not one, or -errno. */
int sys_read_u64(const struct sysctx *s, const char *path, uint64_t *value);

/* ioctl() and reboot(), or their fakes. 0.. or -errno. */
int sys_ioctl(const struct sysctx *s, int fd, unsigned long request, void *argument);
int sys_reboot(const struct sysctx *s, int command);
/* mlockall() of all that is and will be mapped, or its fake. 0 or -errno. */
int sys_lock_memory(const struct sysctx *s);
/* sync(), or its fake. */
void sys_sync(const struct sysctx *s);
