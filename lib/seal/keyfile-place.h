/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of a key set, where it lies: for lib/seal/keyfile*.c. Nothing is read or written but by way of the directory that
 * was opened and looked at.
 */
#pragma once

#include "seal/keyfile.h"

#include <limits.h>

#define PUBLIC_FILE  "public"
#define SIGNING_FILE "signing"
#define SIGNING_NEW  SIGNING_FILE ".new"

#define KEY_REMEDY_AGAIN "Put both files back from a copy, or make a new key set with hibernatectl keygen --force."

/* A file while it is looked at: where it is, and what it is called in messages. */
struct key_place {
	int directory;
	const char *name;
	char path[PATH_MAX];
};

struct key_place key_place_of(int directory, const char *in, const char *name);

/* REASON_NO_KEYS (-ENOENT). */
int key_place_missing(const char *object, struct failure *f);

/* The directory, open for reading, if it is one and nobody else could have changed it. As key_file_load(). */
int key_place_open(const char *directory, struct failure *f);

/* All of a file of exactly @size bytes, if nobody else could have changed or read it. As key_file_load(). */
int key_place_read(const struct key_place *place, void *out, size_t size, struct failure *f);

/* The hash in the last bytes of @file, of all before it. 0 or -errno. */
int key_file_hash(const void *file, size_t size, uint8_t hash[KEY_FILE_HASH_BYTES]);

/*
 * As key_file_load(), from the directory that is open. *@aside if the seed came from SIGNING_NEW: somebody died before its
 * file had its name.
 */
int key_pair_load(int directory, const char *name, struct key_material *material, bool *aside, struct failure *f);
