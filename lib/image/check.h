/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules that meta data, extent map and index of an image obey together.
 *
 * A reader applies them to what it decoded, before anything uses a number of it; a writer applies them to what
 * it is about to write, so that no image is ever armed that the next boot would refuse.
 */
#pragma once

#include "image/image.h"

#define IMAGE_REMEDY_DAMAGED "Boot without it."
#define IMAGE_REMEDY_VERSION "Use the version of hibernated that wrote it."

/*
 * 0, or -EBADMSG and REASON_IMAGE_DAMAGED naming the rule and the numbers. @device_size bounds the extents;
 * UINT64_MAX if it is not known.
 */
int image_check(const struct image_meta *meta, const struct extent_list *map, const struct image_index *index,
		uint64_t device_size, const char *name, struct failure *f);

/*
 * Extents whole pages, inside the device, ascending and apart: what both the map and the body's extents
 * obey. @what names them in messages.
 */
int image_check_extents(const struct extent *extents, size_t count, uint64_t device_size, const char *what,
			const char *name, struct failure *f);

/*
 * The header page lies at the first byte of the map, and the body's extents overlap neither the map nor the
 * first page of the area.
 */
int image_check_header(const struct image_header *header, uint64_t header_offset, const struct image_meta *meta,
		       const struct extent_list *map, const char *name, struct failure *f);

/* True if all @size bytes are zero, as whatever is reserved must be. */
bool image_zeros(const void *bytes, size_t size);
