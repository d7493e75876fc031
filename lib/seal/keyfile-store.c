/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replacing a key set, all of it at once.
 *
 *   1. what an earlier replacement left undone is done: its seed gets its name
 *   2. the seed is written to SIGNING_NEW, and flushed with the directory: readers do not look at it, since the seed fits
 *   3. PUBLIC_FILE is written beside, flushed, and renamed: from here on the seed does not fit, and SIGNING_NEW does; the
 *      directory is flushed
 *   4. SIGNING_NEW is renamed
 *
 * So the rename in step 3 is the one moment at which the set is replaced. Step 4 may never happen; step 1 of the next
 * replacement then does it, before SIGNING_NEW is written over.
 */
#include "seal/keyfile-place.h"

#include "base/fdio.h"
#include "base/secret.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUBLIC_NEW PUBLIC_FILE ".new"

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
	return key_place_open(directory, f);
}

/* 0 or -errno. */
static int write_new(int directory, const char *name, const void *data, size_t size)
{
	AUTO_CLOSE int fd = -1;
	int r;

	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
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
	return 0;
}

/* Give a file its name. 0 or -errno. */
static int give_name(int directory, const char *from, const char *to)
{
	return renameat(directory, from, directory, to) < 0 ? -errno : 0;
}

static int flush(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

/* In memory for secrets. */
struct work {
	struct key_material there;
	struct signing_file_disk file, file_there;
};

/* Step 1. What cannot be loaded is not worth finishing. 0 or -errno. */
static int finish_earlier(int directory, const char *name, struct work *work)
{
	bool aside = false;
	int r;

	if (key_pair_load(directory, name, &work->there, &aside, NULL) < 0 || !aside)
		return 0;
	r = give_name(directory, SIGNING_NEW, SIGNING_FILE);
	return r < 0 ? r : flush(directory);
}

/* Step 2, if it is another seed than there is. 1 if so, 0 or -errno. */
static int write_signing(int directory, const char *name, const struct key_material *material, struct work *work)
{
	struct key_place place = key_place_of(directory, name, SIGNING_FILE);
	struct signing_file_disk *file = &work->file;
	int r;

	memcpy(file->magic, SIGNING_FILE_MAGIC, sizeof(file->magic));
	file->version = htole32(KEY_FILE_VERSION);
	file->size = htole32(sizeof(*file));
	memcpy(file->key_set, material->public.id, sizeof(file->key_set));
	memcpy(file->seed, material->signing_seed, sizeof(file->seed));
	r = key_file_hash(file, sizeof(*file), file->hash);
	if (r < 0)
		return r;
	if (key_place_read(&place, &work->file_there, sizeof(*file), NULL) >= 0 &&
	    secret_equal(file, &work->file_there, sizeof(*file)))
		return 0;
	r = write_new(directory, SIGNING_NEW, file, sizeof(*file));
	if (r >= 0)
		r = flush(directory);
	return r < 0 ? r : 1;
}

/* Step 3, up to the flush of the directory. 0 or -errno. */
static int replace_public(int directory, const struct key_material *material)
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
	r = key_file_hash(&file, sizeof(file), file.hash);
	if (r >= 0)
		r = write_new(directory, PUBLIC_NEW, &file, sizeof(file));
	return r < 0 ? r : give_name(directory, PUBLIC_NEW, PUBLIC_FILE);
}

/* 0 or -errno. */
static int replace(int directory, const char *name, const struct key_material *material, struct work *work)
{
	int r = finish_earlier(directory, name, work), other_seed = 0;

	if (r < 0)
		return r;
	r = other_seed = write_signing(directory, name, material, work);
	if (r >= 0)
		r = replace_public(directory, material);
	if (r < 0) { /* the set is the one before, and fits without them */
		unlinkat(directory, SIGNING_NEW, 0);
		unlinkat(directory, PUBLIC_NEW, 0);
		return r;
	}
	r = flush(directory);
	if (r < 0 || !other_seed)
		return r;
	/* The set is there already. What fails now is done by the next one. */
	if (give_name(directory, SIGNING_NEW, SIGNING_FILE) >= 0)
		flush(directory);
	return 0;
}

int key_file_store(const char *directory, const struct key_material *material, struct failure *f)
{
	AUTO_SECRET struct work *work = secret_new(sizeof(*work));
	AUTO_CLOSE int fd = -1;
	int r;

	if (!work)
		return secret_refused(directory, f);
	r = fd = make_directory(directory, f);
	if (r < 0)
		return r;
	r = replace(fd, directory, material, work);
	return r < 0 ? failure_set(f, REASON_KEY_FILE, -r, directory, NULL, "the key set cannot be written") : 0;
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
