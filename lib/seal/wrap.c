/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/wrap.h"

#include "base/secret.h"
#include "seal/hkdf.h"
#include "seal/keys.h"

#include <errno.h>
#include <string.h>

static const uint8_t zero_nonce[CRYPTO_NONCE_BYTES];

/* In memory for secrets. */
struct derived {
	uint8_t key[CRYPTO_KEY_BYTES];
	uint8_t commitment[WRAP_COMMITMENT_BYTES];
};
_Static_assert(sizeof(struct derived) == CRYPTO_KEY_BYTES + WRAP_COMMITMENT_BYTES, "filled at once");

static int prepare(struct bytes secret, const char *label, struct bytes transcript, struct derived *derived,
		   struct aead **aead)
{
	int r = hkdf_derive((struct bytes){NULL, 0}, secret, label, transcript, derived, sizeof(*derived));

	if (r >= 0)
		r = aead_new(aead, WRAP_SUITE);
	return r < 0 ? r : aead_set_key(*aead, derived->key);
}

int wrap_key(struct bytes secret, const char *label, struct bytes transcript, const uint8_t key[CRYPTO_KEY_BYTES],
	     struct wrapped_key *wrapped)
{
	AUTO_SECRET struct derived *derived = secret_new(sizeof(*derived));
	AUTO_AEAD struct aead *aead = NULL;
	struct wrapped_key made;
	int r = derived ? prepare(secret, label, transcript, derived, &aead) : -ENOMEM;

	if (r >= 0)
		r = aead_seal(aead, zero_nonce, transcript, key, made.wrapped, CRYPTO_KEY_BYTES, made.tag);
	if (r < 0)
		return r;
	memcpy(made.commitment, derived->commitment, sizeof(made.commitment));
	*wrapped = made;
	return 0;
}

int unwrap_key(struct bytes secret, const char *label, struct bytes transcript, const struct wrapped_key *wrapped,
	       uint8_t key[CRYPTO_KEY_BYTES])
{
	AUTO_SECRET struct derived *derived = secret_new(sizeof(*derived));
	AUTO_SECRET uint8_t *plain = secret_new(CRYPTO_KEY_BYTES);
	AUTO_AEAD struct aead *aead = NULL;
	int r = derived && plain ? prepare(secret, label, transcript, derived, &aead) : -ENOMEM;

	if (r < 0)
		return r;
	if (!secret_equal(derived->commitment, wrapped->commitment, sizeof(wrapped->commitment)))
		return KEY_WRONG_SECRET;
	r = aead_open(aead, zero_nonce, transcript, wrapped->wrapped, plain, CRYPTO_KEY_BYTES, wrapped->tag);
	if (r < 0)
		return r;
	memcpy(key, plain, CRYPTO_KEY_BYTES);
	return 0;
}
