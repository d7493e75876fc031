/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/keyfile.h"

#include "base/cursor.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "seal/blob.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUBLIC_FILE  "public"
#define SIGNING_FILE "signing"

#define REMEDY_MAKE  "Make a key set with hibernatectl keygen."
#define REMEDY_AGAIN "Put both files back from a copy, or make a new key set with hibernatectl keygen --force."

/* A file while it is looked at: where it is, and what it is called in messages. */
struct place {
	int directory;
	const char *name;
	char path[PATH_MAX];
};

static struct place place_of(int directory, const char *in, const char *name)
{
	struct place place = {.directory = directory, .name = name};

	snprintf(place.path, sizeof(place.path), "%s/%s", in, name);
	return place;
}

static int missing(const char *object, struct failure *f)
{
	return failure_set(f, REASON_NO_KEYS, ENOENT, object, REMEDY_MAKE, "there is no key set");
}

static int unusable(const char *object, struct failure *f, const char *what)
{
	return failure_set(f, REASON_KEY_FILE, EBADMSG, object, REMEDY_AGAIN, "%s", what);
}

/* Nobody else may have had a hand in it: @forbidden are the bits of its mode that would let them. */
static int check_owner(const char *object, const struct stat *st, mode_t forbidden, const char *remedy,
		       struct failure *f)
{
	if (st->st_uid != geteuid())
		return failure_set(f, REASON_KEY_FILE, EPERM, object,
				   "Find out why, make it root's, and make a new key set.",
				   "it belongs to user %u, not to user %u", (unsigned int)st->st_uid,
				   (unsigned int)geteuid());
	if (st->st_mode & forbidden)
		return failure_set(f, REASON_KEY_FILE, EPERM, object, remedy, "its mode is %04o, which lets others %s it",
				   (unsigned int)(st->st_mode & 07777), st->st_mode & 022 ? "change" : "read");
	return 0;
}

static int open_directory(const char *directory, struct failure *f)
{
	AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return missing(directory, f);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return failure_set(f, REASON_KEY_FILE, ELOOP, directory, "Put the directory itself there.",
				   "it must be a directory, and not be reached by a symbolic link");
	if (fd < 0 || fstat(fd, &st) < 0)
		return failure_set(f, REASON_KEY_FILE, errno, directory, NULL, "cannot be opened");
	r = check_owner(directory, &st, 022, "Run chmod 0700 on it, and make a new key set.", f);
	if (r < 0)
		return r;
	r = fd;
	fd = -1;
	return r;
}

