/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The swap header: what mkswap wrote, whatever signature stands behind it now. */
#pragma once

#include "base/util.h"

struct swap_header {
	uint64_t pages;   /* of the whole area, header page included */
	uint32_t bad_pages;
	uint8_t uuid[16]; /* zeros if there is none */
	char label[17];
};

/* From the page of PAGE_BYTES at @page. 0, or -EUCLEAN if it is no header of version 1. */
int swap_header_decode(const void *page, struct swap_header *header);

/* From @fd at byte @position; works with and without O_DIRECT. 0, -EUCLEAN, or -errno. */
int swap_header_read(int fd, uint64_t position, struct swap_header *header);
