/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sealed private blob: what resuming needs of a key set, under a key of its own, which is wrapped by a
 * passphrase, a recovery key, or each of both; and besides them, a TPM may keep it (seal/tpm.h). Each image carries a copy,
 * so that an initramfs needs no key file.
 *
 * What it seals is bound to all bytes before, so no wrap can be taken out, added or changed without the blob's key.
 */
#pragma once

#include "base/failure.h"
#include "seal/keys.h"
#include "seal/recovery.h"
#include "seal/tpm.h"
#include "seal/wrap.h"

#define BLOB_SALT_BYTES 16

/* How a passphrase opens it. */
struct blob_passphrase {
	struct argon2_cost cost;
	uint8_t salt[BLOB_SALT_BYTES];
	struct wrapped_key key;
};

/* How a recovery key does. */
struct blob_recovery {
	uint8_t salt[BLOB_SALT_BYTES];
	struct wrapped_key key;
};

/* The numbers are part of the format: BLOB_WRAP_PASSPHRASE, BLOB_WRAP_RECOVERY, BLOB_WRAP_TPM. One of the first two is there; the others' parts are zeros. */
struct key_blob {
	uint8_t key_set[KEY_SET_ID_BYTES];
	uint32_t wraps;
	struct blob_passphrase passphrase;
	struct blob_recovery recovery;
	struct tpm_part tpm;
};

/* What a blob is made with: random bytes, drawn for it. In memory for secrets. */
struct blob_random {
	uint8_t key[CRYPTO_KEY_BYTES];
	uint8_t nonce[CRYPTO_NONCE_BYTES];
	uint8_t salt[BLOB_SALT_BYTES];
	uint8_t recovery_salt[BLOB_SALT_BYTES];
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
	uint8_t blob_key[CRYPTO_KEY_BYTES]; /* for key_blob_change() and tpm_seal() */
	bool by_human; /* else a TPM opened it, and @public.verifier is no reason to believe anything: key_choose_verifier() */
};

/*
 * Open it by a passphrase. @memory_kib: how much Argon2 may use here, which the blob's cost must not pass
 * (REASON_CRYPTO, -ENOMEM). KEY_WRONG_SECRET if the passphrase does not open it, or none does; whether it is wrong, or the blob
 * another one, cannot be told. REASON_UNAUTHENTIC (-EBADMSG) if the passphrase is right and the rest was changed. Else as
 * key_blob_decode().
 */
int key_blob_open(const void *place, struct bytes passphrase, uint64_t memory_kib, const char *name,
		  struct key_opened *opened, struct failure *f);

/* The same by a recovery key, whose RECOVERY_KEY_BYTES are at @recovery. Takes no time to speak of. */
int key_blob_open_recovery(const void *place, const uint8_t *recovery, const char *name, struct key_opened *opened,
			   struct failure *f);

/* The same by the blob's key itself, as a TPM gave it out: tpm_unseal() with the part at SEAL_BLOB_TPM of the blob. */
int key_blob_open_key(const void *place, const uint8_t blob_key[CRYPTO_KEY_BYTES], const char *name,
		      struct key_opened *opened, struct failure *f);

/* What is to be different. All zeros: nothing but the nonce. */
struct blob_change {
	uint32_t remove;         /* BLOB_WRAP_* that shall go; what is not there may be named */
	struct bytes passphrase; /* not empty: a new one, in place of the one that may be there */
	struct argon2_cost cost;
	const uint8_t *recovery; /* not NULL: a new recovery key, the same */
	const void *tpm;         /* not NULL: what tpm_seal() made of the blob's key, the same */
};

/*
 * Another blob of the same key set into @out, which may be @place: with the ways to open it that @change asks for, the others as they
 * are. @opened: what came out of @place; the blob's key stays the same, so @random->key is not used. -EINVAL if nobody
 * but a TPM would open it any more, or @opened is of another blob; else as key_blob_make().
 */
int key_blob_change(const void *place, const struct key_opened *opened, const struct blob_change *change,
		    const struct blob_random *random, void *out);
