/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places where a test build can be made to fail; in an ordinary build they are nothing at all.
 *
 * A program reads its failpoints once, from the file FAILPOINTS_PATH with lines "POINT ACTION [SKIP]",
 * into a set that it owns. ACTION is one of
 *   kill          SIGKILL to the calling process
 *   hang          sleep for ever
 *   error:NUMBER  the point returns -NUMBER
 *   term, int     SIGTERM or SIGINT to the calling process, then on: while user space is frozen nobody else can send one
 *   wait:SECONDS  sleep, then on: gives whoever looks from outside the time to
 *   kill:parent   SIGKILL to the parent of the calling process, which goes on to the next line of the point
 *   try:CALL      make a system call that a sandbox must not let through (open, socket, execve, ptrace); whoever survives it
 *                 gets -EPROTO
 *   kill:NAME     the caller is asked to SIGKILL another process (it gets FAILPOINT_KILL_OTHER)
 * and SKIP is how many passes through the point go by first (0). Each fires once.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"
#include "base/util.h"

#define FAILPOINT_MAX 16
#define FAILPOINT_KILL_OTHER 1 /* positive condition of failpoint_hit() */

struct failpoint {
	char name[48];
	char action[24];
	unsigned int skip;
};

struct failpoints {
	size_t count;
	struct failpoint items[FAILPOINT_MAX];
};

#if ENABLE_FAILPOINTS
#define FAILPOINTS_PATH "/run/hibernated/failpoints"

/* Read FAILPOINTS_PATH; no such file is an empty set. 0, or -EINVAL and REASON_CONFIG. */
int failpoints_load(struct failpoints *set, const struct sysctx *s, struct failure *f);
/* Parse @text; lines that make no sense are an error (-EINVAL): a test must not pass by a typing error. */
int failpoints_parse(struct failpoints *set, const char *text);
/* 0 to go on, FAILPOINT_KILL_OTHER, or the negative errno that the point was told to return. */
int failpoint_hit(struct failpoints *set, const char *name);
#else
static inline int failpoints_load(struct failpoints *set, const struct sysctx *s, struct failure *f)
{
	(void)s;
	(void)f;
	set->count = 0;
	return 0;
}

static inline int failpoints_parse(struct failpoints *set, const char *text)
{
	(void)text;
	set->count = 0;
	return 0;
}

static inline int failpoint_hit(struct failpoints *set, const char *name)
{
	(void)set;
	(void)name;
	return 0;
}
#endif
