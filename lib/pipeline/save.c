/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Save: snapshot to area.
 *
 * The counters run behind each other: next_out <= next_place <= next_code <= next_in. Chunks
 * [next_place, next_in) are with the codec threads or wait for them; [next_out, next_place) wait for
 * a writer, which takes as many neighbors as make one large write.
 *
 * A writer that has nothing to do, while another one is there, has the disk flush what was written: the flush at
 * the end then finds little. On a disk that is the slowest link nobody is idle, and nothing is flushed.
 */
#include "pipeline/stage.h"

#include "base/clock.h"
#include "pipeline/transfer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Wait for room; the buffer, or NULL when everything stops. */
static uint8_t *take_buffer(struct pipeline *p)
{
	uint8_t *buffer = NULL;
	uint64_t since;

	pthread_mutex_lock(&p->lock);
	if (!stage_has_room(p)) {
		since = clock_monotonic_usec();
		while (!stage_has_room(p) && !stage_stopped(p))
			pthread_cond_wait(&p->room, &p->lock);
		p->stall_usec += clock_monotonic_usec() - since;
	}
	if (!stage_stopped(p))
		buffer = p->free_buffers[--p->free_count];
	pthread_mutex_unlock(&p->lock);
	return buffer;
}

static int read_failed(struct pipeline *p, int error, const char *what)
{
	struct failure f;
	int r = failure_set(&f, REASON_SNAPSHOT, -error, "/dev/snapshot", NULL, "%s after %llu of %llu pages", what,
			    (unsigned long long)p->moved_pages, (unsigned long long)p->job.pages);

	stage_fail(p, r, &f);
	return r;
}

/* Fill @buffer from the snapshot. Bytes, fewer than a chunk at the end; -errno has been recorded. */
static ssize_t fill_chunk(struct pipeline *p, uint8_t *buffer)
{
	const struct page_mover *mover = &p->job.mover;
	size_t pages = p->job.chunk_size / PAGE_BYTES, done = 0;
	uint64_t since = clock_monotonic_usec();

	while (done < pages && !stage_stopped(p)) {
		ssize_t n = stage_failpoint(p, "worker-page");

		if (n < 0)
			return n;
		n = mover->move(mover->data, buffer + done * PAGE_BYTES, pages - done);
		if (n < 0)
			return read_failed(p, (int)n, "reading failed");
		if (n == 0)
			break;
		done += (size_t)n;
		p->moved_pages += (uint64_t)n;
	}
	p->move_usec += clock_monotonic_usec() - since;
	if (p->moved_pages > p->job.pages)
		return read_failed(p, -EIO, "the snapshot goes on");
	if (done < pages && p->moved_pages < p->job.pages && !stage_stopped(p))
		return read_failed(p, -EIO, "the snapshot ended");
	return (ssize_t)(done * PAGE_BYTES);
}

void save_mover(struct pipeline *p)
{
	bool ended = false;

	while (!ended) {
		uint8_t *buffer = take_buffer(p);
		ssize_t size = buffer ? fill_chunk(p, buffer) : -ECANCELED;

		if (size < 0)
			return;
		ended = (size_t)size < p->job.chunk_size;

		pthread_mutex_lock(&p->lock);
		if (size) {
			*stage_slot(p, p->next_in) = (struct slot){
				.state = SLOT_READY,
				.data = buffer,
				.size = (uint32_t)size,
			};
			p->next_in++;
		} else {
			p->free_buffers[p->free_count++] = buffer;
		}
		p->input_ended = ended;
		pthread_mutex_unlock(&p->lock);
		if (ended) {
			pthread_cond_broadcast(&p->code);
			pthread_cond_broadcast(&p->out);
		} else {
			pthread_cond_signal(&p->code);
		}
	}
}

/*
 * Code the pages of @slot from its buffer into the thread's spare, or leave them raw; the one that
 * is not needed becomes the spare. What fills up the last page on the disk is zeroed, so that nothing
 * of another chunk gets there. Fills in the index entry but for its offset and tag.
 */
