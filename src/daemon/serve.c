/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernated-serve: what hibernated becomes without an option. A program of its own, because it alone needs the bus, and
 * with that a dozen libraries that an initramfs would have to carry and a resume to load.
 */
#include "base/failure.h"
#include "daemon/service.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct failure f = {0};
	char text[1024];

	(void)argv;
	prctl(PR_SET_NAME, "hibernated"); /* whoever looks for the daemon knows it by this name */
	if (argc > 1)
		failure_set(&f, REASON_USAGE, EINVAL, "hibernated-serve", "Start hibernated(8).", "it takes no arguments");
	else if (geteuid() != 0)
		failure_set(&f, REASON_PERMISSION, EPERM, "hibernated", "Run it as root.", "it needs root's rights");
	else
		service_run(&f);
	if (failed(&f))
		fprintf(stderr, "hibernated: %s\n", failure_format(&f, text, sizeof(text)));
	return reason_exit_status(f.reason);
}
