/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker knows of the image's keys: handles with the keys of chunks and body, and nothing that they came from.
 */
#pragma once

#include "pipeline/pipeline.h"
#include "pipeline/worker.h"
#include "seal/open.h"

struct worker_keys {
	struct failure crypto; /* why nothing can be sealed or opened here, if so */
	unsigned int threads;
	struct seal_stream *chunks[PIPELINE_THREADS_MAX]; /* one for each codec thread */
	struct seal_stream *body;
};

/*
 * Before there are threads and before the sandbox closes: set up libgcrypt, and to save a sealed image make the handles. To
 * restore, a failure is kept until an image turns out to be sealed: others do not need it. Nothing is set up unless the image
 * is, or seems to be, @sealed: libgcrypt's tests of itself take longer than all else that a worker does before it is ready.
 */
int worker_keys_init(struct worker_keys *k, const struct worker_job *job, bool sealed, struct failure *f);

/*
 * To save: derive the keys from the image key in @job, which is wiped, and the header page as it will be; @page is memory
 * for that.
 */
int worker_keys_begin(struct worker_keys *k, struct worker_job *job, void *page, struct failure *f);

/* To restore: whether the sealed @page can be opened here at all, and by what, before anybody is asked for a secret. */
int worker_keys_check(const struct worker_keys *k, const void *page, struct worker_job *job, struct failure *f);

/* To restore: open @page by the secret in @job, which is wiped, and derive the keys. KEY_WRONG_SECRET, or as seal_page_open(). */
int worker_keys_open(struct worker_keys *k, struct worker_job *job, const void *page, struct failure *f);

/* NULL without keys, as for an image that is not sealed. */
struct seal_stream *const *worker_keys_streams(const struct worker_keys *k);

/* Wipe them. Idempotent. */
void worker_keys_deinit(struct worker_keys *k);
