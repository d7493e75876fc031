/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load: area to snapshot.
 *
 * Readers go through the index in order as long as there are free buffers; codec threads verify and
 * decode whatever has arrived, in any order; the mover hands the pages over in order. Buffers are taken
 * in the order of the chunks, so the chunk that the mover waits for always has one.
 *
 * The checksum is whoever's has the time: when chunks already wait for the codec threads, a reader
 * verifies what it has read, else a codec thread does. Sealed chunks are the codec threads' alone, and go to the kernel in
 * the order that their seals demand.
 */
#include "pipeline/stage.h"

#include "base/clock.h"
#include "pipeline/transfer.h"

#include <errno.h>

int load_check_index(const struct pipeline_job *job, struct failure *f)
{
	uint64_t total = extent_list_total(job->extents), pages = 0;
	const char *remedy = "The image cannot be resumed. Boot without it.";

	for (size_t i = 0; i < job->index->count; i++) {
		const struct image_chunk *c = &job->index->chunks[i];
		bool raw = c->codec == CODEC_NONE;
		bool last = i + 1 == job->index->count;

		if (c->size == 0 || c->size % PAGE_BYTES || c->size > job->chunk_size ||
		    (!last && c->size != job->chunk_size) || (!raw && c->codec != job->codec) || c->stored == 0 ||
		    (raw ? c->stored != c->size : c->stored >= c->size) || c->offset % PAGE_BYTES ||
		    c->offset > total || round_up(c->stored, PAGE_BYTES) > total - c->offset)
			return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, job->area_name, remedy,
					   "the index entry of chunk %zu makes no sense", i);
		pages += c->size / PAGE_BYTES;
	}
	if (pages != job->pages)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, job->area_name, remedy,
				   "the index holds %llu pages, the header says %llu", (unsigned long long)pages,
				   (unsigned long long)job->pages);
	return 0;
}

/* A run of neighbors in the stream for one read. */
struct batch {
	uint64_t first;
	size_t count;
	uint64_t offset;
	uint64_t bytes;
	struct iovec vectors[STAGE_BATCH_CHUNKS];
};

/* Buffers for the next chunks to be read; false when there are none left. With the lock held. */
static bool take_empty(struct pipeline *p, struct batch *batch)
{
	while (!stage_stopped(p) && p->next_in < p->chunk_total && !stage_has_room(p))
		pthread_cond_wait(&p->room, &p->lock);
	if (stage_stopped(p) || p->next_in == p->chunk_total)
		return false;
	*batch = (struct batch){.first = p->next_in, .offset = p->job.index->chunks[p->next_in].offset};
	while (p->next_in < p->chunk_total && batch->count < STAGE_BATCH_CHUNKS && stage_has_room(p)) {
		const struct image_chunk *chunk = &p->job.index->chunks[p->next_in];
		uint32_t padded = (uint32_t)round_up(chunk->stored, PAGE_BYTES);
		struct slot *slot = stage_slot(p, p->next_in);

		if (batch->count && (batch->bytes + padded > STAGE_BATCH_BYTES || chunk->offset != batch->offset + batch->bytes))
			break;
		*slot = (struct slot){
			.state = SLOT_BUSY,
			.data = p->free_buffers[--p->free_count],
			.size = chunk->size,
			.padded = padded,
			.offset = chunk->offset,
		};
		batch->vectors[batch->count++] = (struct iovec){.iov_base = slot->data, .iov_len = padded};
		batch->bytes += padded;
		p->next_in++;
	}
	return true;
}

static bool tag_is_right(const struct slot *slot, const struct image_chunk *chunk)
{
	struct checksum sum = checksum_of(slot->data, chunk->stored);

	return checksum_equal(&sum, &chunk->tag);
}

static void chunk_failed(struct pipeline *p, uint64_t number, int error)
{
	struct failure f;
	enum reason reason = error != -EBADMSG ? REASON_INTERNAL : p->job.seal ? REASON_UNAUTHENTIC : REASON_IMAGE_DAMAGED;

	failure_set(&f, reason, -error, p->job.area_name, "The image cannot be resumed. Boot without it.",
		    "chunk %llu of %llu %s", (unsigned long long)number, (unsigned long long)p->chunk_total,
		    p->job.seal ? "was changed" : "is damaged");
	stage_fail(p, error, &f);
}

static int read_batch(struct pipeline *p, struct transfer_detour *ahead, struct extent_cursor *cursor, struct batch *batch)
{
	uint64_t place = 0;
	struct failure f;
	int r = transfer_read(p->job.area_fd, ahead, cursor, batch->offset, batch->vectors, batch->count, &place);

	if (r < 0) {
		failure_set(&f, REASON_IO, -r, p->job.area_name, "Check the disk and its cabling.",
			    "reading %llu bytes at byte %llu failed", (unsigned long long)batch->bytes,
			    (unsigned long long)place);
		stage_fail(p, r, &f);
	}
	return r;
}

