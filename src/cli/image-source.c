/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/image-source.h"

#include "area/block.h"
#include "area/header.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "cli/ask.h"
#include "cli/image-commands.h"
#include "image/check.h"
#include "image/format.h"
#include "seal/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_TRIES 3

static int open_failed(const char *path, int error, struct failure *f)
{
	if (error == EACCES || error == EPERM)
		return failure_set(f, REASON_PERMISSION, error, path, "Try as root.", "cannot be opened");
	return failure_set(f, error == ENOENT ? REASON_NO_AREA : REASON_IO, error, path, NULL, "cannot be opened");
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	while (size && !bytes[size - 1])
		size--;
	return size == 0;
}

/* The mark of a swap file, at its beginning: header page and all the rest lie on the device below. */
static int descend(struct image_source *source, const struct stat *st, struct failure *f)
{
	struct sysctx sys = sysctx_host();
	struct block block;
	int fd, r = block_by_devno(&sys, st->st_dev, &block);

	if (r < 0)
		return failure_set(f, REASON_NO_AREA, -r, source->path,
				   "Name the block device, and the swap file's place on it with --offset=.",
				   "a swap file, and the device that carries it was not found");
	fd = block_open(&sys, &block, O_RDONLY | O_DIRECT);
	if (fd < 0)
		return open_failed(block.path, -fd, f);
	fd_close(source->fd);
	source->fd = fd;
	source->size = block.size;
	snprintf(source->name, sizeof(source->name), "%.80s (for %.160s)", block.path, source->path);
	return 0;
}

static int look(struct image_source *source, const struct stat *st, struct failure *f)
{
	AUTO_FREE uint8_t *page = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
	int r;

	if (!page)
		return failure_set(f, REASON_INTERNAL, ENOMEM, source->path, NULL, "no memory");
	if (source->size < PAGE_BYTES)
		return failure_set(f, REASON_NO_IMAGE, ENODATA, source->path, NULL,
				   "%llu bytes cannot hold an image", (unsigned long long)source->size);
	if (source->position % PAGE_BYTES || source->position > source->size - PAGE_BYTES)
		return failure_set(f, REASON_USAGE, 0, source->path, NULL,
				   "--offset=%llu is not a multiple of %u below the size of %llu",
				   (unsigned long long)source->position, PAGE_BYTES, (unsigned long long)source->size);
	r = fd_pread_full(source->fd, page, PAGE_BYTES, source->position);
	if (r < 0)
		return failure_set(f, REASON_IO, -r, source->path, NULL, "reading byte %llu failed",
				   (unsigned long long)source->position);
	if (memcmp(page, IMAGE_MAGIC, sizeof(((struct header_disk *)0)->magic)) == 0) {
		source->bare = true;
		source->header_offset = source->position;
		return 0;
	}
	mark_decode(page, &source->mark);
	if (source->mark.kind != MARK_ARMED && source->mark.kind != MARK_DROPPED)
		return 0;
	source->header_offset = source->mark.header_offset;
	if (S_ISREG(st->st_mode) && !source->position &&
	    !is_zero(source->mark.identity.filesystem_uuid, sizeof(source->mark.identity.filesystem_uuid)))
		return descend(source, st, f);
	return 0;
}

int image_source_open(struct image_source *source, const char *path, uint64_t position, struct failure *f)
{
	struct stat st;
	off_t size;

	*source = (struct image_source){.path = path, .fd = -1, .position = position};
	snprintf(source->name, sizeof(source->name), "%s", path);
	/* O_NONBLOCK: a FIFO must not hold us; it says nothing to files and block devices. */
	source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (source->fd < 0)
		return open_failed(path, errno, f);
	if (fstat(source->fd, &st) < 0)
		return failure_set(f, REASON_IO, errno, path, NULL, "cannot be looked at");
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return failure_set(f, REASON_USAGE, 0, path, NULL, "neither a block device nor a file");
	source->block = S_ISBLK(st.st_mode);
	/* The page cache of a device may be older than what its swap area holds. */
	if (source->block && fcntl(source->fd, F_SETFL, O_DIRECT) < 0)
		return failure_set(f, REASON_IO, errno, path, NULL, "cannot be read past the page cache");
	size = lseek(source->fd, 0, SEEK_END);
	if (size < 0)
		return failure_set(f, REASON_IO, errno, path, NULL, "its size cannot be found");
	source->size = (uint64_t)size;
	return look(source, &st, f);
}

void image_source_deinit(struct image_source *source)
{
	source->fd = fd_close(source->fd);
}

static int foreign(const struct image_source *source, const char *what, const char *remedy, struct failure *f)
{
	return failure_set(f, REASON_FOREIGN_IMAGE, EEXIST, source->path, remedy, "%s", what);
}

