/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/keyfile-place.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMEDY_MAKE "Make a key set with hibernatectl keygen."

struct key_place key_place_of(int directory, const char *in, const char *name)
{
	struct key_place place = {.directory = directory, .name = name};

	snprintf(place.path, sizeof(place.path), "%s/%s", in, name);
	return place;
}

int key_place_missing(const char *object, struct failure *f)
{
	return failure_set(f, REASON_NO_KEYS, ENOENT, object, REMEDY_MAKE, "there is no key set");
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

int key_place_open(const char *directory, struct failure *f)
{
	AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return key_place_missing(directory, f);
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

int key_place_read(const struct key_place *place, void *out, size_t size, struct failure *f)
{
	AUTO_CLOSE int fd = openat(place->directory, place->name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return key_place_missing(place->path, f);
	if (fd < 0 && errno == ELOOP)
		return failure_set(f, REASON_KEY_FILE, ELOOP, place->path, "Put the file itself there.",
				   "it must not be a symbolic link");
	if (fd < 0 || fstat(fd, &st) < 0)
		return failure_set(f, REASON_KEY_FILE, errno, place->path, NULL, "cannot be opened");
	if (!S_ISREG(st.st_mode))
		return failure_set(f, REASON_KEY_FILE, EBADMSG, place->path, KEY_REMEDY_AGAIN, "it is not a regular file");
	r = check_owner(place->path, &st, 077, "Run chmod 0600 on it, and make a new key set.", f);
	if (r < 0)
		return r;
	if (st.st_size != (off_t)size)
		return failure_set(f, REASON_KEY_FILE, EBADMSG, place->path, KEY_REMEDY_AGAIN, "it has %lld bytes, not %zu",
				   (long long)st.st_size, size);
	r = fd_pread_full(fd, out, size, 0);
	if (r < 0)
		return failure_set(f, REASON_KEY_FILE, -r, place->path, NULL, "cannot be read");
	/* What stays in the page cache would be part of the image. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

int key_file_hash(const void *file, size_t size, uint8_t hash[KEY_FILE_HASH_BYTES])
{
	return hash_of(HASH_SHA256, &(struct bytes){file, size - KEY_FILE_HASH_BYTES}, 1, hash);
}
