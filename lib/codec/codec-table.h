/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row of the table of codecs; see codec/codec.h for what the functions promise. */
#pragma once

#include "codec/codec.h"

struct codec {
	const char *name;
	int lowest, highest; /* levels, besides 0 for the default */
	size_t (*workspace_size)(int level, size_t chunk_size);
	/* NULL when not compiled in. */
	int (*compress)(int level, void *workspace, size_t workspace_size, const void *chunk, size_t size,
			void *out, size_t capacity, size_t *stored);
	int (*decompress)(void *workspace, size_t workspace_size, const void *block, size_t stored, void *chunk,
			  size_t size);
};

extern const struct codec codec_lz4;
extern const struct codec codec_zstd;
