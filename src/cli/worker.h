/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernate-image --worker: the process that moves and transforms an image for hibernated.
 *
 * It has no privilege and no files but the descriptors of pipeline/worker.h, which also says how
 * it is spoken to. It comes into being while user space is frozen, so everything it will need is
 * taken before it says READY: memory is mapped, resident and locked, threads have started. Then the
 * sandbox closes, and it blocks on the socket until the snapshot exists.
 *
 * It never outlives the daemon: a socket that is closed ends it at once, at work too.
 */
#pragma once

/* Exit statuses of a worker; what went wrong with the image is in job.failure, not here. */
enum worker_exit {
	WORKER_EXIT_DONE = 0,     /* DONE was sent */
	WORKER_EXIT_FAILED = 1,   /* FAILED was sent */
	WORKER_EXIT_ALONE = 2,    /* the daemon is gone, or asked it to go by closing the socket */
	WORKER_EXIT_PROTOCOL = 3, /* the daemon sent what it must not */
	WORKER_EXIT_SETUP = 4,    /* started wrongly: descriptors, memory or privileges are not as they must be */
};

/* The program; returns its exit status, or exits with it. */
int worker_main(void);
