/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker may ask of the kernel. */
#pragma once

#include "base/failure.h"

#include <sys/types.h>

/*
 * Check that this process is user @uid and nothing else, without any capability (which is not asked of
 * uid 0: only tests run as root); give up new privileges and being dumped or traced. 0 or -EPERM.
 */
int worker_drop(uid_t uid, struct failure *f);

/* Close the sandbox over all threads: from now on any system call outside the table kills the process. */
int worker_sandbox(struct failure *f);
