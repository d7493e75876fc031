/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tells one swap area on one device from a copy of it.
 *
 * A copy (dd, an LVM snapshot, a disk restored from a backup) carries the same bytes, so what is written
 * in the area proves nothing. What a copy cannot have is the device: its WWN or serial number, the UUID
 * of its partition, its device-mapper UUID, its place and size. Disks without any of these (some virtual
 * ones) are told apart by the PCI address of their controller.
 *
 * A fixed-size record without pointers: it is stored in the area mark.
 */
#pragma once

#include "base/failure.h"
#include "base/util.h"

#define IDENTITY_DEVICE_ID_MAX 96
#define IDENTITY_PART_UUID_MAX 40

struct area_identity {
	uint8_t swap_uuid[16];       /* of the swap header; zeros if it has none */
	uint8_t filesystem_uuid[16]; /* swap file: of the filesystem that carries it; else zeros */
	uint64_t device_size;        /* bytes of the block device that carries the area */
	uint64_t partition_start;    /* bytes into its disk; 0 for a whole device */
	char part_uuid[IDENTITY_PART_UUID_MAX]; /* PARTUUID, lower case; empty if there is none or it is unknown */
	/* "wwid:...", "serial:...", "dm:...", "md:..." or "path:..." of the disk, cut to fit; empty if nothing is known */
	char device_id[IDENTITY_DEVICE_ID_MAX];
};

/*
 * 0 if @found may be the device that @recorded speaks of. Else -EXDEV and REASON_WRONG_MACHINE in @f: what
 * differs, both values, and that it is a copy or another device. A field that one side does not know is not
 * compared. @object names the device.
 */
int area_identity_compare(const struct area_identity *recorded, const struct area_identity *found,
			  const char *object, struct failure *f);
