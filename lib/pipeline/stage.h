/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the pipeline: what its threads share.
 *
 * A chunk's number is its place in the snapshot, counted from 0. Chunk n travels in slot n % slots;
 * a slot is one chunk's at a time. One mutex guards the slots, the free buffers and the counters;
 * it is taken a few times a chunk, never around a system call that can wait or around codec work.
 * The contents of a buffer belong to the thread that moved the slot into its state.
 */
#pragma once

#include "pipeline/pipeline.h"

#include <pthread.h>
#include <stdatomic.h>

/* The largest write or read in one go, and the most chunks it is made of. */
#define STAGE_BATCH_BYTES (1 * MIB)
#define STAGE_BATCH_CHUNKS 16
#define STAGE_BUFFERS_LEAST 2 /* besides the codec threads' spares */
/* What makes a flush in between worth it. */
#define STAGE_FLUSH_BYTES (8 * MIB)

enum slot_state {
	SLOT_FREE,
	SLOT_BUSY,  /* some thread works on it */
	SLOT_READY, /* save: full of pages; load: read from the area. Waits for a codec thread */
	SLOT_CODED, /* save: waits for its place and a writer; load: waits for the mover */
};

struct slot {
	enum slot_state state;
	uint8_t *data;
	uint32_t size;   /* bytes of pages */
	uint32_t padded; /* bytes in the stream, padding included */
	uint64_t offset; /* in the stream */
	bool verified;   /* load: the checksum was right */
};

enum stage_role {
	ROLE_MOVER,
	ROLE_CODEC,
	ROLE_AREA, /* writer or reader */
};

struct stage_thread {
	struct pipeline *pipeline;
	enum stage_role role;
	unsigned int number; /* within the role */
	pthread_t handle;
};

struct pipeline {
	pthread_mutex_t lock;
	pthread_cond_t go;   /* the job has begun, or it is over */
	pthread_cond_t room; /* a buffer or a slot became free */
	pthread_cond_t code; /* work for a codec thread */
	pthread_cond_t out;  /* save: work for a writer; load: the mover's next chunk */
	pthread_mutex_t failpoint_lock;
	int done_fd;

	unsigned int threads;
	unsigned int writers;
	unsigned int arrived; /* threads that have come to wait for @go */
	unsigned int running; /* threads that have not returned */
	uint8_t *region;      /* what is left of it, from here */
	size_t region_size;

	bool begun;
	struct pipeline_job job;
	atomic_bool stop;
	struct failure failure; /* valid when @error */
	int error;

	struct slot *slots;
	size_t slot_count;
	uint8_t **free_buffers; /* a stack */
	size_t free_count;
	uint8_t *spare[PIPELINE_THREADS_MAX];
	uint8_t *workspace[PIPELINE_THREADS_MAX];
	size_t workspace_size;

	/* Numbers of the next chunk to be filled or read, coded, placed (save), written or moved. */
	uint64_t next_in;
	uint64_t next_code;
	uint64_t next_place;
	uint64_t next_out;
	size_t ready; /* load: chunks that wait for a codec thread */
	bool input_ended; /* save: @next_in is the number of chunks */
	uint64_t chunk_total; /* load */
	uint64_t stream_at; /* save: place of the next block */
	uint64_t unflushed_bytes; /* save: written since the last flush began */
	uint64_t flushes;
	bool flushing;

	atomic_uint_fast64_t done_pages;
	atomic_uint_fast64_t done_bytes;
	uint64_t moved_pages;
	uint64_t raw_chunks;
	uint64_t begun_usec;
	uint64_t ended_usec;
	uint64_t move_usec;
	uint64_t stall_usec;
	uint64_t ahead_bytes; /* load */

	struct stage_thread items[1 + PIPELINE_THREADS_MAX + PIPELINE_WRITERS_MAX];
	size_t item_count;
};

/* Bytes of a codec thread's workspace; of a buffer with its slot; of all that is there once, spares included. */
size_t stage_workspace_bytes(enum codec_id codec, int level, uint32_t chunk_size);
size_t stage_buffer_bytes(uint32_t chunk_size);
size_t stage_fixed_bytes(enum codec_id codec, int level, uint32_t chunk_size, unsigned int threads);

static inline struct slot *stage_slot(struct pipeline *p, uint64_t chunk)
{
	return &p->slots[chunk % p->slot_count];
}

static inline bool stage_stopped(const struct pipeline *p)
{
	return atomic_load_explicit(&p->stop, memory_order_relaxed);
}

/* Keep @f as the pipeline's error, unless there is one, and stop everything. @error is negative. Takes the lock. */
void stage_fail(struct pipeline *p, int error, const struct failure *f);

/* failpoint_hit() for the job; an error it returns has been recorded. */
#if ENABLE_FAILPOINTS
int stage_failpoint(struct pipeline *p, const char *name);
#else
static inline int stage_failpoint(struct pipeline *p, const char *name)
{
	(void)p;
	(void)name;
	return 0;
}
#endif

/* Whether a chunk may come in: buffer and slot are free. With the lock held. */
bool stage_has_room(struct pipeline *p);

void save_mover(struct pipeline *p);
void save_codec(struct pipeline *p, unsigned int number);
void save_writer(struct pipeline *p);
void load_mover(struct pipeline *p);
void load_codec(struct pipeline *p, unsigned int number);
void load_reader(struct pipeline *p);

/* Check what the load is told to read; 0 or -EBADMSG with @f filled in. */
int load_check_index(const struct pipeline_job *job, struct failure *f);
