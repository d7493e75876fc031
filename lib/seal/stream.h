/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the chunks of one image are sealed, and its body.
 *
 * Each image has a key of its own, drawn for it and used for nothing else. Of it come, by HKDF with a label and a
 * transcript (image id, suite, hash of what the header page said before the first chunk), one key for the chunks and
 * one for the body. A chunk's nonce is its number and whether it is the last one; what is authenticated besides is all
 * that a reader goes by: image id, number, lengths, codec, suite, last or not. So a chunk opens only in its own place
 * of its own image, and the last one only as the last. Chunks can be sealed and opened in any order and by any thread;
 * that each was used once and in its place is what struct seal_order keeps.
 *
 * doc/image-format.md has the bytes.
 */
#pragma once

#include "seal/crypto.h"

#define SEAL_IMAGE_ID_BYTES    16
#define SEAL_HEADER_HASH_BYTES 32

/* What is sealed, each under a key of its own. The numbers are part of the format. */
enum seal_part {
	SEAL_CHUNKS = 1,
	SEAL_BODY = 2,
};

/* What both ends must agree on. */
struct seal_transcript {
	uint8_t image_id[SEAL_IMAGE_ID_BYTES];
	enum seal_suite suite;
	uint8_t header_hash[SEAL_HEADER_HASH_BYTES];
};

/*
 * What the header page says before the first chunk is sealed, from a page of PAGE_BYTES: beginning, suite, image id, key
 * slots and the sealed private blob. The rest of the page may still change.
 */
int seal_header_hash(const void *page, uint8_t hash[SEAL_HEADER_HASH_BYTES]);

/*
 * Whether an image with @suite may be used where sealing is @required or not, before anything else of it is believed.
 * 0; REASON_NOT_SEALED (-EPERM) for an unsealed one where sealing is required, REASON_IMAGE_VERSION (-ENOTSUP) for a suite that is
 * not known. @name is for the message.
 */
int seal_admit(bool required, uint32_t suite, const char *name, struct failure *f);

/* One thread's means to seal or open one part. */
struct seal_stream;

/* Before anything is frozen. 0, -EINVAL, -ENOMEM. */
int seal_stream_new(struct seal_stream **stream, enum seal_part part, enum seal_suite suite);
struct seal_stream *seal_stream_free(struct seal_stream *stream);
void seal_stream_cleanup(struct seal_stream **stream);
#define AUTO_SEAL_STREAM CLEANUP(seal_stream_cleanup)

/*
 * Derive the part's key of @image_key for the image of @transcript, whose suite is the stream's (-EINVAL else). The
 * stream can be given another image later; until the first, it seals and opens nothing (-ENOKEY).
 */
int seal_stream_key(struct seal_stream *stream, const struct seal_transcript *transcript,
		    const uint8_t image_key[CRYPTO_KEY_BYTES]);

struct seal_chunk {
	uint64_t index;  /* 0 for the first chunk, and for the body */
	bool last;       /* true for the body */
	uint32_t stored; /* bytes that are sealed, the same before and after */
	uint32_t size;   /* bytes of pages; for the body the same as @stored */
	uint32_t codec;  /* as the image's index has it; 0 for the body */
};

/* @chunk->stored bytes from @plain to @sealed, the same or apart, and their tag. Asks for no memory. */
int seal_chunk_seal(struct seal_stream *stream, const struct seal_chunk *chunk, const void *plain, void *sealed,
		    uint8_t tag[CRYPTO_TAG_BYTES]);
/* -EBADMSG if anything is not as it was sealed; @plain is zeros then. */
int seal_chunk_open(struct seal_stream *stream, const struct seal_chunk *chunk, const void *sealed, void *plain,
		    const uint8_t tag[CRYPTO_TAG_BYTES]);

/* The order in which opened chunks go to the kernel. */
struct seal_order {
	uint64_t next, count;
};

/* For an image whose index, which has been verified, has @count chunks. */
void seal_order_init(struct seal_order *order, uint64_t count);
/* Chunk @index goes next, and is it the last? -EBADMSG unless it is its turn. */
int seal_order_take(struct seal_order *order, uint64_t index, bool last);
/* -EBADMSG unless all chunks went, the last one last. */
int seal_order_close(const struct seal_order *order);
