/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the mark and the swap header lie on the disk (doc/image-format.md). All fields little-endian.
 *
 * The record ends where the signature begins, and its own last field is the signature that was there
 * before: where uswsusp keeps it too, so that its tools, if they meet our mark, put the right thing back.
 */
#pragma once

#include "area/identity.h"
#include "area/mark.h"
#include "base/util.h"
#include "codec/checksum.h"

/* The swap header, version 1, as mkswap(8) and the kernel have it. */
struct swap_header_disk {
	uint8_t boot_bits[1024];
	uint32_t version;
	uint32_t last_page;
	uint32_t bad_page_count;
	uint8_t uuid[16];
	uint8_t label[16];
	uint32_t padding[117];
	uint32_t bad_pages[];
} __attribute__((packed));
_Static_assert(offsetof(struct swap_header_disk, bad_pages) == 1536, "swap header");

#define MARK_OFFSET 3584 /* in the page: its last 512 bytes are one sector */
#define MARK_SIGNATURE_OFFSET (PAGE_BYTES - MARK_SIGNATURE_BYTES)
#define MARK_BAD_PAGES_MAX ((MARK_OFFSET - 1536) / 4)
#define MARK_MAGIC "hibernated mark" /* with its NUL, 16 bytes */

struct mark_disk {
	uint8_t magic[16];
	uint32_t version;
	uint32_t length;             /* of this structure */
	uint8_t checksum[16];        /* XXH3-128 of the structure with this field zero */
	uint32_t state;              /* enum mark_state */
	uint32_t drop;               /* enum mark_drop */
	uint32_t flags;              /* none defined: must be 0 */
	uint32_t tries;
	uint8_t boot_id[16];
	uint8_t image_id[16];
	uint64_t header_offset;
	/* struct area_identity */
	uint8_t swap_uuid[16];
	uint8_t filesystem_uuid[16];
	uint64_t device_size;
	uint64_t partition_start;
	uint8_t part_uuid[IDENTITY_PART_UUID_MAX];
	uint8_t device_id[IDENTITY_DEVICE_ID_MAX];
	/* struct mark_save */
	uint64_t created_usec;
	uint64_t save_usec;
	uint64_t write_usec;
	uint64_t stored_bytes;
	uint64_t pages;
	/* struct mark_boot */
	uint64_t boot_started_usec;
	uint64_t boot_start_usec;
	uint64_t boot_load_usec;
	uint64_t boot_total_usec;
	uint64_t boot_loaded_bytes;
	/* struct mark_save, continued */
	uint64_t freeze_usec;
	uint64_t create_usec;
	uint64_t slots_usec;
	uint8_t reserved[108];       /* zeros */
	uint8_t signature[MARK_SIGNATURE_BYTES];
} __attribute__((packed));

#define CHECK_OFFSET(field, at) _Static_assert(offsetof(struct mark_disk, field) == (at), "offset of " #field)
CHECK_OFFSET(magic, 0);
CHECK_OFFSET(version, 16);
CHECK_OFFSET(length, 20);
CHECK_OFFSET(checksum, 24);
CHECK_OFFSET(state, 40);
CHECK_OFFSET(drop, 44);
CHECK_OFFSET(flags, 48);
CHECK_OFFSET(tries, 52);
CHECK_OFFSET(boot_id, 56);
CHECK_OFFSET(image_id, 72);
CHECK_OFFSET(header_offset, 88);
CHECK_OFFSET(swap_uuid, 96);
CHECK_OFFSET(filesystem_uuid, 112);
CHECK_OFFSET(device_size, 128);
CHECK_OFFSET(partition_start, 136);
CHECK_OFFSET(part_uuid, 144);
CHECK_OFFSET(device_id, 184);
CHECK_OFFSET(created_usec, 280);
CHECK_OFFSET(save_usec, 288);
CHECK_OFFSET(write_usec, 296);
CHECK_OFFSET(stored_bytes, 304);
CHECK_OFFSET(pages, 312);
CHECK_OFFSET(boot_started_usec, 320);
CHECK_OFFSET(boot_start_usec, 328);
CHECK_OFFSET(boot_load_usec, 336);
CHECK_OFFSET(boot_total_usec, 344);
CHECK_OFFSET(boot_loaded_bytes, 352);
CHECK_OFFSET(freeze_usec, 360);
CHECK_OFFSET(create_usec, 368);
CHECK_OFFSET(slots_usec, 376);
CHECK_OFFSET(reserved, 384);
CHECK_OFFSET(signature, 492);
_Static_assert(sizeof(struct mark_disk) == 502, "record and signature fill a sector");
#undef CHECK_OFFSET

/* True for the signatures that swapon takes; @signature is of MARK_SIGNATURE_BYTES. */
bool mark_signature_is_swap(const void *signature);

/* The checksum that belongs into @disk, whatever stands there. */
void mark_disk_checksum(const struct mark_disk *disk, uint8_t out[CHECKSUM_BYTES]);

/* An armed record, without its checksum; @signature is what stands in the page now, and may lie in @disk. */
void mark_disk_encode(const struct mark *mark, const void *signature, struct mark_disk *disk);

/* The boot half's numbers, but for the tries. */
void mark_disk_encode_boot(const struct mark_boot *boot, struct mark_disk *disk);
