/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mark between disk and memory. Nothing of a record is believed before it is valid as a whole. */
#include "area/mark-disk.h"

#include "codec/checksum.h"

#include <endian.h>
#include <string.h>

enum signature {
	SIGNATURE_NONE,
	SIGNATURE_SWAP,
	SIGNATURE_SUSPENDED, /* ULSUSPEND */
	SIGNATURE_KERNEL,
	SIGNATURE_OTHER,
};

static const struct {
	const char *bytes;
	size_t size;
	enum signature meaning;
} signatures[] = {
	{"SWAPSPACE2", 10, SIGNATURE_SWAP},      {"SWAP-SPACE", 10, SIGNATURE_SWAP},
	{"ULSUSPEND", 9, SIGNATURE_SUSPENDED},   {"S1SUSPEND", 9, SIGNATURE_KERNEL},
	{"LINHIB0001", 10, SIGNATURE_KERNEL},    {"S2SUSPEND", 9, SIGNATURE_OTHER},
};

static const char tuxonice[] = "\xed\xc3\x02\xe9\x98\x56\xe5\x0c"; /* at the beginning of the page */

static enum signature classify(const void *signature)
{
	for (size_t i = 0; i < ARRAY_LENGTH(signatures); i++)
		if (memcmp(signature, signatures[i].bytes, signatures[i].size) == 0)
			return signatures[i].meaning;
	return SIGNATURE_NONE;
}

bool mark_signature_is_swap(const void *signature)
{
	return classify(signature) == SIGNATURE_SWAP;
}

void mark_disk_checksum(const struct mark_disk *disk, uint8_t out[CHECKSUM_BYTES])
{
	struct mark_disk copy = *disk;
	struct checksum sum;

	memset(copy.checksum, 0, sizeof(copy.checksum));
	sum = checksum_of(&copy, sizeof(copy));
	memcpy(out, sum.bytes, CHECKSUM_BYTES);
}

static bool has_magic(const struct mark_disk *disk)
{
	return memcmp(disk->magic, MARK_MAGIC, sizeof(disk->magic)) == 0;
}

static bool zeros(const uint8_t *bytes, size_t size)
{
	while (size && !bytes[size - 1])
		size--;
	return size == 0;
}

/* True if the record can be believed; its enums are in range then. */
static bool valid(const struct mark_disk *disk)
{
	uint8_t sum[CHECKSUM_BYTES];

	if (!has_magic(disk) || le32toh(disk->version) != MARK_VERSION || le32toh(disk->length) != sizeof(*disk))
		return false;
	mark_disk_checksum(disk, sum);
	if (memcmp(sum, disk->checksum, sizeof(sum)) != 0 || le32toh(disk->flags) ||
	    !zeros(disk->reserved, sizeof(disk->reserved)))
		return false;
	if (le32toh(disk->state) < MARK_STATE_ARMED || le32toh(disk->state) >= _MARK_STATE_MAX ||
	    le32toh(disk->drop) >= _MARK_DROP_MAX)
		return false;
	return memchr(disk->part_uuid, '\0', sizeof(disk->part_uuid)) &&
	       memchr(disk->device_id, '\0', sizeof(disk->device_id)) &&
	       mark_signature_is_swap(disk->signature);
}

static void decode_record(const struct mark_disk *disk, struct mark *mark)
{
	mark->state = (enum mark_state)le32toh(disk->state);
	mark->drop = (enum mark_drop)le32toh(disk->drop);
	memcpy(mark->boot_id, disk->boot_id, sizeof(mark->boot_id));
	memcpy(mark->image_id, disk->image_id, sizeof(mark->image_id));
	mark->header_offset = le64toh(disk->header_offset);
	memcpy(mark->identity.swap_uuid, disk->swap_uuid, sizeof(disk->swap_uuid));
	memcpy(mark->identity.filesystem_uuid, disk->filesystem_uuid, sizeof(disk->filesystem_uuid));
	mark->identity.device_size = le64toh(disk->device_size);
	mark->identity.partition_start = le64toh(disk->partition_start);
	memcpy(mark->identity.part_uuid, disk->part_uuid, sizeof(disk->part_uuid));
	memcpy(mark->identity.device_id, disk->device_id, sizeof(disk->device_id));
	mark->save.created_usec = le64toh(disk->created_usec);
	mark->save.save_usec = le64toh(disk->save_usec);
	mark->save.write_usec = le64toh(disk->write_usec);
	mark->save.stored_bytes = le64toh(disk->stored_bytes);
	mark->save.pages = le64toh(disk->pages);
	mark->save.freeze_usec = le64toh(disk->freeze_usec);
	mark->save.create_usec = le64toh(disk->create_usec);
	mark->save.slots_usec = le64toh(disk->slots_usec);
	mark->boot.started_usec = le64toh(disk->boot_started_usec);
	mark->boot.start_usec = le64toh(disk->boot_start_usec);
	mark->boot.load_usec = le64toh(disk->boot_load_usec);
	mark->boot.total_usec = le64toh(disk->boot_total_usec);
	mark->boot.loaded_bytes = le64toh(disk->boot_loaded_bytes);
	mark->boot.tries = le32toh(disk->tries);
	memcpy(mark->signature, disk->signature, sizeof(mark->signature));
}

