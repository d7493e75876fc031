/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressors, as rows of one table.
 *
 * A codec turns one chunk into one block, each on its own, so that chunks can be handled by any
 * thread in any order. Nothing here allocates: the scratch memory that a codec needs per thread
 * comes from the caller, because codecs run while user space is frozen.
 */
#pragma once

#include "base/util.h"

enum codec_id {
	CODEC_NONE, /* the chunk as it is; also the per-chunk fallback of the others */
	CODEC_LZ4,
	CODEC_ZSTD,
	_CODEC_MAX,
	_CODEC_INVALID = -1,
};

const char *codec_name(enum codec_id id);          /* NULL outside the enum */
enum codec_id codec_from_name(const char *name);   /* _CODEC_INVALID if unknown */
bool codec_available(enum codec_id id);            /* compiled in */
bool codec_level_valid(enum codec_id id, int level); /* 0 = the codec's default, always valid */
void codec_level_range(enum codec_id id, int *lowest, int *highest);

/* Bytes of scratch memory, aligned to 64, that one thread needs for chunks of up to @chunk_size bytes at @level, both ways. */
size_t codec_workspace_size(enum codec_id id, int level, size_t chunk_size);

/*
 * Compress @size bytes of @chunk into @out, which has room for @capacity bytes. *@stored gets the
 * length. -ENOSPC if it does not fit (the caller then stores the chunk raw: give @capacity =
 * @size - PAGE_BYTES to make only real gains count); -EOPNOTSUPP if not compiled in.
 */
int codec_compress(enum codec_id id, int level, void *workspace, size_t workspace_size,
		   const void *chunk, size_t size, void *out, size_t capacity, size_t *stored);

/* Decompress @stored bytes into exactly @size bytes at @chunk. -EBADMSG if they do not make exactly that. Safe on hostile input. */
int codec_decompress(enum codec_id id, void *workspace, size_t workspace_size, const void *block,
		     size_t stored, void *chunk, size_t size);
