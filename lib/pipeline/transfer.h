/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vectors of buffers to and from a stream that is laid over extents.
 */
#pragma once

#include "base/extent.h"

#include <sys/uio.h>

/* A part of the device that is read through another descriptor. An empty range: none. */
struct transfer_detour {
	int fd;
	struct extent range;
	uint64_t bytes; /* read that way; counted by transfer_read() */
};

/*
 * Write or read all of @iov (consumed: the entries are changed) at stream offset @offset of the
 * cursor's extents, with one pwritev() or preadv() for each run on the device. 0 or -errno; -ERANGE
 * past the extents, -EIO for a device that ends early. *@device_offset gets the place on the device
 * of the run that was last tried. A run ends where the range of @detour begins or ends.
 */
int transfer_write(int fd, struct extent_cursor *cursor, uint64_t offset, struct iovec *iov, size_t count,
		   uint64_t *device_offset);
int transfer_read(int fd, struct transfer_detour *detour, struct extent_cursor *cursor, uint64_t offset,
		  struct iovec *iov, size_t count, uint64_t *device_offset);
