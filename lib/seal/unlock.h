/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to open a sealed private blob; and what a human typed, tried on it: one question for a passphrase or a recovery key. */
#pragma once

#include "seal/blob.h"

enum key_way {
	KEY_WAY_PASSPHRASE,
	KEY_WAY_RECOVERY,
	KEY_WAY_TPM,
	_KEY_WAY_MAX,
	_KEY_WAY_INVALID = -1,
};

/* "passphrase", "recovery", "tpm"; NULL outside the enum. And back. The text is for people: "recovery key", "TPM". */
const char *key_way_name(enum key_way way);
const char *key_way_text(enum key_way way);
enum key_way key_way_from_name(const char *name);
/* Its BLOB_WRAP_* bit. */
uint32_t key_way_wrap(enum key_way way);

struct key_answer {
	enum key_way way;   /* which of the first two opened it, or _KEY_WAY_INVALID */
	bool typo;          /* KEY_WRONG_SECRET: it was meant as a recovery key, and is none */
	unsigned int group; /* then the first group that is wrong; 0: there is too much */
};

/*
 * As key_blob_open() for @typed, without the newline that ended it. What reads as a recovery key is tried as one first, and what
 * does not open the blob then as a passphrase. *@answer is filled on KEY_WRONG_SECRET, too.
 */
int key_blob_open_typed(const void *place, struct bytes typed, uint64_t memory_kib, const char *name,
			struct key_opened *opened, struct key_answer *answer, struct failure *f);
