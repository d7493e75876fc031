/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commit point: until the mark is on the medium, a crash loses nothing but the image; after it, this system must not go on
 * under it.
 */
#include "daemon/hibernate.h"

#include "base/clock.h"

#include <signal.h>
#include <string.h>

/*
 * Needs the snapshot session open: the kernel refuses writes to an active swap device otherwise. The slots are given
 * back next, and an armed mark must not lead to what swap puts there.
 */
void undo_commit(struct hibernation *h)
{
	enum mark_drop drop = h->report->outcome == OUTCOME_WOKE ? MARK_DROP_WOKE : MARK_DROP_FAILED;
	int r = guard_retract(&h->mark_io, h->header_offset, drop, &h->log);

	h->keep_slots = r < 0;
	if (r == MARK_RETRACTED)
		h->guard.shared->armed = 0;
}

int step_commit(struct hibernation *h)
{
	struct mark mark = {0};
	sigset_t all;
	int r;

	if (keys_aborted(&h->keys))
		return hibernation_aborted(h, h->failure);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	memcpy(mark.boot_id, h->meta.boot_id, sizeof(mark.boot_id));
	memcpy(mark.image_id, h->meta.id.bytes, sizeof(mark.image_id));
	mark.header_offset = h->header_offset;
	mark.identity = h->area.identity;
	mark.save = (struct mark_save){
		.created_usec = h->meta.created_usec,
		.save_usec = clock_monotonic_usec() - h->frozen_at,
		.freeze_usec = h->report->times.freeze_usec,
		.create_usec = h->report->times.create_usec,
		.slots_usec = h->report->times.slots_usec,
		.write_usec = h->report->times.write_usec,
		.stored_bytes = h->report->stored_bytes,
		.pages = h->report->image_pages,
	};
	h->guard.shared->header_offset = h->header_offset;
	h->guard.shared->armed = 1;
	r = mark_arm(&h->mark_io, &mark, h->failure);
	if (r < 0) {
		undo_commit(h);
		return r;
	}
	h->report->times.save_usec = clock_monotonic_usec() - h->frozen_at;
	log_line(&h->log, LOG_LEVEL_NOTICE, "%llu pages saved, %llu KiB on disk, %llu ms",
		 (unsigned long long)h->report->image_pages, (unsigned long long)h->report->stored_bytes / KIB,
		 (unsigned long long)h->report->times.save_usec / USEC_PER_MSEC);
	console_say(&h->console, "memory saved");
	return 0;
}
