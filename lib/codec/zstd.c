/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstd, one frame a chunk, without its own checksum (ours covers the block). Contexts live in the caller's
 * memory: the static ones never allocate. Level 0 is 1, the fastest that is not negative.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/codec-table.h"

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

#define LEVEL_DEFAULT 1
#define LEVEL_LOWEST (-50)
#define LEVEL_HIGHEST 19

static size_t zstd_workspace_size(int level, size_t chunk_size)
{
	/* zstd chooses its tables by the size of the input, in these classes; the last chunk may be of any. */
	const size_t sizes[] = {16 * KIB, 128 * KIB, 256 * KIB, chunk_size};
	size_t most = ZSTD_estimateDCtxSize();

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		ZSTD_compressionParameters parameters =
			ZSTD_getCParams(level ? level : LEVEL_DEFAULT, MIN(sizes[i], chunk_size), 0);

		most = MAX(most, ZSTD_estimateCCtxSize_usingCParams(parameters));
	}
	return most;
}

static int zstd_compress(int level, void *workspace, size_t workspace_size, const void *chunk, size_t size,
			 void *out, size_t capacity, size_t *stored)
{
	ZSTD_CCtx *context = ZSTD_initStaticCCtx(workspace, workspace_size);
	size_t n;

	if (!context)
		return -EINVAL;
	n = ZSTD_compressCCtx(context, out, capacity, chunk, size, level ? level : LEVEL_DEFAULT);
	if (ZSTD_isError(n))
		return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? -ENOSPC : -EINVAL;
	*stored = n;
	return 0;
}

static int zstd_decompress(void *workspace, size_t workspace_size, const void *block, size_t stored, void *chunk,
			   size_t size)
{
	ZSTD_DCtx *context = ZSTD_initStaticDCtx(workspace, workspace_size);

	if (!context)
		return -EINVAL;
	return ZSTD_decompressDCtx(context, chunk, size, block, stored) == size ? 0 : -EBADMSG;
}

const struct codec codec_zstd = {"zstd", LEVEL_LOWEST, LEVEL_HIGHEST, zstd_workspace_size, zstd_compress,
				 zstd_decompress};
