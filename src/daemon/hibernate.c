/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of a hibernation. See daemon/hibernate.h for how steps and undo work, prepare.c for the
 * steps before FREEZE, leave.c for the last one.
 *
 * From CREATE_IMAGE to FREE kernel threads and freezable workqueues may be frozen: no open, no exec, no
 * page fault on a file, no filesystem at all, also when CREATE_IMAGE failed. Before a crash costs
 * anything but the image, the mark is on the area: that is the commit point.
 */
#include "daemon/hibernate.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define STALL_USEC (120 * USEC_PER_SEC) /* a worker that moves nothing for so long hangs; a slow disk's flush does not */

static int aborted(const struct hibernation *h, struct failure *f)
{
	return failure_set(f, REASON_ABORTED, ECANCELED, "hibernation", NULL, "aborted by %s", h->keys.by);
}

/* @names are those of the last refusal that named any. */
static int freeze_once(struct hibernation *h, char *names, size_t size)
{
	char seen[256];
	int r;

	h->frozen_at = clock_monotonic_usec();
	r = snapshot_freeze(&h->snapshot, h->failure);
	h->report->times.freeze_usec = clock_monotonic_usec() - h->frozen_at;
	if (r == -EBUSY && refusers_read(&h->refusers, seen, sizeof(seen)))
		snprintf(names, size, "%s", seen);
	return r;
}

/* What refuses is often a moment's I/O: try twice. */
static int step_freeze(struct hibernation *h)
{
	char names[256] = "";
	int r;

	log_hold(&h->log);
	r = freeze_once(h, names, sizeof(names));
	if (r == -EBUSY && !keys_aborted(&h->keys)) {
		log_line(&h->log, LOG_LEVEL_WARNING, "would not freeze: %s; trying once more", names[0] ? names : "user space");
		*h->failure = (struct failure){0};
		r = freeze_once(h, names, sizeof(names));
	}
	if (r >= 0)
		return 0;
	if (keys_aborted(&h->keys))
		r = aborted(h, h->failure);
	else if (r == -EBUSY && names[0])
		failure_set(h->failure, REASON_FREEZE_REFUSED, EBUSY, "user space",
			    "End these tasks, or see what they wait for (a network mount, a device).",
			    "would not freeze: %s", names);
	log_release(&h->log);
	return r;
}

static void undo_freeze(struct hibernation *h)
{
	struct failure f = {0};
	int r = snapshot_unfreeze(&h->snapshot, &f);

	log_release(&h->log);
	if (r < 0)
		log_failure(&h->log, &f); /* closing /dev/snapshot thaws, too */
}

static int step_guard(struct hibernation *h)
{
	int r;

	h->guard.failpoints = h->failpoints;
	r = guard_start(&h->guard, &h->sys, &h->snapshot, &h->mark_io, &h->log);

	if (r < 0)
		return failure_set(h->failure, REASON_INTERNAL, -r, "guard", "Free some memory.", "cannot start it");
	return 0;
}

static void undo_guard(struct hibernation *h)
{
	guard_stop(&h->guard);
}

/* A mark that this very boot has left armed is never right; anybody else's keeps us from writing ours. */
static int clear_mark(struct hibernation *h)
{
	struct mark mark;
	int r = mark_read(&h->mark_io, &mark, h->failure);

	if (r < 0 || mark.kind == MARK_SWAP || mark.kind == MARK_DROPPED)
		return r;
	if (mark.kind == MARK_ARMED && memcmp(mark.boot_id, h->meta.boot_id, sizeof(mark.boot_id)) == 0) {
		log_line(&h->log, LOG_LEVEL_WARNING, "%s: a mark of this boot was left armed; disarming it", h->area.name);
		return mark_disarm(&h->mark_io, MARK_DROP_SAME_BOOT, h->failure);
	}
	return failure_set(h->failure, REASON_FOREIGN_IMAGE, EEXIST, h->area.name,
			   "Make it a swap area again with mkswap and swapon, or use another.",
			   "its first page says '%s'", mark_kind_name(mark.kind));
}

