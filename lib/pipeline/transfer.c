/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pipeline/transfer.h"

#include <errno.h>
#include <limits.h>

#define TRANSFER_VECTORS 64

typedef ssize_t (*vector_call)(int fd, const struct iovec *iov, int count, off_t offset);

/* Drop the first @bytes of the @count entries at @iov; returns how many entries were used up. */
static size_t vector_advance(struct iovec *iov, size_t count, size_t bytes)
{
	size_t used = 0;

	while (used < count && bytes >= iov[used].iov_len)
		bytes -= iov[used++].iov_len;
	if (used < count) {
		iov[used].iov_base = (char *)iov[used].iov_base + bytes;
		iov[used].iov_len -= bytes;
	}
	return used;
}

/* One call for what of @iov fits into @run bytes at @start. Bytes moved or -errno. */
static ssize_t transfer_run(vector_call call, int fd, const struct iovec *iov, size_t count, uint64_t start, uint64_t run)
{
	struct iovec part[TRANSFER_VECTORS];
	size_t used = 0;
	ssize_t n;

	while (used < count && used < TRANSFER_VECTORS && run) {
		part[used] = iov[used];
		if (part[used].iov_len > run)
			part[used].iov_len = run;
		run -= part[used++].iov_len;
	}
	do
		n = call(fd, part, (int)used, (off_t)start);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? n : -EIO;
}

/* Whether @start lies on @detour; *@run ends where that changes. */
static bool on_detour(const struct transfer_detour *detour, uint64_t start, uint64_t *run)
{
	const struct extent *range = &detour->range;

	if (start >= range->start && start - range->start < range->length) {
		*run = MIN(*run, range->length - (start - range->start));
		return true;
	}
	if (range->length && start < range->start)
		*run = MIN(*run, range->start - start);
	return false;
}

static int transfer(vector_call call, int fd, struct transfer_detour *detour, struct extent_cursor *cursor,
		    uint64_t offset, struct iovec *iov, size_t count, uint64_t *device_offset)
{
	size_t at = vector_advance(iov, count, 0);

	while (at < count) {
		uint64_t start, run;
		ssize_t n = extent_cursor_locate(cursor, offset, &start, &run);
		bool aside;

		if (n < 0)
			return (int)n;
		*device_offset = start;
		aside = detour && on_detour(detour, start, &run);
		n = transfer_run(call, aside ? detour->fd : fd, iov + at, count - at, start, run);
		if (n < 0)
			return (int)n;
		if (aside)
			detour->bytes += (uint64_t)n;
		offset += (uint64_t)n;
		at += vector_advance(iov + at, count - at, (size_t)n);
	}
	return 0;
}

int transfer_write(int fd, struct extent_cursor *cursor, uint64_t offset, struct iovec *iov, size_t count,
		   uint64_t *device_offset)
{
	return transfer(pwritev, fd, NULL, cursor, offset, iov, count, device_offset);
}

int transfer_read(int fd, struct transfer_detour *detour, struct extent_cursor *cursor, uint64_t offset,
		  struct iovec *iov, size_t count, uint64_t *device_offset)
{
	return transfer(preadv, fd, detour, cursor, offset, iov, count, device_offset);
}
