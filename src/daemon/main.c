/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernated: the privileged half.
 *
 *   hibernated             become hibernated-serve, which serves hibernatectl on the private socket
 *   hibernated --resume    in the initramfs: resume from an image, if there is one
 *   hibernated --cleanup   after a crash: disarm a mark that is left on an active swap area
 *   hibernated --disarm    in an ordinary boot, before root goes read-write: drop what is left of an image; with
 *                          a DEVICE, on that one, which has appeared later
 */
#include "base/failure.h"
#include "daemon/disarm.h"
#include "daemon/discard.h"
#include "daemon/resume.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#define SERVE_PATH PKGLIBEXECDIR "/hibernated-serve"

enum mode {
	MODE_SERVE,
	MODE_RESUME,
	MODE_DISARM,
	MODE_CLEANUP,
};

static const char usage[] =
	"Usage: hibernated [--resume | --disarm [DEVICE] | --cleanup]\n"
	"\n"
	"  (none)      serve hibernatectl(1)\n"
	"  --resume    resume from an image, if there is one; for the initramfs\n"
	"  --disarm    drop an image that was not resumed; early in an ordinary boot\n"
	"  --cleanup   disarm a mark left on an active swap area; after the daemon has ended\n"
	"  --help      show this text\n"
	"  --version   show the version\n";

/* Returns only if that failed. */
static int become_service(char **argv, struct failure *f)
{
	execv(SERVE_PATH, argv);
	return failure_set(f, REASON_INTERNAL, errno, SERVE_PATH, "Reinstall hibernated.", "cannot start it");
}

static int usage_error(const char *what, const char *object)
{
	fprintf(stderr, "hibernated: %s%s\n%s", what, object, usage);
	return reason_exit_status(REASON_USAGE);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"resume", no_argument, NULL, 'r'},
		{"disarm", no_argument, NULL, 'd'},
		{"cleanup", no_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	enum mode mode = MODE_SERVE;
	const char *device = NULL;
	bool said = false;
	const struct sysctx host = sysctx_host();
	struct failure f = {0};
	char text[1024];
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'r':
			mode = MODE_RESUME;
			break;
		case 'd':
			mode = MODE_DISARM;
			break;
		case 'c':
			mode = MODE_CLEANUP;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("hibernated " PACKAGE_VERSION);
			return 0;
		default:
			return usage_error("not an option: ", argv[optind - 1]);
		}
	}
	if (mode == MODE_DISARM && optind < argc)
		device = argv[optind++];
	if (optind < argc)
		return usage_error("not taken here: ", argv[optind]);
	if (geteuid() != 0)
		failure_set(&f, REASON_PERMISSION, EPERM, "hibernated", "Run it as root.", "it needs root's rights");
	else if (mode == MODE_SERVE)
		become_service(argv, &f);
	else if (mode == MODE_RESUME)
		resume_run(&f);
	else if (mode == MODE_DISARM)
		said = disarm_run(&host, device, &f) != -ENOMEM;
	else
		discard_active_marks(&f);
	if (failed(&f) && !said)
		fprintf(stderr, "hibernated: %s\n", failure_format(&f, text, sizeof(text)));
	return reason_exit_status(f.reason);
}
