/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/hkdf.h"

#include "base/secret.h"

#include <errno.h>
#include <string.h>

int hkdf_extract(enum crypto_hash hash, struct bytes salt, struct bytes secret, uint8_t *key)
{
	static const uint8_t zeros[CRYPTO_HASH_MAX];

	if (!salt.size)
		salt = (struct bytes){zeros, hash_size(hash)};
	return hmac_of(hash, salt, &secret, 1, key);
}

int hkdf_expand(enum crypto_hash hash, struct bytes key, const struct bytes *info, size_t count, void *out, size_t size)
{
	AUTO_SECRET uint8_t *block = secret_new(CRYPTO_HASH_MAX);
	struct bytes pieces[HKDF_PIECES_MAX + 2];
	size_t block_size = hash_size(hash);
	uint8_t *at = out, number = 0;

	if (count > HKDF_PIECES_MAX || size > 255 * block_size)
		return -EINVAL;
	if (!block)
		return -ENOMEM;
	pieces[0] = (struct bytes){block, 0}; /* T(0) is empty */
	for (size_t i = 0; i < count; i++)
		pieces[1 + i] = info[i];
	pieces[1 + count] = (struct bytes){&number, 1};
	while (size) {
		size_t taken = MIN(size, block_size);
		int r;

		number++;
		r = hmac_of(hash, key, pieces, count + 2, block);
		if (r < 0)
			return r;
		memcpy(at, block, taken);
		pieces[0].size = block_size;
		at += taken;
		size -= taken;
	}
	return 0;
}

int hkdf_derive(struct bytes salt, struct bytes secret, const char *label, struct bytes transcript, void *out,
		size_t size)
{
	AUTO_SECRET uint8_t *key = secret_new(CRYPTO_HASH_MAX);
	struct bytes info[] = {{label, strlen(label) + 1}, transcript};
	int r;

	if (!key)
		return -ENOMEM;
	r = hkdf_extract(HASH_SHA256, salt, secret, key);
	if (r < 0)
		return r;
	return hkdf_expand(HASH_SHA256, (struct bytes){key, hash_size(HASH_SHA256)}, info, ARRAY_LENGTH(info), out,
			   size);
}
