/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of an image's pages between the kernel's snapshot and the area, both ways.
 *
 *   save: mover --pages--> codec threads --blocks--> writers --> area
 *   load: area --> readers --blocks--> codec threads --pages--> mover
 *
 * The mover is one thread that does nothing but move pages, because the kernel hands them out one
 * after the other and is the slowest link on a fast disk. What travels is the chunk: a buffer of
 * @chunk_size bytes that changes hands and is never copied. A codec thread owns one spare buffer; it
 * codes from the chunk's buffer into the spare, passes on the one that holds the result and keeps the
 * other, so that it never has to wait for memory while it holds a chunk.
 *
 * Invariants:
 * - All memory is the caller's region; after pipeline_start() nothing is allocated, and after
 *   pipeline_begin() no descriptor is opened either.
 * - Blocks begin at multiples of PAGE_BYTES in the stream and get their places in the order of the
 *   chunks, so the image does not depend on how the threads ran.
 * - A chunk's checksum is verified before anything decodes it, and the chunk is whole before its
 *   first page goes to the kernel. A sealed chunk is sealed in its buffer after it was coded, and opened in its buffer, by
 *   the codec thread that has it; its tag is its checksum.
 * - The first error is kept, and everything stops at the next chunk.
 */
#pragma once

#include "base/extent.h"
#include "base/failpoint.h"
#include "base/failure.h"
#include "image/image.h"

#include <sys/types.h>

#define PIPELINE_THREADS_MAX 64
#define PIPELINE_WRITERS_MAX 16
/* Measured: see bench/pipeline. */
#define PIPELINE_CHUNK_DEFAULT (512 * KIB)
#define PIPELINE_WRITERS_DEFAULT 2

struct pipeline; /* lies at the start of the caller's region */

/* One end of /dev/snapshot. */
struct page_mover {
	/*
	 * Move up to @pages pages into (save) or out of (load) @buffer, page-aligned. Returns how many
	 * were moved; save: 0 at the end of the snapshot; load: never less than asked; or -errno.
	 */
	ssize_t (*move)(void *data, void *buffer, size_t pages);
	int (*finish)(void *data); /* load: called once after the last page; 0 or -errno */
	void *data;
};

/* All pointers are borrowed until pipeline_end(). */
struct pipeline_job {
	bool load;
	enum codec_id codec;
	int level;
	uint32_t chunk_size; /* bytes, multiple of PAGE_BYTES, at most IMAGE_CHUNK_MAX */
	int area_fd;         /* O_DIRECT, or anything that takes pread()/pwrite() */
	const char *area_name; /* for messages */
	const struct extent_list *extents; /* in bytes on @area_fd */
	uint64_t stream_offset; /* save: where in the stream the first chunk goes */
	uint64_t stream_limit;  /* save: chunks end at or before this; at most the extents' total */
	uint64_t pages;         /* of the snapshot; more or fewer are an error */
	struct image_index *index; /* save: filled in; load: what to read, checked again here */
	int ahead_fd;           /* load: what of @ahead is read comes from here: the area's device, through the page cache */
	struct extent ahead;    /* load: bytes on the device that have been read ahead; empty: none */
	struct seal_stream *const *seal; /* NULL: unsealed; else one for each codec thread, keyed for the chunks of the image */
	struct page_mover mover;
	struct failpoints *failpoints; /* may be NULL */
};

struct pipeline_progress {
	uint64_t pages; /* save: on the area; load: handed to the kernel */
	uint64_t bytes; /* written to or read from the area */
};

struct pipeline_result {
	uint64_t pages;
	uint64_t chunks;
	uint64_t raw_chunks;
	uint64_t stored_bytes; /* of the chunks, with their padding */
	uint64_t ahead_bytes;  /* load: of them, through @ahead_fd */
	uint64_t stream_end;   /* save: stream offset after the last chunk */
	uint64_t flushes;      /* save: how often the disk was made to flush in between */
	uint64_t elapsed_usec; /* from pipeline_begin() to the last thread's end */
	uint64_t move_usec;    /* inside @mover.move */
	uint64_t stall_usec;   /* the mover waited for the others */
};

/*
 * Bytes of region that @job (only codec, level, chunk_size count) needs at least with @threads codec
 * threads; more makes more chunks travel at once.
 */
size_t pipeline_region_least(enum codec_id codec, int level, uint32_t chunk_size, unsigned int threads);

/*
 * Make a pipeline in @region (page-aligned, zeroed, resident; the caller keeps it until
 * pipeline_end()) and start its threads, which then wait. @threads codec threads, @writers I/O
 * threads, each between 1 and its maximum, and one mover. 0 or -errno with @f filled in.
 */
int pipeline_start(struct pipeline **out, void *region, size_t region_size, unsigned int threads,
		   unsigned int writers, struct failure *f);

/* Begin @job (copied). Once per pipeline. -errno with @f filled in if the job cannot be right; the pipeline is then still waiting. */
int pipeline_begin(struct pipeline *p, const struct pipeline_job *job, struct failure *f);

/* Becomes readable when all threads are done, or with the first error. Not to be read or closed. */
int pipeline_done_fd(const struct pipeline *p);

/* How far it is. May be called at any time from any thread. */
struct pipeline_progress pipeline_progress(const struct pipeline *p);

/* The first error so far: its negative errno with @f filled in, or 0. Does not wait for a thread. */
int pipeline_failure(struct pipeline *p, struct failure *f);

/* Make everything stop, as -ECANCELED unless an error came first. */
void pipeline_cancel(struct pipeline *p);

/*
 * Wait for the threads and take the pipeline apart; one that was not begun is cancelled. 0 with
 * @result filled in, or the first error with @f filled in. A thread inside a system call is waited
 * for: who cannot do that asks pipeline_failure() and exits.
 */
int pipeline_end(struct pipeline *p, struct pipeline_result *result, struct failure *f);