/* 0, or -EBADMSG, which has been recorded. */
static int verify_batch(struct pipeline *p, const struct batch *batch)
{
	for (size_t i = 0; i < batch->count && !stage_stopped(p); i++) {
		struct slot *slot = stage_slot(p, batch->first + i);

		slot->verified = tag_is_right(slot, &p->job.index->chunks[batch->first + i]);
		if (!slot->verified) {
			chunk_failed(p, batch->first + i, -EBADMSG);
			return -EBADMSG;
		}
	}
	return 0;
}

void load_reader(struct pipeline *p)
{
	struct transfer_detour ahead = {.fd = p->job.ahead_fd, .range = p->job.ahead};
	struct extent_cursor cursor;
	struct batch batch;

	extent_cursor_init(&cursor, p->job.extents);
	pthread_mutex_lock(&p->lock);
	while (take_empty(p, &batch)) {
		bool more = p->next_in == p->chunk_total || stage_has_room(p), behind;

		pthread_mutex_unlock(&p->lock);
		if (more)
			pthread_cond_signal(&p->room);
		if (read_batch(p, &ahead, &cursor, &batch) < 0)
			return;
		atomic_fetch_add_explicit(&p->done_bytes, batch.bytes, memory_order_relaxed);
		pthread_mutex_lock(&p->lock);
		behind = !p->job.seal && p->ready > 0;
		pthread_mutex_unlock(&p->lock);
		if (behind && verify_batch(p, &batch) < 0)
			return;
		pthread_mutex_lock(&p->lock);
		for (size_t i = 0; i < batch.count; i++)
			stage_slot(p, batch.first + i)->state = SLOT_READY;
		p->ready += batch.count;
		pthread_mutex_unlock(&p->lock);
		if (batch.count > 1)
			pthread_cond_broadcast(&p->code);
		else
			pthread_cond_signal(&p->code);
		pthread_mutex_lock(&p->lock);
	}
	p->ahead_bytes += ahead.bytes;
	pthread_mutex_unlock(&p->lock);
	pthread_cond_broadcast(&p->room);
}

/* The first chunk that has been read and that nobody decodes, or UINT64_MAX. With the lock held. */
static uint64_t find_ready(struct pipeline *p)
{
	for (uint64_t at = p->next_out; at < p->next_in; at++)
		if (stage_slot(p, at)->state == SLOT_READY)
			return at;
	return UINT64_MAX;
}

/* Wait for a chunk to decode; UINT64_MAX when all are taken. With the lock held. */
static uint64_t take_read(struct pipeline *p)
{
	uint64_t at = UINT64_MAX;

	while (!stage_stopped(p) && p->next_code < p->chunk_total && (at = find_ready(p)) == UINT64_MAX)
		pthread_cond_wait(&p->code, &p->lock);
	if (stage_stopped(p) || at == UINT64_MAX)
		return UINT64_MAX;
	stage_slot(p, at)->state = SLOT_BUSY;
	p->ready--;
	/* Here only a count: chunks are taken in any order. */
	p->next_code++;
	return at;
}

/* Verify the block of @slot if nobody has yet; what is sealed is opened in its buffer. */
static int verify(struct pipeline *p, unsigned int number, uint64_t at, struct slot *slot, const struct image_chunk *chunk)
{
	struct seal_chunk place = {
		.index = at,
		.last = at + 1 == p->chunk_total,
		.stored = chunk->stored,
		.size = chunk->size,
		.codec = (uint32_t)chunk->codec,
	};

	if (p->job.seal)
		return seal_chunk_open(p->job.seal[number], &place, slot->data, slot->data, chunk->tag.bytes);
	return slot->verified || tag_is_right(slot, chunk) ? 0 : -EBADMSG;
}

/* Decode the block of @slot into the thread's spare; what is not needed becomes the spare. */
static int decode(struct pipeline *p, unsigned int number, struct slot *slot, const struct image_chunk *chunk)
{
	uint8_t *pages = p->spare[number];
	int r;

	if (chunk->codec == CODEC_NONE)
		return 0;
	r = codec_decompress(chunk->codec, p->workspace[number], p->workspace_size, slot->data, chunk->stored, pages,
			     chunk->size);
	if (r < 0)
		return r;
	p->spare[number] = slot->data;
	slot->data = pages;
	return 0;
}

