/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that close themselves, and reads and writes that finish what they start. */
#pragma once

#include "base/util.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/types.h>

/* close() that keeps errno; returns -1, so that "fd = fd_close(fd)" forgets it. Negative fds are ignored. */
int fd_close(int fd);
void fd_cleanup(int *fd);
void file_cleanup(FILE **file);
void dir_cleanup(DIR **dir);
void free_cleanup(void *pointer);

#define AUTO_CLOSE CLEANUP(fd_cleanup)
#define AUTO_FCLOSE CLEANUP(file_cleanup)
#define AUTO_CLOSEDIR CLEANUP(dir_cleanup)
#define AUTO_FREE CLEANUP(free_cleanup)

/* Exactly @size bytes at @offset. 0, -EIO for an end of file before, or the negative errno. Retries EINTR. */
int fd_pread_full(int fd, void *buf, size_t size, uint64_t offset);
int fd_pwrite_full(int fd, const void *buf, size_t size, uint64_t offset);
int fd_write_full(int fd, const void *buf, size_t size);

/*
 * The whole rest of @fd as a string into @buf of @size bytes. Returns the length; -EFBIG if it does not
 * fit with its NUL, or the negative errno.
 */
ssize_t fd_read_text(int fd, char *buf, size_t size);
