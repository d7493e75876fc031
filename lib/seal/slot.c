/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/slot.h"

#include "base/cursor.h"
#include "base/secret.h"
#include "seal/disk.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define SLOT_LABEL "hibernated slot"

static struct slot_transcript_disk transcript_of(const struct key_slot *slot, const struct slot_image *image,
						 const uint8_t recipient[CRYPTO_KEY_BYTES])
{
	struct slot_transcript_disk disk = {.suite = htole32((uint32_t)image->suite)};

	memcpy(disk.image_id, image->id, sizeof(disk.image_id));
	memcpy(disk.key_set, slot->key_set, sizeof(disk.key_set));
	memcpy(disk.ephemeral, slot->ephemeral, sizeof(disk.ephemeral));
	memcpy(disk.recipient, recipient, sizeof(disk.recipient));
	return disk;
}

int key_slot_make(const struct key_public *to, const struct slot_image *image,
		  const uint8_t ephemeral[CRYPTO_KEY_BYTES], const uint8_t image_key[CRYPTO_KEY_BYTES],
		  struct key_slot *slot)
{
	AUTO_SECRET uint8_t *shared = secret_new(CRYPTO_KEY_BYTES);
	struct slot_transcript_disk transcript;
	struct key_slot made;
	int r;

	if (!shared)
		return -ENOMEM;
	memcpy(made.key_set, to->id, sizeof(made.key_set));
	r = x25519_public(ephemeral, made.ephemeral);
	if (r >= 0)
		r = x25519_shared(ephemeral, to->recipient, shared);
	if (r < 0)
		return r;
	transcript = transcript_of(&made, image, to->recipient);
	r = wrap_key((struct bytes){shared, CRYPTO_KEY_BYTES}, SLOT_LABEL,
		     (struct bytes){&transcript, sizeof(transcript)}, image_key, &made.key);
	if (r >= 0)
		*slot = made;
	return r;
}

int key_slot_open(const struct key_slot *slot, const struct slot_image *image, const struct key_public *set,
		  const uint8_t secret[CRYPTO_KEY_BYTES], uint8_t image_key[CRYPTO_KEY_BYTES])
{
	AUTO_SECRET uint8_t *shared = secret_new(CRYPTO_KEY_BYTES);
	struct slot_transcript_disk transcript;
	int r;

	if (!shared)
		return -ENOMEM;
	if (memcmp(slot->key_set, set->id, sizeof(slot->key_set)) != 0)
		return KEY_WRONG_SECRET;
	r = x25519_shared(secret, slot->ephemeral, shared);
	if (r < 0)
		return r;
	transcript = transcript_of(slot, image, set->recipient);
	return unwrap_key((struct bytes){shared, CRYPTO_KEY_BYTES}, SLOT_LABEL,
			  (struct bytes){&transcript, sizeof(transcript)}, &slot->key, image_key);
}

void key_slot_encode(const struct key_slot *slot, void *place)
{
	struct slot_disk *disk = place;

	memset(disk, 0, sizeof(*disk));
	disk->kind = htole32(SLOT_KIND_X25519);
	disk->size = htole32(SEAL_SLOT_BYTES);
	memcpy(disk->key_set, slot->key_set, sizeof(disk->key_set));
	memcpy(disk->ephemeral, slot->ephemeral, sizeof(disk->ephemeral));
	memcpy(disk->commitment, slot->key.commitment, sizeof(disk->commitment));
	memcpy(disk->wrapped, slot->key.wrapped, sizeof(disk->wrapped));
	memcpy(disk->tag, slot->key.tag, sizeof(disk->tag));
}

int key_slot_decode(const void *place, const char *name, struct key_slot *slot, struct failure *f)
{
	struct key_slot decoded;
	struct reader r;
	uint32_t kind, size;

	reader_init(&r, place, SEAL_SLOT_BYTES);
	kind = get_u32(&r);
	size = get_u32(&r);
	get_bytes(&r, decoded.key_set, sizeof(decoded.key_set));
	get_bytes(&r, decoded.ephemeral, sizeof(decoded.ephemeral));
	get_bytes(&r, decoded.key.commitment, sizeof(decoded.key.commitment));
	get_bytes(&r, decoded.key.wrapped, sizeof(decoded.key.wrapped));
	get_bytes(&r, decoded.key.tag, sizeof(decoded.key.tag));
	if (kind != SLOT_KIND_X25519 || size != SEAL_SLOT_BYTES)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name,
				   "Use the version of hibernated that wrote it.",
				   "a key slot of kind %u and %u bytes is unknown here", kind, size);
	if (!get_zeros(&r, reader_left(&r)))
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name,
				   "Use the version of hibernated that wrote it.",
				   "a key slot has fields that are unknown here");
	*slot = decoded;
	return 0;
}