static int encode(struct pipeline *p, unsigned int number, struct slot *slot, struct image_chunk *chunk)
{
	const struct pipeline_job *job = &p->job;
	uint8_t *block = p->spare[number];
	size_t stored = 0;
	int r = -ENOSPC;

	*chunk = (struct image_chunk){.size = slot->size};
	if (job->codec != CODEC_NONE && slot->size > PAGE_BYTES)
		r = codec_compress(job->codec, job->level, p->workspace[number], p->workspace_size, slot->data,
				   slot->size, block, slot->size - PAGE_BYTES, &stored);
	if (r == -ENOSPC) {
		chunk->codec = CODEC_NONE;
		chunk->stored = slot->size;
		slot->padded = slot->size;
	} else if (r == 0) {
		chunk->codec = job->codec;
		chunk->stored = (uint32_t)stored;
		slot->padded = (uint32_t)round_up(stored, PAGE_BYTES);
		memset(block + stored, 0, slot->padded - stored);
		p->spare[number] = slot->data;
		slot->data = block;
	} else {
		return r;
	}
	return 0;
}

/* Tag the block of @slot; sealed, in its buffer. How many chunks there will be is known: a snapshot of another length fails. */
static int protect(struct pipeline *p, unsigned int number, uint64_t at, struct slot *slot, struct image_chunk *chunk)
{
	struct seal_chunk place = {
		.index = at,
		.last = at + 1 == div_up(p->job.pages, p->job.chunk_size / PAGE_BYTES),
		.stored = chunk->stored,
		.size = chunk->size,
		.codec = (uint32_t)chunk->codec,
	};

	if (p->job.seal)
		return seal_chunk_seal(p->job.seal[number], &place, slot->data, slot->data, chunk->tag.bytes);
	chunk->tag = checksum_of(slot->data, chunk->stored);
	return 0;
}

/* Give places to the coded chunks that are next. With the lock held. How many, or -ENOSPC. */
static int place_chunks(struct pipeline *p)
{
	int placed = 0;

	for (; p->next_place < p->next_code; p->next_place++, placed++) {
		struct slot *slot = stage_slot(p, p->next_place);
		struct image_chunk *chunk = &p->job.index->chunks[p->next_place];

		if (slot->state != SLOT_CODED)
			break;
		if (slot->padded > p->job.stream_limit - p->stream_at)
			return -ENOSPC;
		slot->offset = chunk->offset = p->stream_at;
		p->stream_at += slot->padded;
		p->raw_chunks += chunk->codec == CODEC_NONE;
		p->job.index->count = p->next_place + 1;
	}
	return placed;
}

static void place_failed(struct pipeline *p, uint64_t number)
{
	struct failure f;
	int r = failure_set(&f, REASON_TOO_SMALL, ENOSPC, p->job.area_name,
			    "Make the area larger, or ImageSize= smaller.",
			    "the image does not fit: %llu of %llu pages filled the %llu bytes that were granted",
			    (unsigned long long)(number * (p->job.chunk_size / PAGE_BYTES)), (unsigned long long)p->job.pages,
			    (unsigned long long)p->job.stream_limit);

	stage_fail(p, r, &f);
}

static void encode_failed(struct pipeline *p, uint64_t number, int error)
{
	struct failure f;

	failure_set(&f, REASON_INTERNAL, -error, p->job.area_name, NULL, "%s chunk %llu with %s failed",
		    p->job.seal ? "compressing or sealing" : "compressing", (unsigned long long)number,
		    codec_name(p->job.codec));
	stage_fail(p, error, &f);
}

/* The number of the next full chunk, or UINT64_MAX when there will be none. With the lock held. */
static uint64_t take_full(struct pipeline *p)
{
	while (!stage_stopped(p) && p->next_code == p->next_in && !p->input_ended)
		pthread_cond_wait(&p->code, &p->lock);
	if (stage_stopped(p) || p->next_code == p->next_in)
		return UINT64_MAX;
	stage_slot(p, p->next_code)->state = SLOT_BUSY;
	return p->next_code++;
}

