/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device or file that somebody named on the command line, and the image in it.
 *
 * It is looked at as a resume looks at it, by the mark on the area's first page; but images that a resume would
 * pass over, because they were dropped or are of another device, can be read too. A header page at the
 * place that was named is an image without a mark.
 *
 * The image of a swap file lies on the block device below, and so it is read from there; that device is only
 * opened for reading.
 */
#pragma once

#include "area/mark.h"
#include "image/image.h"

#define SOURCE_NAME_MAX 256

struct image_source {
	const char *path;           /* as named; borrowed */
	char name[SOURCE_NAME_MAX]; /* of what the image is read from, for messages */
	int fd;
	bool block;                 /* @path is a block device */
	uint64_t size;              /* bytes of what @fd is */
	uint64_t position;          /* byte offset of the area's first page in @path */
	bool bare;                  /* a header page lies at @position: no mark */
	struct mark mark;
	uint64_t header_offset;     /* where the mark says that the header page is */
};

#define IMAGE_SOURCE_INIT {.fd = -1}

struct image_loaded {
	struct image_header header;
	bool closed;                /* sealed, and not opened: of the rest nothing is known */
	struct seal_stream *chunks; /* sealed: what opens them; else NULL */
	struct image_meta meta;
	struct extent_list map;
	struct image_index index;
	uint64_t stored_bytes; /* what it takes: header page, chunks, body */
	void *memory;          /* map and index point in here */
};

/*
 * Open @path and read the mark at byte @position. What the mark says is not judged: 0 also if there is none.
 * REASON_USAGE for what is neither a block device nor a file, or a position that cannot be; REASON_PERMISSION,
 * REASON_NO_AREA, REASON_IO. Deinit also after an error.
 */
int image_source_open(struct image_source *source, const char *path, uint64_t position, struct failure *f);
void image_source_deinit(struct image_source *source);

/*
 * 0 if the mark, or a bare header page, speaks of an image of ours, dropped or not. Else REASON_NO_IMAGE,
 * REASON_FOREIGN_IMAGE (whose), REASON_IMAGE_VERSION or REASON_IMAGE_DAMAGED.
 */
int image_source_check(const struct image_source *source, struct failure *f);

/*
 * Check the mark, then read header page and body. The reasons of both. A sealed image is opened by a passphrase or recovery
 * key, a line from @secret_fd; SECRET_TERMINAL asks, SECRET_NONE leaves it closed, which is no error. REASON_WRONG_SECRET,
 * REASON_UNAUTHENTIC, REASON_CRYPTO. Deinit also after an error.
 */
int image_source_load(const struct image_source *source, int secret_fd, struct image_loaded *loaded, struct failure *f);
void image_loaded_deinit(struct image_loaded *loaded);

/*
 * Whether the block device is the one that the mark was written for: REASON_WRONG_MACHINE if not. 0 for a file, of which
 * nobody can know.
 */
int image_source_check_device(const struct image_source *source, struct failure *f);
