/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fdio.h"
#include "image/check.h"
#include "image/format.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static struct checksum header_checksum(const struct header_disk *disk)
{
	return checksum_of(disk, offsetof(struct header_disk, checksum));
}

static void close_page(struct header_disk *disk)
{
	struct checksum sum = header_checksum(disk);

	memcpy(disk->checksum, sum.bytes, sizeof(disk->checksum));
}

static void encode_sealing(const struct image_header *header, struct header_disk *disk)
{
	disk->slot_count = htole32(1);
	memcpy(disk->kernel_release, header->kernel_release,
	       strnlen(header->kernel_release, sizeof(disk->kernel_release) - 1));
	memcpy(disk->slots[0], header->slot, sizeof(disk->slots[0]));
	memcpy(disk->sealed_blob, header->blob, sizeof(disk->sealed_blob));
	memcpy(disk->signature, header->signature, sizeof(disk->signature));
}

void image_header_encode(const struct image_header *header, void *page)
{
	struct header_disk *disk = page;

	memset(disk, 0, sizeof(*disk));
	memcpy(disk->magic, IMAGE_MAGIC, sizeof(disk->magic));
	disk->version = htole32(IMAGE_VERSION);
	disk->header_size = htole32(PAGE_BYTES);
	disk->suite = htole32((uint32_t)header->suite);
	disk->body_extent_count = htole32((uint32_t)header->body_extent_count);
	memcpy(disk->id, header->id.bytes, sizeof(disk->id));
	disk->body_size = htole64(header->body_size);
	memcpy(disk->body_checksum, header->body_checksum.bytes, sizeof(disk->body_checksum));
	for (size_t i = 0; i < header->body_extent_count; i++) {
		disk->body_extents[i].start = htole64(header->body_extents[i].start);
		disk->body_extents[i].length = htole64(header->body_extents[i].length);
	}
	if (suite_seals(header->suite))
		encode_sealing(header, disk);
	close_page(disk);
}

void image_header_sign(void *page, const uint8_t signature[CRYPTO_SIGNATURE_BYTES])
{
	struct header_disk *disk = page;

	memcpy(disk->signature, signature, sizeof(disk->signature));
	close_page(disk);
}

/* Whether the places of sealing hold what the suite says, and nothing is anywhere else. */
static bool places_known(const struct header_disk *disk)
{
	bool sealed = suite_seals((enum seal_suite)le32toh(disk->suite));
	const char *end = memchr(disk->kernel_release, '\0', sizeof(disk->kernel_release));
	size_t used = sealed ? 1 : 0;

	if (le32toh(disk->header_size) != PAGE_BYTES || !image_zeros(disk->reserved, sizeof(disk->reserved)) ||
	    le32toh(disk->slot_count) != used ||
	    !image_zeros(disk->slots[used], (SEAL_SLOT_COUNT - used) * sizeof(disk->slots[0])))
		return false;
	if (sealed)
		return end && image_zeros(end, (size_t)(disk->kernel_release + sizeof(disk->kernel_release) - end));
	return image_zeros(disk->kernel_release, sizeof(disk->kernel_release)) &&
	       image_zeros(disk->sealed_blob, sizeof(disk->sealed_blob)) &&
	       image_zeros(disk->signature, sizeof(disk->signature));
}

/* Version and the rest that a newer program may have changed; only after the checksum has been verified. */
static int check_version(const struct header_disk *disk, const char *name, struct failure *f)
{
	const char *remedy = IMAGE_REMEDY_VERSION;

	if (le32toh(disk->version) != IMAGE_VERSION)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, remedy,
				   "the image has format version %u, this program knows %d", le32toh(disk->version),
				   IMAGE_VERSION);
	if (disk->flags)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, remedy,
				   "the image has flags 0x%llx, which are unknown here",
				   (unsigned long long)le64toh(disk->flags));
	if (le32toh(disk->suite) >= _SUITE_MAX)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, remedy,
				   "the image is sealed with suite %u, which is unknown here", le32toh(disk->suite));
	if (!places_known(disk))
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, remedy,
				   "the image's header page has fields that are unknown here");
	return 0;
}

