/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disarming a mark on an active swap area.
 *
 * The kernel refuses writes to an active swap device unless a snapshot session has named it, so this
 * opens one, freezes for a moment, names the area, writes its first page, and thaws.
 */
#pragma once

#include "area/mark.h"
#include "base/failure.h"
#include "base/sys.h"
#include "config/config.h"
#include "daemon/session.h"

/* The session for hibernatectl discard. */
void discard_run(const struct session_request *request, const struct config *config, struct session_report *report);

/* Why an armed mark on an active area is dropped without being asked: did this boot write it? */
enum mark_drop discard_reason(const struct mark *mark, const struct sysctx *s);

/*
 * A mark on an active area cannot be right: whoever wrote it is this very boot, or swap is in use over
 * it. Disarm all of them. For daemon start and after its death. Fails with the last that could not be disarmed.
 */
int discard_active_marks(struct failure *f);