int image_source_check(const struct image_source *source, struct failure *f)
{
	if (source->bare)
		return 0;
	switch (source->mark.kind) {
	case MARK_ARMED:
		return 0;
	case MARK_DROPPED:
		/* A damaged mark was disarmed: nobody knows where its image was. */
		if (!source->mark.header_offset)
			return failure_set(f, REASON_NO_IMAGE, ENODATA, source->path, NULL,
					   "no image: an ordinary swap area (an image was dropped: %s)",
					   mark_drop_phrase(source->mark.drop));
		return 0;
	case MARK_NONE:
		return failure_set(f, REASON_NO_IMAGE, ENODATA, source->path,
				   "For a swap file on a device, give its place with --offset=.",
				   "no image: neither a swap area nor the beginning of an image at byte %llu",
				   (unsigned long long)source->position);
	case MARK_SWAP:
		return failure_set(f, REASON_NO_IMAGE, ENODATA, source->path, NULL, "no image: an ordinary swap area");
	case MARK_DAMAGED:
		if (source->mark.version && source->mark.version != 1)
			return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, source->path,
					   "Use the version of hibernated that wrote it.",
					   "its mark is of version %u, this program knows 1", source->mark.version);
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, source->path,
				   "hibernate-image discard gives the area back to swap.", "its mark is damaged");
	case MARK_KERNEL:
		return foreign(source, "an image of the kernel's own hibernation (S1SUSPEND), not of hibernated",
			       "Resume it with resume= on the kernel's command line, or drop it with mkswap.", f);
	case MARK_USWSUSP:
		return foreign(source, "an image of uswsusp (s2disk), not of hibernated",
			       "Resume it with uswsusp, or drop it with mkswap.", f);
	case MARK_OTHER:
		return foreign(source, "an image of another program, not of hibernated",
			       "Resume it with the program that wrote it, or drop it with mkswap.", f);
	case _MARK_KIND_MAX:
	case _MARK_KIND_INVALID:
		break;
	}
	return failure_set(f, REASON_INTERNAL, EINVAL, source->path, NULL, "a mark of kind %d", (int)source->mark.kind);
}

/* Memory for all that the body can hold, by its size. */
static int allocate(struct image_loaded *loaded, uint8_t **body, size_t *body_room)
{
	size_t size = loaded->header.body_size;
	size_t extents = size / sizeof(struct extent_disk), chunks = size / sizeof(struct chunk_disk);
	size_t index_at = extents * sizeof(struct extent);
	size_t body_at = round_up(index_at + chunks * sizeof(struct image_chunk), PAGE_BYTES);

	_Static_assert(sizeof(struct extent) % _Alignof(struct image_chunk) == 0, "the index follows the map");
	*body_room = round_up(size, PAGE_BYTES);
	loaded->memory = aligned_alloc(PAGE_BYTES, MAX(body_at + *body_room, (size_t)PAGE_BYTES));
	if (!loaded->memory)
		return -ENOMEM;
	extent_list_init(&loaded->map, loaded->memory, extents);
	loaded->index = (struct image_index){
		.chunks = (void *)((uint8_t *)loaded->memory + index_at),
		.capacity = chunks,
	};
	*body = (uint8_t *)loaded->memory + body_at;
	return 0;
}

/* Half of the memory: what an image asks for is not authentic, and nobody's machine shall stop for it. */
static uint64_t argon2_limit_kib(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (PAGE_BYTES / KIB) / 2;
}

static int use_key(const struct seal_opened *opened, const char *name, struct image_loaded *loaded,
		   struct seal_stream **body, struct failure *f)
{
	int r = seal_stream_new(&loaded->chunks, SEAL_CHUNKS, opened->transcript.suite);

	if (r >= 0)
		r = seal_stream_key(loaded->chunks, &opened->transcript, opened->image_key);
	if (r >= 0)
		r = seal_stream_new(body, SEAL_BODY, opened->transcript.suite);
	if (r >= 0)
		r = seal_stream_key(*body, &opened->transcript, opened->image_key);
	return r < 0 ? failure_set(f, REASON_CRYPTO, -r, name, NULL, "its keys cannot be derived") : 0;
}

static int ask(const struct image_source *source, int secret_fd, struct asked *asked, struct failure *f)
{
	char question[SOURCE_NAME_MAX + 64];
	int r;

	snprintf(question, sizeof(question), "Passphrase or recovery key for the image on %s: ", source->name);
	r = secret_fd == SECRET_TERMINAL ? ask_terminal(question, asked, f) : ask_fd(secret_fd, asked, f);
	if (r >= 0 && !asked->size)
		r = failure_set(f, REASON_USAGE, 0, source->name, NULL, "an empty passphrase opens nothing");
	return r;
}

