/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/disarm.h"

#include "area/area.h"
#include "area/block.h"
#include "area/mark.h"
#include "base/fdio.h"
#include "common/bus.h"
#include "config/config.h"
#include "daemon/console.h"
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct disarm {
	struct sysctx sys;
	struct log log;
	struct console console;
	void *buffer;
	dev_t kept; /* it was said that the image on it cannot be dropped */
};

static void say(struct disarm *d, enum log_level level, const char *text)
{
	char line[600];

	log_line(&d->log, level, "%s", text);
	console_say(&d->console, "hibernated: %s", text);
	snprintf(line, sizeof(line), "%s\n", text);
	if (sys_mkdir(&d->sys, RUN_FOLDER, 0700) >= 0)
		(void)sys_append(&d->sys, DROPPED_NOTICE, line);
}

/* It stays armed while this system writes what it believes to be its own. */
static void say_kept(struct disarm *d, const struct area_place *place, const struct failure *f)
{
	char text[512];

	if (d->kept == place->devno)
		return;
	d->kept = place->devno;
	snprintf(text, sizeof(text),
		 "%s: an image that was not resumed cannot be dropped (%.100s%s%s); do it with hibernate-image discard before the next boot",
		 place->device, f->text, f->error > 0 ? ": " : "", f->error > 0 ? strerrordesc_np(f->error) : "");
	say(d, LOG_LEVEL_ERROR, text);
}

/* Opened for writing only where there is something to write: udev looks anew at each device that was open so. */
static int write_disarmed(const struct disarm *d, const struct area_place *place, struct failure *f)
{
	AUTO_CLOSE int fd = area_place_open(place, &d->sys, O_RDWR, f);
	struct mark_io io = {.fd = fd, .position = place->first_page, .buffer = d->buffer, .name = place->device};

	return fd < 0 ? fd : mark_disarm(&io, MARK_DROP_BOOTED, f);
}

static int disarm_place(struct disarm *d, const struct area_place *place, struct failure *f)
{
	struct failure other = {0};
	AUTO_CLOSE int fd = area_place_open(place, &d->sys, O_RDONLY, &other);
	struct mark_io io = {.fd = fd, .position = place->first_page, .buffer = d->buffer, .name = place->device};
	struct mark mark;
	char text[512], when[64];
	time_t created;
	int r;

	if (fd < 0 || mark_read(&io, &mark, &other) < 0) {
		log_failure(&d->log, &other); /* nobody can resume from it either */
		return 0;
	}
	if (mark.kind != MARK_ARMED && mark.kind != MARK_DAMAGED)
		return 0;
	if (mark.kind == MARK_ARMED && area_identity_compare(&mark.identity, &place->identity, place->device, &other) < 0) {
		snprintf(text, sizeof(text), "%s: an image of another device is left alone; hibernate-image discard drops it",
			 place->device);
		say(d, LOG_LEVEL_NOTICE, text);
		return 0;
	}
	r = write_disarmed(d, place, f);
	if (r < 0) {
		say_kept(d, place, f);
		return r;
	}
	if (mark.kind == MARK_DAMAGED) {
		snprintf(text, sizeof(text), "%s: an image with a mark that this version cannot read is dropped", place->device);
		say(d, LOG_LEVEL_NOTICE, text);
		return 0;
	}
	created = (time_t)(mark.save.created_usec / 1000000);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", gmtime(&created));
	snprintf(text, sizeof(text), "%s: the system hibernated at %s was not resumed; its image is dropped (%s)",
		 place->device, when, mark_drop_phrase(MARK_DROP_BOOTED));
	say(d, LOG_LEVEL_NOTICE, text);
	return 0;
}

static int disarm_device(struct disarm *d, const char *spec, uint64_t first_page, struct failure *f)
{
	struct area_place place;
	struct failure ignored = {0};

	if (area_find_resume(&place, &d->sys, spec, first_page, 0, NULL, NULL, &ignored) < 0)
		return 0;
	return disarm_place(d, &place, f);
}

/* The place that the configuration names: the only way to a swap file before root is mounted. */
static int disarm_configured(struct disarm *d, struct failure *f)
{
	struct failure ignored = {0};
	struct config config;
	bool noresume;

	if (config_load(&config, &d->sys, &ignored) < 0 || config_apply_cmdline(&config, &d->sys, &noresume, &ignored) < 0) {
		log_failure(&d->log, &ignored); /* a wrong setting must not leave other images armed */
		return 0;
	}
	if (strcmp(config.resume_device, AREA_AUTO) == 0)
		return 0;
	return disarm_device(d, config.resume_device, config.resume_offset, f);
}

struct disarm_scan {
	struct disarm *disarm;
	struct failure *failure;
	int result;
};

static int disarm_block(void *data, const struct block *block)
{
	struct disarm_scan *scan = data;
	int r = block_worth_reading(block) ? disarm_device(scan->disarm, block->path, 0, scan->failure) : 0;

	if (r < 0)
		scan->result = r; /* go on: each armed image is a danger of its own */
	return 0;
}

static int disarm_all(struct disarm *d, struct failure *f)
{
	struct disarm_scan scan = {.disarm = d, .failure = f};
	int r = block_each(&d->sys, disarm_block, &scan);

	if (r < 0) {
		failure_set(f, REASON_INTERNAL, -r, "/sys/class/block", "Mount /sys.", "cannot read it");
		log_failure(&d->log, f);
		return r;
	}
	r = disarm_configured(d, f);
	return scan.result < 0 ? scan.result : r;
}

/* The one that somebody names: he is told if it is not there. */
static int disarm_named(struct disarm *d, const char *device, struct failure *f)
{
	struct area_place place;

	if (area_find_resume(&place, &d->sys, device, 0, 0, NULL, NULL, f) >= 0)
		return disarm_place(d, &place, f);
	failure_set(f, REASON_NO_AREA, ENODEV, device, NULL, "there is no such block device");
	log_failure(&d->log, f);
	return -ENODEV;
}

int disarm_run(const struct sysctx *s, const char *device, struct failure *f)
{
	AUTO_FREE struct disarm *d = calloc(1, sizeof(*d));
	int r;

	if (!d || posix_memalign(&d->buffer, PAGE_BYTES, MARK_BUFFER_BYTES))
		return failure_set(f, REASON_INTERNAL, ENOMEM, "disarm", NULL, "no memory");
	d->sys = *s;
	log_init(&d->log, &d->sys);
	log_hold(&d->log); /* so early the kernel's log is the surer one */
	console_init(&d->console, &d->sys, true);
	r = device ? disarm_named(d, device, f) : disarm_all(d, f);
	console_deinit(&d->console);
	log_deinit(&d->log);
	free(d->buffer);
	return r;
}
