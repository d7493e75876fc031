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
#define SEAL_BLOB_TPM         288 /* in the blob */
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

/* A key slot: the image's key for the owner of an X25519 key. */
#define SLOT_KIND_X25519 1
struct slot_disk {
	uint32_t kind;
	uint32_t size; /* SEAL_SLOT_BYTES */
	uint8_t key_set[16];
	uint8_t ephemeral[CRYPTO_KEY_BYTES];
	uint8_t commitment[32];
	uint8_t wrapped[CRYPTO_KEY_BYTES];
	uint8_t tag[CRYPTO_TAG_BYTES];
	uint8_t reserved[376];
} SEAL_PACKED;
_Static_assert(offsetof(struct slot_disk, size) == 4, "size");
_Static_assert(offsetof(struct slot_disk, key_set) == 8, "key_set");
_Static_assert(offsetof(struct slot_disk, ephemeral) == 24, "ephemeral");
_Static_assert(offsetof(struct slot_disk, commitment) == 56, "commitment");
_Static_assert(offsetof(struct slot_disk, wrapped) == 88, "wrapped");
_Static_assert(offsetof(struct slot_disk, tag) == 120, "tag");
_Static_assert(offsetof(struct slot_disk, reserved) == 136, "reserved");
_Static_assert(sizeof(struct slot_disk) == SEAL_SLOT_BYTES, "slot");

/* The transcript of a slot's wrapping key. */
struct slot_transcript_disk {
	uint8_t image_id[SEAL_IMAGE_ID_BYTES];
	uint32_t suite;
	uint8_t key_set[16];
	uint8_t ephemeral[CRYPTO_KEY_BYTES];
	uint8_t recipient[CRYPTO_KEY_BYTES];
} SEAL_PACKED;
_Static_assert(offsetof(struct slot_transcript_disk, suite) == 16, "suite");
_Static_assert(offsetof(struct slot_transcript_disk, key_set) == 20, "key_set");
_Static_assert(offsetof(struct slot_transcript_disk, ephemeral) == 36, "ephemeral");
_Static_assert(offsetof(struct slot_transcript_disk, recipient) == 68, "recipient");
_Static_assert(sizeof(struct slot_transcript_disk) == 100, "slot_transcript");

/* The blob's key, wrapped by a passphrase. */
#define WRAP_KIND_ARGON2ID 1
struct passphrase_disk {
	uint32_t kind;
	uint32_t memory_kib;
	uint32_t passes;
	uint32_t lanes;
	uint8_t salt[16];
	uint8_t commitment[32];
	uint8_t wrapped[CRYPTO_KEY_BYTES];
	uint8_t tag[CRYPTO_TAG_BYTES];
	uint8_t reserved[16];
} SEAL_PACKED;
_Static_assert(offsetof(struct passphrase_disk, memory_kib) == 4, "memory_kib");
_Static_assert(offsetof(struct passphrase_disk, passes) == 8, "passes");
_Static_assert(offsetof(struct passphrase_disk, lanes) == 12, "lanes");
_Static_assert(offsetof(struct passphrase_disk, salt) == 16, "salt");
_Static_assert(offsetof(struct passphrase_disk, commitment) == 32, "commitment");
_Static_assert(offsetof(struct passphrase_disk, wrapped) == 64, "wrapped");
_Static_assert(offsetof(struct passphrase_disk, tag) == 96, "tag");
_Static_assert(offsetof(struct passphrase_disk, reserved) == 112, "reserved");
_Static_assert(sizeof(struct passphrase_disk) == 128, "passphrase");

/* The transcript of a passphrase's wrapping key: the key set, and the wrap up to its salt. */
struct passphrase_transcript_disk {
	uint8_t key_set[16];
	uint8_t wrap[offsetof(struct passphrase_disk, commitment)];
} SEAL_PACKED;
_Static_assert(sizeof(struct passphrase_transcript_disk) == 48, "passphrase_transcript");

/* The blob's key, wrapped by a recovery key. */
#define WRAP_KIND_RECOVERY 1
struct recovery_disk {
	uint32_t kind;
	uint8_t salt[16];
	uint8_t commitment[32];
	uint8_t wrapped[CRYPTO_KEY_BYTES];
	uint8_t tag[CRYPTO_TAG_BYTES];
	uint8_t reserved[12];
} SEAL_PACKED;
_Static_assert(offsetof(struct recovery_disk, salt) == 4, "salt");
_Static_assert(offsetof(struct recovery_disk, commitment) == 20, "commitment");
_Static_assert(offsetof(struct recovery_disk, wrapped) == 52, "wrapped");
_Static_assert(offsetof(struct recovery_disk, tag) == 84, "tag");
_Static_assert(offsetof(struct recovery_disk, reserved) == 100, "reserved");
_Static_assert(sizeof(struct recovery_disk) == 112, "recovery");

