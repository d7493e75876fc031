/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sealing puts on the disk: little-endian, packed. doc/image-format.md is normative; it and this file change
 * together.
 *
 * The private blob has a place for each way to open it; those that are not used are zeros.
 */
#pragma once

#include "base/util.h"
#include "seal/crypto.h"
#include "seal/stream.h"

#define SEAL_PACKED __attribute__((packed))

/* Where the header page has what sealing reads or writes; image/format.h has the whole page. */
#define SEAL_PAGE_BEGIN_BYTES 36 /* magic, version, header size, flags, suite */
#define SEAL_PAGE_IMAGE_ID    40
#define SEAL_PAGE_SLOT_COUNT  80
#define SEAL_PAGE_SLOTS       1280
#define SEAL_PAGE_BLOB        3328
#define SEAL_PAGE_SIGNATURE   4016
#define SEAL_SLOT_BYTES       512
#define SEAL_SLOT_COUNT       4
#define SEAL_BLOB_BYTES       688
_Static_assert(SEAL_PAGE_SLOTS + SEAL_SLOT_COUNT * SEAL_SLOT_BYTES == SEAL_PAGE_BLOB, "slots, then the blob");
_Static_assert(SEAL_PAGE_BLOB + SEAL_BLOB_BYTES == SEAL_PAGE_SIGNATURE, "then the signature");

/* What is authenticated with a chunk or the body, besides its bytes. Never on the disk. */
struct chunk_extra_disk {
	uint8_t image_id[SEAL_IMAGE_ID_BYTES];
	uint64_t index;
	uint32_t stored;
	uint32_t size;
	uint32_t codec;
	uint32_t suite;
	uint32_t part;
	uint32_t last;
} SEAL_PACKED;
_Static_assert(offsetof(struct chunk_extra_disk, index) == 16, "index");
_Static_assert(offsetof(struct chunk_extra_disk, stored) == 24, "stored");
_Static_assert(offsetof(struct chunk_extra_disk, size) == 28, "size");
_Static_assert(offsetof(struct chunk_extra_disk, codec) == 32, "codec");
_Static_assert(offsetof(struct chunk_extra_disk, suite) == 36, "suite");
_Static_assert(offsetof(struct chunk_extra_disk, part) == 40, "part");
_Static_assert(offsetof(struct chunk_extra_disk, last) == 44, "last");
_Static_assert(sizeof(struct chunk_extra_disk) == 48, "chunk_extra");

/* The nonce of a chunk or the body. */
struct chunk_nonce_disk {
	uint8_t part;
	uint8_t last;
	uint8_t zeros[2];
	uint64_t index;
} SEAL_PACKED;
_Static_assert(offsetof(struct chunk_nonce_disk, last) == 1, "last");
_Static_assert(offsetof(struct chunk_nonce_disk, index) == 4, "index");
_Static_assert(sizeof(struct chunk_nonce_disk) == CRYPTO_NONCE_BYTES, "nonce");

/* The transcript of the keys of an image. */
struct transcript_disk {
	uint8_t image_id[SEAL_IMAGE_ID_BYTES];
	uint32_t suite;
	uint8_t header_hash[SEAL_HEADER_HASH_BYTES];
} SEAL_PACKED;
_Static_assert(offsetof(struct transcript_disk, suite) == 16, "suite");
_Static_assert(offsetof(struct transcript_disk, header_hash) == 20, "header_hash");
_Static_assert(sizeof(struct transcript_disk) == 52, "transcript");
