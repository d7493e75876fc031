/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Things on a running system that make FREEZE hang or fail, found before anything has been changed.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"

/*
 * REASON_BLOCKED, naming it, if root is on FUSE (its server would be frozen under our own page
 * faults), a process is traced, or a process holds a fanotify permission listener (whoever opens a file waits for it,
 * uninterruptibly, while it is frozen).
 */
int blockers_check(const struct sysctx *s, struct failure *f);
