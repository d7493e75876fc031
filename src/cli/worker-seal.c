/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/worker-seal.h"

#include "base/secret.h"

#include <errno.h>
#include <string.h>

static int no_memory(const char *name, int r, struct failure *f)
{
	return failure_set(f, REASON_CRYPTO, -r, name, "Raise RLIMIT_MEMLOCK.", "no handles for the image's keys");
}

static int make_handles(struct worker_keys *k, enum seal_suite suite, const char *name, struct failure *f)
{
	int r = seal_stream_new(&k->body, SEAL_BODY, suite);

	for (unsigned int i = 0; r >= 0 && i < k->threads; i++)
		r = seal_stream_new(&k->chunks[i], SEAL_CHUNKS, suite);
	return r < 0 ? no_memory(name, r, f) : 0;
}

static int give_keys(struct worker_keys *k, const struct seal_transcript *transcript,
		     const uint8_t image_key[CRYPTO_KEY_BYTES], const char *name, struct failure *f)
{
	int r = seal_stream_key(k->body, transcript, image_key);

	for (unsigned int i = 0; r >= 0 && i < k->threads; i++)
		r = seal_stream_key(k->chunks[i], transcript, image_key);
	return r < 0 ? failure_set(f, REASON_CRYPTO, -r, name, NULL, "the image's keys cannot be derived") : 0;
}

int worker_keys_init(struct worker_keys *k, const struct worker_job *job, bool sealed, struct failure *f)
{
	bool save = job->direction == WORKER_SAVE;
	int r;

	*k = (struct worker_keys){.threads = MIN(job->threads, PIPELINE_THREADS_MAX)};
	if (!sealed) {
		/* Seen only if the image turns out to be sealed after all. */
		failure_set(&k->crypto, REASON_IMAGE_DAMAGED, EBADMSG, job->area_name, NULL,
			    "the image's header page is not what it was a moment ago");
		return 0;
	}
	r = crypto_init(save ? f : &k->crypto);
	if (!save)
		return 0;
	return r < 0 ? r : make_handles(k, (enum seal_suite)job->seal.suite, job->area_name, f);
}

int worker_keys_begin(struct worker_keys *k, struct worker_job *job, void *page, struct failure *f)
{
	struct seal_transcript transcript = {.suite = (enum seal_suite)job->seal.suite};
	struct image_header header = {.id = job->meta.id, .suite = transcript.suite};
	int r;

	memcpy(header.slot, job->seal.slot, sizeof(header.slot));
	memcpy(header.blob, job->seal.blob, sizeof(header.blob));
	memcpy(transcript.image_id, header.id.bytes, sizeof(transcript.image_id));
	image_header_encode(&header, page);
	r = seal_header_hash(page, transcript.header_hash);
	if (r < 0)
		r = failure_set(f, REASON_CRYPTO, -r, job->area_name, NULL, "the image's header page cannot be hashed");
	else
		r = give_keys(k, &transcript, job->seal.image_key, job->area_name, f);
	secret_wipe(job->seal.image_key, sizeof(job->seal.image_key));
	return r;
}

int worker_keys_check(const struct worker_keys *k, const void *page, struct worker_job *job, struct failure *f)
{
	int r;

	if (failed(&k->crypto)) {
		*f = k->crypto;
		return f->error ? -f->error : -EOPNOTSUPP;
	}
	r = seal_page_check(page, job->area_name, &job->seal.wraps, f);
	if (r >= 0 && job->seal.trusts)
		r = seal_page_trust(page, job->seal.trusted, job->area_name, f);
	if (r >= 0)
		memcpy(job->seal.blob, (const uint8_t *)page + SEAL_PAGE_BLOB, sizeof(job->seal.blob));
	return r;
}

int worker_keys_open(struct worker_keys *k, struct worker_job *job, const void *page, struct failure *f)
{
	AUTO_SECRET struct seal_opened *opened = secret_new(sizeof(*opened));
	struct bytes secret = {job->seal.secret, MIN(job->seal.secret_size, sizeof(job->seal.secret))};
	int r;

	if (opened && job->seal.from_tpm && secret.size == CRYPTO_KEY_BYTES)
		r = seal_page_open_tpm(page, secret.data, job->seal.trusts ? job->seal.trusted : NULL, job->area_name, opened, f);
	else if (opened)
		r = seal_page_open(page, secret, job->seal.memory_kib, job->area_name, opened, f);
	else
		r = no_memory(job->area_name, -ENOMEM, f);
	worker_wipe(job);
	if (r)
		return r;
	r = make_handles(k, opened->transcript.suite, job->area_name, f);
	return r < 0 ? r : give_keys(k, &opened->transcript, opened->image_key, job->area_name, f);
}

struct seal_stream *const *worker_keys_streams(const struct worker_keys *k)
{
	return k->chunks[0] ? k->chunks : NULL;
}

void worker_keys_deinit(struct worker_keys *k)
{
	for (unsigned int i = 0; i < k->threads; i++)
		k->chunks[i] = seal_stream_free(k->chunks[i]);
	k->body = seal_stream_free(k->body);
}
