/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/keyslot.h"

#include "base/fdio.h"
#include "image/image.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int keyslot_init(struct keyslot *k)
{
	void *pages;
	int r = posix_memalign(&pages, PAGE_BYTES, 2 * PAGE_BYTES);

	*k = (struct keyslot){0};
	if (r)
		return -r;
	k->kept = pages;
	mlock(k->kept, 2 * PAGE_BYTES); /* best effort: in the initramfs there is no swap */
	return 0;
}

void keyslot_deinit(struct keyslot *k)
{
	free(k->kept);
	k->kept = NULL;
}

static int write_page(const struct mark_io *io, uint64_t at, const void *page, struct failure *f)
{
	int r = fd_pwrite_full(io->fd, page, PAGE_BYTES, at);

	if (r >= 0 && fdatasync(io->fd) < 0)
		r = -errno;
	if (r < 0)
		return failure_set(f, REASON_IO, -r, io->name, "Check the disk and its cabling.",
				   "the image's key slot at byte %llu cannot be written", (unsigned long long)at);
	return 0;
}

int keyslot_destroy(struct keyslot *k, const struct sysctx *s, const struct mark_io *io, const struct mark *mark,
		    uint64_t device_size, struct failure *f)
{
	uint64_t range[] = {mark->header_offset, PAGE_BYTES};
	uint8_t *zeros = k->kept + PAGE_BYTES;
	struct image_header header;
	int r;

	k->destroyed = false;
	r = image_read_header(io->fd, io->name, mark->header_offset, device_size, k->kept, &header, f);
	if (r < 0)
		return r;
	if (!suite_seals(header.suite) || memcmp(header.id.bytes, mark->image_id, sizeof(header.id.bytes)) != 0)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, io->name, NULL,
				   "the image's header page has changed while it was loaded");
	memset(zeros, 0, PAGE_BYTES);
	k->destroyed = true;
	r = write_page(io, mark->header_offset, zeros, f);
	if (r >= 0)
		(void)sys_ioctl(s, io->fd, BLKDISCARD, range); /* best effort: zeros are there already */
	return r;
}

int keyslot_put_back(struct keyslot *k, const struct mark_io *io, const struct mark *mark, struct failure *f)
{
	int r = k->destroyed ? write_page(io, mark->header_offset, k->kept, f) : 0;

	if (r >= 0)
		k->destroyed = false;
	return r;
}
