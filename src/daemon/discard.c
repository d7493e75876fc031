/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/discard.h"

#include "area/area.h"
#include "area/mark.h"
#include "area/swaps.h"
#include "base/fdio.h"
#include "daemon/hibernate.h"
#include "daemon/id.h"
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct discard {
	struct sysctx sys;
	struct area area;
	struct extent *extents;
	void *buffer;
};

static int discard_init(struct discard *d, struct failure *f)
{
	*d = (struct discard){.sys = sysctx_host()};
	d->extents = calloc(AREA_EXTENTS_MAX, sizeof(*d->extents));
	if (!d->extents || posix_memalign(&d->buffer, PAGE_BYTES, MARK_BUFFER_BYTES)) {
		free(d->extents);
		return failure_set(f, REASON_INTERNAL, ENOMEM, "discard", "Free some memory.", "cannot start");
	}
	return 0;
}

static void discard_deinit(struct discard *d)
{
	free(d->extents);
	free(d->buffer);
}

/* Write through a snapshot session. */
static int disarm_in_session(struct discard *d, const struct mark_io *io, enum mark_drop drop, struct failure *f)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	int r = snapshot_open(&snapshot, &snapshot_device_ops, NULL, &d->sys, SNAPSHOT_SAVE, f);

	if (r >= 0)
		r = snapshot_freeze(&snapshot, f);
	if (r >= 0) {
		r = snapshot_set_swap_area(&snapshot, d->area.devno, d->area.offset_pages, f);
		if (r >= 0)
			r = area_check_owner(&d->area, &d->sys, f);
		if (r >= 0)
			r = mark_disarm(io, drop, f);
		snapshot_unfreeze(&snapshot, NULL);
	}
	snapshot_close(&snapshot);
	return r;
}

enum mark_drop discard_reason(const struct mark *mark, const struct sysctx *s)
{
	uint8_t boot_id[16];
	bool same = mark->kind == MARK_ARMED && id_read(s, BOOT_ID_PATH, boot_id) &&
		    memcmp(mark->boot_id, boot_id, sizeof(boot_id)) == 0;

	return same ? MARK_DROP_SAME_BOOT : MARK_DROP_IN_USE;
}

/* 0 and *@found whether there was one, or the failure. @by_hand: somebody has asked for it. */
static int discard_area(struct discard *d, const char *spec, bool by_hand, bool *found, struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	struct mark_io io = {.buffer = d->buffer};
	struct mark mark;
	int r = area_find(&d->area, &d->sys, spec, d->extents, AREA_EXTENTS_MAX, f);

	if (r < 0)
		return r;
	fd = area_open(&d->area, &d->sys, O_RDWR, f);
	if (fd < 0)
		return fd;
	io.fd = fd;
	io.position = d->area.offset_pages * PAGE_BYTES;
	io.name = d->area.name;
	r = mark_read(&io, &mark, f);
	if (r < 0)
		return r;
	/* A daemon that was started for this has disarmed it already. */
	*found = mark.kind == MARK_DROPPED && (mark.drop == MARK_DROP_SAME_BOOT || mark.drop == MARK_DROP_IN_USE);
	if (mark.kind != MARK_ARMED && mark.kind != MARK_DAMAGED)
		return 0;
	*found = true;
	return disarm_in_session(d, &io, by_hand ? MARK_DROP_DISCARDED : discard_reason(&mark, &d->sys), f);
}

void discard_run(const struct session_request *request, const struct config *config, struct session_report *report)
{
	bool found = false;
	struct discard d;

	(void)config;
	if (discard_init(&d, &report->failure) < 0)
		return;
	if (discard_area(&d, request->device, true, &found, &report->failure) >= 0) {
		snprintf(report->area, sizeof(report->area), "%s", d.area.name);
		if (found)
			report->outcome = OUTCOME_DISCARDED;
		else
			failure_set(&report->failure, REASON_NO_IMAGE, 0, d.area.name, NULL, "it carries no image of ours");
	}
	discard_deinit(&d);
}

int discard_active_marks(struct failure *f)
{
	struct swap_entry entries[SWAPS_MAX];
	struct discard d;
	int count, r = discard_init(&d, f);

	if (r < 0)
		return r;
	count = swaps_read(&d.sys, entries);
	if (count < 0)
		r = failure_set(f, REASON_INTERNAL, -count, "/proc/swaps", "Mount /proc.", "cannot read the active swap areas");
	for (int i = 0; i < count; i++) {
		struct failure why = {0};
		bool found = false;
		int one = discard_area(&d, entries[i].name, false, &found, &why);

		/* An area that cannot carry an image (zram and the like) cannot carry a mark either. */
		if (one < 0 && why.reason != REASON_AREA_UNSUITABLE && why.reason != REASON_NO_AREA) {
			*f = why;
			r = one;
		}
	}
	discard_deinit(&d);
	return r;
}
