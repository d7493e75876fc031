/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image in memory; how it lies on the disk is in image/format.h and doc/image-format.md.
 *
 * The granted extents form one stream of bytes. It begins with the header page; the chunks follow,
 * each starting at a multiple of PAGE_BYTES; after the last chunk comes the body: the meta data, the
 * extent map and the chunk index. The header page is written last. It says, with at most
 * IMAGE_BODY_EXTENTS direct extents, where on the device the body lies, and it holds the checksum of
 * the body. So a reader needs one page of fixed layout to find and to check everything of variable size
 * before it reads any of it.
 *
 * A sealed image lies in the same way. Tags of its AEAD take the places of the checksums of chunks and body, and the
 * header page is signed; seal/stream.h and seal/open.h say how.
 */
#pragma once

#include "area/fingerprint.h"
#include "area/identity.h"
#include "base/extent.h"
#include "base/failure.h"
#include "codec/checksum.h"
#include "codec/codec.h"
#include "seal/disk.h"
#include "seal/stream.h"

#include <sys/types.h>

#define IMAGE_ID_BYTES 16
#define IMAGE_BODY_EXTENTS 64
#define IMAGE_CHUNK_MIN (64 * KIB)
#define IMAGE_CHUNK_MAX (1 * MIB)
#define IMAGE_RELEASE_MAX 80

struct image_id {
	uint8_t bytes[IMAGE_ID_BYTES];
};

/* What the hibernating system says about itself and the image. Fixed size, no pointers: it lies in memory shared with the worker. */
struct image_meta {
	struct image_id id;             /* random, fresh for each attempt */
	uint8_t boot_id[16];            /* of the hibernated system */
	uint8_t machine_id[16];         /* /etc/machine-id; zeros if there is none */
	uint64_t created_usec;          /* CLOCK_REALTIME at CREATE_IMAGE */
	char kernel_release[IMAGE_RELEASE_MAX]; /* uname -r of the image kernel */
	char architecture[16];          /* uname -m */
	char hostname[64];
	char program_version[32];       /* of hibernated */
	struct area_identity area;      /* the device that carries the area */
	uint64_t area_start;            /* device byte offset of the area's first page */
	bool platform;                  /* PLATFORM_SUPPORT was set */
	uint64_t snapshot_pages;        /* pages of the snapshot stream */
	uint32_t chunk_size;            /* bytes of a full chunk */
	enum codec_id codec;            /* what was asked for; a chunk may be raw all the same */
	uint32_t fingerprint_count;
	struct fingerprint fingerprints[FINGERPRINTS_MAX];
};

/* One chunk. */
struct image_chunk {
	uint64_t offset;        /* in the stream */
	uint32_t stored;        /* bytes in the stream */
	uint32_t size;          /* bytes of pages: chunk_size, less only in the last chunk */
	enum codec_id codec;    /* CODEC_NONE or the image's codec */
	struct checksum tag;    /* of the stored bytes; sealed: the AEAD's tag */
};

/* An array of chunks of fixed capacity; the array is the caller's. */
struct image_index {
	struct image_chunk *chunks;
	size_t count;
	size_t capacity;
};

/* Where the parts of an image are; made by image_write_body() for image_write_header(). */
struct image_place {
	uint64_t header_offset; /* device byte offset of the header page */
	uint64_t stream_end;    /* bytes of the image in all: header page, chunks and body */
	const void *page;       /* the encoded header page, in the caller's buffer */
};

/*
 * What the header page says, once its checksum was right. For a sealed image none of that is authentic before the secret
 * has opened the blob and the signature has been verified.
 */
struct image_header {
	struct image_id id;
	enum seal_suite suite;                  /* SUITE_NONE: unsealed, and then what is marked below is zeros */
	uint64_t body_size;
	struct checksum body_checksum;          /* sealed: the AEAD's tag */
	size_t body_extent_count;
	struct extent body_extents[IMAGE_BODY_EXTENTS];
	char kernel_release[IMAGE_RELEASE_MAX]; /* sealed: a copy of the body's, which cannot be read yet */
	uint8_t slot[SEAL_SLOT_BYTES];          /* sealed */
	uint8_t blob[SEAL_BLOB_BYTES];          /* sealed */
	uint8_t signature[CRYPTO_SIGNATURE_BYTES]; /* sealed */
};

