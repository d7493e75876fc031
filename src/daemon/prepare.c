/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps before FREEZE: decide, sync, prepare.
 *
 * Deciding changes nothing: every refusal comes from here with its numbers, and none of it opens
 * /dev/snapshot. Preparing opens, reserves and locks all that the frozen part will need, because
 * nothing can be opened or allocated there.
 */
#include "daemon/hibernate.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "common/next-boot.h"
#include "daemon/blockers.h"
#include "daemon/id.h"
#include "daemon/sync.h"
#include "pipeline/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define STACK_RESERVE (128 * KIB)

int hibernate_estimate(struct estimate *e, const struct sysctx *s, const struct config *config, uint64_t free,
		       struct failure *f)
{
	return estimate_make(e, s, &config->image_size, config->compression, free, f);
}

/* What is known about this system and does not change any more. */
static void describe_system(struct hibernation *h)
{
	struct utsname name;

	uname(&name);
	snprintf(h->meta.kernel_release, sizeof(h->meta.kernel_release), "%s", name.release);
	snprintf(h->meta.architecture, sizeof(h->meta.architecture), "%.15s", name.machine);
	snprintf(h->meta.hostname, sizeof(h->meta.hostname), "%.63s", name.nodename);
	snprintf(h->meta.program_version, sizeof(h->meta.program_version), "%s", PACKAGE_VERSION);
	id_read(&h->sys, BOOT_ID_PATH, h->meta.boot_id);
	id_read(&h->sys, "/etc/machine-id", h->meta.machine_id);
}

/* Whether the platform mode is asked for and can be had: /sys/power/disk lists it. */
static bool platform_wanted(struct hibernation *h)
{
	char modes[128];

	if (h->config->shutdown_mode != SHUTDOWN_PLATFORM)
		return false;
	if (sys_read(&h->sys, "/sys/power/disk", modes, sizeof(modes)) > 0 && strstr(modes, "platform"))
		return true;
	log_line(&h->log, LOG_LEVEL_WARNING,
		 "ShutdownMode=platform: this machine has no ACPI S4, powering off the plain way");
	return false;
}

/* The next boot must find the image; the lines that lead there go to the log, for whoever has to look for it. */
static int check_next_boot(struct hibernation *h)
{
	struct next_boot next;
	char lines[160];
	int r = next_boot_check(&next, &h->sys, h->config, &h->area, h->failure);

	if (r < 0)
		return r;
	log_line(&h->log, LOG_LEVEL_NOTICE, "the image goes to %s; the next boot finds it by %s", h->area.name,
		 next_boot_format(&next, lines, sizeof(lines)));
	if (next_boot_warning(&next)) {
		log_line(&h->log, LOG_LEVEL_WARNING, "%s", next_boot_warning(&next));
		console_say(&h->console, "hibernated: %s", next_boot_warning(&next));
	}
	return 0;
}

int step_decide(struct hibernation *h)
{
	struct extent *items;
	char release[8];
	int r;

	if (sysconf(_SC_PAGESIZE) != PAGE_BYTES)
		return failure_set(h->failure, REASON_UNAVAILABLE, 0, "this kernel", "Use a kernel with 4 KiB pages.",
				   "its pages are not of 4 KiB");
	if (sys_read(&h->sys, "/sys/power/state", release, sizeof(release)) == -ENOENT)
		return failure_set(h->failure, REASON_UNAVAILABLE, ENOENT, "/sys/power/state",
				   "Mount /sys, or use a kernel with CONFIG_HIBERNATION.", "no power management");
	items = calloc(AREA_EXTENTS_MAX, sizeof(*items));
	if (!items)
		return failure_set(h->failure, REASON_INTERNAL, ENOMEM, "hibernation", "Free some memory.", "cannot start");
	extent_list_init(&h->area.extents, items, AREA_EXTENTS_MAX);
	r = area_find(&h->area, &h->sys, h->config->resume_device, items, AREA_EXTENTS_MAX, h->failure);
	if (r >= 0) {
		snprintf(h->report->area, sizeof(h->report->area), "%s", h->area.name);
		r = hibernate_estimate(&h->estimate, &h->sys, h->config, area_free_bytes(&h->area), h->failure);
	}
	if (r >= 0)
		r = estimate_check(&h->estimate, h->area.name, area_free_bytes(&h->area), h->failure);
	if (r >= 0)
		r = check_next_boot(h);
	if (r >= 0)
		r = supervisor_possible(&h->worker, h->failure);
	if (r >= 0)
		r = blockers_check(&h->sys, h->failure);
	if (r >= 0)
		r = sealing_init(&h->sealing, h->config, h->failure);
	if (r < 0) {
		free(items);
		return r;
	}
	describe_system(h);
	h->meta.platform = platform_wanted(h);
	return 0;
}

void undo_decide(struct hibernation *h)
{
	sealing_deinit(&h->sealing);
	free(h->area.extents.items);
	extent_list_init(&h->area.extents, NULL, 0);
}

int step_sync(struct hibernation *h)
{
	uint64_t started = clock_monotonic_usec();
	int r = sync_with_progress(&h->sys, &h->console, &h->keys, h->failure);

	h->report->times.sync_usec = clock_monotonic_usec() - started;
	return r;
}

static int prepare_worker(struct hibernation *h)
{
	struct worker_job request = {
		.direction = WORKER_SAVE,
		.threads = config_thread_count(h->config),
		.writers = PIPELINE_WRITERS_DEFAULT,
		.codec = (uint32_t)h->config->compression,
		.level = h->config->compression_level,
		.chunk_size = PIPELINE_CHUNK_DEFAULT,
		.seal.suite = (uint32_t)h->sealing.suite,
		.device_size = h->area.identity.device_size,
		.failpoints = h->failpoints,
	};

	snprintf(request.area_name, sizeof(request.area_name), "%.*s", (int)sizeof(request.area_name) - 1, h->area.device);
	return supervisor_prepare(&h->worker, &request, h->estimate.ram, h->failure);
}

