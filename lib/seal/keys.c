/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/keys.h"

#include "base/secret.h"
#include "seal/disk.h"

#include <errno.h>
#include <string.h>

#define ID_LABEL        "hibernated key set"
#define SIGNATURE_LABEL "hibernated image"

_Static_assert(sizeof(((struct slot_disk *)0)->key_set) == KEY_SET_ID_BYTES, "id");

/* What is signed: the label with its NUL, and the page up to the place of the signature. */
struct signed_page {
	uint8_t label[sizeof(SIGNATURE_LABEL)];
	uint8_t page[SEAL_PAGE_SIGNATURE];
};

int key_set_id(const uint8_t recipient[CRYPTO_KEY_BYTES], const uint8_t verifier[CRYPTO_KEY_BYTES],
	       uint8_t id[KEY_SET_ID_BYTES])
{
	struct bytes pieces[] = {
		{ID_LABEL, sizeof(ID_LABEL)},
		{recipient, CRYPTO_KEY_BYTES},
		{verifier, CRYPTO_KEY_BYTES},
	};
	uint8_t hash[CRYPTO_HASH_MAX];
	int r = hash_of(HASH_SHA256, pieces, ARRAY_LENGTH(pieces), hash);

	if (r >= 0)
		memcpy(id, hash, KEY_SET_ID_BYTES);
	return r;
}

int key_set_complete(struct key_set *set)
{
	struct key_public public;
	int r = x25519_public(set->recipient_secret, public.recipient);

	if (r >= 0)
		r = ed25519_public(set->signing_seed, public.verifier);
	if (r >= 0)
		r = key_set_id(public.recipient, public.verifier, public.id);
	if (r >= 0)
		set->public = public;
	return r;
}

int key_set_generate(struct key_set *set)
{
	int r = secret_random(set->recipient_secret, sizeof(set->recipient_secret));

	if (r >= 0)
		r = secret_random(set->signing_seed, sizeof(set->signing_seed));
	return r < 0 ? r : key_set_complete(set);
}

static struct bytes signed_bytes(const void *page, struct signed_page *message)
{
	memcpy(message->label, SIGNATURE_LABEL, sizeof(message->label));
	memcpy(message->page, page, sizeof(message->page));
	return (struct bytes){message, sizeof(*message)};
}

int header_sign(const uint8_t signing_seed[CRYPTO_KEY_BYTES], void *page)
{
	struct signed_page message;
	uint8_t signature[CRYPTO_SIGNATURE_BYTES];
	int r = ed25519_sign(signing_seed, signed_bytes(page, &message), signature);

	if (r >= 0)
		memcpy((uint8_t *)page + SEAL_PAGE_SIGNATURE, signature, sizeof(signature));
	return r;
}

int header_verify(const uint8_t verifier[CRYPTO_KEY_BYTES], const void *page)
{
	struct signed_page message;

	return ed25519_verify(verifier, signed_bytes(page, &message), (const uint8_t *)page + SEAL_PAGE_SIGNATURE);
}

int key_choose_verifier(const uint8_t *from_human, const uint8_t *from_initramfs, uint8_t verifier[CRYPTO_KEY_BYTES])
{
	if (!from_human && !from_initramfs)
		return -ENOKEY;
	if (from_human && from_initramfs && !secret_equal(from_human, from_initramfs, CRYPTO_KEY_BYTES))
		return -EKEYREJECTED;
	memcpy(verifier, from_human ? from_human : from_initramfs, CRYPTO_KEY_BYTES);
	return 0;
}
