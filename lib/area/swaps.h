/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/swaps: the active swap areas. */
#pragma once

#include "base/sys.h"
#include "base/util.h"

#define SWAPS_MAX 32 /* the kernel's MAX_SWAPFILES is never more */
#define SWAP_NAME_MAX 256

struct swap_entry {
	char name[SWAP_NAME_MAX]; /* escapes and " (deleted)" removed */
	bool file;
	bool deleted;
	uint64_t size;            /* bytes */
	uint64_t used;            /* bytes */
	int priority;
};

/* All of them into @entries (room for SWAPS_MAX), in the kernel's order. Count, or -errno; -EUCLEAN if it makes no sense. */
int swaps_read(const struct sysctx *sys, struct swap_entry *entries);

/* Undo the octal escapes (\040) that the kernel writes for blanks in paths, in place. */
void unescape_octal(char *text);
