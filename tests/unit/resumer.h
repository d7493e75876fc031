/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small image on a made-up device, and its reading as a resume does it: mark, header page, secret, body, chunks. The
 * worker's own code for keys and the pipeline are used; the daemon and the kernel are not there. What stands for the kernel
 * compares each page with the one that was hibernated.
 *
 * Each has a device and buffers of its own, so that several can be used by several threads.
 */
#pragma once

#include "cli/worker-seal.h"
#include "sample.h"

#define RESUMER_CHUNKS 64
#define RESUMER_PASSPHRASE "golden"

/* How far it came. */
enum resumer_stage {
	STAGE_MARK,   /* no armed image */
	STAGE_HEADER, /* refused before anybody was asked for a passphrase */
	STAGE_SECRET, /* refused when it was there */
	STAGE_BODY,
	STAGE_CHUNKS,
	STAGE_END,
	_STAGE_MAX,
};

struct resumer {
	struct sample sample;
	struct sample_place place; /* where the parts are */
	int device;
	uint8_t *bytes;     /* of the device */
	uint8_t *original;  /* the same, unchanged */
	uint64_t size;      /* of the device, as it says */
	const char *typed;  /* at the question */
	bool required;      /* sealed images only */
	void (*opened)(struct resumer *r); /* called when the body was read; may change what it said */

	struct worker_job *job;
	struct worker_keys keys;
	struct mark mark;
	struct image_header header;
	uint8_t *buffer;
	size_t buffer_size;
	struct image_meta meta;
	struct extent map_items[SAMPLE_EXTENTS_MAX];
	struct extent_list map;
	struct image_chunk chunks[RESUMER_CHUNKS];
	struct image_index index;
	void *region;
	size_t region_size;

	uint8_t *pages;     /* of the snapshot */
	uint64_t taken;     /* pages that the kernel got */
	bool other;         /* and one of them was another */
	bool finished;
	enum resumer_stage stage;
	struct failure failure;
};

/*
 * Make the image of @sample, by the keys of one that was made before if @keys is not NULL. Without an image to speak of
 * the test ends here.
 */
struct resumer *resumer_new(const struct sample *sample, const struct key_material *keys);
struct resumer *resumer_free(struct resumer *r);

/* A key set whose blob is opened by RESUMER_PASSPHRASE, with the least of Argon2; another @number, another set. */
struct key_material *resumer_keys(uint8_t number);

/* From the mark to the last page. 0, or -errno with r->failure and r->stage. */
int resumer_run(struct resumer *r);

/* One after the other of what that does. The body can be read many times by the keys of one header page, and so on. */
int resumer_mark(struct resumer *r);
int resumer_header(struct resumer *r);
int resumer_body(struct resumer *r);
int resumer_pages(struct resumer *r);

/* What was changed is undone. */
void resumer_restore(struct resumer *r);

uint8_t *resumer_page(struct resumer *r); /* the header page on the device */

/* The checksum of the header page, and the one of the mark's record: anybody can make them. */
void resumer_sum(struct resumer *r);
void resumer_sum_mark(struct resumer *r);
/* And the signature by @keys, which nobody else can. */
void resumer_sign(struct resumer *r, const struct key_material *keys);

/* The device offset of a byte of the stream. */
uint64_t resumer_place(const struct resumer *r, uint64_t offset);

const char *resumer_stage_name(enum resumer_stage stage);
/* "refused at the body, unauthentic: ..." */
const char *resumer_tell(const struct resumer *r, char *text, size_t size);
