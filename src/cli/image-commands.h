/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The by-hand commands of hibernate-image. */
#pragma once

#include "base/failure.h"
#include "base/util.h"

/* Instead of a descriptor for the secret of a sealed image: it is asked for; or there is none. */
#define SECRET_TERMINAL (-1)
#define SECRET_NONE     (-2)

struct image_options {
	const char *path;   /* device or file */
	uint64_t offset;    /* of the area's first page in it, bytes */
	const char *output; /* extract: a path, or NULL or "-" for standard output */
	int passphrase_fd;  /* or SECRET_TERMINAL */
	bool json;
};

/* Each prints what it found on standard output, and returns 0, or -errno with @f. */

/* What the mark says, and the image's meta data; of a sealed one what can be seen, unless a passphrase comes by descriptor. */
int image_info(const struct image_options *options, struct failure *f);

/* Read all of it, check each checksum and decode each chunk; and that it is on the device it was written to. */
int image_verify(const struct image_options *options, struct failure *f);

/* The pages of the snapshot, as the kernel gave them. Nothing is printed. */
int image_extract(const struct image_options *options, struct failure *f);

/* Disarm the mark; on an active swap area by way of the daemon. */
int image_discard(const struct image_options *options, struct failure *f);
