/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a resume does only with a sealed image: having a secret typed for it, and destroying its key slot before it is
 * entered, so that the slot lies on the disk no longer than the image is needed.
 *
 * A page is destroyed by writing zeros over it, flushing, and telling the device that it is not used. What was there
 * is kept until the image has been entered: if that fails, it comes back.
 */
#pragma once

#include "area/mark.h"
#include "base/sys.h"
#include "config/config.h"
#include "daemon/choice.h"
#include "daemon/prompt.h"
#include "daemon/supervisor.h"

struct unseal {
	bool sealed;        /* the worker has asked for a secret: the image is sealed */
	bool decided;       /* an answer to that question was not a secret, but this: */
	enum choice choice;
	struct prompt prompt;
	uint8_t *kept;      /* two pages: the header page as it was, and one to write from */
	bool destroyed;     /* it was, or is on the way to it */
};

/* 0 or -ENOMEM. */
int unseal_init(struct unseal *u, const struct sysctx *s, struct keys *keys);
void unseal_deinit(struct unseal *u);

/* Another try to resume begins. */
void unseal_begin(struct unseal *u);
/* No more secrets are asked for in this one; the console is given back. */
void unseal_end(struct unseal *u);

/*
 * The worker has asked, after @tries secrets that were wrong: look whether this kernel can read the image at all, have a
 * secret typed, and give it to the worker. Any other answer fails, with @u->decided and @u->choice filled in.
 */
int unseal_answer(struct unseal *u, const struct config *config, const char *device, unsigned int tries,
		  struct supervisor *worker, struct failure *f);

/*
 * Destroy the header page that @mark leads to, if the image is sealed. The page is written to only if it is the header page of
 * the image that @mark speaks of. @device_size bounds it.
 */
int unseal_destroy(struct unseal *u, const struct sysctx *s, const struct mark_io *io, const struct mark *mark,
		   uint64_t device_size, struct failure *f);
/* Put it back, if it was destroyed. */
int unseal_put_back(struct unseal *u, const struct mark_io *io, const struct mark *mark, struct failure *f);
