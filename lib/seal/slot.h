/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key slot: the key of one image, sealed to a machine's X25519 key with an ephemeral pair that is forgotten at once.
 * Making one needs nothing secret of the machine's.
 */
#pragma once

#include "base/failure.h"
#include "seal/keys.h"
#include "seal/stream.h"
#include "seal/wrap.h"

struct key_slot {
	uint8_t key_set[KEY_SET_ID_BYTES];
	uint8_t ephemeral[CRYPTO_KEY_BYTES];
	struct wrapped_key key;
};

/* The image that a slot is for. */
struct slot_image {
	uint8_t id[SEAL_IMAGE_ID_BYTES];
	enum seal_suite suite;
};

/*
 * Seal @image_key to @to. @ephemeral: 32 random bytes, drawn for this slot and wiped after it. -EKEYREJECTED if the
 * recipient's key is a point of low order.
 */
int key_slot_make(const struct key_public *to, const struct slot_image *image,
		  const uint8_t ephemeral[CRYPTO_KEY_BYTES], const uint8_t image_key[CRYPTO_KEY_BYTES],
		  struct key_slot *slot);

/*
 * Open it by the X25519 private key @secret of key set @set. KEY_WRONG_SECRET if it was made for another set or image,
 * or was changed; -EKEYREJECTED for an ephemeral key of low order, -EBADMSG.
 */
int key_slot_open(const struct key_slot *slot, const struct slot_image *image, const struct key_public *set,
		  const uint8_t secret[CRYPTO_KEY_BYTES], uint8_t image_key[CRYPTO_KEY_BYTES]);

/* To and from the SEAL_SLOT_BYTES of a place in the header page. */
void key_slot_encode(const struct key_slot *slot, void *place);
/* REASON_IMAGE_VERSION (-ENOTSUP) for what is not known here. @name is for the message. */
int key_slot_decode(const void *place, const char *name, struct key_slot *slot, struct failure *f);
