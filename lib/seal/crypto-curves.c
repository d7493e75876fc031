/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/crypto-gcrypt.h"

#include "base/secret.h"

#include <errno.h>
#include <string.h>

#define ED25519_COORDINATE_BITS_MIN 192

/* ---- X25519 ---- */

int x25519_public(const uint8_t secret[CRYPTO_KEY_BYTES], uint8_t public[CRYPTO_KEY_BYTES])
{
	return gcrypt_errno(gcry_ecc_mul_point(GCRY_ECC_CURVE25519, public, secret, NULL));
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
		return gcrypt_errno(error);
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
	return gcrypt_errno(gcry_sexp_build(key, NULL, format, CRYPTO_KEY_BYTES, first, CRYPTO_KEY_BYTES, second));
}

static int message_sexp(gcry_sexp_t *data, struct bytes message)
{
	if (message.size > INT32_MAX)
		return -EINVAL;
	return gcrypt_errno(gcry_sexp_build(data, NULL, "(data(flags eddsa)(hash-algo sha512)(value %b))",
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
		r = gcrypt_errno(gcry_mpi_ec_new(&context, key, NULL));
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
		r = gcrypt_errno(gcry_pk_sign(&signed_data, data, key));
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
	r = gcrypt_errno(gcry_mpi_ec_new(&context, NULL, "Ed25519"));
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
