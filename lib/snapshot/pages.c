/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving pages through /dev/snapshot.
 *
 * The kernel moves one page per iovec and stops at the first iovec that does not come out at its full
 * length. What stopped it is not told: the end, an error, or a fault, and after a fault the page is gone.
 * The next call on the same place tells them apart (see the header).
 */
#include "snapshot/snapshot.h"

#include <errno.h>

typedef ssize_t (*mover)(void *data, int fd, const struct iovec *iov, int count);

static bool acceptable(const struct iovec *iov, int count)
{
	if (count <= 0 || count > SNAPSHOT_IOV_MAX)
		return false;
	for (int i = 0; i < count; i++)
		if (iov[i].iov_len != PAGE_BYTES || (uintptr_t)iov[i].iov_base % PAGE_BYTES)
			return false;
	return true;
}

static ssize_t move_pages(mover move, void *data, int fd, const struct iovec *iov, int count)
{
	ssize_t n, next;
	int pages;

	if (!acceptable(iov, count))
		return -EINVAL;
	n = move(data, fd, iov, count);
	if (n < 0)
		return n;
	if (n % PAGE_BYTES)
		return -EFAULT;
	pages = (int)(n / PAGE_BYTES);
	if (pages == 0 || pages == count)
		return pages;
	next = move(data, fd, iov + pages, 1);
	if (next < 0)
		return next;
	return next == 0 ? pages : -EFAULT;
}

ssize_t snapshot_read_pages(const struct snapshot_ops *ops, void *data, int fd, const struct iovec *iov, int count)
{
	return move_pages(ops->readv, data, fd, iov, count);
}

ssize_t snapshot_write_pages(const struct snapshot_ops *ops, void *data, int fd, const struct iovec *iov, int count)
{
	return move_pages(ops->writev, data, fd, iov, count);
}

int snapshot_finish_write(const struct snapshot_ops *ops, void *data, int fd, void *page)
{
	struct iovec iov = {.iov_base = page, .iov_len = PAGE_BYTES};
	ssize_t n;

	if (!acceptable(&iov, 1))
		return -EINVAL;
	n = ops->writev(data, fd, &iov, 1);
	if (n < 0)
		return (int)n;
	return n == 0 ? 0 : -ENODATA;
}