/* All of a file of exactly @size bytes. */
static int read_file(const struct place *place, void *out, size_t size, struct failure *f)
{
	AUTO_CLOSE int fd = openat(place->directory, place->name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return missing(place->path, f);
	if (fd < 0 && errno == ELOOP)
		return failure_set(f, REASON_KEY_FILE, ELOOP, place->path, "Put the file itself there.",
				   "it must not be a symbolic link");
	if (fd < 0 || fstat(fd, &st) < 0)
		return failure_set(f, REASON_KEY_FILE, errno, place->path, NULL, "cannot be opened");
	if (!S_ISREG(st.st_mode))
		return unusable(place->path, f, "it is not a regular file");
	r = check_owner(place->path, &st, 077, "Run chmod 0600 on it, and make a new key set.", f);
	if (r < 0)
		return r;
	if (st.st_size != (off_t)size)
		return failure_set(f, REASON_KEY_FILE, EBADMSG, place->path, REMEDY_AGAIN, "it has %lld bytes, not %zu",
				   (long long)st.st_size, size);
	r = fd_pread_full(fd, out, size, 0);
	if (r < 0)
		return failure_set(f, REASON_KEY_FILE, -r, place->path, NULL, "cannot be read");
	/* What stays in the page cache would be part of the image. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int hash_before(const void *file, size_t size, uint8_t hash[KEY_FILE_HASH_BYTES])
{
	return hash_of(HASH_SHA256, &(struct bytes){file, size - KEY_FILE_HASH_BYTES}, 1, hash);
}

/* What both files begin with, and their hash. The reader is behind the size then. */
static int check_frame(const struct place *place, struct reader *r, const char *magic, struct failure *f)
{
	uint8_t found[16], hash[KEY_FILE_HASH_BYTES];
	uint32_t version, size;
	int error;

	get_bytes(r, found, sizeof(found));
	version = get_u32(r);
	size = get_u32(r);
	if (memcmp(found, magic, sizeof(found)) != 0)
		return unusable(place->path, f, "it is no such file of hibernated");
	error = hash_before(r->data, r->size, hash);
	if (error < 0)
		return failure_set(f, REASON_CRYPTO, -error, place->path, NULL, "its checksum cannot be computed");
	if (memcmp(hash, r->data + r->size - sizeof(hash), sizeof(hash)) != 0)
		return unusable(place->path, f, "its checksum does not match");
	if (version != KEY_FILE_VERSION || size != r->size)
		return failure_set(f, REASON_KEY_FILE, ENOTSUP, place->path, "Use the version of hibernated that wrote it.",
				   "version %u is unknown here", version);
	return 0;
}

static int unknown_fields(const struct place *place, struct failure *f)
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

static int load_public(const struct place *place, struct key_material *material, struct failure *f)
{
	struct public_file_disk file;
	struct failure of_blob = {0};
	struct key_blob blob;
	struct reader reader;
	int r = read_file(place, &file, sizeof(file), f);

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
		return failure_set(f, REASON_KEY_FILE, -r, place->path, r == -ENOTSUP ? of_blob.remedy : REMEDY_AGAIN,
				   "%s", of_blob.text);
	if (memcmp(blob.key_set, material->public.id, sizeof(blob.key_set)) != 0)
		return unusable(place->path, f, "its sealed private key is of another key set");
	return 0;
}

static int load_signing(const struct place *place, struct key_material *material, struct failure *f)
{
	AUTO_SECRET struct signing_file_disk *file = secret_new(sizeof(*file));
	uint8_t key_set[KEY_SET_ID_BYTES];
	struct reader reader;
	int r;

	if (!file)
		return secret_refused(place->path, f);
	r = read_file(place, file, sizeof(*file), f);
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
		return unusable(place->path, f, "it is of another key set than the file " PUBLIC_FILE);
	return 0;
}

/* The keys themselves, whatever the files say of one another. */
static int check_fit(const struct place *public, const struct place *signing, const struct key_material *material,
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

int key_file_load(const char *directory, struct key_material *material, struct failure *f)
{
	AUTO_SECRET struct key_material *loaded = secret_new(sizeof(*loaded));
	AUTO_CLOSE int fd = -1;
	struct place public, signing;
	int r;

	if (!loaded)
		return secret_refused(directory, f);
	r = fd = open_directory(directory, f);
	if (r < 0)
		return r;
	public = place_of(fd, directory, PUBLIC_FILE);
	signing = place_of(fd, directory, SIGNING_FILE);
	r = load_public(&public, loaded, f);
	if (r >= 0)
		r = load_signing(&signing, loaded, f);
	if (r >= 0)
		r = check_fit(&public, &signing, loaded, f);
	if (r >= 0)
		*material = *loaded;
	return r;
}

/* ---- writing ---- */

/* The directory, and those above it. */
static int make_directory(const char *directory, struct failure *f)
{
	char path[PATH_MAX];
	size_t length = strlen(directory);

	if (!length || length >= sizeof(path))
		return failure_set(f, REASON_KEY_FILE, ENAMETOOLONG, directory, NULL, "no directory can have this name");
	memcpy(path, directory, length + 1);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return failure_set(f, REASON_KEY_FILE, errno, path, NULL, "cannot be made");
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return failure_set(f, REASON_KEY_FILE, errno, path, NULL, "cannot be made");
	return open_directory(directory, f);
}

static int write_beside(const struct place *place, const char *beside, const void *data, size_t size)
{
	AUTO_CLOSE int fd = -1;
	int r;

	if (unlinkat(place->directory, beside, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(place->directory, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) < 0)
		return -errno;
	r = fd_write_full(fd, data, size);
	if (r < 0)
		return r;
	if (fsync(fd) < 0)
		return -errno;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return renameat(place->directory, beside, place->directory, place->name) < 0 ? -errno : 0;
}

static int replace_file(const struct place *place, const void *data, size_t size, struct failure *f)
{
	char beside[32];
	int r;

	snprintf(beside, sizeof(beside), "%s.new", place->name);
	r = write_beside(place, beside, data, size);
	if (r >= 0 && fsync(place->directory) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	unlinkat(place->directory, beside, 0);
	return failure_set(f, REASON_KEY_FILE, -r, place->path, NULL, "cannot be written");
}

static int store_public(const struct place *place, const struct key_material *material, struct failure *f)
{
	struct public_file_disk file = {
		.version = htole32(KEY_FILE_VERSION),
		.size = htole32(sizeof(file)),
		.created = htole64(material->created_usec),
	};
	int r;

	memcpy(file.magic, PUBLIC_FILE_MAGIC, sizeof(file.magic));
	memcpy(file.key_set, material->public.id, sizeof(file.key_set));
	memcpy(file.recipient, material->public.recipient, sizeof(file.recipient));
	memcpy(file.verifier, material->public.verifier, sizeof(file.verifier));
	memcpy(file.label, material->label, strnlen(material->label, sizeof(file.label) - 1));
	memcpy(file.blob, material->blob, sizeof(file.blob));
	r = hash_before(&file, sizeof(file), file.hash);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, place->path, NULL, "its checksum cannot be computed");
	return replace_file(place, &file, sizeof(file), f);
}

static int store_signing(const struct place *place, const struct key_material *material, struct failure *f)
{
	AUTO_SECRET struct signing_file_disk *file = secret_new(sizeof(*file));
	AUTO_SECRET struct signing_file_disk *there = secret_new(sizeof(*there));
	struct failure ignored;
	int r;

	if (!file || !there)
		return secret_refused(place->path, f);
	memcpy(file->magic, SIGNING_FILE_MAGIC, sizeof(file->magic));
	file->version = htole32(KEY_FILE_VERSION);
	file->size = htole32(sizeof(*file));
	memcpy(file->key_set, material->public.id, sizeof(file->key_set));
	memcpy(file->seed, material->signing_seed, sizeof(file->seed));
	r = hash_before(file, sizeof(*file), file->hash);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, place->path, NULL, "its checksum cannot be computed");
	if (read_file(place, there, sizeof(*there), &ignored) >= 0 && secret_equal(file, there, sizeof(*file)))
		return 0;
	return replace_file(place, file, sizeof(*file), f);
}

int key_file_store(const char *directory, const struct key_material *material, struct failure *f)
{
	AUTO_CLOSE int fd = make_directory(directory, f);
	struct place public, signing;
	int r;

	if (fd < 0)
		return fd;
	public = place_of(fd, directory, PUBLIC_FILE);
	signing = place_of(fd, directory, SIGNING_FILE);
	r = store_signing(&signing, material, f);
	return r < 0 ? r : store_public(&public, material, f);
}

bool key_file_present(const char *directory)
{
	static const char *const names[] = {PUBLIC_FILE, SIGNING_FILE};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		struct place place = place_of(AT_FDCWD, directory, names[i]);
		struct stat st;

		if (lstat(place.path, &st) == 0)
			return true;
	}
	return false;
}

int key_file_lock(const char *directory, struct failure *f)
{
	AUTO_CLOSE int fd = make_directory(directory, f);
	int r;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return failure_set(f, errno == EWOULDBLOCK ? REASON_BUSY : REASON_KEY_FILE, errno, directory,
				   "Wait until it has ended.", "somebody else is changing the key set");
	r = fd;
	fd = -1;
	return r;
}
