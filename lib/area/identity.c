/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/identity.h"

#include "base/escape.h"

#include <errno.h>
#include <string.h>

#define REMEDY "Resume from the device that was hibernated to; a copy must not be resumed."

static bool all_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static int compare_uuid(const uint8_t *recorded, const uint8_t *found, const char *object, const char *what,
			struct failure *f)
{
	if (all_zero(recorded, 16) || all_zero(found, 16) || memcmp(recorded, found, 16) == 0)
		return 0;
	return failure_set(f, REASON_WRONG_MACHINE, EXDEV, object, REMEDY,
			   "%s is %02x%02x%02x%02x-..., but the image is of %02x%02x%02x%02x-...", what,
			   found[0], found[1], found[2], found[3], recorded[0], recorded[1], recorded[2], recorded[3]);
}

static int compare_number(uint64_t recorded, uint64_t found, const char *object, const char *what, struct failure *f)
{
	if (recorded == found)
		return 0;
	return failure_set(f, REASON_WRONG_MACHINE, EXDEV, object, REMEDY,
			   "%s is %llu bytes, but the image was written where it is %llu", what,
			   (unsigned long long)found, (unsigned long long)recorded);
}

static int compare_text(const char *recorded, const char *found, const char *object, const char *what, struct failure *f)
{
	char was[2 * IDENTITY_DEVICE_ID_MAX], is[2 * IDENTITY_DEVICE_ID_MAX];

	if (!recorded[0] || !found[0] || strcmp(recorded, found) == 0)
		return 0;
	/* Nobody has vouched for a mark, and a disk tells of itself what it likes. */
	escape_text(recorded, SIZE_MAX, was, sizeof(was));
	escape_text(found, SIZE_MAX, is, sizeof(is));
	return failure_set(f, REASON_WRONG_MACHINE, EXDEV, object, REMEDY,
			   "this is a copy or another disk: %s is %s, but the image is of %s", what, is, was);
}

int area_identity_compare(const struct area_identity *recorded, const struct area_identity *found,
			  const char *object, struct failure *f)
{
	int r = compare_uuid(recorded->swap_uuid, found->swap_uuid, object, "UUID of the swap area", f);

	if (r == 0)
		r = compare_uuid(recorded->filesystem_uuid, found->filesystem_uuid, object, "UUID of the filesystem", f);
	if (r == 0)
		r = compare_text(recorded->device_id, found->device_id, object, "the device", f);
	if (r == 0)
		r = compare_text(recorded->part_uuid, found->part_uuid, object, "PARTUUID", f);
	if (r == 0)
		r = compare_number(recorded->partition_start, found->partition_start, object, "the beginning of the partition", f);
	if (r == 0)
		r = compare_number(recorded->device_size, found->device_size, object, "the size of the device", f);
	return r;
}