/* The list of the body's extents, and that the body fills them. */
static int decode_body_place(const struct header_disk *disk, const char *name, uint64_t device_size,
			     struct image_header *header, struct failure *f)
{
	uint64_t room = 0;
	int r;

	header->body_size = le64toh(disk->body_size);
	header->body_extent_count = le32toh(disk->body_extent_count);
	if (header->body_extent_count > IMAGE_BODY_EXTENTS || header->body_size > IMAGE_BODY_MAX)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				   "the image's body of %llu bytes in %zu extents is more than can be",
				   (unsigned long long)header->body_size, header->body_extent_count);
	for (size_t i = 0; i < header->body_extent_count; i++) {
		header->body_extents[i].start = le64toh(disk->body_extents[i].start);
		header->body_extents[i].length = le64toh(disk->body_extents[i].length);
	}
	r = image_check_extents(header->body_extents, header->body_extent_count, device_size, "body", name, f);
	if (r < 0)
		return r;
	for (size_t i = 0; i < header->body_extent_count; i++)
		room += header->body_extents[i].length;
	if (round_up(header->body_size, PAGE_BYTES) != room ||
	    !image_zeros(&disk->body_extents[header->body_extent_count],
		       (IMAGE_BODY_EXTENTS - header->body_extent_count) * sizeof(struct extent_disk)))
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				   "the image's body of %llu bytes does not fill its extents of %llu",
				   (unsigned long long)header->body_size, (unsigned long long)room);
	return 0;
}

int image_header_decode(const void *page, const char *name, uint64_t device_size, struct image_header *header,
			struct failure *f)
{
	const struct header_disk *disk = page;
	struct image_header decoded = {0};
	struct checksum sum = header_checksum(disk);
	int r;

	if (memcmp(disk->magic, IMAGE_MAGIC, sizeof(disk->magic)) != 0)
		return failure_set(f, REASON_NO_IMAGE, ENODATA, name, NULL, "no image begins there");
	if (memcmp(sum.bytes, disk->checksum, sizeof(sum.bytes)) != 0)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				   "the image's header page does not match its checksum");
	r = check_version(disk, name, f);
	if (r >= 0)
		r = decode_body_place(disk, name, device_size, &decoded, f);
	if (r < 0)
		return r;
	memcpy(decoded.id.bytes, disk->id, sizeof(disk->id));
	memcpy(decoded.body_checksum.bytes, disk->body_checksum, sizeof(disk->body_checksum));
	decoded.suite = (enum seal_suite)le32toh(disk->suite);
	memcpy(decoded.kernel_release, disk->kernel_release, sizeof(disk->kernel_release));
	memcpy(decoded.slot, disk->slots[0], sizeof(disk->slots[0]));
	memcpy(decoded.blob, disk->sealed_blob, sizeof(disk->sealed_blob));
	memcpy(decoded.signature, disk->signature, sizeof(disk->signature));
	*header = decoded;
	return 0;
}

bool image_may_be_sealed(int fd, uint64_t header_offset, void *page)
{
	const struct header_disk *disk = page;

	return fd_pread_full(fd, page, PAGE_BYTES, header_offset) >= 0 && disk->suite;
}

int image_read_header(int fd, const char *name, uint64_t header_offset, uint64_t device_size, void *page,
		      struct image_header *header, struct failure *f)
{
	int r;

	if (header_offset % PAGE_BYTES || header_offset > device_size || device_size - header_offset < PAGE_BYTES)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				   "the image's header page at byte %llu lies outside the device's %llu bytes: cut short?",
				   (unsigned long long)header_offset, (unsigned long long)device_size);
	r = fd_pread_full(fd, page, PAGE_BYTES, header_offset);
	if (r < 0)
		return failure_set(f, REASON_IO, -r, name, "Check the disk and its cabling.",
				   "reading the image's header page failed");
	r = image_header_decode(page, name, device_size, header, f);
	if (r == -ENODATA)
		r = failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, IMAGE_REMEDY_DAMAGED,
				"the image's header page at byte %llu is not there: overwritten?",
				(unsigned long long)header_offset);
	return r;
}