/* After FREEZE, so that no swapoff and swapon can give the index to another area in between. */
static int step_set_area(struct hibernation *h)
{
	int r = snapshot_set_swap_area(&h->snapshot, h->area.devno, h->area.offset_pages, h->failure);

	if (r >= 0)
		r = area_check_owner(&h->area, &h->sys, h->failure);
	return r < 0 ? r : clear_mark(h);
}

static int step_start_worker(struct hibernation *h)
{
	int r = supervisor_start(&h->worker, h->mark_io.fd, h->snapshot.fd, h->failure);

	if (r == 0)
		h->guard.shared->worker = h->worker.pid;
	return r;
}

static void undo_start_worker(struct hibernation *h)
{
	supervisor_stop(&h->worker);
	h->guard.shared->worker = 0;
}

static int step_create_image(struct hibernation *h)
{
	uint64_t started = clock_monotonic_usec();
	bool in_suspend = false;
	int r;

	r = snapshot_preferred_image_size(&h->snapshot, h->estimate.image_size, h->failure);
	if (r >= 0)
		r = snapshot_set_platform(&h->snapshot, h->meta.platform, h->failure);
	if (r < 0)
		return r;
	r = snapshot_create_image(&h->snapshot, &in_suspend, h->failure);
	if (r < 0) {
		snapshot_free_image(&h->snapshot, NULL); /* devices and kernel threads come back only here */
		return r;
	}
	if (!in_suspend) {
		h->report->outcome = OUTCOME_RESUMED;
		snapshot_free_image(&h->snapshot, NULL);
		return STEP_BACK;
	}
	h->report->times.create_usec = clock_monotonic_usec() - started;
	return 0;
}

static void undo_create_image(struct hibernation *h)
{
	struct failure f = {0};

	if (snapshot_free_image(&h->snapshot, &f) < 0)
		log_failure(&h->log, &f);
}

/* What can be known only now. The id is drawn after CREATE_IMAGE, or it would be inside the image. */
static int fill_meta(struct hibernation *h)
{
	ssize_t n = getrandom(h->meta.id.bytes, sizeof(h->meta.id.bytes), 0);

	if (n != sizeof(h->meta.id.bytes))
		return failure_set(h->failure, REASON_INTERNAL, n < 0 ? errno : EIO, "random numbers", NULL, "cannot draw any");
	h->meta.created_usec = clock_realtime_usec();
	h->meta.snapshot_pages = h->image_bytes / PAGE_BYTES;
	h->meta.chunk_size = h->worker.job->chunk_size;
	h->meta.codec = (enum codec_id)h->worker.job->codec;
	return fingerprint_read_all(&h->fingerprints, h->page, h->meta.fingerprints, &h->meta.fingerprint_count,
				    h->failure);
}

/* Abort while slots are allocated: many on a fragmented area take a while. */
static int slots_tick(void *data, uint64_t bytes)
{
	struct hibernation *h = data;

	(void)bytes;
	return keys_aborted(&h->keys) ? -ECANCELED : 0;
}

static int step_slots(struct hibernation *h)
{
	struct worker_job *job = h->worker.job;
	struct extent_list granted;
	uint64_t started = clock_monotonic_usec();
	int r;

	r = snapshot_image_size(&h->snapshot, &h->image_bytes, h->failure);
	if (r >= 0)
		r = fill_meta(h);
	if (r < 0)
		return r;
	job->snapshot_pages = h->meta.snapshot_pages;
	job->meta = h->meta;
	if (suite_seals(h->sealing.suite)) {
		r = sealing_draw(&h->sealing, &h->meta, &job->seal, h->failure);
		if (r < 0)
			return r;
	}
	/* Every chunk raw, the header page, and an ample body. */
	h->stored_most = round_up(h->image_bytes + h->image_bytes / 128 + MIB, PAGE_BYTES);
	extent_list_init(&granted, (struct extent *)((char *)job + job->extents_at), job->extent_capacity);
	r = snapshot_allocate_slots(&h->snapshot, &h->area.extents, h->stored_most, &granted, slots_tick, h, h->failure);
	if (r == -ECANCELED)
		return aborted(h, h->failure);
	if (r < 0)
		return r;
	job->extent_count = granted.count;
	h->report->times.slots_usec = clock_monotonic_usec() - started;
	return 0;
}

