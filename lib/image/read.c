/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading trusts nothing: the header page verifies before any field of it is used, the body verifies as a
 * whole before any of it is decoded, and what was decoded is checked before anything uses it. In the caller's
 * buffer the header page comes first, then the body.
 */
#include "base/fdio.h"
#include "image/check.h"
#include "image/format.h"

#include <errno.h>
#include <string.h>

static int read_failed(const char *name, int r, const char *what, struct failure *f)
{
	return failure_set(f, REASON_IO, -r, name, "Check the disk and its cabling.", "reading the image's %s failed", what);
}

int image_read_header(int fd, const char *name, uint64_t header_offset, uint64_t device_size, void *page,
		      struct image_header *header, struct failure *f)
{
	int r;

	if (header_offset % PAGE_BYTES || header_offset > device_size || device_size - header_offset < PAGE_BYTES)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				   "the image's header page at byte %llu lies outside the device's %llu bytes: cut short?",
				   (unsigned long long)header_offset, (unsigned long long)device_size);
	r = fd_pread_full(fd, page, PAGE_BYTES, header_offset);
	if (r < 0)
		return read_failed(name, r, "header page", f);
	return image_header_decode(page, name, device_size, header, f);
}

int image_read_body(int fd, const char *name, const struct image_header *header, void *body, size_t size,
		    struct failure *f)
{
	uint8_t *at = body;
	struct checksum sum;
	int r = 0;

	if (round_up(header->body_size, PAGE_BYTES) > size)
		return failure_set(f, REASON_WRONG_MACHINE, ENOBUFS, name, "Resume on a machine with the memory that it had.",
				   "the image's body of %llu KiB does not fit in memory",
				   (unsigned long long)(header->body_size / KIB));
	for (size_t i = 0; i < header->body_extent_count && r >= 0; i++) {
		r = fd_pread_full(fd, at, header->body_extents[i].length, header->body_extents[i].start);
		at += header->body_extents[i].length;
	}
	if (r < 0)
		return read_failed(name, r, "body", f);
	sum = checksum_of(body, header->body_size);
	if (!checksum_equal(&sum, &header->body_checksum))
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				   "the image's body (%llu bytes at byte %llu) does not match its checksum",
				   (unsigned long long)header->body_size,
				   (unsigned long long)header->body_extents[0].start);
	return 0;
}

int image_read(int fd, const char *name, uint64_t header_offset, uint64_t device_size, void *buffer, size_t size,
	       struct image_meta *meta, struct extent_list *extents, struct image_index *index, struct failure *f)
{
	struct image_header header;
	uint8_t *body = (uint8_t *)buffer + PAGE_BYTES;
	int r;

	if (size < PAGE_BYTES)
		return failure_set(f, REASON_INTERNAL, ENOBUFS, name, NULL, "no memory for the image's header page");
	r = image_read_header(fd, name, header_offset, device_size, buffer, &header, f);
	if (r == -ENODATA)
		r = failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				"the image's header page at byte %llu is not there: overwritten?",
				(unsigned long long)header_offset);
	if (r < 0)
		return r;
	r = image_read_body(fd, name, &header, body, size - PAGE_BYTES, f);
	if (r >= 0)
		r = image_body_decode(body, header.body_size, name, device_size, meta, extents, index, f);
	if (r >= 0)
		r = image_check_header(&header, header_offset, meta, extents, name, f);
	return r;
}
