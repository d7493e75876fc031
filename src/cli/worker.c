/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Order of effects: privileges are checked and given up, memory is locked, libgcrypt is set up, threads start, the
 * sandbox closes, READY. A save then touches the area only between GRANT and DONE, inside the granted
 * extents, and a restore writes nothing but pages into the snapshot, after LOAD. There is nothing to
 * undo here: slots, marks and the snapshot are the daemon's.
 */
#include "cli/worker.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "cli/worker-sandbox.h"
#include "cli/worker-seal.h"
#include "image/image.h"
#include "pipeline/pipeline.h"
#include "pipeline/worker.h"
#include "snapshot/snapshot.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRESS_MSEC 200
/* A call: enough to make its cost small, few enough to notice a stop soon. */
#define MOVE_PAGES 128
#define STACK_TOUCHED (128 * KIB)

struct worker {
	uint8_t *memory; /* the memfd; @job is at its start */
	struct worker_job *job;
	struct pipeline *pipeline;
	struct extent_list extents;
	struct image_index index;
	struct worker_keys keys;
	int snapshot_fd;
	uint64_t begun_usec;
};

/* Nothing runs at the end but the kernel's own cleaning up, so threads in a system call do not matter. */
static _Noreturn void leave(enum worker_exit status)
{
	_exit(status);
}

/* Report @f, which becomes job.failure, and end. */
static _Noreturn void leave_failed(struct worker *w, const struct failure *f)
{
	worker_wipe(w->job);
	w->job->failure = *f;
	worker_send(WORKER_FD_SOCKET, WORKER_FAILED, NULL, -1);
	leave(WORKER_EXIT_FAILED);
}

static void send_or_leave(enum worker_message_type type, const uint64_t *values)
{
	int r = worker_send(WORKER_FD_SOCKET, type, values, -1);

	if (r < 0 && r != -EAGAIN)
		leave(WORKER_EXIT_ALONE);
}

/* Wait, without limit, for a message that must be of @type or @other. */
static void expect_either(enum worker_message_type type, enum worker_message_type other, struct worker_message *message,
			  int *passed_fd)
{
	int r = worker_receive(WORKER_FD_SOCKET, message, passed_fd, UINT64_MAX);

	if (r == -EPROTO || (!r && message->type != (uint32_t)type && message->type != (uint32_t)other))
		leave(WORKER_EXIT_PROTOCOL);
	if (r < 0)
		leave(WORKER_EXIT_ALONE);
}

static void expect(enum worker_message_type type, int *passed_fd)
{
	struct worker_message message;

	expect_either(type, type, &message, passed_fd);
}

static void fail_at(struct worker *w, const char *point)
{
	struct failure f;
	int r = failpoint_hit(&w->job->failpoints, point);

	if (r < 0) {
		failure_set(&f, REASON_WORKER, -r, NULL, NULL, "failpoint %s", point);
		leave_failed(w, &f);
	}
}

typedef ssize_t (*pages_call)(const struct snapshot_ops *ops, void *data, int fd, const struct iovec *iov, int count);

static ssize_t move_pages(struct worker *w, pages_call call, uint8_t *buffer, size_t pages)
{
	struct iovec iov[MOVE_PAGES];
	int count = (int)MIN(pages, (size_t)MOVE_PAGES);

	for (int i = 0; i < count; i++)
		iov[i] = (struct iovec){.iov_base = buffer + (size_t)i * PAGE_BYTES, .iov_len = PAGE_BYTES};
	return call(&snapshot_device_ops, NULL, w->snapshot_fd, iov, count);
}

static ssize_t read_pages(void *data, void *buffer, size_t pages)
{
	return move_pages(data, snapshot_read_pages, buffer, pages);
}

static ssize_t write_pages(void *data, void *buffer, size_t pages)
{
	return move_pages(data, snapshot_write_pages, buffer, pages);
}

static int finish_pages(void *data)
{
	struct worker *w = data;

	return snapshot_finish_write(&snapshot_device_ops, NULL, w->snapshot_fd, w->memory + w->job->body_at);
}

/* While the pipeline works the daemon has nothing to say: whatever comes ends the worker. */
static void watch_socket(void)
{
	struct worker_message message;
	int r = worker_receive(WORKER_FD_SOCKET, &message, NULL, 0);

	if (r == -ETIMEDOUT || r == -EAGAIN)
		return;
	leave(r == -ECONNRESET ? WORKER_EXIT_ALONE : WORKER_EXIT_PROTOCOL);
}

static void wait_for_pipeline(struct worker *w, uint64_t pages)
{
	struct pollfd items[] = {
		{.fd = pipeline_done_fd(w->pipeline), .events = POLLIN},
		{.fd = WORKER_FD_SOCKET, .events = POLLIN},
	};

	while (!(items[0].revents & POLLIN)) {
		struct pipeline_progress progress;

		if (poll(items, ARRAY_LENGTH(items), PROGRESS_MSEC) < 0)
			continue;
		if (items[1].revents)
			watch_socket();
		progress = pipeline_progress(w->pipeline);
		send_or_leave(WORKER_PROGRESS, (uint64_t[4]){progress.pages, pages, progress.bytes});
	}
}