void save_codec(struct pipeline *p, unsigned int number)
{
	uint64_t at, full_at;

	pthread_mutex_lock(&p->lock);
	while ((at = take_full(p)) != UINT64_MAX) {
		struct slot *slot = stage_slot(p, at);
		struct image_chunk *chunk = &p->job.index->chunks[at];
		int r;

		pthread_mutex_unlock(&p->lock);
		r = encode(p, number, slot, chunk);
		if (r >= 0)
			r = protect(p, number, at, slot, chunk);
		if (r < 0) {
			encode_failed(p, at, r);
			return;
		}
		pthread_mutex_lock(&p->lock);
		slot->state = SLOT_CODED;
		r = place_chunks(p);
		full_at = p->next_place;
		pthread_mutex_unlock(&p->lock);
		if (r < 0) {
			place_failed(p, full_at);
			return;
		}
		if (r > 0)
			pthread_cond_signal(&p->out);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
}

/* A run of neighbors in the stream for one write. */
struct batch {
	uint64_t first;
	size_t count;
	uint64_t offset;
	uint64_t bytes;
	uint64_t pages;
	struct iovec vectors[STAGE_BATCH_CHUNKS];
};

static int flush_failed(struct pipeline *p, int error)
{
	struct failure f;
	int r = failure_set(&f, REASON_IO, error, p->job.area_name, "Check the disk and its cabling.", "flushing the image failed");

	stage_fail(p, r, &f);
	return r;
}

/* Flush what is written by now. With the lock held, but for the flush itself. */
static int flush_meanwhile(struct pipeline *p)
{
	int error;

	p->flushing = true;
	p->unflushed_bytes = 0;
	p->flushes++;
	pthread_mutex_unlock(&p->lock);
	error = fdatasync(p->job.area_fd) < 0 ? errno : 0;
	if (error)
		flush_failed(p, error);
	pthread_mutex_lock(&p->lock);
	p->flushing = false;
	return -error;
}

/* The next chunks to be written; false when there will be none. With the lock held. */
static bool take_coded(struct pipeline *p, struct batch *batch)
{
	while (!stage_stopped(p) && p->next_out == p->next_place && !(p->input_ended && p->next_out == p->next_in)) {
		if (p->writers < 2 || p->flushing || p->unflushed_bytes < STAGE_FLUSH_BYTES)
			pthread_cond_wait(&p->out, &p->lock);
		else if (flush_meanwhile(p) < 0)
			return false;
	}
	if (stage_stopped(p) || p->next_out == p->next_place)
		return false;
	*batch = (struct batch){.first = p->next_out, .offset = stage_slot(p, p->next_out)->offset};
	while (p->next_out < p->next_place && batch->count < STAGE_BATCH_CHUNKS) {
		struct slot *slot = stage_slot(p, p->next_out);

		if (batch->count && batch->bytes + slot->padded > STAGE_BATCH_BYTES)
			break;
		batch->vectors[batch->count++] = (struct iovec){.iov_base = slot->data, .iov_len = slot->padded};
		batch->bytes += slot->padded;
		batch->pages += slot->size / PAGE_BYTES;
		slot->state = SLOT_BUSY;
		p->next_out++;
	}
	return true;
}

static int write_batch(struct pipeline *p, struct extent_cursor *cursor, struct batch *batch)
{
	uint64_t place = 0;
	struct failure f;
	int r = stage_failpoint(p, "worker-write");

	if (r < 0)
		return r;
	r = transfer_write(p->job.area_fd, cursor, batch->offset, batch->vectors, batch->count, &place);
	if (r < 0) {
		failure_set(&f, REASON_IO, -r, p->job.area_name, "Check the disk and its cabling.",
			    "writing %llu bytes at byte %llu failed", (unsigned long long)batch->bytes,
			    (unsigned long long)place);
		stage_fail(p, r, &f);
	}
	return r;
}

void save_writer(struct pipeline *p)
{
	struct extent_cursor cursor;
	struct batch batch;

	extent_cursor_init(&cursor, p->job.extents);
	pthread_mutex_lock(&p->lock);
	while (take_coded(p, &batch)) {
		bool last = p->input_ended && p->next_out == p->next_in;
		bool more = p->next_out < p->next_place;

		pthread_mutex_unlock(&p->lock);
		if (last)
			pthread_cond_broadcast(&p->out);
		else if (more)
			pthread_cond_signal(&p->out);
		if (write_batch(p, &cursor, &batch) < 0)
			return;
		atomic_fetch_add_explicit(&p->done_pages, batch.pages, memory_order_relaxed);
		atomic_fetch_add_explicit(&p->done_bytes, batch.bytes, memory_order_relaxed);
		pthread_mutex_lock(&p->lock);
		p->unflushed_bytes += batch.bytes;
		for (size_t i = 0; i < batch.count; i++) {
			struct slot *slot = stage_slot(p, batch.first + i);

			p->free_buffers[p->free_count++] = slot->data;
			slot->state = SLOT_FREE;
		}
		pthread_mutex_unlock(&p->lock);
		pthread_cond_signal(&p->room);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
}
