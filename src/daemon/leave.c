/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaving: from here the image on the disk is what the next boot will take.
 *
 * Every way out can come back, and any return, success included, means that we are still here
 * (POWER_OFF returns 0 without doing anything when PLATFORM_SUPPORT is unset). The caller then disarms
 * the mark. All signals are blocked; nothing here allocates, opens or touches a filesystem.
 */
#include "daemon/hibernate.h"

#include <errno.h>
#include <sys/reboot.h>

/* Powered off through ACPI S4. Returns only if that failed. */
static int leave_by_platform(struct hibernation *h)
{
	int r = snapshot_power_off(&h->snapshot, h->failure);

	if (r == -EBUSY || r == -EAGAIN) /* a wake-up event came in between: staying is what the user wants */
		return r;
	log_line(&h->log, LOG_LEVEL_WARNING, "ACPI S4 failed (%d), powering off without it", r);
	*h->failure = (struct failure){0};
	return 0;
}

static int leave_to_disk(struct hibernation *h)
{
	int command = RB_POWER_OFF, r = 0;

	switch (h->config->shutdown_mode) {
	case SHUTDOWN_PLATFORM:
		if (h->meta.platform)
			r = leave_by_platform(h);
		break;
	case SHUTDOWN_POWEROFF:
		break;
	case SHUTDOWN_REBOOT:
		command = RB_AUTOBOOT;
		break;
	case _SHUTDOWN_MAX:
	case _SHUTDOWN_INVALID:
		break;
	}
	if (r < 0)
		return r;
	r = failpoint_hit(&h->failpoints, "reboot");
	if (r == 0)
		r = sys_reboot(&h->sys, command);
	return failure_set(h->failure, REASON_LEAVE_REFUSED, r < 0 ? -r : EIO,
			   command == RB_AUTOBOOT ? "reboot" : "power off", "Try another ShutdownMode=.",
			   "the kernel came back from it");
}

int step_leave(struct hibernation *h)
{
	int r;

	if (h->request->kind != SESSION_HYBRID)
		return leave_to_disk(h);
	r = snapshot_suspend_to_ram(&h->snapshot, h->failure);
	if (r < 0)
		return r;
	h->report->outcome = OUTCOME_WOKE;
	return STEP_BACK;
}
