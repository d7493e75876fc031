/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One key wrapped by another, as slots and blob do it.
 *
 * Of a secret, a label and a transcript come two things: a key that wraps, and a commitment. The commitment is stored and is
 * compared first. None of the AEADs here commits to its key by itself, so without it one could make something that
 * several secrets open, and learn from one refusal about many of them.
 *
 * ChaCha20-Poly1305, whatever the image's suite: it takes the same time for any key on any processor. The nonce is
 * zeros, since a wrapping key is used once: a random salt or ephemeral key is part of what it comes from.
 */
#pragma once

#include "seal/crypto.h"

#define WRAP_SUITE            SUITE_CHACHA20_POLY1305
#define WRAP_COMMITMENT_BYTES 32

struct wrapped_key {
	uint8_t commitment[WRAP_COMMITMENT_BYTES];
	uint8_t wrapped[CRYPTO_KEY_BYTES];
	uint8_t tag[CRYPTO_TAG_BYTES];
};

int wrap_key(struct bytes secret, const char *label, struct bytes transcript, const uint8_t key[CRYPTO_KEY_BYTES],
	     struct wrapped_key *wrapped);
/* 0; KEY_WRONG_SECRET when the commitment is another one; -EBADMSG when it is right and the rest was changed. */
int unwrap_key(struct bytes secret, const char *label, struct bytes transcript, const struct wrapped_key *wrapped,
	       uint8_t key[CRYPTO_KEY_BYTES]);
