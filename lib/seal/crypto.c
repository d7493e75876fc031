/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Libgcrypt, 1.10 or later: setting it up, hashes, and Argon2id. The other files are crypto-aead.c and crypto-curves.c.
 *
 * Its state belongs to the process, and it takes allocation handlers without an argument; ours have no state, and their
 * being in place is how this file knows that it did the setting up: gcry_is_secure() then says yes to any address.
 * In FIPS mode libgcrypt takes no handlers and has neither X25519 nor Ed25519, which is refused. gcry_get_config() must
 * not be used: it hands memory of another allocator to our free.
 */
#include "seal/crypto-gcrypt.h"

#include "base/secret.h"

#include <errno.h>
#include <string.h>

#define GCRYPT_VERSION_NEEDED "1.10.0"
/* What the largest operation but Argon2 has at a time, with some to spare. */
#define LOCKED_BYTES_NEEDED   (1 * MIB)

static const struct {
	int algorithm;
	size_t size;
} hashes[] = {
	[HASH_SHA256] = {GCRY_MD_SHA256, 32},
	[HASH_SHA512] = {GCRY_MD_SHA512, 64},
};
_Static_assert(ARRAY_LENGTH(hashes) == _HASH_MAX, "each hash has a row");

/* ---- setting up ---- */

static int is_secret(const void *pointer)
{
	(void)pointer;
	return 1;
}

static void *grow_secret(void *old, size_t size)
{
	void *new = size <= secret_size(old) ? old : secret_new(size);

	if (old && new &&new != old) {
		memcpy(new, old, secret_size(old));
		secret_free(old);
	}
	return new;
}

static void free_secret(void *secret)
{
	secret_free(secret);
}

int gcrypt_errno(gcry_error_t error)
{
	gcry_err_code_t code = gcry_err_code(error);

	if (code == GPG_ERR_NO_ERROR)
		return 0;
	if (code == GPG_ERR_CHECKSUM || code == GPG_ERR_BAD_SIGNATURE)
		return -EBADMSG;
	return code == GPG_ERR_ENOMEM ? -ENOMEM : -EOPNOTSUPP;
}

static int refuse(struct failure *f, const char *text)
{
	return failure_set(f, REASON_CRYPTO, EOPNOTSUPP, "libgcrypt", "Sealed images cannot be made or opened here.",
			   "%s", text);
}

static int lacks(struct failure *f, const char *algorithm)
{
	return failure_set(f, REASON_CRYPTO, EOPNOTSUPP, "libgcrypt", "Sealed images cannot be made or opened here.",
			   "it has no %s", algorithm);
}

/*
 * Each algorithm does something, so that none is found missing after user space was frozen, and what libgcrypt keeps
 * from the first use of each is there.
 */
static int probe(struct failure *f)
{
	static const uint8_t key[CRYPTO_KEY_BYTES] = {9};
	uint8_t out[CRYPTO_HASH_MAX], public[CRYPTO_KEY_BYTES];
	struct bytes salt = {key, 16};
	struct argon2_cost cost = {.memory_kib = 8, .passes = 1, .lanes = 1};
	struct argon2_input input = {.password = salt, .salt = salt};

	for (int i = SUITE_AES256_GCM; i < _SUITE_MAX; i++) {
		AUTO_AEAD struct aead *aead = NULL;

		if (aead_new(&aead, (enum seal_suite)i) < 0 || aead_set_key(aead, key) < 0)
			return lacks(f, suite_name((enum seal_suite)i));
	}
	for (int i = 0; i < _HASH_MAX; i++)
		if (hmac_of((enum crypto_hash)i, salt, &salt, 1, out) < 0)
			return lacks(f, gcry_md_algo_name(hashes[i].algorithm));
	if (x25519_public(key, public) < 0 || x25519_shared(key, public, out) < 0)
		return lacks(f, "X25519");
	if (ed25519_public(key, public) < 0 || ed25519_sign(key, salt, out) < 0 ||
	    ed25519_verify(public, salt, out) < 0)
		return lacks(f, "Ed25519");
	if (argon2id(&cost, &input, out) < 0)
		return lacks(f, "Argon2id");
	return 0;
}

