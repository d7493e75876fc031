/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Libgcrypt, 1.10 or later.
 *
 * Its state belongs to the process, and it takes allocation handlers without an argument; ours have no state, and their
 * being in place is how this file knows that it did the setting up: gcry_is_secure() then says yes to any address.
 * In FIPS mode libgcrypt takes no handlers and has neither X25519 nor Ed25519, which is refused. gcry_get_config() must
 * not be used: it hands memory of another allocator to our free.
 */
#include "seal/crypto.h"

#include "base/secret.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define GCRYPT_VERSION_NEEDED "1.10.0"
/* What the largest operation but Argon2 has at a time, with some to spare. */
#define LOCKED_BYTES_NEEDED         (1 * MIB)
#define ED25519_COORDINATE_BITS_MIN 192

static const struct {
	const char *name;
	int algorithm, mode;
} suites[] = {
	[SUITE_NONE] = {"none", 0, 0},
	[SUITE_AES256_GCM] = {"aes256-gcm", GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM},
	[SUITE_AES256_OCB] = {"aes256-ocb", GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_OCB},
	[SUITE_CHACHA20_POLY1305] = {"chacha20-poly1305", GCRY_CIPHER_CHACHA20, GCRY_CIPHER_MODE_POLY1305},
};
_Static_assert(ARRAY_LENGTH(suites) == _SUITE_MAX, "each suite has a row");

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

static int errno_of(gcry_error_t error)
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
			return lacks(f, suites[i].name);
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

/* ---- authenticated encryption ---- */

struct aead {
	gcry_cipher_hd_t handle;
};

const char *suite_name(enum seal_suite suite)
{
	return suite < 0 || suite >= _SUITE_MAX ? NULL : suites[suite].name;
}

enum seal_suite suite_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(suites); i++)
		if (strcmp(suites[i].name, name) == 0)
			return (enum seal_suite)i;
	return _SUITE_INVALID;
}

enum seal_suite suite_default(void)
{
	return crypto_has_aes() ? SUITE_AES256_OCB : SUITE_CHACHA20_POLY1305;
}

