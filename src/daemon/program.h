/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the worker executes, and as whom: hibernate-image, under a uid of its own.
 *
 * To save, it starts under a frozen system, where nothing may be read from a filesystem: from a copy in a sealed memfd that was
 * locked before. To resume, nothing is frozen yet, and the file itself will do.
 */
#pragma once

#include "base/failure.h"

#include <sys/types.h>

struct program {
	int fd;           /* the file, or the copy; -1: not loaded */
	size_t size;      /* of the copy */
	void *map;        /* keeps the copy's pages locked */
	uid_t uid;
	gid_t gid;
	const char *user; /* who the worker is; tests name others */
	const char *path; /* what it runs */
};

void program_init(struct program *p);
void program_deinit(struct program *p);

/* What of program_load() can be known without doing anything: the user and the file are there. */
int program_possible(const struct program *p, struct failure *f);

/*
 * Find the user (REASON_WORKER if there is none or if it is root) and open the program; @ahead: as a copy, with nothing left
 * to be read when it is executed.
 */
int program_load(struct program *p, bool ahead, struct failure *f);

/*
 * In a child that @parent has forked: become the worker, with these descriptors (@snapshot may be -1) and no others. Only system
 * calls that cannot allocate. An exit status from 119 on says which of them failed.
 */
_Noreturn void program_execute(const struct program *p, int socket, int memory, int area, int snapshot, pid_t parent);
