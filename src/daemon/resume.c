/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resume, in order:
 *
 *   find the area, read its mark        nothing changed
 *   the worker reads the header         it can only read the area; nothing of the image is believed before
 *   sealed: the TPM or somebody asked    as often as it takes; the worker verifies and opens with what comes;
 *                                       while somebody types, ciphertext is read ahead
 *   kernel, machine, device, filesystems are checked against it
 *   open /dev/snapshot, the worker loads the pages
 *   FREEZE                              undo: UNFREEZE
 *   mark to in progress, flush          undo: armed again
 *   sealed: key slot destroyed, flush   undo: written back
 *   ATOMIC_RESTORE                      returns only on failure
 *
 * A failure before the end leaves the image armed, and the user is asked: nobody boots past an armed
 * image without saying so, because a filesystem that both systems write is lost.
 */
#include "daemon/resume.h"

#include "area/fingerprint.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "common/next-boot.h"
#include "daemon/choice.h"
#include "daemon/compat.h"
#include "daemon/estimate.h"
#include "daemon/find.h"
#include "pipeline/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <unistd.h>

#define TRIES_BY_ITSELF 3
#define STALL_USEC (120 * USEC_PER_SEC)
#define ARGON2_SPARE (16 * MIB)          /* of memory, left over by Argon2 */

static int start_worker(struct resume *r, int area, struct failure *f)
{
	struct worker_job request = {
		.direction = WORKER_RESTORE,
		.threads = config_thread_count(&r->config),
		.writers = PIPELINE_WRITERS_DEFAULT,
		.header_offset = r->mark.header_offset,
		.device_size = r->place.identity.device_size,
		.seal.required = r->config.sealing == SEALING_REQUIRED,
		.seal.trusts = r->config.tpm,
		.failpoints = r->failpoints,
	};
	uint64_t ram, available;
	int result;

	memcpy(request.seal.trusted, r->config.tpm_key_set, sizeof(request.seal.trusted));
	snprintf(request.area_name, sizeof(request.area_name), "%.*s", (int)sizeof(request.area_name) - 1, r->place.device);
	result = estimate_ram(&ram, &r->sys, f);
	if (result >= 0)
		result = supervisor_prepare(&r->worker, &request, ram, f);
	if (result >= 0) /* what is left beside the buffers, which the pages need while Argon2's memory is free again */
		result = estimate_available(&available, &r->sys, f);
	if (result < 0)
		return result;
	r->worker.job->seal.memory_kib = available > ARGON2_SPARE ? (available - ARGON2_SPARE) / KIB : 0;
	return supervisor_start(&r->worker, area, -1, f);
}

static int tick(void *data, const struct worker_message *progress, struct failure *f)
{
	struct resume *r = data;

	if (progress)
		console_progress(&r->console, "loading memory", progress->value[0], progress->value[1],
				 progress->value[0] * PAGE_BYTES);
	if (!keys_aborted(&r->keys))
		return 0;
	r->keys.aborted = false; /* the question that follows may lead to another try */
	return failure_set(f, REASON_ABORTED, ECANCELED, "resume", NULL, "aborted by %s", r->keys.by);
}

/* The worker shares this memory and is not trusted: take a copy, end its strings, bound its counts. */
static int take_meta(struct resume *r, struct failure *f)
{
	r->meta = r->worker.job->meta;
	r->meta.kernel_release[sizeof(r->meta.kernel_release) - 1] = '\0';
	r->meta.architecture[sizeof(r->meta.architecture) - 1] = '\0';
	r->meta.hostname[sizeof(r->meta.hostname) - 1] = '\0';
	for (size_t i = 0; i < FINGERPRINTS_MAX; i++) {
		r->meta.fingerprints[i].device_id[FINGERPRINT_DEVICE_MAX - 1] = '\0';
		r->meta.fingerprints[i].mount[FINGERPRINT_MOUNT_MAX - 1] = '\0';
	}
	if (r->meta.fingerprint_count > FINGERPRINTS_MAX ||
	    memcmp(r->meta.id.bytes, r->mark.image_id, sizeof(r->mark.image_id)) != 0)
		return failure_set(f, REASON_IMAGE_DAMAGED, 0, r->place.device, NULL,
				   "the mark and the image are not of the same hibernation");
	return 0;
}

static int check_meta(struct resume *r, struct failure *f)
{
	struct fingerprint_result found = {0}; /* stays so when nothing could be compared */
	struct utsname name;
	char text[1024];
	int result;

	uname(&name);
	result = compat_check(r->meta.kernel_release, r->meta.architecture, name.release, name.machine, f);
	if (result >= 0)
		result = area_identity_compare(&r->mark.identity, &r->place.identity, r->place.device, f);
	if (result < 0)
		return result;
	result = fingerprint_check_all(&r->sys, r->meta.fingerprints, r->meta.fingerprint_count, r->mark_io.buffer,
				       &found, f);
	if (found.warnings)
		log_line(&r->log, LOG_LEVEL_WARNING, "%s", failure_format(&found.warning, text, sizeof(text)));
	if (found.absent)
		log_line(&r->log, LOG_LEVEL_WARNING, "%zu filesystem(s) of the image are not here", found.absent);
	return result;
}