static void undo_slots(struct hibernation *h)
{
	struct failure f = {0};

	supervisor_stop(&h->worker); /* nobody may write to slots that are free again */
	if (h->keep_slots)
		return;
	if (snapshot_free_swap_pages(&h->snapshot, &f) < 0)
		log_failure(&h->log, &f);
}

/* The worker shares this memory and is not trusted: it is gone before its result is copied and looked at. */
static int take_result(struct hibernation *h)
{
	struct worker_result result;

	undo_start_worker(h);
	result = h->worker.job->result;
	if (result.pages != h->meta.snapshot_pages || result.header_offset == h->mark_io.position ||
	    !extent_list_contains(&h->area.extents, result.header_offset, PAGE_BYTES))
		return failure_set(h->failure, REASON_WORKER, EPROTO, "hibernate-image", NULL,
				   "the worker's result makes no sense");
	h->header_offset = result.header_offset;
	h->report->image_pages = result.pages;
	h->report->stored_bytes = result.stored_bytes;
	return 0;
}

/* For failpoints: the worker is dead when this returns, and the log says since when. */
static void kill_worker(struct hibernation *h)
{
	uint64_t now = clock_monotonic_usec();

	if (!h->worker.pid)
		return;
	kill(h->worker.pid, SIGKILL);
	supervisor_wait_dead(&h->worker);
	log_line(&h->log, LOG_LEVEL_NOTICE, "worker killed by a failpoint at %llu us", (unsigned long long)now);
}

static int write_tick(void *data, const struct worker_message *progress, struct failure *f)
{
	struct hibernation *h = data;

	if (progress) {
		console_progress(&h->console, "saving memory", progress->value[0], progress->value[1],
				 progress->value[0] * PAGE_BYTES);
		if (failpoint_hit(&h->failpoints, "write-progress") == FAILPOINT_KILL_OTHER)
			kill_worker(h);
	}
	return keys_aborted(&h->keys) ? aborted(h, f) : 0;
}

/* The pages are on the disk: sign what leads to them. */
static int sign_header(struct hibernation *h)
{
	int r = supervisor_await(&h->worker, WORKER_SIGN, STALL_USEC, write_tick, h, h->failure);

	if (r < 0)
		return r;
	supervisor_copy_page(&h->worker, h->page);
	r = sealing_sign(&h->sealing, h->page, h->worker.job->seal.signature, h->failure);
	return r < 0 ? r : supervisor_send(&h->worker, WORKER_SIGNED, -1, h->failure);
}

static int step_write(struct hibernation *h)
{
	uint64_t started = clock_monotonic_usec();
	int r = supervisor_send(&h->worker, WORKER_GRANT, -1, h->failure);

	supervisor_expect(&h->worker, h->meta.snapshot_pages, h->stored_most);
	console_begin(&h->console);
	if (r >= 0 && suite_seals(h->sealing.suite))
		r = sign_header(h);
	if (r >= 0)
		r = supervisor_await(&h->worker, WORKER_DONE, STALL_USEC, write_tick, h, h->failure);
	if (r < 0)
		return r;
	h->report->times.write_usec = clock_monotonic_usec() - started;
	return take_result(h);
}

/*
 * Needs the snapshot session open: the kernel refuses writes to an active swap device otherwise. The slots are given
 * back next, and an armed mark must not lead to what swap puts there.
 */
static void undo_commit(struct hibernation *h)
{
	enum mark_drop drop = h->report->outcome == OUTCOME_WOKE ? MARK_DROP_WOKE : MARK_DROP_FAILED;
	int r = guard_retract(&h->mark_io, h->header_offset, drop, &h->log);

	h->keep_slots = r < 0;
	if (r == MARK_RETRACTED)
		h->guard.shared->armed = 0;
}