void mark_disk_encode_boot(const struct mark_boot *boot, struct mark_disk *disk)
{
	disk->boot_started_usec = htole64(boot->started_usec);
	disk->boot_start_usec = htole64(boot->start_usec);
	disk->boot_load_usec = htole64(boot->load_usec);
	disk->boot_total_usec = htole64(boot->total_usec);
	disk->boot_loaded_bytes = htole64(boot->loaded_bytes);
}

void mark_disk_encode(const struct mark *mark, const void *signature, struct mark_disk *disk)
{
	char before[MARK_SIGNATURE_BYTES];

	memcpy(before, signature, sizeof(before));
	memset(disk, 0, sizeof(*disk));
	memcpy(disk->magic, MARK_MAGIC, sizeof(disk->magic));
	disk->version = htole32(MARK_VERSION);
	disk->length = htole32(sizeof(*disk));
	disk->state = htole32(MARK_STATE_ARMED);
	disk->drop = htole32(MARK_DROP_NONE);
	memcpy(disk->boot_id, mark->boot_id, sizeof(disk->boot_id));
	memcpy(disk->image_id, mark->image_id, sizeof(disk->image_id));
	disk->header_offset = htole64(mark->header_offset);
	memcpy(disk->swap_uuid, mark->identity.swap_uuid, sizeof(disk->swap_uuid));
	memcpy(disk->filesystem_uuid, mark->identity.filesystem_uuid, sizeof(disk->filesystem_uuid));
	disk->device_size = htole64(mark->identity.device_size);
	disk->partition_start = htole64(mark->identity.partition_start);
	memcpy(disk->part_uuid, mark->identity.part_uuid, sizeof(disk->part_uuid) - 1);
	memcpy(disk->device_id, mark->identity.device_id, sizeof(disk->device_id) - 1);
	disk->created_usec = htole64(mark->save.created_usec);
	disk->save_usec = htole64(mark->save.save_usec);
	disk->write_usec = htole64(mark->save.write_usec);
	disk->stored_bytes = htole64(mark->save.stored_bytes);
	disk->pages = htole64(mark->save.pages);
	disk->freeze_usec = htole64(mark->save.freeze_usec);
	disk->create_usec = htole64(mark->save.create_usec);
	disk->slots_usec = htole64(mark->save.slots_usec);
	memcpy(disk->signature, before, sizeof(disk->signature));
}

static const struct mark_disk *record_of(const void *page)
{
	return (const void *)((const char *)page + MARK_OFFSET);
}

/* The last byte of the signature. */
static const char *end_of(const void *page)
{
	return (const char *)page + PAGE_BYTES - 1;
}

void mark_decode(const void *page, struct mark *mark)
{
	const struct mark_disk *disk = record_of(page);
	struct mark found = {.kind = MARK_NONE};

	if (has_magic(disk))
		found.version = le32toh(disk->version);
	if (memcmp(page, tuxonice, sizeof(tuxonice) - 1) == 0) {
		*mark = (struct mark){.kind = MARK_OTHER};
		return;
	}
	switch (classify((const char *)page + MARK_SIGNATURE_OFFSET)) {
	case SIGNATURE_NONE:
		break;
	case SIGNATURE_SWAP:
		found.kind = MARK_SWAP;
		if (!valid(disk))
			break;
		found.kind = MARK_DROPPED;
		decode_record(disk, &found);
		if (found.state == MARK_STATE_ARMED) {
			found.state = MARK_STATE_DISARMED;
			found.drop = MARK_DROP_TAKEN;
		}
		break;
	case SIGNATURE_SUSPENDED:
		if (!has_magic(disk)) {
			found.kind = MARK_USWSUSP;
			break;
		}
		found.kind = MARK_DAMAGED;
		/* uswsusp compares nine bytes; we wrote ten. */
		if (!valid(disk) || le32toh(disk->state) != MARK_STATE_ARMED || *end_of(page))
			break;
		found.kind = MARK_ARMED;
		decode_record(disk, &found);
		break;
	case SIGNATURE_KERNEL:
		found.kind = MARK_KERNEL;
		break;
	case SIGNATURE_OTHER:
		found.kind = MARK_OTHER;
		break;
	}
	*mark = found;
}