static int load(struct resume *r, struct failure *f)
{
	uint64_t started = clock_monotonic_usec();
	int result = snapshot_open(&r->snapshot, r->snapshot_ops, r->snapshot_data, &r->sys, SNAPSHOT_RESTORE, f);
	struct worker_result done;

	if (result >= 0 && r->ahead.range.length)
		result = supervisor_send_ahead(&r->worker, r->ahead.fd, &r->ahead.range, f);
	if (result >= 0)
		result = supervisor_send(&r->worker, WORKER_LOAD, r->snapshot.fd, f);
	supervisor_expect(&r->worker, r->meta.snapshot_pages, r->place.identity.device_size);
	console_begin(&r->console);
	if (result >= 0)
		result = supervisor_await(&r->worker, WORKER_DONE, STALL_USEC, tick, r, f);
	if (result < 0)
		return result;
	r->record.load_usec = clock_monotonic_usec() - started;
	done = r->worker.job->result;
	r->record.loaded_bytes = done.stored_bytes;
	log_line(&r->log, LOG_LEVEL_NOTICE, "%llu pages loaded in %llu ms, %llu ms of it in the kernel, %llu ms waiting for them",
		 (unsigned long long)done.pages, (unsigned long long)r->record.load_usec / USEC_PER_MSEC,
		 (unsigned long long)done.read_usec / USEC_PER_MSEC, (unsigned long long)done.stall_usec / USEC_PER_MSEC);
	if (done.ahead_bytes)
		log_line(&r->log, LOG_LEVEL_NOTICE, "%llu of %llu KiB had been read ahead",
			 (unsigned long long)(done.ahead_bytes / KIB), (unsigned long long)(done.stored_bytes / KIB));
	ahead_drop(&r->ahead); /* what follows needs pages of its own, in certain places */
	supervisor_stop(&r->worker); /* it holds a copy of the descriptor, and must not see the freeze */
	return 0;
}

/* From here the next thing that happens is the other system, or everything is put back. */
static int enter_image(struct resume *r, struct failure *f)
{
	struct failure later = {0};
	int result = snapshot_set_platform(&r->snapshot, r->meta.platform, f);

	if (result >= 0)
		result = failpoint_hit(&r->failpoints, "resume-freeze") < 0
				 ? failure_set(f, REASON_FREEZE_REFUSED, EBUSY, "resume", NULL, "failed by a failpoint")
				 : snapshot_freeze(&r->snapshot, f);
	if (result < 0)
		return result;
	log_hold(&r->log);
	unseal_forget(&r->unseal);
	r->record.total_usec = clock_monotonic_usec() - r->started;
	result = mark_begin_resume(&r->mark_io, &r->record, f);
	if (result >= 0 && r->unseal.sealed)
		result = keyslot_destroy(&r->keyslot, &r->sys, &r->mark_io, &r->mark, r->place.identity.device_size, f);
	if (result >= 0) {
		result = failpoint_hit(&r->failpoints, "resume-restore") < 0
				 ? failure_set(f, REASON_RESTORE_REFUSED, EIO, "resume", NULL, "failed by a failpoint")
				 : snapshot_atomic_restore(&r->snapshot, f);
	}
	/* Still here. Kernel threads first, then the key slot, then the mark that leads there, then user space. */
	snapshot_free_image(&r->snapshot, &later);
	if (keyslot_put_back(&r->keyslot, &r->mark_io, &r->mark, &later) < 0)
		log_failure(&r->log, &later);
	else if (mark_rearm(&r->mark_io, r->mark.image_id, &later) < 0)
		log_failure(&r->log, &later);
	snapshot_unfreeze(&r->snapshot, &later);
	log_release(&r->log);
	return result;
}

static int fail_at(struct resume *r, const char *point, struct failure *f)
{
	int result = failpoint_hit(&r->failpoints, point);

	if (result >= 0)
		return 0;
	return failure_set(f, REASON_INTERNAL, -result, "resume", NULL, "failed by the failpoint %s", point);
}

/* Somebody is asked, and will take seconds. */
static void read_ahead(void *data)
{
	struct resume *r = data;

	ahead_begin(&r->ahead, &r->sys, &r->place, &r->mark);
}

static int try_resume(struct resume *r, struct failure *f)
{
	AUTO_CLOSE int area = area_place_open(&r->place, &r->sys, O_RDONLY, f);
	int result = area < 0 ? area : find_check(r, f);

	if (result >= 0)
		result = find_writable(r, f);
	if (result >= 0)
		result = start_worker(r, area, f);
	if (result >= 0)
		result = fail_at(r, "resume-open", f);
	if (result >= 0)
		result = unseal_open(&r->unseal, &r->config, r->place.device, &r->worker, tick, r, f);
	ahead_end(&r->ahead, &r->sys);
	if (result >= 0)
		result = take_meta(r, f);
	if (result >= 0)
		result = check_meta(r, f);
	if (result >= 0)
		result = fail_at(r, "resume-load", f);
	if (result >= 0)
		result = load(r, f);
	if (result >= 0)
		result = enter_image(r, f);
	ahead_drop(&r->ahead);
	supervisor_deinit(&r->worker);
	snapshot_close(&r->snapshot);
	return result;
}

