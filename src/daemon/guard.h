/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that survives the session.
 *
 * If the session process is killed after it has armed the mark, the kernel frees the swap slots of the
 * image and thaws user space as soon as the last descriptor of /dev/snapshot is closed; the armed mark
 * would then point at pages that swap uses again, and the next boot would resume from garbage. So
 * a guard, forked after FREEZE (and therefore never frozen), holds a copy of that descriptor. When the
 * session dies, the guard waits until session and worker are gone from the process table, disarms the mark,
 * and only then closes the descriptor. If the mark cannot be disarmed, the guard destroys the header that it leads to. If
 * that fails, too, it thaws user space but keeps the descriptor, and with it the swap slots, and goes on trying:
 * so the armed mark never leads to anything but the image that it was made for, which a later boot finds stale.
 *
 * Facts: a task that was made after FREEZE and still exists at thaw, dead and unreaped included, gives
 * a kernel warning, unless it is the one whose close() thaws. Session and worker therefore have a parent
 * that ignores SIGCHLD and is a child subreaper (the daemon's main process), so that they vanish at
 * once, although everything is frozen.
 */
#pragma once

#include "area/mark.h"
#include "base/failpoint.h"
#include "base/sys.h"
#include "daemon/log.h"
#include "snapshot/snapshot.h"

#include <sys/types.h>

/* Memory shared by session and guard. */
struct guard_shared {
	_Atomic int armed;       /* the mark may be on the area */
	_Atomic int worker;      /* pid of the worker, 0 if none */
	uint64_t header_offset;  /* where the mark leads to */
};

struct guard {
	struct guard_shared *shared; /* mapped by guard_init(), locked */
	void *page;                  /* MARK_BUFFER_BYTES for mark I/O, shared too */
	struct failpoints failpoints; /* the guard takes its own copy along */
	pid_t pid;                   /* 0: not running */
	int life;                    /* our end of the pipe whose closing means that the session is gone */
};

/* Map the shared memory; before FREEZE. 0 or -errno. */
int guard_init(struct guard *guard);
void guard_deinit(struct guard *guard);
/*
 * Fork the guard; after FREEZE. It takes copies of @snapshot and @area, whose descriptors it holds, and of @log. Its
 * memory is locked when this returns. 0 or -errno.
 */
int guard_start(struct guard *guard, const struct sysctx *s, const struct snapshot *snapshot, const struct mark_io *area,
		struct log *log);

/* mark_retract(), and the log says what could not be done. */
int guard_retract(const struct mark_io *io, uint64_t header_offset, enum mark_drop drop, struct log *log);

/*
 * For a session whose guard_retract() failed, after the thaw: leave a process behind that holds @snapshot, and with it the
 * slots, until the mark of @area can be disarmed.
 */
void guard_keep_slots(struct guard *guard, const struct snapshot *snapshot, const struct mark_io *area, struct log *log);

/* Kill it and wait for it; always before UNFREEZE. Idempotent. */
void guard_stop(struct guard *guard);
