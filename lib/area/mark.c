/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading and changing the mark. Each change reads the page first and touches nothing but the last
 * sector of it; the page is written whole because that is what O_DIRECT does on any sector size.
 */
#include "area/mark.h"

#include "area/mark-disk.h"
#include "base/clock.h"
#include "base/fdio.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SIGNATURE_OURS "ULSUSPEND" /* with its NUL, 10 bytes */
#define RETRACT_TRIES 3
#define RETRACT_PAUSE_USEC (50 * USEC_PER_MSEC)

static const char *const kind_names[] = {
	[MARK_NONE] = "none",       [MARK_SWAP] = "swap",       [MARK_ARMED] = "armed",     [MARK_DROPPED] = "dropped",
	[MARK_DAMAGED] = "damaged", [MARK_KERNEL] = "kernel",   [MARK_USWSUSP] = "uswsusp", [MARK_OTHER] = "other",
};
_Static_assert(ARRAY_LENGTH(kind_names) == _MARK_KIND_MAX, "each kind has a name");

static const char *const state_names[] = {
	[MARK_STATE_ARMED] = "armed",
	[MARK_STATE_IN_PROGRESS] = "in-progress",
	[MARK_STATE_RESUMED] = "resumed",
	[MARK_STATE_DISARMED] = "disarmed",
};
_Static_assert(ARRAY_LENGTH(state_names) == _MARK_STATE_MAX, "each state has a name");

static const struct {
	const char *name, *phrase;
} drops[] = {
	[MARK_DROP_NONE] = {"none", "it was not dropped"},
	[MARK_DROP_FAILED] = {"failed", "the hibernation failed after the image was written"},
	[MARK_DROP_SAME_BOOT] = {"same-boot", "the system that wrote it is still running"},
	[MARK_DROP_BOOTED] = {"booted", "the system was booted without a resume step"},
	[MARK_DROP_REFUSED] = {"refused", "it was chosen to boot without it"},
	[MARK_DROP_STALE] = {"stale", "a filesystem was written after the image was taken"},
	[MARK_DROP_UNREADABLE] = {"unreadable", "the image could not be read by this system"},
	[MARK_DROP_DISCARDED] = {"discarded", "it was discarded by hand"},
	[MARK_DROP_TAKEN] = {"taken", "the area was taken into use as swap"},
	[MARK_DROP_WOKE] = {"woke", "the system woke up from RAM and did not need it"},
	[MARK_DROP_IN_USE] = {"in-use", "it was found on a swap area in use"},
};
_Static_assert(ARRAY_LENGTH(drops) == _MARK_DROP_MAX, "each reason has a row");

const char *mark_kind_name(enum mark_kind kind)
{
	return kind >= 0 && kind < _MARK_KIND_MAX ? kind_names[kind] : NULL;
}

const char *mark_state_name(enum mark_state state)
{
	return state >= MARK_STATE_ARMED && state < _MARK_STATE_MAX ? state_names[state] : NULL;
}

const char *mark_drop_name(enum mark_drop drop)
{
	return drop >= 0 && drop < _MARK_DROP_MAX ? drops[drop].name : NULL;
}

const char *mark_drop_phrase(enum mark_drop drop)
{
	return drop >= 0 && drop < _MARK_DROP_MAX ? drops[drop].phrase : NULL;
}

/* ---- input and output -------------------------------------------------- */

static int load(const struct mark_io *io, struct failure *f)
{
	int r = fd_pread_full(io->fd, io->buffer, PAGE_BYTES, io->position);

	if (r < 0)
		return failure_set(f, REASON_IO, -r, io->name, NULL, "the first page of the swap area cannot be read");
	return 0;
}

