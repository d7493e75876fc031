/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker may ask of the kernel. */
#pragma once

#include "base/failure.h"

#include <sys/types.h>

/*
 * No job, no option and no environment opens the sandbox: only a build that could not run in it has none, which is one
 * with AddressSanitizer, since that asks for memory while it works.
 */
#ifdef __SANITIZE_ADDRESS__
#define WORKER_SANDBOX 0
#else
#define WORKER_SANDBOX 1
#endif

/*
 * Check that this process is user @uid, who is not root, and nobody else, without any capability; give up new privileges
 * and being dumped or traced. 0 or -EPERM.
 */
int worker_drop(uid_t uid, struct failure *f);

/* Close the sandbox over all threads: from now on any system call outside the table kills the process (SIGSYS). */
int worker_sandbox(struct failure *f);