bool suite_seals(enum seal_suite suite)
{
	return suite > SUITE_NONE && suite < _SUITE_MAX;
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
		return errno_of(error);
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
	return errno_of(gcry_cipher_setkey(aead->handle, key, CRYPTO_KEY_BYTES));
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
	return errno_of(error);
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
	return errno_of(error);
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
		return errno_of(error);
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

/* ---- X25519 ---- */

int x25519_public(const uint8_t secret[CRYPTO_KEY_BYTES], uint8_t public[CRYPTO_KEY_BYTES])
{
	return errno_of(gcry_ecc_mul_point(GCRY_ECC_CURVE25519, public, secret, NULL));
}

int x25519_shared(const uint8_t secret[CRYPTO_KEY_BYTES], const uint8_t public[CRYPTO_KEY_BYTES],
		  uint8_t shared[CRYPTO_KEY_BYTES])
{
	static const uint8_t zeros[CRYPTO_KEY_BYTES];
	AUTO_SECRET uint8_t *result = secret_new(CRYPTO_KEY_BYTES);
	gcry_error_t error;

	if (!result)
		return -ENOMEM;
	error = gcry_ecc_mul_point(GCRY_ECC_CURVE25519, result, secret, public);
	if (error)
		return errno_of(error);
	if (secret_equal(result, zeros, sizeof(zeros)))
		return -EKEYREJECTED;
	memcpy(shared, result, CRYPTO_KEY_BYTES);
	return 0;
}

/* ---- Ed25519 ---- */

static void sexp_cleanup(gcry_sexp_t *sexp)
{
	gcry_sexp_release(*sexp); /* NULL is fine */
}

static void context_cleanup(gcry_ctx_t *context)
{
	gcry_ctx_release(*context);
}

#define AUTO_SEXP CLEANUP(sexp_cleanup)

/* An expression from one or two strings of 32 bytes. */
static int key_sexp(gcry_sexp_t *key, const char *format, const uint8_t *first, const uint8_t *second)
{
	return errno_of(gcry_sexp_build(key, NULL, format, CRYPTO_KEY_BYTES, first, CRYPTO_KEY_BYTES, second));
}

static int message_sexp(gcry_sexp_t *data, struct bytes message)
{
	if (message.size > INT32_MAX)
		return -EINVAL;
	return errno_of(gcry_sexp_build(data, NULL, "(data(flags eddsa)(hash-algo sha512)(value %b))",
					(int)message.size, message.data));
}

int ed25519_public(const uint8_t seed[CRYPTO_KEY_BYTES], uint8_t public[CRYPTO_KEY_BYTES])
{
	CLEANUP(context_cleanup) gcry_ctx_t context = NULL;
	AUTO_SEXP gcry_sexp_t key = NULL;
	gcry_mpi_t point;
	const void *encoded;
	unsigned int bits = 0;
	int r = key_sexp(&key, "(private-key(ecc(curve Ed25519)(flags eddsa)(d %b)))", seed, NULL);

	if (r >= 0)
		r = errno_of(gcry_mpi_ec_new(&context, key, NULL));
	if (r < 0)
		return r;
	point = gcry_mpi_ec_get_mpi("q@eddsa", context, 0);
	encoded = point ? gcry_mpi_get_opaque(point, &bits) : NULL;
	if (encoded && bits == 8 * CRYPTO_KEY_BYTES)
		memcpy(public, encoded, CRYPTO_KEY_BYTES);
	else
		r = -EOPNOTSUPP;
	gcry_mpi_release(point);
	return r;
}

int ed25519_sign(const uint8_t seed[CRYPTO_KEY_BYTES], struct bytes message, uint8_t signature[CRYPTO_SIGNATURE_BYTES])
{
	AUTO_SEXP gcry_sexp_t key = NULL, data = NULL, signed_data = NULL, r_part = NULL, s_part = NULL;
	uint8_t public[CRYPTO_KEY_BYTES];
	const char *r_bytes, *s_bytes;
	size_t r_size = 0, s_size = 0;
	int r = ed25519_public(seed, public);

	if (r >= 0)
		r = key_sexp(&key, "(private-key(ecc(curve Ed25519)(flags eddsa)(q %b)(d %b)))", public, seed);
	if (r >= 0)
		r = message_sexp(&data, message);
	if (r >= 0)
		r = errno_of(gcry_pk_sign(&signed_data, data, key));
	if (r < 0)
		return r;
	r_part = gcry_sexp_find_token(signed_data, "r", 1);
	s_part = gcry_sexp_find_token(signed_data, "s", 1);
	r_bytes = gcry_sexp_nth_data(r_part, 1, &r_size);
	s_bytes = gcry_sexp_nth_data(s_part, 1, &s_size);
	if (!r_bytes || !s_bytes || r_size != CRYPTO_SIGNATURE_BYTES / 2 || s_size != CRYPTO_SIGNATURE_BYTES / 2)
		return -EOPNOTSUPP;
	memcpy(signature, r_bytes, r_size);
	memcpy(signature + r_size, s_bytes, s_size);
	return 0;
}

/* S of a signature must be less than the order of the group (RFC 8032, 5.1.7), which libgcrypt does not look at. */
static bool number_reduced(const uint8_t s[CRYPTO_KEY_BYTES])
{
	static const uint8_t order[CRYPTO_KEY_BYTES] = {
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,        0xd6,
		0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10,
	};

	for (size_t i = CRYPTO_KEY_BYTES; i-- > 0;)
		if (s[i] != order[i])
			return s[i] < order[i];
	return false;
}

/* Two points of order 8; those of order 1, 2 and 4 have a coordinate that is zero. */
static bool low_order(const uint8_t public[CRYPTO_KEY_BYTES])
{
	static const uint8_t points[][CRYPTO_KEY_BYTES] = {
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(points); i++)
		if (memcmp(public, points[i], CRYPTO_KEY_BYTES - 1) == 0 &&
		    (public[CRYPTO_KEY_BYTES - 1] & 0x7f) == points[i][CRYPTO_KEY_BYTES - 1])
			return true;
	return false;
}

/*
 * Whether libgcrypt may be given this point: 1.10 calls abort() while verifying by one with a coordinate below 2^192, which
 * no one meets by chance. It would also take signatures that anybody can make by a point of low order. 0, or -EBADMSG.
 */
static int check_verifier(const uint8_t public[CRYPTO_KEY_BYTES])
{
	CLEANUP(context_cleanup) gcry_ctx_t context = NULL;
	gcry_mpi_t encoded, x, y;
	gcry_mpi_point_t point;
	int r;

	if (low_order(public))
		return -EBADMSG;
	r = errno_of(gcry_mpi_ec_new(&context, NULL, "Ed25519"));
	if (r < 0)
		return r;
	encoded = gcry_mpi_set_opaque_copy(NULL, public, 8 * CRYPTO_KEY_BYTES);
	point = gcry_mpi_point_new(0);
	x = gcry_mpi_new(0);
	y = gcry_mpi_new(0);
	if (gcry_mpi_ec_decode_point(point, encoded, context) || gcry_mpi_ec_get_affine(x, y, point, context) ||
	    gcry_mpi_get_nbits(x) <= ED25519_COORDINATE_BITS_MIN ||
	    gcry_mpi_get_nbits(y) <= ED25519_COORDINATE_BITS_MIN)
		r = -EBADMSG;
	gcry_mpi_release(encoded);
	gcry_mpi_point_release(point);
	gcry_mpi_release(x);
	gcry_mpi_release(y);
	return r;
}

int ed25519_verify(const uint8_t public[CRYPTO_KEY_BYTES], struct bytes message,
		   const uint8_t signature[CRYPTO_SIGNATURE_BYTES])
{
	AUTO_SEXP gcry_sexp_t key = NULL, data = NULL, signed_data = NULL;
	const uint8_t *s = signature + CRYPTO_SIGNATURE_BYTES / 2;
	int r;

	if (!number_reduced(s))
		return -EBADMSG;
	r = check_verifier(public);
	if (r >= 0)
		r = key_sexp(&key, "(public-key(ecc(curve Ed25519)(flags eddsa)(q %b)))", public, NULL);
	if (r >= 0)
		r = key_sexp(&signed_data, "(sig-val(eddsa(r %b)(s %b)))", signature, s);
	if (r >= 0)
		r = message_sexp(&data, message);
	if (r < 0)
		return r;
	/* Whatever it says against it, a point that is none included. */
	return gcry_pk_verify(signed_data, data, key) ? -EBADMSG : 0;
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
		return errno_of(error);
	error = gcry_kdf_compute(handle, NULL);
	if (!error)
		error = gcry_kdf_final(handle, CRYPTO_KEY_BYTES, out);
	gcry_kdf_close(handle);
	return errno_of(error);
}