/* Write the page in the buffer's first half, flush, and see that it reads back the same. */
static int store(const struct mark_io *io, struct failure *f)
{
	void *again = (char *)io->buffer + PAGE_BYTES;
	int r = fd_pwrite_full(io->fd, io->buffer, PAGE_BYTES, io->position);

	if (r == -ETXTBSY)
		return failure_set(f, REASON_BUSY, ETXTBSY, io->name, "Let hibernated do it, or turn the swap area off.",
				   "the area is active swap, which only a snapshot session may write to");
	if (r < 0)
		return failure_set(f, REASON_IO, -r, io->name, "Check the disk.",
				   "the first page of the swap area cannot be written");
	if (fdatasync(io->fd) < 0)
		return failure_set(f, REASON_IO, errno, io->name, "Check the disk.",
				   "the first page of the swap area could not be flushed to the medium");
	memset(again, 0, PAGE_BYTES);
	r = fd_pread_full(io->fd, again, PAGE_BYTES, io->position);
	if (r < 0)
		return failure_set(f, REASON_IO, -r, io->name, "Check the disk.",
				   "the first page of the swap area cannot be read back");
	if (memcmp(io->buffer, again, PAGE_BYTES) != 0)
		return failure_set(f, REASON_IO, EIO, io->name, "Check the disk.",
				   "the first page of the swap area reads back other than it was written");
	return 0;
}

static struct mark_disk *record_in(const struct mark_io *io)
{
	return (void *)((char *)io->buffer + MARK_OFFSET);
}

static char *signature_in(const struct mark_io *io)
{
	return (char *)io->buffer + MARK_SIGNATURE_OFFSET;
}

static int store_record(const struct mark_io *io, struct failure *f)
{
	mark_disk_checksum(record_in(io), record_in(io)->checksum);
	return store(io, f);
}

static int load_and_decode(const struct mark_io *io, struct mark *mark, struct failure *f)
{
	int r = load(io, f);

	if (r == 0)
		mark_decode(io->buffer, mark);
	return r;
}

static int not_ours(const struct mark_io *io, const struct mark *mark, struct failure *f)
{
	switch (mark->kind) {
	case MARK_KERNEL:
		return failure_set(f, REASON_FOREIGN_IMAGE, EEXIST, io->name, "Resume or discard it first (mkswap discards it).",
				   "the area holds an image of the kernel's own hibernation");
	case MARK_USWSUSP:
		return failure_set(f, REASON_FOREIGN_IMAGE, EEXIST, io->name, "Resume or discard it first (mkswap discards it).",
				   "the area holds an image of uswsusp");
	case MARK_OTHER:
		return failure_set(f, REASON_FOREIGN_IMAGE, EEXIST, io->name, "Resume or discard it first (mkswap discards it).",
				   "the area holds an image of another program");
	case MARK_NONE:
		return failure_set(f, REASON_AREA_UNSUITABLE, EEXIST, io->name, "Make it one with mkswap.",
				   "this is not a swap area");
	case MARK_ARMED:
	case MARK_DAMAGED:
		return failure_set(f, REASON_FOREIGN_IMAGE, EEXIST, io->name, "Discard it with hibernate-image discard.",
				   "the area holds another image already");
	case MARK_SWAP:
	case MARK_DROPPED:
	case _MARK_KIND_MAX:
	case _MARK_KIND_INVALID:
		break;
	}
	return failure_set(f, REASON_NO_IMAGE, EEXIST, io->name, NULL, "the area holds no image that this could be done to");
}

int mark_read(const struct mark_io *io, struct mark *mark, struct failure *f)
{
	return load_and_decode(io, mark, f);
}

int mark_arm(const struct mark_io *io, const struct mark *mark, struct failure *f)
{
	const struct swap_header_disk *header = io->buffer;
	struct mark found;
	int r = load_and_decode(io, &found, f);

	if (r < 0)
		return r;
	if (found.kind != MARK_SWAP && found.kind != MARK_DROPPED)
		return not_ours(io, &found, f);
	if (le32toh(header->version) == 1 && le32toh(header->bad_page_count) > MARK_BAD_PAGES_MAX)
		return failure_set(f, REASON_AREA_UNSUITABLE, EFBIG, io->name, "Use another disk.",
				   "the swap header lists %u bad pages, and there is room for a mark behind %u at most",
				   le32toh(header->bad_page_count), MARK_BAD_PAGES_MAX);
	mark_disk_encode(mark, signature_in(io), record_in(io));
	memcpy(signature_in(io), SIGNATURE_OURS, MARK_SIGNATURE_BYTES);
	return store_record(io, f);
}

/* The signature from before; SWAPSPACE2 if the record does not say it any more. */
static void restore_signature(const struct mark_io *io)
{
	struct mark_disk *disk = record_in(io);

	if (!mark_signature_is_swap(disk->signature))
		memcpy(disk->signature, "SWAPSPACE2", MARK_SIGNATURE_BYTES);
	memcpy(signature_in(io), disk->signature, MARK_SIGNATURE_BYTES);
}