void load_codec(struct pipeline *p, unsigned int number)
{
	uint64_t at;

	pthread_mutex_lock(&p->lock);
	while ((at = take_read(p)) != UINT64_MAX) {
		struct slot *slot = stage_slot(p, at);
		const struct image_chunk *chunk = &p->job.index->chunks[at];
		bool last = p->next_code == p->chunk_total, awaited;
		int r;

		pthread_mutex_unlock(&p->lock);
		if (last)
			pthread_cond_broadcast(&p->code);
		r = verify(p, number, at, slot, chunk);
		if (r >= 0)
			r = decode(p, number, slot, chunk);
		if (r < 0) {
			chunk_failed(p, at, r);
			return;
		}
		pthread_mutex_lock(&p->lock);
		slot->state = SLOT_CODED;
		p->raw_chunks += chunk->codec == CODEC_NONE;
		awaited = at == p->next_out;
		pthread_mutex_unlock(&p->lock);
		if (awaited)
			pthread_cond_signal(&p->out);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
}

/* The kernel compares the first page, its own header, with this machine when the second one comes. */
static int first_page_refused(struct pipeline *p)
{
	struct failure f;
	int r = failure_set(&f, REASON_WRONG_MACHINE, EPERM, p->job.area_name,
			    "Resume on the machine and with the memory that it had; the kernel log says what differs.",
			    "the kernel refused the image at its first page: it is of a machine with another amount of memory, "
			    "another layout of it, or another kind of kernel");

	stage_fail(p, r, &f);
	return r;
}

static int write_failed(struct pipeline *p, int error, const char *what)
{
	struct failure f;
	int r;

	if (error == -EPERM && p->moved_pages == 0)
		return first_page_refused(p);
	r = failure_set(&f, REASON_RESTORE_REFUSED, -error, "/dev/snapshot", NULL, "%s after %llu of %llu pages", what,
			    (unsigned long long)p->moved_pages, (unsigned long long)p->job.pages);

	stage_fail(p, r, &f);
	return r;
}

static int hand_over(struct pipeline *p, const struct slot *slot)
{
	const struct page_mover *mover = &p->job.mover;
	size_t pages = slot->size / PAGE_BYTES, done = 0;
	uint64_t since = clock_monotonic_usec();

	while (done < pages) {
		ssize_t n = stage_failpoint(p, "worker-load-page");

		if (n < 0 || stage_stopped(p))
			return -ECANCELED;
		n = mover->move(mover->data, slot->data + done * PAGE_BYTES, pages - done);
		if (n <= 0)
			return write_failed(p, n ? (int)n : -EIO, "the kernel took no more");
		done += (size_t)n;
		p->moved_pages += (uint64_t)n;
		atomic_fetch_add_explicit(&p->done_pages, (uint64_t)n, memory_order_relaxed);
	}
	p->move_usec += clock_monotonic_usec() - since;
	return 0;
}

/* The seals' own count of what goes to the kernel; a difference would be a fault of this program. */
static void out_of_order(struct pipeline *p)
{
	struct failure f;
	int r = failure_set(&f, REASON_INTERNAL, EBADMSG, p->job.area_name, NULL, "chunks came out of their order");

	stage_fail(p, r, &f);
}

void load_mover(struct pipeline *p)
{
	struct seal_order order;
	int r;

	seal_order_init(&order, p->chunk_total);
	for (uint64_t at = 0; at < p->chunk_total; at++) {
		struct slot *slot = stage_slot(p, at);
		bool stopped;

		pthread_mutex_lock(&p->lock);
		if (slot->state != SLOT_CODED) {
			uint64_t since = clock_monotonic_usec();

			while (slot->state != SLOT_CODED && !stage_stopped(p))
				pthread_cond_wait(&p->out, &p->lock);
			p->stall_usec += clock_monotonic_usec() - since;
		}
		stopped = stage_stopped(p);
		pthread_mutex_unlock(&p->lock);
		if (stopped)
			return;
		if (seal_order_take(&order, at, at + 1 == p->chunk_total) < 0) {
			out_of_order(p);
			return;
		}
		if (hand_over(p, slot) < 0)
			return;
		pthread_mutex_lock(&p->lock);
		p->free_buffers[p->free_count++] = slot->data;
		slot->state = SLOT_FREE;
		p->next_out++;
		pthread_mutex_unlock(&p->lock);
		pthread_cond_signal(&p->room);
	}
	if (p->chunk_total && seal_order_close(&order) < 0) {
		out_of_order(p);
		return;
	}
	r = p->job.mover.finish ? p->job.mover.finish(p->job.mover.data) : 0;
	if (r < 0)
		write_failed(p, r, "the kernel did not take the end");
}
