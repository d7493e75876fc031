/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key set of a machine.
 *
 * Two pairs. Images are sealed to the X25519 pair, so hibernating needs only its public half and no prompt; the private
 * half is in the sealed blob (seal/blob.h). Images are signed by the Ed25519 pair, whose seed stays with root on the running
 * system, and whose verifying half lies in the same blob: who opens the blob knows by whom the image must be signed.
 * The set's id is a hash of both public halves, so that no other set has it.
 */
#pragma once

#include "seal/crypto.h"

#define KEY_SET_ID_BYTES 16

/* An expected answer where a secret is tried. */
#define KEY_WRONG_SECRET 1

struct key_public {
	uint8_t id[KEY_SET_ID_BYTES];
	uint8_t recipient[CRYPTO_KEY_BYTES]; /* X25519 */
	uint8_t verifier[CRYPTO_KEY_BYTES];  /* Ed25519 */
};

/* In memory for secrets only. */
struct key_set {
	struct key_public public;
	uint8_t recipient_secret[CRYPTO_KEY_BYTES];
	uint8_t signing_seed[CRYPTO_KEY_BYTES];
};

/* Fill @set->public from the two secrets, which are there. */
int key_set_complete(struct key_set *set);
/* Draw both secrets, and complete. */
int key_set_generate(struct key_set *set);
/* The id of two public halves. */
int key_set_id(const uint8_t recipient[CRYPTO_KEY_BYTES], const uint8_t verifier[CRYPTO_KEY_BYTES],
	       uint8_t id[KEY_SET_ID_BYTES]);

/* Sign a header page that is complete but for its signature and checksum, and put the signature in its place. */
int header_sign(const uint8_t signing_seed[CRYPTO_KEY_BYTES], void *page);
/* 0, or -EBADMSG. */
int header_verify(const uint8_t verifier[CRYPTO_KEY_BYTES], const void *page);

/*
 * Whom to believe. @from_human: the verifying key out of a blob that a passphrase or recovery key opened, NULL if a TPM
 * opened it, since anybody can seal a blob of their own to a TPM. @from_initramfs: one that came with a signed
 * initramfs, else NULL. -ENOKEY if there is neither, -EKEYREJECTED if there are both and they differ.
 */
int key_choose_verifier(const uint8_t *from_human, const uint8_t *from_initramfs, uint8_t verifier[CRYPTO_KEY_BYTES]);
