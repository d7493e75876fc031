/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a pipeline: memory, threads, the first error. The ways themselves are in save.c and load.c.
 */
#include "pipeline/stage.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Codecs keep their state in the workspace; the rest of the pipeline needs a few KiB. */
#define STAGE_STACK_BYTES (128 * KIB)

static void notify(const struct pipeline *p)
{
	/* Cannot fail: the counter has room for every thread many times over. */
	ssize_t n = write(p->done_fd, &(uint64_t){1}, sizeof(uint64_t));

	(void)n;
}

void stage_fail(struct pipeline *p, int error, const struct failure *f)
{
	pthread_mutex_lock(&p->lock);
	if (!p->error) {
		p->error = error;
		p->failure = *f;
	}
	atomic_store_explicit(&p->stop, true, memory_order_relaxed);
	pthread_cond_broadcast(&p->go);
	pthread_cond_broadcast(&p->room);
	pthread_cond_broadcast(&p->code);
	pthread_cond_broadcast(&p->out);
	pthread_mutex_unlock(&p->lock);
	notify(p);
}

#if ENABLE_FAILPOINTS
int stage_failpoint(struct pipeline *p, const char *name)
{
	struct failure f;
	int r;

	if (!p->job.failpoints)
		return 0;
	pthread_mutex_lock(&p->failpoint_lock);
	r = failpoint_hit(p->job.failpoints, name);
	pthread_mutex_unlock(&p->failpoint_lock);
	if (r < 0) {
		failure_set(&f, REASON_IO, -r, p->job.area_name, NULL, "failpoint %s", name);
		stage_fail(p, r, &f);
	}
	return r < 0 ? r : 0;
}
#endif

bool stage_has_room(struct pipeline *p)
{
	return p->free_count && stage_slot(p, p->next_in)->state == SLOT_FREE;
}

static void run_role(struct stage_thread *t)
{
	struct pipeline *p = t->pipeline;
	bool load = p->job.load;

	switch (t->role) {
	case ROLE_MOVER:
		(load ? load_mover : save_mover)(p);
		break;
	case ROLE_CODEC:
		(load ? load_codec : save_codec)(p, t->number);
		break;
	case ROLE_AREA:
		(load ? load_reader : save_writer)(p);
		break;
	}
}

static void *thread_main(void *data)
{
	struct stage_thread *t = data;
	struct pipeline *p = t->pipeline;
	bool last, stopped;

	pthread_mutex_lock(&p->lock);
	p->arrived++;
	pthread_cond_signal(&p->room);
	while (!p->begun && !stage_stopped(p))
		pthread_cond_wait(&p->go, &p->lock);
	stopped = stage_stopped(p);
	pthread_mutex_unlock(&p->lock);

	if (!stopped)
		run_role(t);

	pthread_mutex_lock(&p->lock);
	last = --p->running == 0;
	if (last)
		p->ended_usec = clock_monotonic_usec();
	pthread_mutex_unlock(&p->lock);
	if (last)
		notify(p);
	return NULL;
}

static int start_thread(struct pipeline *p, const pthread_attr_t *attributes, enum stage_role role, unsigned int number)
{
	struct stage_thread *t = &p->items[p->item_count];
	int r;

	*t = (struct stage_thread){.pipeline = p, .role = role, .number = number};
	p->running++;
	r = pthread_create(&t->handle, attributes, thread_main, t);
	if (r) {
		p->running--;
		return -r;
	}
	p->item_count++;
	return 0;
}

static int start_threads(struct pipeline *p)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int r;

	r = -pthread_attr_init(&attributes);
	if (r < 0)
		return r;
	r = -pthread_attr_setstacksize(&attributes, STAGE_STACK_BYTES);
	/* Signals are the main thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&p->lock);
	if (!r)
		r = start_thread(p, &attributes, ROLE_MOVER, 0);
	for (unsigned int i = 0; !r && i < p->threads; i++)
		r = start_thread(p, &attributes, ROLE_CODEC, i);
	for (unsigned int i = 0; !r && i < p->writers; i++)
		r = start_thread(p, &attributes, ROLE_AREA, i);
	/*
	 * Wait until each is at its place: what the C library asks of the kernel for a new thread is
	 * behind it then, so that the caller may forbid it.
	 */
	while (!r && p->arrived < p->item_count)
		pthread_cond_wait(&p->room, &p->lock);
	pthread_mutex_unlock(&p->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return r;
}

int pipeline_start(struct pipeline **out, void *region, size_t region_size, unsigned int threads,
		   unsigned int writers, struct failure *f)
{
	size_t head = round_up(sizeof(struct pipeline), PAGE_BYTES);
	struct pipeline *p = region;
	int r;

	if (region_size < head || (uintptr_t)region % PAGE_BYTES || threads < 1 || threads > PIPELINE_THREADS_MAX ||
	    writers < 1 || writers > PIPELINE_WRITERS_MAX)
		return failure_set(f, REASON_INTERNAL, EINVAL, NULL, NULL,
				   "a pipeline of %u+%u threads in %zu bytes cannot be", threads, writers, region_size);
	memset(p, 0, sizeof(*p));
	p->threads = threads;
	p->writers = writers;
	p->region = (uint8_t *)region + head;
	p->region_size = region_size - head;
	p->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->done_fd < 0)
		return failure_set(f, REASON_INTERNAL, errno, NULL, NULL, "cannot make an eventfd");
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->failpoint_lock, NULL);
	pthread_cond_init(&p->go, NULL);
	pthread_cond_init(&p->room, NULL);
	pthread_cond_init(&p->code, NULL);
	pthread_cond_init(&p->out, NULL);
	r = start_threads(p);
	if (r < 0) {
		pipeline_end(p, NULL, NULL);
		return failure_set(f, REASON_INTERNAL, -r, NULL, NULL, "cannot start %u threads", 1 + threads + writers);
	}
	*out = p;
	return 0;
}