static void run_pipeline(struct worker *w, const struct pipeline_job *job, struct pipeline_result *result)
{
	struct failure f;

	if (pipeline_begin(w->pipeline, job, &f) < 0)
		leave_failed(w, &f);
	wait_for_pipeline(w, job->pages);
	/* With an error threads may still be inside a system call: not waited for. */
	if (pipeline_failure(w->pipeline, &f) < 0 || pipeline_end(w->pipeline, result, &f) < 0)
		leave_failed(w, &f);
}

static void fill_result(struct worker *w, const struct pipeline_result *r, uint64_t header_offset, uint64_t stored)
{
	w->job->result = (struct worker_result){
		.header_offset = header_offset,
		.pages = r->pages,
		.stored_bytes = stored,
		.chunks = r->chunks,
		.raw_chunks = r->raw_chunks,
		.elapsed_usec = clock_monotonic_usec() - w->begun_usec,
		.read_usec = r->move_usec,
		.stall_usec = r->stall_usec,
		.ahead_bytes = r->ahead_bytes,
	};
}

static struct pipeline_job pipeline_job_of(struct worker *w)
{
	return (struct pipeline_job){
		.load = w->job->direction == WORKER_RESTORE,
		.codec = (enum codec_id)w->job->codec,
		.level = w->job->level,
		.chunk_size = w->job->chunk_size,
		.area_fd = WORKER_FD_AREA,
		.area_name = w->job->area_name,
		.extents = &w->extents,
		.stream_offset = PAGE_BYTES,
		.stream_limit = extent_list_total(&w->extents),
		.pages = w->job->snapshot_pages,
		.index = &w->index,
		.seal = worker_keys_streams(&w->keys),
		.mover = {.move = read_pages, .data = w},
		.failpoints = &w->job->failpoints,
	};
}

/* Have the daemon sign the header page, for which it alone has the key. */
static void have_signed(struct worker *w)
{
	send_or_leave(WORKER_SIGN, NULL);
	expect(WORKER_SIGNED, NULL);
	image_header_sign(w->memory + w->job->body_at, w->job->seal.signature);
}

static void save(struct worker *w)
{
	struct worker_job *job = w->job;
	struct image_seal seal = {
		.suite = (enum seal_suite)job->seal.suite,
		.slot = job->seal.slot,
		.blob = job->seal.blob,
	};
	bool sealed = suite_seals(seal.suite);
	struct pipeline_result result;
	struct pipeline_job way;
	struct image_place place;
	struct failure f;

	expect(WORKER_GRANT, NULL);
	w->begun_usec = clock_monotonic_usec();
	w->snapshot_fd = WORKER_FD_SNAPSHOT;
	w->extents = (struct extent_list){
		.items = (struct extent *)(void *)(w->memory + job->extents_at),
		.count = job->extent_count,
		.capacity = job->extent_capacity,
	};
	if (job->extent_count > job->extent_capacity)
		leave(WORKER_EXIT_PROTOCOL);
	if (sealed && worker_keys_begin(&w->keys, job, w->memory + job->body_at, &f) < 0)
		leave_failed(w, &f);
	way = pipeline_job_of(w);
	run_pipeline(w, &way, &result);

	fail_at(w, "worker-before-body");
	seal.body = w->keys.body;
	if (image_write_body(WORKER_FD_AREA, job->area_name, &w->extents, result.stream_end, &job->meta, &w->index,
			     sealed ? &seal : NULL, w->memory + job->body_at, job->body_size, &place, &f) < 0)
		leave_failed(w, &f);
	worker_keys_deinit(&w->keys);
	if (sealed)
		have_signed(w);
	fail_at(w, "worker-before-header");
	if (image_write_header(WORKER_FD_AREA, job->area_name, &place, &f) < 0)
		leave_failed(w, &f);
	fill_result(w, &result, place.header_offset, place.stream_end);
	send_or_leave(WORKER_DONE, NULL);
}

/* Ask for secrets until one opens the image whose header page is @page. */
static void unseal(struct worker *w, const struct image_header *header, const void *page)
{
	struct failure f;
	int r = worker_keys_check(&w->keys, page, w->job, &f);

	if (r < 0)
		leave_failed(w, &f);
	memcpy(w->job->seal.kernel_release, header->kernel_release, sizeof(w->job->seal.kernel_release));
	do {
		send_or_leave(WORKER_ASK, NULL);
		expect(WORKER_SECRET, NULL);
		r = worker_keys_open(&w->keys, w->job, page, &f);
	} while (r == KEY_WRONG_SECRET);
	if (r < 0)
		leave_failed(w, &f);
}