/* The commit point: until the mark is on the medium, a crash loses nothing but the image. */
static int step_commit(struct hibernation *h)
{
	struct mark mark = {0};
	sigset_t all;
	int r;

	if (keys_aborted(&h->keys))
		return aborted(h, h->failure);
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

static const struct step {
	const char *name;
	int (*run)(struct hibernation *h);
	void (*undo)(struct hibernation *h); /* NULL: nothing to undo */
} steps[] = {
	{"decide", step_decide, undo_decide},
	{"sync", step_sync, NULL},
	{"prepare", step_prepare, undo_prepare},
	{"freeze", step_freeze, undo_freeze},
	{"guard", step_guard, undo_guard},
	{"set-area", step_set_area, NULL},
	{"start-worker", step_start_worker, undo_start_worker},
	{"create-image", step_create_image, undo_create_image},
	{"slots", step_slots, undo_slots},
	{"write", step_write, NULL},
	{"commit", step_commit, undo_commit},
	{"leave", step_leave, NULL},
};

static int run_step(struct hibernation *h, const struct step *step)
{
	int r = failpoint_hit(&h->failpoints, step->name);

	if (r == FAILPOINT_KILL_OTHER)
		kill_worker(h);
	if (r < 0)
		return failure_set(h->failure, REASON_INTERNAL, -r, step->name, NULL, "failed by a failpoint");
	r = supervisor_check(&h->worker, h->failure); /* a dead one is noticed before the next long step, not after it */
	if (r < 0)
		return r;
	if (step->run != step_commit && step->run != step_leave && keys_aborted(&h->keys))
		return aborted(h, h->failure);
	return step->run(h);
}

void hibernation_run(struct hibernation *h)
{
	size_t done = 0;
	int r;

	r = failpoints_load(&h->failpoints, &h->sys, h->failure);
	while (r == 0 && done < ARRAY_LENGTH(steps) && (r = run_step(h, &steps[done])) == 0)
		done++;
	if (r < 0)
		h->report->outcome = OUTCOME_FAILED;
	while (done-- > 0)
		if (steps[done].undo)
			steps[done].undo(h);
	if (failed(h->failure))
		log_failure(&h->log, h->failure);
}

int hibernation_init(struct hibernation *h, const struct sysctx *s, const struct session_request *request,
		     const struct config *config, struct session_report *report)
{
	int r = keys_init(&h->keys);

	if (r < 0)
		return failure_set(&report->failure, REASON_INTERNAL, -r, "hibernation", "Free some memory.",
				   "cannot collect signals");
	h->request = request;
	h->config = config;
	h->report = report;
	h->failure = &report->failure;
	h->sys = *s;
	h->snapshot_ops = &snapshot_device_ops;
	h->snapshot = SNAPSHOT_INIT;
	h->mark_io.fd = -1;
	h->guard.life = -1;
	log_init(&h->log, &h->sys);
	settings_init(&h->settings);
	supervisor_init(&h->worker);
	console_init(&h->console, &h->sys, config->progress);
	return 0;
}

void hibernation_deinit(struct hibernation *h)
{
	guard_deinit(&h->guard);
	munlockall();
	free(h->page);
	h->page = NULL;
	console_deinit(&h->console);
	keys_deinit(&h->keys);
	log_deinit(&h->log);
}

void hibernate_run(const struct session_request *request, const struct config *config,
		   struct session_report *report)
{
	AUTO_FREE struct hibernation *h = calloc(1, sizeof(*h));
	const struct sysctx host = sysctx_host();

	if (!h) {
		failure_set(&report->failure, REASON_INTERNAL, ENOMEM, "hibernation", "Free some memory.", "cannot start");
		return;
	}
	if (hibernation_init(h, &host, request, config, report) < 0)
		return;
	hibernation_run(h);
	/* No deinit: whoever waits hears of it first, and then this process ends. */
}
