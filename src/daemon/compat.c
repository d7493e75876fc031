/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/compat.h"

#include "base/escape.h"
#include "image/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ZERO_PAGES_SINCE 606 /* 6.6 */

/* 6.12.3-x -> 612; 0 if it is no release. */
static unsigned int series(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2 || minor > 99)
		return 0;
	return major * 100 + minor;
}

int compat_check(const char *image, const char *image_machine, const char *boot, const char *boot_machine,
		 struct failure *f)
{
	char remedy[160], release[IMAGE_RELEASE_MAX], machine[32];

	/* Words of an image, which nobody has vouched for yet, go to a console. */
	escape_text(image, SIZE_MAX, release, sizeof(release));
	escape_text(image_machine, SIZE_MAX, machine, sizeof(machine));
	if (strcmp(image_machine, boot_machine) != 0)
		return failure_set(f, REASON_WRONG_MACHINE, 0, "image", "Boot a kernel of that architecture.",
				   "it is of a %s system, this one is %s", machine, boot_machine);
	snprintf(remedy, sizeof(remedy), "Boot kernel %s.", release);
	if (strcmp(image_machine, "x86_64") != 0 && strcmp(image_machine, "aarch64") != 0 && strcmp(image, boot) != 0)
		return failure_set(f, REASON_WRONG_KERNEL, 0, "image", remedy,
				   "on %s it can be read only by the kernel that made it, %s; this one is %s",
				   machine, release, boot);
	if (series(image) >= ZERO_PAGES_SINCE && series(boot) < ZERO_PAGES_SINCE)
		return failure_set(f, REASON_WRONG_KERNEL, 0, "image", remedy,
				   "kernel %s made it, and %s is too old to read it", release, boot);
	return 0;
}
