/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XXH3 without vector instructions. They would make it twice as fast, at a speed where the disk and the
 * compressor decide; but on a machine that emulates them they make it eight times slower, and there the
 * checksum decides (x86 hardware: 12 GB/s this way, 19 with SSE2; under QEMU's TCG: 2.9 and 0.36).
 * The compiler must not find vectors of its own either, and must unroll by itself.
 */
#pragma GCC optimize("O3", "no-tree-vectorize", "no-tree-slp-vectorize")
#define XXH_VECTOR 0 /* XXH_SCALAR */
#define XXH_INLINE_ALL

#include "codec/checksum.h"

#include <string.h>
#include <xxhash.h>

struct checksum checksum_of(const void *data, size_t size)
{
	XXH128_canonical_t canonical;
	struct checksum sum;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
	_Static_assert(sizeof(canonical) == sizeof(sum.bytes), "128 bits");
	memcpy(sum.bytes, canonical.digest, sizeof(sum.bytes));
	return sum;
}

bool checksum_equal(const struct checksum *a, const struct checksum *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
