/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/crypto-gcrypt.h"

#include "base/secret.h"

#include <errno.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const struct {
	int algorithm, mode;
} suites[] = {
	[SUITE_NONE] = {0, 0},
	[SUITE_AES256_GCM] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM},
	[SUITE_AES256_OCB] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_OCB},
	[SUITE_CHACHA20_POLY1305] = {GCRY_CIPHER_CHACHA20, GCRY_CIPHER_MODE_POLY1305},
};
_Static_assert(ARRAY_LENGTH(suites) == _SUITE_MAX, "each suite has a row");

struct aead {
	gcry_cipher_hd_t handle;
};

bool crypto_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
	return getauxval(AT_HWCAP) & HWCAP_AES && getauxval(AT_HWCAP) & HWCAP_PMULL;
#else
	return false;
#endif
}

enum seal_suite suite_default(void)
{
	return crypto_has_aes() ? SUITE_AES256_OCB : SUITE_CHACHA20_POLY1305;
}

int aead_new(struct aead **aead, enum seal_suite suite)
{
	AUTO_AEAD struct aead *new = NULL;
	gcry_error_t error;

	if (!suite_seals(suite))
		return -EINVAL;
	new = secret_new(sizeof(*new));
	if (!new)
		return -ENOMEM;
	error = gcry_cipher_open(&new->handle, suites[suite].algorithm, suites[suite].mode, 0);
	if (error)
		return gcrypt_errno(error);
	*aead = new;
	new = NULL;
	return 0;
}

struct aead *aead_free(struct aead *aead)
{
	if (aead)
		gcry_cipher_close(aead->handle); /* NULL is fine */
	return secret_free(aead);
}

void aead_cleanup(struct aead **aead)
{
	*aead = aead_free(*aead);
}

int aead_set_key(struct aead *aead, const uint8_t key[CRYPTO_KEY_BYTES])
{
	return gcrypt_errno(gcry_cipher_setkey(aead->handle, key, CRYPTO_KEY_BYTES));
}

/* Nonce and what is authenticated besides; then no more data than one call, which OCB wants to know beforehand. */
static gcry_error_t begin(struct aead *aead, const uint8_t *nonce, struct bytes extra)
{
	gcry_error_t error = gcry_cipher_setiv(aead->handle, nonce, CRYPTO_NONCE_BYTES);

	if (!error && extra.size)
		error = gcry_cipher_authenticate(aead->handle, extra.data, extra.size);
	return error ? error : gcry_cipher_final(aead->handle);
}

int aead_seal(struct aead *aead, const uint8_t nonce[CRYPTO_NONCE_BYTES], struct bytes extra, const void *plain,
	      void *sealed, size_t size, uint8_t tag[CRYPTO_TAG_BYTES])
{
	gcry_error_t error = begin(aead, nonce, extra);

	if (!error)
		error = gcry_cipher_encrypt(aead->handle, sealed, size, plain, size);
	if (!error)
		error = gcry_cipher_gettag(aead->handle, tag, CRYPTO_TAG_BYTES);
	return gcrypt_errno(error);
}

int aead_open(struct aead *aead, const uint8_t nonce[CRYPTO_NONCE_BYTES], struct bytes extra, const void *sealed,
	      void *plain, size_t size, const uint8_t tag[CRYPTO_TAG_BYTES])
{
	gcry_error_t error = begin(aead, nonce, extra);

	if (!error)
		error = gcry_cipher_decrypt(aead->handle, plain, size, sealed, size);
	if (!error)
		error = gcry_cipher_checktag(aead->handle, tag, CRYPTO_TAG_BYTES);
	if (error)
		secret_wipe(plain, size);
	return gcrypt_errno(error);
}
