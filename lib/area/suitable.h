/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices that cannot carry an image, though they can carry swap. */
#pragma once

#include "area/block.h"

/*
 * 0 if @block and all devices below it can. Else REASON_AREA_UNSUITABLE: memory (zram, ram disks), devices that
 * need user space or a filesystem (loop, network), and dm-crypt whose key is gone after this boot. A key
 * that may or may not be: refused if @strict. @name is for messages.
 */
int block_check_suitable(const struct sysctx *sys, const struct block *block, const char *name, bool strict,
			 struct failure *f);