/* Header page, secret if it is sealed, body. */
static void read_image(struct worker *w)
{
	struct worker_job *job = w->job;
	uint8_t *page = w->memory + job->body_at;
	struct image_header header;
	struct failure f;

	if (image_read_header(WORKER_FD_AREA, job->area_name, job->header_offset, job->device_size, page, &header, &f) < 0 ||
	    seal_admit(job->seal.required, (uint32_t)header.suite, job->area_name, &f) < 0)
		leave_failed(w, &f);
	if (suite_seals(header.suite))
		unseal(w, &header, page);
	if (image_read_body(WORKER_FD_AREA, job->area_name, &header, job->header_offset, job->device_size, w->keys.body,
			    page + PAGE_BYTES, job->body_size - PAGE_BYTES, &job->meta, &w->extents, &w->index, &f) < 0)
		leave_failed(w, &f);
}

/* LOAD, and what of the area has been read ahead, if any of it was. */
static void expect_load(struct worker *w, int *ahead_fd, struct extent *ahead)
{
	struct worker_message message;
	int passed;

	expect_either(WORKER_AHEAD, WORKER_LOAD, &message, &passed);
	if (message.type == WORKER_AHEAD) {
		*ahead_fd = passed;
		*ahead = (struct extent){.start = message.value[0], .length = message.value[1]};
		expect(WORKER_LOAD, &passed);
	}
	w->snapshot_fd = passed;
}

static void restore(struct worker *w)
{
	struct worker_job *job = w->job;
	struct pipeline_result result;
	struct extent ahead = {0};
	struct pipeline_job way;
	int ahead_fd = -1;

	expect(WORKER_OPEN, NULL);
	fail_at(w, "worker-load-header");
	read_image(w);
	send_or_leave(WORKER_META, NULL);

	expect_load(w, &ahead_fd, &ahead);
	w->begun_usec = clock_monotonic_usec();
	job->codec = job->meta.codec;
	job->level = 0;
	job->chunk_size = job->meta.chunk_size;
	job->snapshot_pages = job->meta.snapshot_pages;
	way = pipeline_job_of(w);
	way.ahead_fd = ahead_fd;
	way.ahead = ahead;
	way.mover = (struct page_mover){.move = write_pages, .finish = finish_pages, .data = w};
	run_pipeline(w, &way, &result);
	worker_keys_deinit(&w->keys);
	fill_result(w, &result, job->header_offset, result.stored_bytes);
	send_or_leave(WORKER_DONE, NULL);
}

static int map_memory(struct worker *w)
{
	struct stat st;
	void *memory;

	if (fstat(WORKER_FD_MEMORY, &st) < 0 || st.st_size < (off_t)sizeof(struct worker_job))
		return -EINVAL;
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, WORKER_FD_MEMORY, 0);
	if (memory == MAP_FAILED)
		return -errno;
	w->memory = memory;
	w->job = memory;
	if (w->job->version != WORKER_PROTOCOL_VERSION || worker_check_layout(w->job, (uint64_t)st.st_size) < 0)
		return -EPROTO;
	return 0;
}

/* The stack that will be used is there from now on: later a page might not be had. */
static void touch_stack(void)
{
	volatile uint8_t stack[STACK_TOUCHED];

	for (size_t i = 0; i < sizeof(stack); i += PAGE_BYTES)
		stack[i] = 0;
}

/* What needs libgcrypt, which can be set up only before the sandbox closes. */
static bool may_be_sealed(struct worker *w)
{
	const struct worker_job *job = w->job;

	if (job->direction == WORKER_SAVE)
		return job->seal.suite;
	return image_may_be_sealed(WORKER_FD_AREA, job->header_offset, w->memory + job->body_at);
}

static void prepare(struct worker *w)
{
	struct worker_job *job = w->job;
	struct failure f;

	if (worker_drop(job->worker_uid, &f) < 0)
		leave_failed(w, &f);
	fail_at(w, "worker-start");
	touch_stack();
	if (!job->unlocked && mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
		failure_set(&f, REASON_WORKER, errno, NULL, "Raise RLIMIT_MEMLOCK.", "cannot lock the worker's memory");
		leave_failed(w, &f);
	}
	if (worker_keys_init(&w->keys, job, may_be_sealed(w), &f) < 0)
		leave_failed(w, &f);
	if (pipeline_start(&w->pipeline, w->memory + job->buffers_at, job->buffers_size, job->threads, job->writers, &f) < 0)
		leave_failed(w, &f);
	w->index = (struct image_index){
		.chunks = (struct image_chunk *)(void *)(w->memory + job->index_at),
		.capacity = job->index_capacity,
	};
	extent_list_init(&w->extents, (struct extent *)(void *)(w->memory + job->extents_at), job->extent_capacity);
	if (worker_sandbox(&f) < 0)
		leave_failed(w, &f);
	fail_at(w, "worker-ready");
	send_or_leave(WORKER_READY, (uint64_t[4]){WORKER_PROTOCOL_VERSION});
}

int worker_main(void)
{
	struct worker w = {.snapshot_fd = -1};

	if (map_memory(&w) < 0)
		return WORKER_EXIT_SETUP;
	switch ((enum worker_direction)w.job->direction) {
	case WORKER_SAVE:
		prepare(&w);
		save(&w);
		leave(WORKER_EXIT_DONE);
	case WORKER_RESTORE:
		prepare(&w);
		restore(&w);
		leave(WORKER_EXIT_DONE);
	}
	return WORKER_EXIT_SETUP;
}