static int check_job(const struct pipeline_job *job, struct failure *f)
{
	uint64_t total = extent_list_total(job->extents);

	if (job->chunk_size < PAGE_BYTES || job->chunk_size > IMAGE_CHUNK_MAX || job->chunk_size % PAGE_BYTES)
		return failure_set(f, REASON_INTERNAL, EINVAL, job->area_name, NULL, "chunks of %u bytes cannot be", job->chunk_size);
	if (!codec_available(job->codec))
		return failure_set(f, REASON_INTERNAL, EOPNOTSUPP, job->area_name, NULL, "codec %d is not compiled in", job->codec);
	if (job->load)
		return load_check_index(job, f);
	if (job->stream_offset % PAGE_BYTES || job->stream_offset > job->stream_limit || job->stream_limit > total)
		return failure_set(f, REASON_TOO_SMALL, ENOSPC, job->area_name, "Make the area larger.",
				   "%llu bytes were granted, which holds no image at all", (unsigned long long)total);
	if (div_up(job->pages, job->chunk_size / PAGE_BYTES) > job->index->capacity)
		return failure_set(f, REASON_INTERNAL, ENOMEM, job->area_name, NULL,
				   "the index has room for %zu chunks, too few for %llu pages", job->index->capacity,
				   (unsigned long long)job->pages);
	return 0;
}

/* Divide the region: buffers, which stay page-aligned, then slots, free list and workspaces. */
static int divide_region(struct pipeline *p, const struct pipeline_job *job, struct failure *f)
{
	size_t workspace = stage_workspace_bytes(job->codec, job->level, job->chunk_size);
	size_t fixed = stage_fixed_bytes(job->codec, job->level, job->chunk_size, p->threads);
	size_t buffers = p->region_size < fixed ? 0 : (p->region_size - fixed) / stage_buffer_bytes(job->chunk_size);
	uint8_t *at = p->region;

	if (buffers < STAGE_BUFFERS_LEAST)
		return failure_set(f, REASON_INTERNAL, ENOMEM, job->area_name, "Use fewer threads or a lower compression level.",
				   "%zu bytes of buffers are too few for %u threads, chunks of %u bytes and %zu bytes of workspace",
				   p->region_size, p->threads, job->chunk_size, workspace);
	for (unsigned int i = 0; i < p->threads; i++, at += job->chunk_size)
		p->spare[i] = at;
	p->slot_count = buffers;
	p->slots = (struct slot *)(void *)(at + buffers * job->chunk_size);
	memset(p->slots, 0, buffers * sizeof(*p->slots));
	p->free_buffers = (uint8_t **)(void *)(p->slots + buffers);
	p->free_count = buffers;
	for (size_t i = 0; i < buffers; i++, at += job->chunk_size)
		p->free_buffers[i] = at;
	at = (uint8_t *)(p->free_buffers + buffers);
	at += -(uintptr_t)at % 64;
	for (unsigned int i = 0; i < p->threads; i++, at += workspace)
		p->workspace[i] = at;
	p->workspace_size = workspace;
	return 0;
}

int pipeline_begin(struct pipeline *p, const struct pipeline_job *job, struct failure *f)
{
	int r = check_job(job, f);

	if (r < 0)
		return r;
	pthread_mutex_lock(&p->lock);
	r = divide_region(p, job, f);
	if (!r) {
		p->job = *job;
		p->stream_at = job->stream_offset;
		p->chunk_total = job->load ? job->index->count : 0;
		p->begun_usec = clock_monotonic_usec();
		p->begun = true;
		pthread_cond_broadcast(&p->go);
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pipeline_done_fd(const struct pipeline *p)
{
	return p->done_fd;
}

struct pipeline_progress pipeline_progress(const struct pipeline *p)
{
	return (struct pipeline_progress){
		.pages = atomic_load_explicit(&p->done_pages, memory_order_relaxed),
		.bytes = atomic_load_explicit(&p->done_bytes, memory_order_relaxed),
	};
}

int pipeline_failure(struct pipeline *p, struct failure *f)
{
	int r;

	pthread_mutex_lock(&p->lock);
	r = p->error;
	if (r && f)
		*f = p->failure;
	pthread_mutex_unlock(&p->lock);
	return r;
}

void pipeline_cancel(struct pipeline *p)
{
	struct failure f;
	int r = failure_set(&f, REASON_ABORTED, ECANCELED, NULL, NULL, "moving the image was cancelled");

	stage_fail(p, r, &f);
}

int pipeline_end(struct pipeline *p, struct pipeline_result *result, struct failure *f)
{
	if (!p->begun)
		pipeline_cancel(p);
	for (size_t i = 0; i < p->item_count; i++)
		pthread_join(p->items[i].handle, NULL);
	p->done_fd = fd_close(p->done_fd);
	pthread_cond_destroy(&p->go);
	pthread_cond_destroy(&p->room);
	pthread_cond_destroy(&p->code);
	pthread_cond_destroy(&p->out);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->failpoint_lock);
	if (p->error) {
		if (f)
			*f = p->failure;
		return p->error;
	}
	*result = (struct pipeline_result){
		.pages = p->moved_pages,
		.chunks = p->next_in,
		.raw_chunks = p->raw_chunks,
		.stored_bytes = atomic_load(&p->done_bytes),
		.stream_end = p->stream_at,
		.flushes = p->flushes,
		.elapsed_usec = p->ended_usec - p->begun_usec,
		.move_usec = p->move_usec,
		.stall_usec = p->stall_usec,
		.ahead_bytes = p->ahead_bytes,
	};
	return 0;
}
