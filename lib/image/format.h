/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Format version 1 as it lies on the disk: little-endian, packed. doc/image-format.md is normative; it and
 * this file change together.
 *
 * Whatever is reserved is written as zeros and must read as zeros; flags that are not known, another
 * version or a suite that is not known mean that a newer program wrote the image, and it is refused.
 */
#pragma once

#include "area/fingerprint.h"
#include "area/identity.h"
#include "image/image.h"

#define IMAGE_MAGIC "hibernated-image" /* 16 bytes, no NUL */
#define IMAGE_VERSION 1
#define IMAGE_BODY_MAX (1 * GIB)

#define PACKED __attribute__((packed))

struct extent_disk {
	uint64_t start;  /* device byte offset */
	uint64_t length; /* bytes */
} PACKED;
_Static_assert(sizeof(struct extent_disk) == 16, "extent");

/* The header page. Everything before @checksum is covered by it. */
struct header_disk {
	uint8_t magic[16];
	uint32_t version;
	uint32_t header_size;              /* PAGE_BYTES */
	uint64_t flags;                    /* none defined */
	uint32_t suite;
	uint32_t body_extent_count;        /* at most IMAGE_BODY_EXTENTS */
	uint8_t id[IMAGE_ID_BYTES];
	uint64_t body_size;                /* bytes, without padding */
	uint8_t body_checksum[CHECKSUM_BYTES];
	uint32_t slot_count;               /* key slots: 0 unsealed, 1 sealed */
	char kernel_release[IMAGE_RELEASE_MAX]; /* sealed: of the image kernel; else zeros */
	uint8_t reserved[92];
	struct extent_disk body_extents[IMAGE_BODY_EXTENTS];
	uint8_t slots[SEAL_SLOT_COUNT][SEAL_SLOT_BYTES]; /* sealed: key slots, */
	uint8_t sealed_blob[SEAL_BLOB_BYTES];            /* the sealed private blob, */
	uint8_t signature[CRYPTO_SIGNATURE_BYTES];       /* and the signature over the page before it */
	uint8_t checksum[CHECKSUM_BYTES];
} PACKED;
_Static_assert(sizeof(IMAGE_MAGIC) - 1 == 16, "magic");
_Static_assert(sizeof(struct header_disk) == PAGE_BYTES, "one page");
_Static_assert(offsetof(struct header_disk, version) == 16, "version");
_Static_assert(offsetof(struct header_disk, header_size) == 20, "header_size");
_Static_assert(offsetof(struct header_disk, flags) == 24, "flags");
_Static_assert(offsetof(struct header_disk, suite) == 32, "suite");
_Static_assert(offsetof(struct header_disk, body_extent_count) == 36, "body_extent_count");
_Static_assert(offsetof(struct header_disk, id) == 40, "id");
_Static_assert(offsetof(struct header_disk, body_size) == 56, "body_size");
_Static_assert(offsetof(struct header_disk, body_checksum) == 64, "body_checksum");
_Static_assert(offsetof(struct header_disk, slot_count) == 80, "slot_count");
_Static_assert(offsetof(struct header_disk, kernel_release) == 84, "kernel_release");
_Static_assert(offsetof(struct header_disk, reserved) == 164, "reserved");
_Static_assert(offsetof(struct header_disk, body_extents) == 256, "body_extents");
_Static_assert(offsetof(struct header_disk, slots) == 1280, "slots");
_Static_assert(offsetof(struct header_disk, sealed_blob) == 3328, "sealed_blob");
_Static_assert(offsetof(struct header_disk, signature) == 4016, "signature");
_Static_assert(offsetof(struct header_disk, checksum) == 4080, "checksum");

struct identity_disk {
	uint8_t swap_uuid[16];
	uint8_t filesystem_uuid[16];
	uint64_t device_size;
	uint64_t partition_start;
	char part_uuid[IDENTITY_PART_UUID_MAX];
	char device_id[IDENTITY_DEVICE_ID_MAX];
} PACKED;
_Static_assert(offsetof(struct identity_disk, filesystem_uuid) == 16, "filesystem_uuid");
_Static_assert(offsetof(struct identity_disk, device_size) == 32, "device_size");
_Static_assert(offsetof(struct identity_disk, partition_start) == 40, "partition_start");
_Static_assert(offsetof(struct identity_disk, part_uuid) == 48, "part_uuid");
_Static_assert(offsetof(struct identity_disk, device_id) == 88, "device_id");
_Static_assert(sizeof(struct identity_disk) == 184, "identity");

