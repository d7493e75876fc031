/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of tpm.c in a build without libtss2. */
#include "seal/tpm.h"

#include <errno.h>

static int missing(struct failure *f)
{
	return failure_set(f, REASON_NO_TPM, EOPNOTSUPP, "TPM", "Use a passphrase alone, or a build with libtss2.",
			   "this build cannot speak to a TPM");
}

bool tpm_available(void)
{
	return false;
}

int tpm_open(struct tpm **tpm, const char *where, struct failure *f)
{
	(void)tpm;
	(void)where;
	return missing(f);
}

struct tpm *tpm_free(struct tpm *tpm)
{
	(void)tpm;
	return NULL;
}

void tpm_cleanup(struct tpm **tpm)
{
	*tpm = tpm_free(*tpm);
}

int tpm_seal(struct tpm *tpm, const struct tpm_policy *policy, const uint8_t id[KEY_SET_ID_BYTES],
	     const uint8_t blob_key[CRYPTO_KEY_BYTES], void *place, struct failure *f)
{
	(void)tpm;
	(void)policy;
	(void)id;
	(void)blob_key;
	(void)place;
	return missing(f);
}

int tpm_unseal(struct tpm *tpm, const void *place, struct bytes pin, const uint8_t id[KEY_SET_ID_BYTES], const char *name,
	       uint8_t blob_key[CRYPTO_KEY_BYTES], struct failure *f)
{
	(void)tpm;
	(void)place;
	(void)pin;
	(void)id;
	(void)name;
	(void)blob_key;
	return missing(f);
}

int tpm_tries_left(struct tpm *tpm, struct failure *f)
{
	(void)tpm;
	return missing(f);
}

int tpm_shut(struct tpm *tpm, struct failure *f)
{
	(void)tpm;
	return missing(f);
}