/* Whatever is locked becomes resident, and a part of the image. */
static void trim_memory(struct hibernation *h)
{
	struct extent_list *list = &h->area.extents;
	struct extent *items = realloc(list->items, MAX(list->count, 1) * sizeof(*items));

	if (items) {
		list->items = items;
		list->capacity = list->count;
	}
	malloc_trim(0);
}

/* Touch the stack that the frozen part may need, then lock everything. */
static int lock_memory(const struct sysctx *s, struct failure *f)
{
	volatile char reserve[STACK_RESERVE];
	int r;

	for (size_t i = 0; i < sizeof(reserve); i += PAGE_BYTES)
		reserve[i] = 0;
	r = sys_lock_memory(s);
	if (r < 0)
		return failure_set(f, REASON_INTERNAL, -r, "hibernated", "Free some memory.", "cannot lock its memory");
	return 0;
}

static int open_area(struct hibernation *h)
{
	int fd = area_open(&h->area, &h->sys, O_RDWR, h->failure);

	if (fd < 0)
		return fd;
	h->mark_io = (struct mark_io){
		.fd = fd,
		.position = h->area.offset_pages * PAGE_BYTES,
		.buffer = h->page,
		.name = h->area.name,
	};
	h->meta.area_start = h->mark_io.position;
	h->meta.area = h->area.identity;
	return 0;
}

int step_prepare(struct hibernation *h)
{
	int r;

	h->fingerprints = (struct fingerprint_set){0};
	settings_save(&h->settings, &h->sys);
	refusers_init(&h->refusers, &h->sys);
	keys_open(&h->keys, &h->sys, h->config->abort_esc, h->config->abort_power);
	r = posix_memalign(&h->page, PAGE_BYTES, FINGERPRINT_BUFFER_BYTES);
	if (r)
		r = failure_set(h->failure, REASON_INTERNAL, r, "hibernation", "Free some memory.", "cannot start");
	if (r >= 0 && guard_init(&h->guard) < 0)
		r = failure_set(h->failure, REASON_INTERNAL, ENOMEM, "guard", "Free some memory.", "cannot map its memory");
	if (r >= 0)
		r = area_refresh(&h->area, &h->sys, h->failure);
	if (r >= 0)
		r = open_area(h);
	if (r >= 0)
		r = fingerprint_collect(&h->fingerprints, &h->sys, h->page, h->failure);
	if (r >= 0)
		r = prepare_worker(h);
	if (r >= 0) {
		trim_memory(h);
		r = lock_memory(&h->sys, h->failure);
	}
	if (r >= 0)
		r = snapshot_open(&h->snapshot, h->snapshot_ops, h->snapshot_data, &h->sys, SNAPSHOT_SAVE, h->failure);
	if (r < 0) {
		undo_prepare(h);
		return r;
	}
	h->report->kernel_encrypts = snapshot_kernel_encrypts(&h->snapshot);
	if (h->config->progress)
		console_take(&h->console);
	settings_set_loglevel(&h->settings, &h->sys, h->config->console_log_level);
	settings_hold_latency(&h->settings, &h->sys);
	return 0;
}

/* Back from the disk: the boot half has left its numbers in the mark. */
static void read_boot_record(struct hibernation *h)
{
	struct failure f = {0};
	struct mark mark;

	if (mark_read(&h->mark_io, &mark, &f) < 0) {
		log_failure(&h->log, &f);
		return;
	}
	if (mark.kind != MARK_DROPPED || memcmp(mark.boot_id, h->meta.boot_id, sizeof(mark.boot_id)) != 0)
		return;
	mark_set_resumed(&h->mark_io, mark.image_id, &f);
	h->report->image_pages = mark.save.pages;
	h->report->stored_bytes = mark.save.stored_bytes;
	h->report->times.save_usec = mark.save.save_usec;
	h->report->times.freeze_usec = mark.save.freeze_usec;
	h->report->times.create_usec = mark.save.create_usec;
	h->report->times.slots_usec = mark.save.slots_usec;
	h->report->times.write_usec = mark.save.write_usec;
	h->report->times.load_usec = mark.boot.total_usec;
	h->report->times.load_read_usec = mark.boot.load_usec;
	h->report->times.load_tries = mark.boot.tries;
	log_line(&h->log, LOG_LEVEL_NOTICE, "resumed: saved in %llu ms, loaded in %llu ms, %llu KiB on disk",
		 (unsigned long long)mark.save.save_usec / USEC_PER_MSEC,
		 (unsigned long long)mark.boot.total_usec / USEC_PER_MSEC,
		 (unsigned long long)mark.save.stored_bytes / KIB);
}

/* What others can notice, and secrets. Other memory, locked as it is, stays until hibernation_deinit(). */
void undo_prepare(struct hibernation *h)
{
	if (h->report->outcome == OUTCOME_RESUMED)
		read_boot_record(h);
	if (h->keep_slots)
		guard_keep_slots(&h->guard, &h->snapshot, &h->mark_io, &h->log);
	snapshot_close(&h->snapshot);
	settings_restore(&h->settings, &h->sys);
	refusers_deinit(&h->refusers);
	console_restore(&h->console);
	supervisor_deinit(&h->worker);
	fingerprint_set_deinit(&h->fingerprints);
	h->mark_io.fd = fd_close(h->mark_io.fd);
	sealing_deinit(&h->sealing); /* while its memory is locked */
	keys_close(&h->keys);
}