struct fingerprint_disk {
	uint32_t kind;
	uint32_t reserved;
	uint8_t uuid[16];
	uint64_t device_size;
	char device_id[FINGERPRINT_DEVICE_MAX];
	char mount[FINGERPRINT_MOUNT_MAX];
	uint8_t value[FINGERPRINT_VALUE_BYTES];
} PACKED;
_Static_assert(offsetof(struct fingerprint_disk, uuid) == 8, "uuid");
_Static_assert(offsetof(struct fingerprint_disk, device_size) == 24, "device_size");
_Static_assert(offsetof(struct fingerprint_disk, device_id) == 32, "device_id");
_Static_assert(offsetof(struct fingerprint_disk, mount) == 128, "mount");
_Static_assert(offsetof(struct fingerprint_disk, value) == 192, "value");
_Static_assert(sizeof(struct fingerprint_disk) == 224, "fingerprint");

#define META_FLAG_PLATFORM 1u /* hibernated with PLATFORM_SUPPORT */
#define META_FLAGS_KNOWN META_FLAG_PLATFORM

struct meta_disk {
	uint8_t id[IMAGE_ID_BYTES];        /* the same as in the header page */
	uint8_t boot_id[16];
	uint8_t machine_id[16];
	uint64_t created_usec;
	char kernel_release[80];
	char architecture[16];
	char hostname[64];
	char program_version[32];
	struct identity_disk area;
	uint64_t area_start;
	uint32_t flags;
	uint32_t chunk_size;
	uint64_t snapshot_pages;
	uint32_t codec;
	uint32_t fingerprint_count;
	struct fingerprint_disk fingerprints[FINGERPRINTS_MAX];
} PACKED;
_Static_assert(offsetof(struct meta_disk, boot_id) == 16, "boot_id");
_Static_assert(offsetof(struct meta_disk, machine_id) == 32, "machine_id");
_Static_assert(offsetof(struct meta_disk, created_usec) == 48, "created_usec");
_Static_assert(offsetof(struct meta_disk, kernel_release) == 56, "kernel_release");
_Static_assert(offsetof(struct meta_disk, architecture) == 136, "architecture");
_Static_assert(offsetof(struct meta_disk, hostname) == 152, "hostname");
_Static_assert(offsetof(struct meta_disk, program_version) == 216, "program_version");
_Static_assert(offsetof(struct meta_disk, area) == 248, "area");
_Static_assert(offsetof(struct meta_disk, area_start) == 432, "area_start");
_Static_assert(offsetof(struct meta_disk, flags) == 440, "flags");
_Static_assert(offsetof(struct meta_disk, chunk_size) == 444, "chunk_size");
_Static_assert(offsetof(struct meta_disk, snapshot_pages) == 448, "snapshot_pages");
_Static_assert(offsetof(struct meta_disk, codec) == 456, "codec");
_Static_assert(offsetof(struct meta_disk, fingerprint_count) == 460, "fingerprint_count");
_Static_assert(offsetof(struct meta_disk, fingerprints) == 464, "fingerprints");
_Static_assert(sizeof(struct meta_disk) == 464 + 32 * 224, "meta");

struct chunk_disk {
	uint64_t offset;   /* in the stream */
	uint32_t stored;
	uint32_t size;
	uint32_t codec;
	uint32_t reserved;
	uint8_t tag[CHECKSUM_BYTES];
} PACKED;
_Static_assert(offsetof(struct chunk_disk, stored) == 8, "stored");
_Static_assert(offsetof(struct chunk_disk, size) == 12, "size");
_Static_assert(offsetof(struct chunk_disk, codec) == 16, "codec");
_Static_assert(offsetof(struct chunk_disk, reserved) == 20, "reserved");
_Static_assert(offsetof(struct chunk_disk, tag) == 24, "tag");
_Static_assert(sizeof(struct chunk_disk) == 40, "chunk");

/* The body: this, then @extent_count extents, then @chunk_count chunks. */
struct body_disk {
	uint32_t prologue_size; /* offset of @meta */
	uint32_t meta_size;     /* sizeof(struct meta_disk) */
	uint64_t extent_count;
	uint64_t chunk_count;
	uint64_t reserved;
	struct meta_disk meta;
} PACKED;
_Static_assert(offsetof(struct body_disk, meta_size) == 4, "meta_size");
_Static_assert(offsetof(struct body_disk, extent_count) == 8, "extent_count");
_Static_assert(offsetof(struct body_disk, chunk_count) == 16, "chunk_count");
_Static_assert(offsetof(struct body_disk, meta) == 32, "prologue");
