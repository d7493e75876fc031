/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that hold a key set: little-endian, packed. doc/image-format.md is normative; it and this file change together. */
#pragma once

#include "seal/disk.h"

#define KEY_FILE_VERSION     1
#define KEY_FILE_HASH_BYTES  32
#define KEY_FILE_LABEL_BYTES 64

/* The file `public`. */
#define PUBLIC_FILE_MAGIC "hibernated keys" /* and a NUL */
struct public_file_disk {
	uint8_t magic[16];
	uint32_t version;
	uint32_t size;
	uint8_t key_set[16];
	uint8_t recipient[CRYPTO_KEY_BYTES];
	uint8_t verifier[CRYPTO_KEY_BYTES];
	uint64_t created; /* microseconds since 1970 */
	uint8_t label[KEY_FILE_LABEL_BYTES];
	uint8_t reserved[128];
	uint8_t blob[SEAL_BLOB_BYTES];
	uint8_t hash[KEY_FILE_HASH_BYTES]; /* SHA-256 of all before */
} SEAL_PACKED;
_Static_assert(sizeof(PUBLIC_FILE_MAGIC) == 16, "magic");
_Static_assert(offsetof(struct public_file_disk, version) == 16, "version");
_Static_assert(offsetof(struct public_file_disk, size) == 20, "size");
_Static_assert(offsetof(struct public_file_disk, key_set) == 24, "key_set");
_Static_assert(offsetof(struct public_file_disk, recipient) == 40, "recipient");
_Static_assert(offsetof(struct public_file_disk, verifier) == 72, "verifier");
_Static_assert(offsetof(struct public_file_disk, created) == 104, "created");
_Static_assert(offsetof(struct public_file_disk, label) == 112, "label");
_Static_assert(offsetof(struct public_file_disk, reserved) == 176, "reserved");
_Static_assert(offsetof(struct public_file_disk, blob) == 304, "blob");
_Static_assert(offsetof(struct public_file_disk, hash) == 992, "hash");
_Static_assert(sizeof(struct public_file_disk) == 1024, "public file");

/* The file `signing`. In memory for secrets. */
#define SIGNING_FILE_MAGIC "hibernated sign" /* and a NUL */
struct signing_file_disk {
	uint8_t magic[16];
	uint32_t version;
	uint32_t size;
	uint8_t key_set[16];
	uint8_t seed[CRYPTO_KEY_BYTES];
	uint8_t reserved[24];
	uint8_t hash[KEY_FILE_HASH_BYTES]; /* SHA-256 of all before */
} SEAL_PACKED;
_Static_assert(sizeof(SIGNING_FILE_MAGIC) == 16, "magic");
_Static_assert(offsetof(struct signing_file_disk, version) == 16, "version");
_Static_assert(offsetof(struct signing_file_disk, size) == 20, "size");
_Static_assert(offsetof(struct signing_file_disk, key_set) == 24, "key_set");
_Static_assert(offsetof(struct signing_file_disk, seed) == 40, "seed");
_Static_assert(offsetof(struct signing_file_disk, reserved) == 72, "reserved");
_Static_assert(offsetof(struct signing_file_disk, hash) == 96, "hash");
_Static_assert(sizeof(struct signing_file_disk) == 128, "signing file");
