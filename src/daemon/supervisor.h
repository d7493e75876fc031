/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting, watching and ending the worker.
 *
 * The worker is what program.h loads and executes; it has only the descriptors of worker.h. Each wait has a deadline, after which the worker is killed; it is always
 * killed and reaped before UNFREEZE, or it could never be frozen again.
 */
#pragma once

#include "base/failure.h"
#include "daemon/program.h"
#include "pipeline/worker.h"

#include <sys/types.h>

/* What a worker has reported of its work, and may report. */
struct supervisor_progress {
	uint64_t pages_most, bytes_most;
	uint64_t pages, bytes;
	uint64_t counted_pages, counted_bytes; /* when it had last moved enough to count... */
	uint64_t moved_at;                     /* ...which was then */
};

struct supervisor {
	struct program program;
	int memory;         /* memfd shared with the worker */
	int socket;         /* our end */
	int pidfd;
	pid_t pid;          /* 0: not running */
	uint64_t memory_size;
	struct worker_job *job; /* start of @memory, mapped and locked */
	uint64_t page_at;       /* where in @memory the worker makes the header page; its own word is not taken for it */
	struct supervisor_progress progress;
	/* Tests: what the forked child calls instead of becoming another user and executing the program. */
	void (*stand_in)(void *data, int socket, int memory, int area, int snapshot);
	void *stand_in_data;
};

void supervisor_init(struct supervisor *w);
void supervisor_deinit(struct supervisor *w);

/* What of supervisor_prepare() can be known without doing anything: the worker's user and its program are there. */
int supervisor_possible(const struct supervisor *w, struct failure *f);

/*
 * All that starting will need, before FREEZE: loads the worker's program, ahead to save; makes, zeroes and locks the shared memory for a machine
 * with @ram bytes. @request gives direction, threads, writers, codec, level, chunk_size and failpoints; the rest of the
 * job is filled in.
 */
int supervisor_prepare(struct supervisor *w, const struct worker_job *request, uint64_t ram, struct failure *f);

/* Start the worker with @area and, unless it is -1, @snapshot; wait until it is ready. */
int supervisor_start(struct supervisor *w, int area, int snapshot, struct failure *f);

/* Fails with REASON_WORKER if it was started and is dead. */
int supervisor_check(struct supervisor *w, struct failure *f);

/* Wait, a second at most, until it is dead; for whoever has just killed it. */
void supervisor_wait_dead(struct supervisor *w);

/* Send a message, with a descriptor unless @fd is -1. */
int supervisor_send(struct supervisor *w, enum worker_message_type type, int fd, struct failure *f);

/* Tell it, before LOAD, that @range of the area's device lies in the page cache, which @fd reads through. */
int supervisor_send_ahead(struct supervisor *w, int fd, const struct extent *range, struct failure *f);

/*
 * The next message, if it comes within @timeout_usec: 1 and *@message; 0 if none came. Fails with
 * REASON_WORKER if the worker is dead or breaks the protocol, and with what the worker said if it failed.
 */
int supervisor_poll(struct supervisor *w, uint64_t timeout_usec, struct worker_message *message, struct failure *f);

/* From now on the worker reports its way through @pages and at most @bytes on the disk; before that, no progress at all. */
void supervisor_expect(struct supervisor *w, uint64_t pages, uint64_t bytes);

/* Called about ten times a second, with the last progress or NULL. A negative errno, @f set by it, ends the wait. */
typedef int (*supervisor_tick)(void *data, const struct worker_message *progress, struct failure *f);

/*
 * Wait for a message of @type. Fails as supervisor_poll(), with what @tick returned, or with REASON_WORKER: -EPROTO when
 * the progress it reports falls or goes beyond what is expected, -ETIMEDOUT when less than a 4096th of that has moved for
 * @stall_usec (the worker reports all the time, also that nothing moves). So no wait is without end.
 */
int supervisor_await(struct supervisor *w, enum worker_message_type type, uint64_t stall_usec, supervisor_tick tick,
		     void *data, struct failure *f);

/* The same for @type or @other, whichever comes first: 0 or 1. */
int supervisor_await_either(struct supervisor *w, enum worker_message_type type, enum worker_message_type other,
			    uint64_t stall_usec, supervisor_tick tick, void *data, struct failure *f);

/* A copy, which the worker cannot change any more, of the header page that it has made. @page: PAGE_BYTES. */
void supervisor_copy_page(const struct supervisor *w, void *page);

/* SIGKILL it and wait until it is gone. Idempotent. */
void supervisor_stop(struct supervisor *w);