/* What an image is written with that is sealed. All borrowed. */
struct image_seal {
	enum seal_suite suite;
	const uint8_t *slot;      /* SEAL_SLOT_BYTES */
	const uint8_t *blob;      /* SEAL_BLOB_BYTES */
	struct seal_stream *body; /* keyed for this image */
};

/*
 * Bytes of buffer, a multiple of PAGE_BYTES, for writing or reading header and body of an image with @extents
 * extents and @chunks chunks.
 */
size_t image_body_size(size_t extents, size_t chunks);

/*
 * Encode meta data, extent map and index, seal them by @seal unless it is NULL, write them behind the last chunk (stream
 * offset @stream_at; in a fragmented area wherever behind it the runs are longest). @extents: the granted stream, normalized; the
 * part of it that the chunks use is what the map records. @buffer: page-aligned, @size bytes, at least
 * image_body_size(); it must stay untouched until image_write_header(). REASON_TOO_SMALL (-ENOSPC) if the stream is too
 * short or too fragmented there, REASON_IO, REASON_INTERNAL if what is to be written breaks a rule of the format.
 */
int image_write_body(int fd, const char *name, const struct extent_list *extents, uint64_t stream_at,
		     const struct image_meta *meta, const struct image_index *index, const struct image_seal *seal,
		     void *buffer, size_t size, struct image_place *place, struct failure *f);

/* Put @signature into the header page of a sealed image, which is complete but for it. */
void image_header_sign(void *page, const uint8_t signature[CRYPTO_SIGNATURE_BYTES]);

/* Write the header page and flush all that was written. From then on the image is complete. */
int image_write_header(int fd, const char *name, const struct image_place *place, struct failure *f);

/*
 * Whether the header page there, unverified, says that its image is sealed; false too if it cannot be read. A hint for what
 * to set up, and nothing to believe. @page: PAGE_BYTES, page-aligned.
 */
bool image_may_be_sealed(int fd, uint64_t header_offset, void *page);

/*
 * Read the header page that a mark says is at device offset @header_offset, and verify its checksum. @page: PAGE_BYTES,
 * page-aligned. @device_size bounds every place on the device. REASON_IMAGE_VERSION (-ENOTSUP), REASON_IMAGE_DAMAGED
 * (-EBADMSG; also if no image begins there), REASON_IO.
 */
int image_read_header(int fd, const char *name, uint64_t header_offset, uint64_t device_size, void *page,
		      struct image_header *header, struct failure *f);

/*
 * Read the body that @header, found at @header_offset, speaks of. It is verified as a whole before any of it is decoded
 * and checked: by its checksum, or if the header says that it is sealed, by @body, keyed for this image. @buffer:
 * page-aligned, @size bytes, at least the body's in whole pages; a sealed body is opened in there. @map and @index are filled
 * (their arrays are the caller's). Outputs are valid only on success. Reasons as above; REASON_UNAUTHENTIC (-EBADMSG) for a
 * sealed body; REASON_WRONG_MACHINE (-ENOBUFS) when its tables are larger than the caller's memory, which was sized by
 * this machine's.
 */
int image_read_body(int fd, const char *name, const struct image_header *header, uint64_t header_offset,
		    uint64_t device_size, struct seal_stream *body, void *buffer, size_t size, struct image_meta *meta,
		    struct extent_list *map, struct image_index *index, struct failure *f);

/* The parts of it that work on memory alone. @name is for messages. */
void image_header_encode(const struct image_header *header, void *page);
int image_header_decode(const void *page, const char *name, uint64_t device_size, struct image_header *header,
			struct failure *f);
/* Returns the length of the body, or -ENOSPC if @size is too small. */
ssize_t image_body_encode(const struct image_meta *meta, const struct extent_list *map,
			  const struct image_index *index, void *body, size_t size);
int image_body_decode(const void *body, size_t size, const char *name, uint64_t device_size,
		      struct image_meta *meta, struct extent_list *map, struct image_index *index, struct failure *f);
