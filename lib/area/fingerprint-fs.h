/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filesystems that have a fingerprint, one row each. */
#pragma once

#include "area/fingerprint.h"

struct fingerprint_fs {
	const char *name;
	bool only_warns;
	const char *types[3]; /* as in mountinfo */
	/* Fill in uuid and value. 0, -ENODATA if it is another filesystem, -EUCLEAN, or -errno. No memory is allocated. */
	int (*read)(int fd, char *buffer, struct fingerprint *print);
};

/* The row of @kind, NULL outside the enum. */
const struct fingerprint_fs *fingerprint_fs_of(enum fingerprint_kind kind);
