/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key set of this machine, as it lies in a directory of root's (doc/image-format.md, "Key files").
 *
 * Two files: `public` has both public keys, the sealed private blob, a label and when it was made; `signing` has the
 * Ed25519 seed. Both are for their owner only: the seed signs images, and against the blob one could try passphrases.
 * What anybody else can read or change, what is reached by a symbolic link, and what does not fit together is refused,
 * each with its own message.
 */
#pragma once

#include "base/failure.h"
#include "seal/disk.h"
#include "seal/keyfile-disk.h"
#include "seal/keys.h"

#define KEY_DIRECTORY "/etc/hibernate/keys"

/* In memory for secrets only. */
struct key_material {
	struct key_public public;
	uint8_t signing_seed[CRYPTO_KEY_BYTES];
	uint8_t blob[SEAL_BLOB_BYTES];
	char label[KEY_FILE_LABEL_BYTES]; /* what the owner calls it; to be shown escaped */
	uint64_t created_usec;            /* since 1970 */
};

/*
 * Read the key set in @directory, after crypto_init(). What comes out fits together: the seed to the verifying key, both
 * public keys to the id, the blob to the set. The blob is as key_blob_decode() accepts it, and not opened.
 *
 * REASON_NO_KEYS (-ENOENT) if there is none; REASON_KEY_FILE, if a file cannot be used: (-EPERM) because of its owner
 * or mode, (-ELOOP) a link, (-EBADMSG) size, checksum or fit, or one without the other, (-ENOTSUP) another version, or as it cannot be read;
 * REASON_CRYPTO.
 */
int key_file_load(const char *directory, struct key_material *material, struct failure *f);

/*
 * Write @material to @directory, which is made if need be (mode 0700). The set is replaced at once: whenever this dies, and
 * whoever reads meanwhile, key_file_load() gets the whole set from before or the whole new one. The seed is left alone if
 * it is the same already. One at a time: see key_file_lock(). REASON_KEY_FILE or REASON_CRYPTO.
 */
int key_file_store(const char *directory, const struct key_material *material, struct failure *f);

/* Whether any part of a key set is in @directory, usable or not. */
bool key_file_present(const char *directory);

/*
 * Make @directory if need be, and keep others from changing the key set in it, until the descriptor that is returned is closed.
 * REASON_BUSY (-EWOULDBLOCK) while somebody else does; REASON_KEY_FILE as key_file_load().
 */
int key_file_lock(const char *directory, struct failure *f);
