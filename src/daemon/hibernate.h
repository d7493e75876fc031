/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hibernation, in order, each step with what undoes it.
 *
 * The steps are rows of a table in hibernate.c. They run from the top; the first that fails, or that
 * says that we are back, ends the way forward, and the undo functions of all finished steps run in
 * reverse. So the machine ends as it was, whatever happened, and there is one place to read the order.
 */
#pragma once

#include "area/area.h"
#include "area/fingerprint.h"
#include "area/mark.h"
#include "base/clock.h"
#include "daemon/console.h"
#include "daemon/estimate.h"
#include "daemon/guard.h"
#include "daemon/keys.h"
#include "daemon/log.h"
#include "daemon/refusers.h"
#include "daemon/sealing.h"
#include "daemon/session.h"
#include "daemon/settings.h"
#include "daemon/supervisor.h"
#include "snapshot/snapshot.h"

#include <signal.h>

/* Most extents of an area that are handled; 16 bytes each. */
#define AREA_EXTENTS_MAX 65536

/* Positive condition of a step: no more steps, but no failure either. */
#define STEP_BACK 1

/* Everything one hibernation knows. Allocated once, before memory is locked. */
struct hibernation {
	const struct session_request *request;
	const struct config *config;
	struct session_report *report;
	struct failure *failure; /* the report's */
	struct sysctx sys;
	const struct snapshot_ops *snapshot_ops; /* the real device, unless a test puts its own below */
	void *snapshot_data;
	struct failpoints failpoints;
	struct log log;
	struct console console;
	struct keys keys;
	struct settings settings;
	struct refusers refusers;
	struct estimate estimate;
	struct area area;
	struct mark_io mark_io;      /* the area's device, O_DIRECT, and its first page */
	struct fingerprint_set fingerprints;
	struct snapshot snapshot;
	struct guard guard;
	struct supervisor worker;
	struct sealing sealing;
	struct image_meta meta;
	void *page;              /* FINGERPRINT_BUFFER_BYTES, aligned: I/O on the area's first page and on filesystems */
	uint64_t image_bytes;    /* of the snapshot, after CREATE_IMAGE */
	uint64_t stored_most;    /* bytes of it on the disk, at worst */
	uint64_t header_offset;  /* of the image's header page on the device, as the worker said */
	uint64_t frozen_at;      /* clock_monotonic_usec() before FREEZE */
	bool keep_slots;         /* the mark is armed and cannot be disarmed: what it leads to must stay as it is */
};

/* Hibernate or suspend to both, as @request says; fills in @report. Runs in a process of its own. */
void hibernate_run(const struct session_request *request, const struct config *config,
		   struct session_report *report);

/*
 * The same in pieces, for tests: on @s, into zeroed memory, which is @h's place until deinit. Between init and run a test
 * may change snapshot_ops, snapshot_data and the worker's stand_in.
 */
int hibernation_init(struct hibernation *h, const struct sysctx *s, const struct session_request *request,
		     const struct config *config, struct session_report *report);
void hibernation_run(struct hibernation *h);
void hibernation_deinit(struct hibernation *h);

/* What ImageSize= and Compression= of @config mean on an area with @free bytes. */
int hibernate_estimate(struct estimate *e, const struct sysctx *s, const struct config *config, uint64_t free,
		       struct failure *f);

/* Steps in other files. */
int step_decide(struct hibernation *h);
void undo_decide(struct hibernation *h);
int step_sync(struct hibernation *h);
int step_prepare(struct hibernation *h);
void undo_prepare(struct hibernation *h);
int step_start_worker(struct hibernation *h);
void undo_start_worker(struct hibernation *h);
int step_slots(struct hibernation *h);
void undo_slots(struct hibernation *h);
int step_write(struct hibernation *h);
int step_commit(struct hibernation *h);
void undo_commit(struct hibernation *h);
int step_leave(struct hibernation *h);

/* Of a step: somebody wants the machine back. */
int hibernation_aborted(const struct hibernation *h, struct failure *f);

/* For failpoints: the worker is dead when this returns, and the log says since when. Here, so that it is nowhere without them. */
static inline void hibernation_kill_worker(struct hibernation *h)
{
	uint64_t now = clock_monotonic_usec();

	if (!h->worker.pid)
		return;
	kill(h->worker.pid, SIGKILL);
	supervisor_wait_dead(&h->worker);
	log_line(&h->log, LOG_LEVEL_NOTICE, "worker killed by a failpoint at %llu us", (unsigned long long)now);
}
