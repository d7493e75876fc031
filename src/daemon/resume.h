/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resume step of the initramfs. */
#pragma once

#include "area/area.h"
#include "area/mark.h"
#include "base/failpoint.h"
#include "config/config.h"
#include "daemon/ahead.h"
#include "daemon/console.h"
#include "daemon/keys.h"
#include "daemon/keyslot.h"
#include "daemon/log.h"
#include "daemon/settings.h"
#include "daemon/supervisor.h"
#include "daemon/unseal.h"
#include "snapshot/snapshot.h"

/* Everything one resume knows. */
struct resume {
	struct sysctx sys;
	const struct snapshot_ops *snapshot_ops; /* the real device, unless a test puts its own below */
	void *snapshot_data;
	struct config config;
	struct failpoints failpoints;
	struct log log;
	struct console console;
	struct keys keys;
	struct settings settings;
	struct area_place place;
	struct mark_io mark_io; /* the area's device, O_DIRECT, and its first page */
	bool writable;          /* it can be written; opened so only when there is an image */
	struct mark mark;
	struct supervisor worker;
	struct unseal unseal;
	struct keyslot keyslot;
	struct ahead ahead;
	struct snapshot snapshot;
	struct image_meta meta;
	struct mark_boot record;
	uint64_t started; /* clock_monotonic_usec() */
	bool said_absent;
};

/*
 * Resume if there is an image of ours. Returns when there is none (0, in milliseconds), or when the user
 * chose to boot without it (0, the image is then dropped). Must run before any filesystem of the image
 * is mounted, checked or replayed, and before the kernel's and systemd's own resume steps. Failures: only what
 * kept it from looking (configuration).
 */
int resume_run(struct failure *f);

/*
 * The same in pieces, for tests: on @s, into zeroed memory, which is @r's place until deinit. Between init and go a test
 * may change snapshot_ops, snapshot_data, the console's descriptor and the worker's stand_in.
 */
int resume_init(struct resume *r, const struct sysctx *s, struct failure *f);
void resume_go(struct resume *r, struct failure *f);
void resume_deinit(struct resume *r);