/* Faults of the moment; what the image itself is will not change by trying again. */
static bool worth_retrying(enum reason reason)
{
	return reason == REASON_IO || reason == REASON_RESTORE_REFUSED || reason == REASON_FREEZE_REFUSED ||
	       reason == REASON_WORKER || reason == REASON_SNAPSHOT;
}

/* Returns when the boot shall go on. */
static void resume_image(struct resume *r)
{
	struct failure f = {0};

	for (unsigned int tries = 1;; tries++) {
		enum choice choice;

		f = (struct failure){0};
		unseal_begin(&r->unseal);
		try_resume(r, &f);
		log_failure(&r->log, &f);
		if (worth_retrying(f.reason) && tries < TRIES_BY_ITSELF) {
			console_say(&r->console, "hibernated: trying again");
			continue;
		}
		/* A system that wrote these filesystems since has already taken the image's place. */
		if (r->unseal.decided)
			choice = r->unseal.choice;
		else
			choice = f.reason == REASON_STALE ? CHOICE_BOOT : choice_ask(&r->config, &r->console, &f);
		if (choice == CHOICE_BOOT && find_drop(r, &f) >= 0)
			return;
		if (choice != CHOICE_RETRY)
			sys_reboot(&r->sys, RB_POWER_OFF);
	}
}

static int configure(struct resume *r, bool *noresume, struct failure *f)
{
	int result = config_load(&r->config, &r->sys, f);

	if (result >= 0)
		result = config_apply_cmdline(&r->config, &r->sys, noresume, f);
	if (result >= 0)
		result = failpoints_load(&r->failpoints, &r->sys, f);
	return result;
}

int resume_init(struct resume *r, const struct sysctx *s, struct failure *f)
{
	int result;

	r->sys = *s;
	r->snapshot_ops = &snapshot_device_ops;
	r->snapshot = SNAPSHOT_INIT;
	r->started = clock_monotonic_usec();
	r->record.started_usec = clock_realtime_usec();
	r->record.start_usec = r->started;
	r->mark_io.fd = -1;
	result = -posix_memalign(&r->mark_io.buffer, PAGE_BYTES, FINGERPRINT_BUFFER_BYTES);
	if (result >= 0)
		result = keys_init(&r->keys);
	if (result >= 0)
		result = keyslot_init(&r->keyslot);
	if (result < 0)
		return failure_set(f, REASON_INTERNAL, -result, "resume", NULL, "cannot start");
	unseal_init(&r->unseal, &r->sys, &r->keys, &r->log);
	r->unseal.prompt.meanwhile = read_ahead;
	r->unseal.prompt.meanwhile_data = r;
	log_init(&r->log, &r->sys);
	settings_init(&r->settings);
	supervisor_init(&r->worker);
	ahead_init(&r->ahead);
	console_init(&r->console, &r->sys, false);
	return 0;
}

/* The system that is now started may hibernate: a boot like this one looks for the image. */
static void leave_note(const struct resume *r)
{
	if (sys_mkdir(&r->sys, RUN_FOLDER, 0700) >= 0)
		(void)sys_append(&r->sys, RESUME_STEP_NOTE, "hibernated " PACKAGE_VERSION "\n");
}

/* What resume_go() does before it leaves the initramfs. */
static void look_and_resume(struct resume *r, struct failure *f)
{
	bool noresume = false;

	if (configure(r, &noresume, f) < 0)
		return;
	r->console.show = r->config.progress;
	if (noresume || !find_image(r, f)) {
		if (!failed(f))
			leave_note(r);
		return;
	}
	settings_save(&r->settings, &r->sys);
	settings_hold_latency(&r->settings, &r->sys);
	if (!r->said_absent)
		keys_open(&r->keys, &r->sys, r->config.abort_esc, r->config.abort_power);
	resume_image(r);
	leave_note(r);
	settings_restore(&r->settings, &r->sys);
}

void resume_go(struct resume *r, struct failure *f)
{
	look_and_resume(r, f);
	unseal_leave(&r->unseal, &r->config);
}

void resume_deinit(struct resume *r)
{
	console_deinit(&r->console);
	unseal_deinit(&r->unseal);
	keyslot_deinit(&r->keyslot);
	r->mark_io.fd = fd_close(r->mark_io.fd);
	free(r->mark_io.buffer);
	r->mark_io.buffer = NULL;
	keys_deinit(&r->keys);
	log_deinit(&r->log);
}

int resume_run(struct failure *f)
{
	AUTO_FREE struct resume *r = calloc(1, sizeof(*r));
	const struct sysctx host = sysctx_host();

	if (!r)
		return failure_set(f, REASON_INTERNAL, ENOMEM, "resume", NULL, "cannot start");
	if (resume_init(r, &host, f) >= 0) {
		resume_go(r, f);
		resume_deinit(r);
	}
	return failed(f) ? -EIO : 0;
}