/* The transcript of a recovery key's wrapping key: the key set, and the wrap up to its salt. */
struct recovery_transcript_disk {
	uint8_t key_set[16];
	uint8_t wrap[offsetof(struct recovery_disk, commitment)];
} SEAL_PACKED;
_Static_assert(sizeof(struct recovery_transcript_disk) == 36, "recovery_transcript");

/* The blob's key, sealed by a TPM. The sizes are those of TPM2B_PUBLIC and TPM2B_PRIVATE, as the TPM has them. */
#define WRAP_KIND_TPM2 1
#define TPM_FLAG_PIN   1u
#define TPM_PERSISTENT 0x81000000u
#define TPM_HINT_BYTES 4
#define TPM_SALT_BYTES 16
struct tpm_disk {
	uint32_t kind;
	uint32_t flags;
	uint32_t parent;  /* handle of a persistent storage key; 0: one made of the owner's seed */
	uint32_t pcrs;    /* a bit for each */
	uint8_t hints[32]; /* how the value of each of them began, in their order: to name the one that changed */
	uint8_t salt[TPM_SALT_BYTES]; /* of the PIN */
	uint16_t public_size;
	uint16_t private_size;
	uint8_t object[252]; /* public, then private */
} SEAL_PACKED;
_Static_assert(offsetof(struct tpm_disk, flags) == 4, "flags");
_Static_assert(offsetof(struct tpm_disk, parent) == 8, "parent");
_Static_assert(offsetof(struct tpm_disk, pcrs) == 12, "pcrs");
_Static_assert(offsetof(struct tpm_disk, hints) == 16, "hints");
_Static_assert(offsetof(struct tpm_disk, salt) == 48, "salt");
_Static_assert(offsetof(struct tpm_disk, public_size) == 64, "public_size");
_Static_assert(offsetof(struct tpm_disk, private_size) == 66, "private_size");
_Static_assert(offsetof(struct tpm_disk, object) == 68, "object");
_Static_assert(sizeof(struct tpm_disk) == 320, "tpm");

/* The transcript of a PIN. */
struct pin_transcript_disk {
	uint8_t key_set[16];
	uint8_t salt[TPM_SALT_BYTES];
} SEAL_PACKED;
_Static_assert(offsetof(struct pin_transcript_disk, salt) == 16, "salt");
_Static_assert(sizeof(struct pin_transcript_disk) == 32, "pin_transcript");

/* The sealed private blob. */
#define BLOB_MAGIC           "hib-keys" /* 8 bytes, no NUL */
#define BLOB_VERSION         1
#define BLOB_WRAP_PASSPHRASE 1u
#define BLOB_WRAP_RECOVERY   2u
#define BLOB_WRAP_TPM        4u
#define BLOB_WRAPS_HUMAN     (BLOB_WRAP_PASSPHRASE | BLOB_WRAP_RECOVERY)
#define BLOB_WRAPS_KNOWN     (BLOB_WRAPS_HUMAN | BLOB_WRAP_TPM)
struct blob_disk {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* SEAL_BLOB_BYTES */
	uint8_t key_set[16];
	uint32_t wraps; /* which of the three places are used */
	uint8_t nonce[CRYPTO_NONCE_BYTES];
	struct passphrase_disk passphrase;
	struct recovery_disk recovery;
	struct tpm_disk tpm;
	uint8_t sealed[2 * CRYPTO_KEY_BYTES]; /* X25519 private key, Ed25519 verifying key */
	uint8_t tag[CRYPTO_TAG_BYTES];
} SEAL_PACKED;
_Static_assert(sizeof(BLOB_MAGIC) - 1 == 8, "magic");
_Static_assert(offsetof(struct blob_disk, version) == 8, "version");
_Static_assert(offsetof(struct blob_disk, size) == 12, "size");
_Static_assert(offsetof(struct blob_disk, key_set) == 16, "key_set");
_Static_assert(offsetof(struct blob_disk, wraps) == 32, "wraps");
_Static_assert(offsetof(struct blob_disk, nonce) == 36, "nonce");
_Static_assert(offsetof(struct blob_disk, passphrase) == 48, "passphrase");
_Static_assert(offsetof(struct blob_disk, recovery) == 176, "recovery");
_Static_assert(offsetof(struct blob_disk, tpm) == SEAL_BLOB_TPM, "tpm");
_Static_assert(offsetof(struct blob_disk, sealed) == 608, "sealed");
_Static_assert(offsetof(struct blob_disk, tag) == 672, "tag");
_Static_assert(sizeof(struct blob_disk) == SEAL_BLOB_BYTES, "blob");
