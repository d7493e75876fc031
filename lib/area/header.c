/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/header.h"

#include "area/mark-disk.h"
#include "base/fdio.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

int swap_header_decode(const void *page, struct swap_header *header)
{
	const struct swap_header_disk *disk = page;
	struct swap_header found = {0};

	if (le32toh(disk->version) != 1 || le32toh(disk->last_page) == 0)
		return -EUCLEAN;
	found.pages = (uint64_t)le32toh(disk->last_page) + 1;
	found.bad_pages = le32toh(disk->bad_page_count);
	memcpy(found.uuid, disk->uuid, sizeof(found.uuid));
	memcpy(found.label, disk->label, sizeof(disk->label));
	*header = found;
	return 0;
}

int swap_header_read(int fd, uint64_t position, struct swap_header *header)
{
	char page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	int r = fd_pread_full(fd, page, sizeof(page), position);

	return r < 0 ? r : swap_header_decode(page, header);
}
