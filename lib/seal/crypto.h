/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primitives that sealing is made of, as libgcrypt has them. lib/seal/crypto*.c are the only files that know
 * libgcrypt; nothing of it shows here.
 *
 * All memory that libgcrypt asks for comes from base/secret.h, so keys, key schedules and the numbers that it copies
 * on the way are locked, and wiped when it lets go of them. An AEAD handle is made beforehand; from then on sealing
 * and opening ask for no memory. Everything else asks for a few pages for the time of the call.
 *
 * Nothing here falls back to something weaker. What is missing, in FIPS mode for example, makes crypto_init() fail
 * with the reason.
 */
#pragma once

#include "base/failure.h"
#include "base/util.h"

#define CRYPTO_KEY_BYTES       32
#define CRYPTO_NONCE_BYTES     12
#define CRYPTO_TAG_BYTES       16
#define CRYPTO_HASH_MAX        64
#define CRYPTO_SIGNATURE_BYTES 64

/* What is hashed or signed in pieces: the pieces in a row. */
struct bytes {
	const void *data;
	size_t size;
};

/*
 * Once in a program, before anything else here and before there are threads; again does nothing. REASON_CRYPTO
 * (-EOPNOTSUPP) when libgcrypt lacks an algorithm, is in FIPS mode, or was set up by somebody else; (-ENOMEM) when
 * too little memory may be locked.
 */
int crypto_init(struct failure *f);

/* True if the processor has instructions for AES and for GCM's multiplication. */
bool crypto_has_aes(void);

/* ---- authenticated encryption ---- */

/* The numbers are part of the format: never renumber one. */
enum seal_suite {
	SUITE_NONE = 0, /* unsealed */
	SUITE_AES256_GCM = 1,
	SUITE_AES256_OCB = 2,
	SUITE_CHACHA20_POLY1305 = 3,
	_SUITE_MAX,
	_SUITE_INVALID = -1,
};

/* Stable name ("aes256-gcm"), NULL outside the enum; and back, _SUITE_INVALID if unknown. */
const char *suite_name(enum seal_suite suite);
enum seal_suite suite_from_name(const char *name);
/* What a new image is sealed with on this processor; doc/sealing.md says why. */
enum seal_suite suite_default(void);
/* True if images can be sealed with it: SUITE_NONE is no suite in this sense. */
bool suite_seals(enum seal_suite suite);

struct aead;

/* 0, -EINVAL for SUITE_NONE and what is no suite, -ENOMEM. */
int aead_new(struct aead **aead, enum seal_suite suite);
struct aead *aead_free(struct aead *aead);
void aead_cleanup(struct aead **aead);
#define AUTO_AEAD CLEANUP(aead_cleanup)

int aead_set_key(struct aead *aead, const uint8_t key[CRYPTO_KEY_BYTES]);

/*
 * @size bytes from @plain to @sealed, which are the same or apart, and the tag over them and @extra. A nonce must never
 * come twice under one key.
 */
int aead_seal(struct aead *aead, const uint8_t nonce[CRYPTO_NONCE_BYTES], struct bytes extra, const void *plain,
	      void *sealed, size_t size, uint8_t tag[CRYPTO_TAG_BYTES]);
/* -EBADMSG if the tag does not fit, and then @plain is zeros: nobody uses what was not verified. */
int aead_open(struct aead *aead, const uint8_t nonce[CRYPTO_NONCE_BYTES], struct bytes extra, const void *sealed,
	      void *plain, size_t size, const uint8_t tag[CRYPTO_TAG_BYTES]);

/* ---- hashes ---- */

enum crypto_hash {
	HASH_SHA256,
	HASH_SHA512,
	_HASH_MAX,
};

size_t hash_size(enum crypto_hash hash);
/* hash_size() bytes to @out. */
int hash_of(enum crypto_hash hash, const struct bytes *pieces, size_t count, uint8_t *out);
/* HMAC (RFC 2104). */
int hmac_of(enum crypto_hash hash, struct bytes key, const struct bytes *pieces, size_t count, uint8_t *out);

/* ---- X25519 (RFC 7748) ---- */

int x25519_public(const uint8_t secret[CRYPTO_KEY_BYTES], uint8_t public[CRYPTO_KEY_BYTES]);
/* -EKEYREJECTED if the shared secret is all zeros, as points of low order make it; @shared is then untouched. */
int x25519_shared(const uint8_t secret[CRYPTO_KEY_BYTES], const uint8_t public[CRYPTO_KEY_BYTES],
		  uint8_t shared[CRYPTO_KEY_BYTES]);

/* ---- Ed25519 (RFC 8032), the seed being its private key ---- */

int ed25519_public(const uint8_t seed[CRYPTO_KEY_BYTES], uint8_t public[CRYPTO_KEY_BYTES]);
int ed25519_sign(const uint8_t seed[CRYPTO_KEY_BYTES], struct bytes message, uint8_t signature[CRYPTO_SIGNATURE_BYTES]);
/*
 * 0, or -EBADMSG. Refused too: a second form of the same signature (its number not reduced), points of low order, and
 * points with a coordinate below 2^192, none of which anybody's key has but on purpose.
 */
int ed25519_verify(const uint8_t public[CRYPTO_KEY_BYTES], struct bytes message,
		   const uint8_t signature[CRYPTO_SIGNATURE_BYTES]);

/* ---- Argon2id (RFC 9106) ---- */

#define ARGON2_MEMORY_MAX_KIB (4u << 20) /* 4 GiB */
#define ARGON2_PASSES_MAX     64u
#define ARGON2_LANES_MAX      16u

struct argon2_cost {
	uint32_t memory_kib; /* at least 8 for each lane */
	uint32_t passes;
	uint32_t lanes; /* computed one after the other */
};

/* False if a number is outside its limits: nothing may be computed from it. */
bool argon2_cost_valid(const struct argon2_cost *cost);

struct argon2_input {
	struct bytes password, salt; /* not empty; the salt has at least 8 bytes */
	struct bytes secret, extra;  /* may be empty */
};

/* -EINVAL for a cost, password or salt outside the limits; -ENOMEM when that much memory cannot be had and locked. */
int argon2id(const struct argon2_cost *cost, const struct argon2_input *input, uint8_t out[CRYPTO_KEY_BYTES]);
