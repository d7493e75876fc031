/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/keyfile.h"

#include "base/cursor.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "seal/blob.h"
#include "seal/keyfile-place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An expected answer: a seed, but that of another key set than the public keys. */
#define OF_ANOTHER_SET 1

/* How often to look again when somebody replaces the set meanwhile. */
#define TRIES 100

static int unusable(const char *object, struct failure *f, const char *what)
{
	return failure_set(f, REASON_KEY_FILE, EBADMSG, object, KEY_REMEDY_AGAIN, "%s", what);
}

/* What both files begin with, and their hash. The reader is behind the size then. */
static int check_frame(const struct key_place *place, struct reader *r, const char *magic, struct failure *f)
{
	uint8_t found[16], hash[KEY_FILE_HASH_BYTES];
	uint32_t version, size;
	int error;

	get_bytes(r, found, sizeof(found));
	version = get_u32(r);
	size = get_u32(r);
	if (memcmp(found, magic, sizeof(found)) != 0)
		return unusable(place->path, f, "it is no such file of hibernated");
	error = key_file_hash(r->data, r->size, hash);
	if (error < 0)
		return failure_set(f, REASON_CRYPTO, -error, place->path, NULL, "its checksum cannot be computed");
	if (memcmp(hash, r->data + r->size - sizeof(hash), sizeof(hash)) != 0)
		return unusable(place->path, f, "its checksum does not match");
	if (version != KEY_FILE_VERSION || size != r->size)
		return failure_set(f, REASON_KEY_FILE, ENOTSUP, place->path, "Use the version of hibernated that wrote it.",
				   "version %u is unknown here", version);
	return 0;
}

static int unknown_fields(const struct key_place *place, struct failure *f)
{
	return failure_set(f, REASON_KEY_FILE, ENOTSUP, place->path, "Use the version of hibernated that wrote it.",
			   "it has fields that are unknown here");
}

/* A string has nothing behind its end. */
static bool label_ends(const char *label, size_t size)
{
	size_t length = strnlen(label, size);
	struct reader rest;

	reader_init(&rest, label + length, size - length);
	return get_zeros(&rest, size - length);
}

static int load_public(const struct key_place *place, struct key_material *material, struct failure *f)
{
	struct public_file_disk file;
	struct failure of_blob = {0};
	struct key_blob blob;
	struct reader reader;
	int r = key_place_read(place, &file, sizeof(file), f);

	if (r < 0)
		return r;
	reader_init(&reader, &file, sizeof(file));
	r = check_frame(place, &reader, PUBLIC_FILE_MAGIC, f);
	if (r < 0)
		return r;
	get_bytes(&reader, material->public.id, sizeof(material->public.id));
	get_bytes(&reader, material->public.recipient, sizeof(material->public.recipient));
	get_bytes(&reader, material->public.verifier, sizeof(material->public.verifier));
	material->created_usec = get_u64(&reader);
	get_string(&reader, material->label, sizeof(material->label));
	if (!get_zeros(&reader, sizeof(file.reserved)))
		return unknown_fields(place, f);
	if (!label_ends(material->label, sizeof(material->label)))
		return unusable(place->path, f, "something stands behind the end of its label");
	get_bytes(&reader, material->blob, sizeof(material->blob));
	r = key_blob_decode(material->blob, place->path, &blob, &of_blob);
	if (r < 0)
		return failure_set(f, REASON_KEY_FILE, -r, place->path, r == -ENOTSUP ? of_blob.remedy : KEY_REMEDY_AGAIN,
				   "%s", of_blob.text);
	if (memcmp(blob.key_set, material->public.id, sizeof(blob.key_set)) != 0)
		return unusable(place->path, f, "its sealed private key is of another key set");
	return 0;
}