int crypto_init(struct failure *f)
{
	void *room;
	const char here = 0;

	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return gcry_is_secure(&here) ? 0 : refuse(f, "another part of this program has set it up already");
	room = secret_new(LOCKED_BYTES_NEEDED);
	if (!room)
		return failure_set(f, REASON_CRYPTO, ENOMEM, "libgcrypt", "Raise RLIMIT_MEMLOCK.",
				   "%llu bytes of memory for keys cannot be locked",
				   (unsigned long long)LOCKED_BYTES_NEEDED);
	secret_free(room);
	gcry_set_allocation_handler(secret_new, secret_new, is_secret, grow_secret, free_secret);
	if (!gcry_check_version(GCRYPT_VERSION_NEEDED))
		return refuse(f, "it is older than " GCRYPT_VERSION_NEEDED);
	if (gcry_fips_mode_active())
		return refuse(f, "it is in FIPS mode, in which it has no X25519, Ed25519 and ChaCha20-Poly1305");
	if (!gcry_is_secure(&here))
		return refuse(f, "it does not take memory from us");
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return probe(f);
}

/* ---- hashes ---- */

size_t hash_size(enum crypto_hash hash)
{
	return hashes[hash].size;
}

static int digest(enum crypto_hash hash, const struct bytes *key, const struct bytes *pieces, size_t count,
		  uint8_t *out)
{
	gcry_md_hd_t handle;
	gcry_error_t error = gcry_md_open(&handle, hashes[hash].algorithm, key ? GCRY_MD_FLAG_HMAC : 0);
	const uint8_t *result = NULL;

	if (error)
		return gcrypt_errno(error);
	if (key)
		error = gcry_md_setkey(handle, key->data, key->size);
	if (!error) {
		for (size_t i = 0; i < count; i++)
			gcry_md_write(handle, pieces[i].data, pieces[i].size);
		result = gcry_md_read(handle, hashes[hash].algorithm);
	}
	if (result)
		memcpy(out, result, hashes[hash].size);
	gcry_md_close(handle);
	return result ? 0 : -EOPNOTSUPP;
}

int hash_of(enum crypto_hash hash, const struct bytes *pieces, size_t count, uint8_t *out)
{
	return digest(hash, NULL, pieces, count, out);
}

int hmac_of(enum crypto_hash hash, struct bytes key, const struct bytes *pieces, size_t count, uint8_t *out)
{
	return digest(hash, &key, pieces, count, out);
}

/* ---- Argon2id ---- */

bool argon2_cost_valid(const struct argon2_cost *cost)
{
	return cost->lanes >= 1 && cost->lanes <= ARGON2_LANES_MAX && cost->passes >= 1 &&
	       cost->passes <= ARGON2_PASSES_MAX && cost->memory_kib >= 8 * cost->lanes &&
	       cost->memory_kib <= ARGON2_MEMORY_MAX_KIB;
}

int argon2id(const struct argon2_cost *cost, const struct argon2_input *input, uint8_t out[CRYPTO_KEY_BYTES])
{
	unsigned long parameters[] = {CRYPTO_KEY_BYTES, cost->passes, cost->memory_kib, cost->lanes};
	gcry_kdf_hd_t handle;
	gcry_error_t error;

	if (!argon2_cost_valid(cost) || !input->password.size || input->salt.size < 8)
		return -EINVAL;
	error = gcry_kdf_open(&handle, GCRY_KDF_ARGON2, GCRY_KDF_ARGON2ID, parameters, ARRAY_LENGTH(parameters),
			      input->password.data, input->password.size, input->salt.data, input->salt.size,
			      input->secret.data, input->secret.size, input->extra.data, input->extra.size);
	if (error)
		return gcrypt_errno(error);
	error = gcry_kdf_compute(handle, NULL);
	if (!error)
		error = gcry_kdf_final(handle, CRYPTO_KEY_BYTES, out);
	gcry_kdf_close(handle);
	return gcrypt_errno(error);
}