/* Ask for its passphrase until it opens, or too often. */
static int unseal(const struct image_source *source, int secret_fd, const void *page, struct image_loaded *loaded,
		  struct seal_stream **body, struct failure *f)
{
	AUTO_SECRET struct seal_opened *opened = NULL;
	AUTO_SECRET struct asked *asked = NULL;
	unsigned int tries = secret_fd == SECRET_TERMINAL ? SECRET_TRIES : 1;
	struct rlimit limit;
	uint32_t wraps;
	int r;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &limit);
	}
	r = crypto_init(f);
	if (r >= 0)
		r = seal_page_check(page, source->name, &wraps, f);
	if (r < 0)
		return r;
	opened = secret_new(sizeof(*opened));
	asked = secret_new(sizeof(*asked));
	if (!opened || !asked)
		return secret_refused(source->name, f);
	do {
		r = ask(source, secret_fd, asked, f);
		if (r >= 0)
			r = seal_page_open(page, asked_bytes(asked), argon2_limit_kib(), source->name, opened, f);
	} while (r == KEY_WRONG_SECRET && --tries);
	if (r == KEY_WRONG_SECRET)
		return failure_set(f, REASON_WRONG_SECRET, EACCES, source->name, NULL, "this passphrase does not open the image");
	return r < 0 ? r : use_key(opened, source->name, loaded, body, f);
}

static int load(const struct image_source *source, int secret_fd, struct image_loaded *loaded, struct failure *f)
{
	AUTO_FREE void *page = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
	AUTO_SEAL_STREAM struct seal_stream *stream = NULL;
	bool sealed;
	size_t room;
	uint8_t *body;
	int r;

	if (!page)
		return failure_set(f, REASON_INTERNAL, ENOMEM, source->name, NULL, "no memory");
	r = image_read_header(source->fd, source->name, source->header_offset, source->size, page, &loaded->header, f);
	if (r < 0)
		return r;
	sealed = suite_seals(loaded->header.suite);
	loaded->closed = sealed && secret_fd == SECRET_NONE;
	if (loaded->closed)
		return 0;
	if (sealed)
		r = unseal(source, secret_fd, page, loaded, &stream, f);
	if (r < 0)
		return r;
	if (allocate(loaded, &body, &room) < 0)
		return failure_set(f, REASON_INTERNAL, ENOMEM, source->name, NULL, "no memory for the image's body of %llu KiB",
				   (unsigned long long)(loaded->header.body_size / KIB));
	r = image_read_body(source->fd, source->name, &loaded->header, source->header_offset, source->size, stream, body, room,
			    &loaded->meta, &loaded->map, &loaded->index, f);
	if (r < 0)
		return r;
	loaded->stored_bytes = extent_list_total(&loaded->map) + round_up(loaded->header.body_size, PAGE_BYTES);
	return 0;
}

int image_source_load(const struct image_source *source, int secret_fd, struct image_loaded *loaded, struct failure *f)
{
	int r = image_source_check(source, f);

	*loaded = (struct image_loaded){0};
	if (r >= 0)
		r = load(source, secret_fd, loaded, f);
	if (r < 0 && f && !source->bare && source->mark.kind == MARK_DROPPED && f->reason == REASON_IMAGE_DAMAGED)
		snprintf(f->remedy, sizeof(f->remedy),
			 "It was dropped (%s); what swap has been used for since lies over it.",
			 source->mark.state == MARK_STATE_RESUMED ? "it was resumed" : mark_drop_phrase(source->mark.drop));
	if (r >= 0 && !source->bare && memcmp(loaded->header.id.bytes, source->mark.image_id, IMAGE_ID_BYTES) != 0)
		r = failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, source->name, NULL,
				"the image where the mark points is of another hibernation");
	return r;
}

void image_loaded_deinit(struct image_loaded *loaded)
{
	free(loaded->memory);
	seal_stream_free(loaded->chunks);
	*loaded = (struct image_loaded){0};
}

int image_source_check_device(const struct image_source *source, struct failure *f)
{
	struct sysctx sys = sysctx_host();
	struct area_identity found = {0};
	struct swap_header header;
	struct block block;

	if (!source->block || source->bare || block_by_path(&sys, source->path, &block) < 0)
		return 0;
	found.device_size = block.size;
	found.partition_start = block.start;
	block_device_id(&sys, &block, found.device_id);
	if (swap_header_read(source->fd, source->position, &header) >= 0)
		memcpy(found.swap_uuid, header.uuid, sizeof(found.swap_uuid));
	return area_identity_compare(&source->mark.identity, &found, source->path, f);
}
