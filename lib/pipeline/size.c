/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory a pipeline needs. Apart from what runs it: the daemon only lays it out, and links nothing of the rest. */
#include "pipeline/stage.h"

size_t stage_workspace_bytes(enum codec_id codec, int level, uint32_t chunk_size)
{
	return round_up(codec_workspace_size(codec, level, chunk_size), 64);
}

size_t stage_buffer_bytes(uint32_t chunk_size)
{
	return chunk_size + sizeof(struct slot) + sizeof(uint8_t *);
}

size_t stage_fixed_bytes(enum codec_id codec, int level, uint32_t chunk_size, unsigned int threads)
{
	return threads * (stage_workspace_bytes(codec, level, chunk_size) + chunk_size) + 64;
}

size_t pipeline_region_least(enum codec_id codec, int level, uint32_t chunk_size, unsigned int threads)
{
	return round_up(sizeof(struct pipeline), PAGE_BYTES) +
	       round_up(stage_fixed_bytes(codec, level, chunk_size, threads) +
			STAGE_BUFFERS_LEAST * stage_buffer_bytes(chunk_size), PAGE_BYTES);
}
