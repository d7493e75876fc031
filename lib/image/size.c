/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Apart from what writes an image: the daemon makes room for a body, and links nothing of the rest. */
#include "image/format.h"

size_t image_body_size(size_t extents, size_t chunks)
{
	return PAGE_BYTES + round_up(sizeof(struct body_disk) + extents * sizeof(struct extent_disk) +
					     chunks * sizeof(struct chunk_disk),
				     PAGE_BYTES);
}
