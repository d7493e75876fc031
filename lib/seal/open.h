/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a header page and a secret to the key of the image.
 *
 * The order is the one of doc/image-format.md, "Order of trust": the secret opens the blob, the blob's verifying key verifies
 * the page, and only then the slot is opened. Nothing here is read from anywhere but the page, except for the id of the key set
 * that the machine trusts. It is a hash of both public keys, so who has it has the verifying key.
 */
#pragma once

#include "base/failure.h"
#include "seal/keys.h"
#include "seal/stream.h"

/* In memory for secrets only. */
struct seal_opened {
	struct key_public by; /* whose image it is */
	struct seal_transcript transcript;
	uint8_t image_key[CRYPTO_KEY_BYTES];
};

/*
 * Whether slot and blob of the sealed @page are of kinds that are known here, before anybody is asked for a secret.
 * *@wraps: the ways to open it (BLOB_WRAP_*). REASON_IMAGE_VERSION (-ENOTSUP), REASON_IMAGE_DAMAGED (-EBADMSG). @name is for
 * messages, here and below.
 */
int seal_page_check(const void *page, const char *name, uint32_t *wraps, struct failure *f);

/* Whether the sealed @page says that it is of the key set @trusted; if not, REASON_UNAUTHENTIC (-EKEYREJECTED). */
int seal_page_trust(const void *page, const uint8_t trusted[KEY_SET_ID_BYTES], const char *name, struct failure *f);

/*
 * Open @page, whose header was decoded, by what a human @typed: a passphrase or a recovery key. @memory_kib: how much Argon2 may
 * use. KEY_WRONG_SECRET if it is not the right one, which can be tried again; REASON_UNAUTHENTIC (-EBADMSG) if blob,
 * signature or slot were changed or made by somebody else; REASON_CRYPTO, and the reasons of key_blob_open().
 */
int seal_page_open(const void *page, struct bytes typed, uint64_t memory_kib, const char *name,
		   struct seal_opened *opened, struct failure *f);

/*
 * The same by the blob's key, which a TPM gave out. That a TPM did says nothing about whose keys they are: they must be of
 * the key set @trusted, and NULL is never right (REASON_UNAUTHENTIC). No answer is KEY_WRONG_SECRET.
 */
int seal_page_open_tpm(const void *page, const uint8_t blob_key[CRYPTO_KEY_BYTES], const uint8_t *trusted,
		       const char *name, struct seal_opened *opened, struct failure *f);
