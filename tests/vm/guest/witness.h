/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Witnesses: processes whose state exists in memory only, so that finding it again proves a resume.
 *
 * One process holds the nonce, a region of anonymous memory and open files with a position; one counts; two move
 * numbers through a pipe. The counters sit in one shared anonymous page, which also dies with the machine.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WITNESS_NONCE_MAX 128

struct witness_order {
	char nonce[WITNESS_NONCE_MAX]; /* text from the harness */
	size_t memory;                 /* bytes of anonymous memory to fill */
	unsigned int percent_random;   /* pages of it that do not compress, 0 to 100 */
	unsigned int percent_zero;     /* pages of it that are all zero, 0 to 100 */
	char dir[128];                 /* directory of the open files */
};

struct witness_shared;

struct witnesses {
	pid_t holder, counter, source, sink;
	int socket; /* to the holder; -1 if none was started */
	struct witness_shared *shared;
};

/* Start all processes and wait until the memory is filled. Returns 0 or a negative errno. */
int witnesses_start(struct witnesses *w, const struct witness_order *order);

/*
 * Write "key=value" lines about all of them into @buf: what the holder says after looking at its memory and files
 * again, the counters, the start times. Returns the length or a negative errno; -ETIMEDOUT if the holder is silent.
 */
ssize_t witnesses_report(const struct witnesses *w, char *buf, size_t size);

/*
 * "top=PFN zero-top=PFN": the highest page frame in use, and the highest one that is a page of the witness' memory
 * full of zeros. They are equal if an image taken now ends in a page of zeros. Returns as witnesses_report().
 */
ssize_t witnesses_tail(const struct witnesses *w, char *buf, size_t size);
