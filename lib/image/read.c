/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading trusts nothing: the header page verifies before any field of it is used, the body verifies as a
 * whole before any of it is decoded, and what was decoded is checked before anything uses it.
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

/* The bytes of the body's extents. */
static int fetch(int fd, const char *name, const struct image_header *header, uint8_t *at, size_t size,
		 struct failure *f)
{
	int r = 0;

	if (round_up(header->body_size, PAGE_BYTES) > size)
		return failure_set(f, REASON_WRONG_MACHINE, ENOBUFS, name, "Resume on a machine with the memory that it had.",
				   "the image's body of %llu KiB does not fit in memory",
				   (unsigned long long)(header->body_size / KIB));
	for (size_t i = 0; i < header->body_extent_count && r >= 0; i++) {
		r = fd_pread_full(fd, at, header->body_extents[i].length, header->body_extents[i].start);
		at += header->body_extents[i].length;
	}
	return r < 0 ? read_failed(name, r, "body", f) : 0;
}

static int verify(const char *name, const struct image_header *header, const void *body, struct failure *f)
{
	struct checksum sum = checksum_of(body, header->body_size);

	if (checksum_equal(&sum, &header->body_checksum))
		return 0;
	return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
			   "the image's body (%llu bytes at byte %llu) does not match its checksum",
			   (unsigned long long)header->body_size, (unsigned long long)header->body_extents[0].start);
}

static int unseal(const char *name, const struct image_header *header, struct seal_stream *stream, void *body,
		  struct failure *f)
{
	struct seal_chunk whole = {
		.last = true,
		.stored = (uint32_t)header->body_size,
		.size = (uint32_t)header->body_size,
	};
	int r = stream ? seal_chunk_open(stream, &whole, body, body, header->body_checksum.bytes) : -ENOKEY;

	if (r == -EBADMSG)
		return failure_set(f, REASON_UNAUTHENTIC, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				   "the image's body (%llu bytes at byte %llu) was changed",
				   (unsigned long long)header->body_size,
				   (unsigned long long)header->body_extents[0].start);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, name, NULL, "the image's body cannot be opened");
	return 0;
}

int image_read_body(int fd, const char *name, const struct image_header *header, uint64_t header_offset,
		    uint64_t device_size, struct seal_stream *body, void *buffer, size_t size, struct image_meta *meta,
		    struct extent_list *map, struct image_index *index, struct failure *f)
{
	int r = fetch(fd, name, header, buffer, size, f);

	if (r >= 0)
		r = suite_seals(header->suite) ? unseal(name, header, body, buffer, f) : verify(name, header, buffer, f);
	if (r >= 0)
		r = image_body_decode(buffer, header->body_size, name, device_size, meta, map, index, f);
	if (r >= 0)
		r = image_check_header(header, header_offset, meta, map, name, f);
	return r;
}
