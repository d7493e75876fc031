/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of a hibernation. See daemon/hibernate.h for how steps and undo work, prepare.c for the
 * steps before FREEZE, write.c for what the worker does, commit.c and leave.c for the last two.
 *
 * From CREATE_IMAGE to FREE kernel threads and freezable workqueues may be frozen: no open, no exec, no
 * page fault on a file, no filesystem at all, also when CREATE_IMAGE failed.
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

int hibernation_aborted(const struct hibernation *h, struct failure *f)
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
		r = hibernation_aborted(h, h->failure);
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
		hibernation_kill_worker(h);
	if (r < 0)
		return failure_set(h->failure, REASON_INTERNAL, -r, step->name, NULL, "failed by a failpoint");
	r = supervisor_check(&h->worker, h->failure); /* a dead one is noticed before the next long step, not after it */
	if (r < 0)
		return r;
	if (step->run != step_commit && step->run != step_leave && keys_aborted(&h->keys))
		return hibernation_aborted(h, h->failure);
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
