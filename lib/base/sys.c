/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/sys.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATED_MODE 0600

struct sysctx sysctx_host(void)
{
	return (struct sysctx){.root = -1};
}

int sysctx_init_rooted(struct sysctx *s, const char *path, const struct sysctx_ops *ops, void *data)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*s = (struct sysctx){.root = fd, .ops = ops, .data = data};
	return 0;
}

void sysctx_deinit(struct sysctx *s)
{
	s->root = fd_close(s->root);
}

int sys_open(const struct sysctx *s, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? CREATED_MODE : 0,
		.resolve = RESOLVE_IN_ROOT,
	};
	int fd;

	if (s->root < 0)
		fd = open(path, flags | O_CLOEXEC, CREATED_MODE);
	else
		fd = (int)syscall(SYS_openat2, s->root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int sys_stat(const struct sysctx *s, const char *path, struct stat *st)
{
	AUTO_CLOSE int fd = -1;

	if (s->root < 0)
		return stat(path, st) < 0 ? -errno : 0;
	fd = sys_open(s, path, O_PATH);
	if (fd < 0)
		return fd;
	return fstat(fd, st) < 0 ? -errno : 0;
}

ssize_t sys_readlink(const struct sysctx *s, const char *path, char *buf, size_t size)
{
	AUTO_CLOSE int fd = sys_open(s, path, O_PATH | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", buf, size);
	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return n;
}

ssize_t sys_read(const struct sysctx *s, const char *path, char *buf, size_t size)
{
	AUTO_CLOSE int fd = sys_open(s, path, O_RDONLY | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_read_text(fd, buf, size);
	if (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	return n;
}

int sys_write(const struct sysctx *s, const char *path, const char *text)
{
	AUTO_CLOSE int fd = sys_open(s, path, O_WRONLY | O_NOCTTY);
	size_t length = strlen(text);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, text, length);
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

int sys_append(const struct sysctx *s, const char *path, const char *text)
{
	AUTO_CLOSE int fd = sys_open(s, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY);

	return fd < 0 ? fd : fd_write_full(fd, text, strlen(text));
}

int sys_mkdir(const struct sysctx *s, const char *path, mode_t mode)
{
	const char *name = strrchr(path, '/');
	AUTO_CLOSE int parent = -1;
	char folder[256];

	if (!name || (size_t)(name - path) >= sizeof(folder))
		return -EINVAL;
	snprintf(folder, sizeof(folder), "%.*s", (int)(name - path) + (name == path), path);
	parent = sys_open(s, folder, O_PATH | O_DIRECTORY);
	if (parent < 0)
		return parent;
	return mkdirat(parent, name + 1, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int sys_read_u64(const struct sysctx *s, const char *path, uint64_t *value)
{
	char text[32], *end;
	ssize_t n = sys_read(s, path, text, sizeof(text));
	unsigned long long parsed;

	if (n < 0)
		return (int)n;
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	parsed = strtoull(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*value = parsed;
	return 0;
}

int sys_ioctl(const struct sysctx *s, int fd, unsigned long request, void *argument)
{
	int r;

	if (s->ops && s->ops->ioctl)
		return s->ops->ioctl(s->data, fd, request, argument);
	r = ioctl(fd, request, argument);
	return r < 0 ? -errno : r;
}

int sys_reboot(const struct sysctx *s, int command)
{
	if (s->ops && s->ops->reboot)
		return s->ops->reboot(s->data, command);
	return reboot(command) < 0 ? -errno : 0;
}

int sys_lock_memory(const struct sysctx *s)
{
	if (s->ops && s->ops->lock_memory)
		return s->ops->lock_memory(s->data);
	return mlockall(MCL_CURRENT | MCL_FUTURE) < 0 ? -errno : 0;
}

void sys_sync(const struct sysctx *s)
{
	if (s->ops && s->ops->sync)
		s->ops->sync(s->data);
	else
		sync();
}
