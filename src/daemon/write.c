/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the worker does for a hibernation: it is started under the frozen system, gets slots for the worst case before it reads
 * its first page, writes, and has its header page signed. It is not trusted: no address is taken from it unchecked.
 */
#include "daemon/hibernate.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>

#define STALL_USEC (120 * USEC_PER_SEC) /* a worker that moves nothing for so long hangs; a slow disk's flush does not */

int step_start_worker(struct hibernation *h)
{
	int r = supervisor_start(&h->worker, h->mark_io.fd, h->snapshot.fd, h->failure);

	if (r == 0)
		h->guard.shared->worker = h->worker.pid;
	return r;
}

void undo_start_worker(struct hibernation *h)
{
	supervisor_stop(&h->worker);
	h->guard.shared->worker = 0;
}

/* What can be known only now. The id is drawn after CREATE_IMAGE, or it would be inside the image. */
static int fill_meta(struct hibernation *h)
{
	ssize_t n = getrandom(h->meta.id.bytes, sizeof(h->meta.id.bytes), 0);

	if (n != sizeof(h->meta.id.bytes))
		return failure_set(h->failure, REASON_INTERNAL, n < 0 ? errno : EIO, "random numbers", NULL, "cannot draw any");
	h->meta.created_usec = clock_realtime_usec();
	h->meta.snapshot_pages = h->image_bytes / PAGE_BYTES;
	h->meta.chunk_size = h->worker.job->chunk_size;
	h->meta.codec = (enum codec_id)h->worker.job->codec;
	return fingerprint_read_all(&h->fingerprints, h->page, h->meta.fingerprints, &h->meta.fingerprint_count,
				    h->failure);
}

/* Abort while slots are allocated: many on a fragmented area take a while. */
static int slots_tick(void *data, uint64_t bytes)
{
	struct hibernation *h = data;

	(void)bytes;
	return keys_aborted(&h->keys) ? -ECANCELED : 0;
}

int step_slots(struct hibernation *h)
{
	struct worker_job *job = h->worker.job;
	struct extent_list granted;
	uint64_t started = clock_monotonic_usec();
	int r;

	r = snapshot_image_size(&h->snapshot, &h->image_bytes, h->failure);
	if (r >= 0)
		r = fill_meta(h);
	if (r < 0)
		return r;
	job->snapshot_pages = h->meta.snapshot_pages;
	job->meta = h->meta;
	if (suite_seals(h->sealing.suite)) {
		r = sealing_draw(&h->sealing, &h->meta, &job->seal, h->failure);
		if (r < 0)
			return r;
	}
	/* Every chunk raw, the header page, and an ample body. */
	h->stored_most = round_up(h->image_bytes + h->image_bytes / 128 + MIB, PAGE_BYTES);
	extent_list_init(&granted, (struct extent *)((char *)job + job->extents_at), job->extent_capacity);
	r = snapshot_allocate_slots(&h->snapshot, &h->area.extents, h->stored_most, &granted, slots_tick, h, h->failure);
	if (r == -ECANCELED)
		return hibernation_aborted(h, h->failure);
	if (r < 0)
		return r;
	job->extent_count = granted.count;
	h->report->times.slots_usec = clock_monotonic_usec() - started;
	return 0;
}

void undo_slots(struct hibernation *h)
{
	struct failure f = {0};

	supervisor_stop(&h->worker); /* nobody may write to slots that are free again */
	if (h->keep_slots)
		return;
	if (snapshot_free_swap_pages(&h->snapshot, &f) < 0)
		log_failure(&h->log, &f);
}

/* The worker shares this memory and is not trusted: it is gone before its result is copied and looked at. */
static int take_result(struct hibernation *h)
{
	struct worker_result result;

	undo_start_worker(h);
	result = h->worker.job->result;
	if (result.pages != h->meta.snapshot_pages || result.header_offset == h->mark_io.position ||
	    !extent_list_contains(&h->area.extents, result.header_offset, PAGE_BYTES))
		return failure_set(h->failure, REASON_WORKER, EPROTO, "hibernate-image", NULL,
				   "the worker's result makes no sense");
	h->header_offset = result.header_offset;
	h->report->image_pages = result.pages;
	h->report->stored_bytes = result.stored_bytes;
	return 0;
}

static int write_tick(void *data, const struct worker_message *progress, struct failure *f)
{
	struct hibernation *h = data;

	if (progress) {
		console_progress(&h->console, "saving memory", progress->value[0], progress->value[1],
				 progress->value[0] * PAGE_BYTES);
		if (failpoint_hit(&h->failpoints, "write-progress") == FAILPOINT_KILL_OTHER)
			hibernation_kill_worker(h);
	}
	return keys_aborted(&h->keys) ? hibernation_aborted(h, f) : 0;
}

/* The pages are on the disk: sign what leads to them. */
static int sign_header(struct hibernation *h)
{
	int r = supervisor_await(&h->worker, WORKER_SIGN, STALL_USEC, write_tick, h, h->failure);

	if (r < 0)
		return r;
	supervisor_copy_page(&h->worker, h->page);
	r = sealing_sign(&h->sealing, h->page, h->worker.job->seal.signature, h->failure);
	return r < 0 ? r : supervisor_send(&h->worker, WORKER_SIGNED, -1, h->failure);
}

int step_write(struct hibernation *h)
{
	uint64_t started = clock_monotonic_usec();
	int r = supervisor_send(&h->worker, WORKER_GRANT, -1, h->failure);

	supervisor_expect(&h->worker, h->meta.snapshot_pages, h->stored_most);
	console_begin(&h->console);
	if (r >= 0 && suite_seals(h->sealing.suite))
		r = sign_header(h);
	if (r >= 0)
		r = supervisor_await(&h->worker, WORKER_DONE, STALL_USEC, write_tick, h, h->failure);
	if (r < 0)
		return r;
	h->report->times.write_usec = clock_monotonic_usec() - started;
	return take_result(h);
}
