/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing out dirty data with progress, before FREEZE does it without. */
#pragma once

#include "base/failure.h"
#include "base/sys.h"
#include "daemon/console.h"
#include "daemon/keys.h"

/*
 * sync() in a child, while the console shows how much is left and an abort is still heard. Fails with
 * REASON_ABORTED; the child then goes on by itself, which harms nothing.
 */
int sync_with_progress(const struct sysctx *s, struct console *console, struct keys *keys, struct failure *f);
