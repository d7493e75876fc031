/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/stream.h"

#include "base/secret.h"
#include "seal/disk.h"
#include "seal/hkdf.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define HEADER_LABEL "hibernated header"

/* Lies in memory for secrets, like what the handle refers to. */
struct seal_stream {
	struct aead *aead;
	enum seal_part part;
	bool keyed;
	struct seal_transcript transcript;
};

static const char *label_of(enum seal_part part)
{
	switch (part) {
	case SEAL_CHUNKS:
		return "hibernated chunks";
	case SEAL_BODY:
		return "hibernated body";
	}
	return NULL;
}

int seal_header_hash(const void *page, uint8_t hash[SEAL_HEADER_HASH_BYTES])
{
	const uint8_t *bytes = page;
	struct bytes pieces[] = {
		{HEADER_LABEL, sizeof(HEADER_LABEL)}, /* with its NUL */
		{bytes, SEAL_PAGE_BEGIN_BYTES},
		{bytes + SEAL_PAGE_IMAGE_ID, SEAL_IMAGE_ID_BYTES},
		{bytes + SEAL_PAGE_SLOT_COUNT, sizeof(uint32_t)},
		{bytes + SEAL_PAGE_SLOTS, SEAL_SLOT_COUNT * SEAL_SLOT_BYTES},
		{bytes + SEAL_PAGE_BLOB, SEAL_BLOB_BYTES},
	};

	return hash_of(HASH_SHA256, pieces, ARRAY_LENGTH(pieces), hash);
}

int seal_admit(bool required, uint32_t suite, const char *name, struct failure *f)
{
	if (suite >= _SUITE_MAX)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name,
				   "Use the version of hibernated that wrote it.",
				   "the image is sealed with suite %u, which is unknown here", suite);
	if (required && !suite_seals((enum seal_suite)suite))
		return failure_set(f, REASON_NOT_SEALED, EPERM, name, "Boot without it.",
				   "the image is not sealed, and only sealed ones are resumed here");
	return 0;
}

int seal_stream_new(struct seal_stream **stream, enum seal_part part, enum seal_suite suite)
{
	AUTO_SEAL_STREAM struct seal_stream *new = NULL;
	int r;

	if (!label_of(part))
		return -EINVAL;
	new = secret_new(sizeof(*new));
	if (!new)
		return -ENOMEM;
	r = aead_new(&new->aead, suite);
	if (r < 0)
		return r;
	new->part = part;
	new->transcript.suite = suite;
	*stream = new;
	new = NULL;
	return 0;
}

struct seal_stream *seal_stream_free(struct seal_stream *stream)
{
	if (stream)
		stream->aead = aead_free(stream->aead);
	return secret_free(stream);
}

void seal_stream_cleanup(struct seal_stream **stream)
{
	*stream = seal_stream_free(*stream);
}

int seal_stream_key(struct seal_stream *stream, const struct seal_transcript *transcript,
		    const uint8_t image_key[CRYPTO_KEY_BYTES])
{
	AUTO_SECRET uint8_t *key = secret_new(CRYPTO_KEY_BYTES);
	struct transcript_disk disk = {.suite = htole32((uint32_t)transcript->suite)};
	int r;

	if (transcript->suite != stream->transcript.suite)
		return -EINVAL;
	if (!key)
		return -ENOMEM;
	stream->keyed = false;
	memcpy(disk.image_id, transcript->image_id, sizeof(disk.image_id));
	memcpy(disk.header_hash, transcript->header_hash, sizeof(disk.header_hash));
	r = hkdf_derive((struct bytes){NULL, 0}, (struct bytes){image_key, CRYPTO_KEY_BYTES}, label_of(stream->part),
			(struct bytes){&disk, sizeof(disk)}, key, CRYPTO_KEY_BYTES);
	if (r >= 0)
		r = aead_set_key(stream->aead, key);
	if (r < 0)
		return r;
	stream->transcript = *transcript;
	stream->keyed = true;
	return 0;
}

/* Nonce and what else is authenticated. */
static void describe(const struct seal_stream *stream, const struct seal_chunk *chunk, struct chunk_nonce_disk *nonce,
		     struct chunk_extra_disk *extra)
{
	*nonce = (struct chunk_nonce_disk){
		.part = (uint8_t)stream->part,
		.last = chunk->last,
		.index = htole64(chunk->index),
	};
	*extra = (struct chunk_extra_disk){
		.index = htole64(chunk->index),
		.stored = htole32(chunk->stored),
		.size = htole32(chunk->size),
		.codec = htole32(chunk->codec),
		.suite = htole32((uint32_t)stream->transcript.suite),
		.part = htole32((uint32_t)stream->part),
		.last = htole32(chunk->last),
	};
	memcpy(extra->image_id, stream->transcript.image_id, sizeof(extra->image_id));
}

int seal_chunk_seal(struct seal_stream *stream, const struct seal_chunk *chunk, const void *plain, void *sealed,
		    uint8_t tag[CRYPTO_TAG_BYTES])
{
	struct chunk_nonce_disk nonce;
	struct chunk_extra_disk extra;

	if (!stream->keyed)
		return -ENOKEY;
	describe(stream, chunk, &nonce, &extra);
	return aead_seal(stream->aead, (const uint8_t *)&nonce, (struct bytes){&extra, sizeof(extra)}, plain, sealed,
			 chunk->stored, tag);
}

int seal_chunk_open(struct seal_stream *stream, const struct seal_chunk *chunk, const void *sealed, void *plain,
		    const uint8_t tag[CRYPTO_TAG_BYTES])
{
	struct chunk_nonce_disk nonce;
	struct chunk_extra_disk extra;

	if (!stream->keyed)
		return -ENOKEY;
	describe(stream, chunk, &nonce, &extra);
	return aead_open(stream->aead, (const uint8_t *)&nonce, (struct bytes){&extra, sizeof(extra)}, sealed, plain,
			 chunk->stored, tag);
}

void seal_order_init(struct seal_order *order, uint64_t count)
{
	*order = (struct seal_order){.count = count};
}

int seal_order_take(struct seal_order *order, uint64_t index, bool last)
{
	if (index != order->next || index >= order->count || last != (index + 1 == order->count))
		return -EBADMSG;
	order->next++;
	return 0;
}

int seal_order_close(const struct seal_order *order)
{
	return order->count && order->next == order->count ? 0 : -EBADMSG;
}
