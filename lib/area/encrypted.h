/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what is written to a file lies encrypted on its disk. */
#pragma once

#include "base/sys.h"

enum encrypted {
	ENCRYPTED_UNKNOWN, /* a filesystem without a block device of its own: overlay, ZFS, the network */
	ENCRYPTED_NO,
	ENCRYPTED_YES,     /* dm-crypt below each of its devices */
	ENCRYPTED_MEMORY,  /* tmpfs: gone with the power */
};

/*
 * The filesystem that @path lies on. What the filesystem or a self-encrypting disk does by itself is not seen. @source (of at least 256
 * bytes) gets the name of what is mounted, for messages. One of enum encrypted, or -errno.
 */
int path_encrypted(const struct sysctx *sys, const char *path, char *source, size_t size);
