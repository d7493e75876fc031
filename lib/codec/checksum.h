/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checksum of unsealed images: XXH3, 128 bits, canonical (big-endian) byte order as xxHash
 * defines it. It finds damage, not forgery. Sixteen bytes, the size of an AEAD tag: sealed images
 * keep the tag in the same place.
 */
#pragma once

#include "base/util.h"

#define CHECKSUM_BYTES 16

struct checksum {
	uint8_t bytes[CHECKSUM_BYTES];
};

struct checksum checksum_of(const void *data, size_t size);
bool checksum_equal(const struct checksum *a, const struct checksum *b);
