/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sealed private blob: what resuming needs of a key set, under a key of its own, which is wrapped by a passphrase. Each
 * image carries a copy, so that an initramfs needs no key file.
 *
 * What it seals is bound to all bytes before, so no wrap can be taken out, added or changed without the blob's key.
 */
#pragma once

#include "base/failure.h"
#include "seal/keys.h"
#include "seal/wrap.h"

#define BLOB_SALT_BYTES 16

/* How a passphrase opens it. */
struct blob_passphrase {
	struct argon2_cost cost;
	uint8_t salt[BLOB_SALT_BYTES];
	struct wrapped_key key;
};

struct key_blob {
	uint8_t key_set[KEY_SET_ID_BYTES];
	struct blob_passphrase passphrase;
};

/* What a blob is made with: random bytes, drawn for it. In memory for secrets. */
struct blob_random {
	uint8_t key[CRYPTO_KEY_BYTES];
	uint8_t nonce[CRYPTO_NONCE_BYTES];
	uint8_t salt[BLOB_SALT_BYTES];
};

/*
 * Seal the private half of @set into the SEAL_BLOB_BYTES at @place. -EINVAL for a cost outside the limits or an empty
 * passphrase, -ENOMEM when its memory cannot be had. Takes as long as the cost says.
 */
int key_blob_make(const struct key_set *set, struct bytes passphrase, const struct argon2_cost *cost,
		  const struct blob_random *random, void *place);

/*
 * What it says without being opened, none of it authentic. REASON_IMAGE_DAMAGED (-EBADMSG), REASON_IMAGE_VERSION
 * (-ENOTSUP) for what is not known here. @name is for the message.
 */
int key_blob_decode(const void *place, const char *name, struct key_blob *blob, struct failure *f);

/* What came out of a blob. In memory for secrets only. */
struct key_opened {
	struct key_public public;
	uint8_t recipient_secret[CRYPTO_KEY_BYTES];
};

/*
 * Open it by a passphrase. @memory_kib: how much Argon2 may use here, which the blob's cost must not pass
 * (REASON_CRYPTO, -ENOMEM). KEY_WRONG_SECRET if the passphrase does not open it; whether it is wrong, or the blob another one,
 * cannot be told. REASON_UNAUTHENTIC (-EBADMSG) if the passphrase is right and the rest was changed. Else as
 * key_blob_decode().
 */
int key_blob_open(const void *place, struct bytes passphrase, uint64_t memory_kib, const char *name,
		  struct key_opened *opened, struct failure *f);
