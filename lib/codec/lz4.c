/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lz4, block format. Level 0 is the fast compressor at acceleration 1; negative levels accelerate it
 * further; levels 3 to 12 are the HC compressor. The decoder is the same for all and needs no memory.
 */
#include "codec/codec-table.h"

#include <errno.h>
#include <lz4.h>
#include <lz4hc.h>

#define ACCELERATION_MAX 64

static size_t lz4_workspace_size(int level, size_t chunk_size)
{
	(void)chunk_size;
	return (size_t)(level > 0 ? LZ4_sizeofStateHC() : LZ4_sizeofState());
}

static int lz4_compress(int level, void *workspace, size_t workspace_size, const void *chunk, size_t size,
			void *out, size_t capacity, size_t *stored)
{
	int n;

	if (workspace_size < lz4_workspace_size(level, size) || size > LZ4_MAX_INPUT_SIZE)
		return -EINVAL;
	capacity = MIN(capacity, (size_t)LZ4_MAX_INPUT_SIZE);
	if (level > 0)
		n = LZ4_compress_HC_extStateHC(workspace, chunk, out, (int)size, (int)capacity, level);
	else
		n = LZ4_compress_fast_extState(workspace, chunk, out, (int)size, (int)capacity, level < 0 ? -level : 1);
	if (n <= 0)
		return -ENOSPC;
	*stored = (size_t)n;
	return 0;
}

static int lz4_decompress(void *workspace, size_t workspace_size, const void *block, size_t stored, void *chunk,
			  size_t size)
{
	(void)workspace;
	(void)workspace_size;
	if (stored > LZ4_MAX_INPUT_SIZE || size > LZ4_MAX_INPUT_SIZE)
		return -EBADMSG;
	return LZ4_decompress_safe(block, chunk, (int)stored, (int)size) == (int)size ? 0 : -EBADMSG;
}

const struct codec codec_lz4 = {"lz4", -ACCELERATION_MAX, LZ4HC_CLEVEL_MAX, lz4_workspace_size, lz4_compress,
				lz4_decompress};
