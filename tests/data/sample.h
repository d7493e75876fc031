/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small whole images for tests: a swap area on a made-up device, with an image of made-up pages in it.
 *
 * Everything follows from the sample's row, so that two programs that have the row know each byte of
 * the snapshot. Codecs may pack differently from version to version: the image files that are kept
 * were made once (tests/data/manifest).
 */
#pragma once

#include "area/mark.h"
#include "image/image.h"

#define SAMPLE_EXTENTS_MAX 8
#define SAMPLE_CHUNKS_MAX 16

struct key_material;

struct sample {
	const char *name;
	enum codec_id codec;
	uint32_t chunk_size;
	uint32_t pages;             /* of the snapshot */
	uint32_t random_chunk;      /* pages of this chunk do not shrink; UINT32_MAX: none */
	uint32_t device_pages;
	uint32_t area_page;         /* the area's first page on the device */
	uint32_t fingerprints;
	bool platform;
	enum mark_drop drop;        /* MARK_DROP_NONE: armed */
	enum seal_suite suite;      /* SUITE_NONE: unsealed */
	uint8_t number;             /* another one: another image id and other keys of the image */
	const struct key_material *keys; /* of the sealed image; NULL: sample_keys() */
	bool all_ways;              /* those keys are opened by a recovery key too, and have a part for a TPM */
	struct extent extents[SAMPLE_EXTENTS_MAX]; /* granted; in pages */
};

/* Where the parts of a sample are. */
struct sample_place {
	struct image_place image;
	struct image_meta meta;
	struct extent map_items[SAMPLE_EXTENTS_MAX];
	struct extent_list map;     /* all that was granted, in bytes */
	struct image_chunk chunks[SAMPLE_CHUNKS_MAX];
	struct image_index index;
};

extern const struct sample samples[];
extern const size_t sample_count;
/*
 * Sealed: to a key set that everybody knows, opened by SAMPLE_PASSPHRASE and, where the row says so, by the recovery key that
 * doc/image-format.md writes out; writing one needs crypto_init().
 */
extern const struct sample sealed_samples[];
extern const size_t sealed_sample_count;
#define SAMPLE_PASSPHRASE "golden"

/* Page @number of the snapshot. */
void sample_page(const struct sample *sample, uint32_t number, uint8_t page[PAGE_BYTES]);

/* The key set of sealed samples, as keyfile.h has it; in memory for secrets. 0 or -errno. */
int sample_keys(struct key_material *material);

/* Write the whole device into @fd, an empty file. 0 or -errno with @f. */
int sample_write(const struct sample *sample, int fd, struct sample_place *place, struct failure *f);
