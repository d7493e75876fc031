/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HKDF (RFC 5869), made of HMAC because libgcrypt has none before 1.11.
 *
 * A key is derived from a secret, a label that says what the key is for, and a transcript: everything that the two
 * ends must agree on. Who changes any of it gets another key.
 */
#pragma once

#include "seal/crypto.h"

/* HKDF-Extract: hash_size() bytes to @key. */
int hkdf_extract(enum crypto_hash hash, struct bytes salt, struct bytes secret, uint8_t *key);

/*
 * HKDF-Expand: @size bytes to @out, at most 255 times hash_size() (-EINVAL), from the pseudorandom @key. The info is the
 * @count pieces in a row, at most HKDF_PIECES_MAX.
 */
#define HKDF_PIECES_MAX 8
int hkdf_expand(enum crypto_hash hash, struct bytes key, const struct bytes *info, size_t count, void *out,
		size_t size);

/* Both, with HKDF-SHA-256. The label comes first in the info, with its NUL, so that none is the beginning of another. */
int hkdf_derive(struct bytes salt, struct bytes secret, const char *label, struct bytes transcript, void *out,
		size_t size);
