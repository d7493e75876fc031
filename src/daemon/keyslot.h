/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key slot of a sealed image is destroyed before the image is entered, so that it lies on the disk no longer than
 * the image is needed.
 *
 * Its page is destroyed by writing zeros over it, flushing, and telling the device that it is not used. What was there
 * is kept until the image has been entered: if that fails, it comes back.
 */
#pragma once

#include "area/mark.h"
#include "base/sys.h"

struct keyslot {
	uint8_t *kept;  /* two pages: the header page as it was, and one to write from */
	bool destroyed; /* it was, or is on the way to it */
};

/* 0 or -ENOMEM. */
int keyslot_init(struct keyslot *k);
void keyslot_deinit(struct keyslot *k);

/*
 * Destroy the header page that @mark leads to. The page is written to only if it is the header page of the sealed image that
 * @mark speaks of. @device_size bounds it.
 */
int keyslot_destroy(struct keyslot *k, const struct sysctx *s, const struct mark_io *io, const struct mark *mark,
		    uint64_t device_size, struct failure *f);
/* Put it back, if it was destroyed. */
int keyslot_put_back(struct keyslot *k, const struct mark_io *io, const struct mark *mark, struct failure *f);