int mark_disarm(const struct mark_io *io, enum mark_drop drop, struct failure *f)
{
	struct mark_disk *disk = record_in(io);
	struct mark found;
	int r = load_and_decode(io, &found, f);

	if (r < 0)
		return r;
	switch (found.kind) {
	case MARK_SWAP:
		return 0;
	case MARK_DROPPED:
		/* A state that says it is over needs nothing; armed (taken by swapon) and in progress do. */
		if (le32toh(disk->state) == MARK_STATE_RESUMED || le32toh(disk->state) == MARK_STATE_DISARMED)
			return 0;
		break;
	case MARK_ARMED:
		break;
	case MARK_DAMAGED:
		/* Nothing in it can be believed but the place of the old signature. */
		mark_disk_encode(&(struct mark){0}, disk->signature, disk);
		break;
	case MARK_NONE:
	case MARK_KERNEL:
	case MARK_USWSUSP:
	case MARK_OTHER:
	case _MARK_KIND_MAX:
	case _MARK_KIND_INVALID:
		return not_ours(io, &found, f);
	}
	restore_signature(io);
	disk->state = htole32(MARK_STATE_DISARMED);
	disk->drop = htole32((uint32_t)drop);
	return store_record(io, f);
}

static int destroy_header(const struct mark_io *io, uint64_t header_offset)
{
	int r;

	if (header_offset == io->position)
		return -EINVAL;
	memset(io->buffer, 0, PAGE_BYTES);
	r = fd_pwrite_full(io->fd, io->buffer, PAGE_BYTES, header_offset);
	if (r == 0 && fdatasync(io->fd) < 0)
		r = -errno;
	return r < 0 ? r : MARK_HEADER_DESTROYED;
}

int mark_retract(const struct mark_io *io, uint64_t header_offset, enum mark_drop drop, struct failure *f)
{
	for (unsigned int tries = 0; tries < RETRACT_TRIES; tries++) {
		int r = mark_disarm(io, drop, f);

		/* What was written and not flushed reads back as done. */
		if (r == 0 && tries && fdatasync(io->fd) < 0)
			r = -errno;
		if (r == 0)
			return MARK_RETRACTED;
		clock_sleep_usec(RETRACT_PAUSE_USEC);
	}
	return destroy_header(io, header_offset);
}

int mark_begin_resume(const struct mark_io *io, const struct mark_boot *boot, struct failure *f)
{
	struct mark_disk *disk = record_in(io);
	struct mark found;
	int r = load_and_decode(io, &found, f);

	if (r < 0)
		return r;
	if (found.kind != MARK_ARMED)
		return not_ours(io, &found, f);
	restore_signature(io);
	disk->state = htole32(MARK_STATE_IN_PROGRESS);
	disk->tries = htole32(found.boot.tries + 1);
	mark_disk_encode_boot(boot, disk);
	return store_record(io, f);
}

/* Load the page if it holds image @image_id in progress. */
static int load_in_progress(const struct mark_io *io, const uint8_t image_id[16], struct failure *f)
{
	struct mark found;
	int r = load_and_decode(io, &found, f);

	if (r < 0)
		return r;
	if (found.kind == MARK_DROPPED && found.state == MARK_STATE_IN_PROGRESS && memcmp(found.image_id, image_id, 16) == 0)
		return 0;
	return not_ours(io, &found, f);
}

int mark_rearm(const struct mark_io *io, const uint8_t image_id[16], struct failure *f)
{
	struct mark found;
	int r = load_and_decode(io, &found, f);

	if (r == 0 && found.kind == MARK_ARMED && memcmp(found.image_id, image_id, 16) == 0)
		return 0; /* it was never changed */
	if (r == 0)
		r = load_in_progress(io, image_id, f);
	if (r < 0)
		return r;
	record_in(io)->state = htole32(MARK_STATE_ARMED);
	memcpy(signature_in(io), SIGNATURE_OURS, MARK_SIGNATURE_BYTES);
	return store_record(io, f);
}

int mark_set_resumed(const struct mark_io *io, const uint8_t image_id[16], struct failure *f)
{
	int r = load_in_progress(io, image_id, f);

	if (r < 0)
		return r;
	record_in(io)->state = htole32(MARK_STATE_RESUMED);
	return store_record(io, f);
}