/* 0, OF_ANOTHER_SET or an error. */
static int load_signing(const struct key_place *place, struct key_material *material, struct failure *f)
{
	AUTO_SECRET struct signing_file_disk *file = secret_new(sizeof(*file));
	uint8_t key_set[KEY_SET_ID_BYTES];
	struct reader reader;
	int r;

	if (!file)
		return secret_refused(place->path, f);
	r = key_place_read(place, file, sizeof(*file), f);
	if (r < 0)
		return r;
	reader_init(&reader, file, sizeof(*file));
	r = check_frame(place, &reader, SIGNING_FILE_MAGIC, f);
	if (r < 0)
		return r;
	get_bytes(&reader, key_set, sizeof(key_set));
	get_bytes(&reader, material->signing_seed, sizeof(material->signing_seed));
	if (!get_zeros(&reader, sizeof(file->reserved)))
		return unknown_fields(place, f);
	if (memcmp(key_set, material->public.id, sizeof(key_set)) != 0)
		return OF_ANOTHER_SET;
	return 0;
}

/* The keys themselves, whatever the files say of one another. */
static int check_fit(const struct key_place *public, const struct key_place *signing, const struct key_material *material,
		     struct failure *f)
{
	uint8_t id[KEY_SET_ID_BYTES], verifier[CRYPTO_KEY_BYTES];
	int r = key_set_id(material->public.recipient, material->public.verifier, id);

	if (r >= 0)
		r = ed25519_public(material->signing_seed, verifier);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, signing->path, NULL, "the public key cannot be computed");
	if (memcmp(id, material->public.id, sizeof(id)) != 0)
		return unusable(public->path, f, "its keys do not make the id that it names");
	if (memcmp(verifier, material->public.verifier, sizeof(verifier)) != 0)
		return unusable(signing->path, f, "it does not fit the public key in the file " PUBLIC_FILE);
	return 0;
}

/* The seed is in its file, or, if somebody died between the last two steps of key_file_store(), still beside it. */
static int load_fitting_signing(const struct key_place *signing, const struct key_place *beside,
				struct key_material *material, bool *aside, struct failure *f)
{
	int r = load_signing(signing, material, f);

	*aside = false;
	if (r != OF_ANOTHER_SET && r != -ENOENT && r != -EBADMSG)
		return r;
	if (load_signing(beside, material, NULL) == 0) {
		*aside = true;
		return 0;
	}
	return r;
}

int key_pair_load(int directory, const char *name, struct key_material *material, bool *aside, struct failure *f)
{
	struct key_place public = key_place_of(directory, name, PUBLIC_FILE);
	struct key_place signing = key_place_of(directory, name, SIGNING_FILE);
	struct key_place beside = key_place_of(directory, name, SIGNING_NEW);
	bool no_public = false;
	int r = OF_ANOTHER_SET;

	for (int i = 0; i < TRIES && (r == OF_ANOTHER_SET || r == -ENOENT); i++) {
		r = load_public(&public, material, f);
		no_public = r == -ENOENT;
		if (no_public && faccessat(directory, SIGNING_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return r;
		if (r >= 0)
			r = load_fitting_signing(&signing, &beside, material, aside, f);
	}
	if (r == -ENOENT && no_public)
		return unusable(public.path, f, "it is missing, and the file " SIGNING_FILE " is there");
	if (r == -ENOENT)
		return unusable(signing.path, f, "it is missing, and the file " PUBLIC_FILE " is there");
	if (r == OF_ANOTHER_SET)
		return unusable(signing.path, f, "it is of another key set than the file " PUBLIC_FILE);
	return r < 0 ? r : check_fit(&public, *aside ? &beside : &signing, material, f);
}

int key_file_load(const char *directory, struct key_material *material, struct failure *f)
{
	AUTO_SECRET struct key_material *loaded = secret_new(sizeof(*loaded));
	AUTO_CLOSE int fd = -1;
	bool aside = false;
	int r;

	if (!loaded)
		return secret_refused(directory, f);
	r = fd = key_place_open(directory, f);
	if (r >= 0)
		r = key_pair_load(fd, directory, loaded, &aside, f);
	if (r >= 0)
		*material = *loaded;
	return r;
}

bool key_file_present(const char *directory)
{
	static const char *const names[] = {PUBLIC_FILE, SIGNING_FILE};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		struct key_place place = key_place_of(AT_FDCWD, directory, names[i]);
		struct stat st;

		if (lstat(place.path, &st) == 0)
			return true;
	}
	return false;
}
