/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "codec/codec.h"

#include "codec/codec-table.h"

#include <errno.h>
#include <string.h>

static int none_compress(int level, void *workspace, size_t workspace_size, const void *chunk, size_t size,
			 void *out, size_t capacity, size_t *stored)
{
	(void)level;
	(void)workspace;
	(void)workspace_size;
	if (capacity < size)
		return -ENOSPC;
	memcpy(out, chunk, size);
	*stored = size;
	return 0;
}

static int none_decompress(void *workspace, size_t workspace_size, const void *block, size_t stored, void *chunk,
			   size_t size)
{
	(void)workspace;
	(void)workspace_size;
	if (stored != size)
		return -EBADMSG;
	memcpy(chunk, block, size);
	return 0;
}

static size_t none_workspace_size(int level, size_t chunk_size)
{
	(void)level;
	(void)chunk_size;
	return 0;
}

static const struct codec none_codec = {"none", 0, 0, none_workspace_size, none_compress, none_decompress};

static const struct codec *const codecs[] = {
	[CODEC_NONE] = &none_codec,
	[CODEC_LZ4] = &codec_lz4,
	[CODEC_ZSTD] = &codec_zstd,
};
_Static_assert(ARRAY_LENGTH(codecs) == _CODEC_MAX, "each codec has a row");

static const struct codec *find(enum codec_id id)
{
	return id < 0 || id >= _CODEC_MAX ? NULL : codecs[id];
}

const char *codec_name(enum codec_id id)
{
	const struct codec *codec = find(id);

	return codec ? codec->name : NULL;
}

enum codec_id codec_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(codecs); i++)
		if (strcmp(codecs[i]->name, name) == 0)
			return (enum codec_id)i;
	return _CODEC_INVALID;
}

bool codec_available(enum codec_id id)
{
	const struct codec *codec = find(id);

	return codec && codec->compress;
}

void codec_level_range(enum codec_id id, int *lowest, int *highest)
{
	const struct codec *codec = find(id);

	*lowest = codec ? codec->lowest : 0;
	*highest = codec ? codec->highest : 0;
}

bool codec_level_valid(enum codec_id id, int level)
{
	const struct codec *codec = find(id);

	return codec && (level == 0 || (level >= codec->lowest && level <= codec->highest));
}

size_t codec_workspace_size(enum codec_id id, int level, size_t chunk_size)
{
	return codec_available(id) ? round_up(codecs[id]->workspace_size(level, chunk_size), 64) : 0;
}

int codec_compress(enum codec_id id, int level, void *workspace, size_t workspace_size, const void *chunk,
		   size_t size, void *out, size_t capacity, size_t *stored)
{
	if (!codec_available(id))
		return -EOPNOTSUPP;
	return codecs[id]->compress(level, workspace, workspace_size, chunk, size, out, capacity, stored);
}

int codec_decompress(enum codec_id id, void *workspace, size_t workspace_size, const void *block, size_t stored,
		     void *chunk, size_t size)
{
	if (!codec_available(id))
		return -EOPNOTSUPP;
	return codecs[id]->decompress(workspace, workspace_size, block, stored, chunk, size);
}
