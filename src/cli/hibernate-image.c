/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernate-image: compression and layout of images. As hibernated's worker (--worker) it moves one image;
 * by hand it shows, checks, unpacks and drops one. It never asks for privilege.
 */
#include "cli/image-commands.h"
#include "cli/json.h"
#include "cli/worker.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"Usage: hibernate-image COMMAND [OPTION...] DEVICE-OR-FILE [OUTPUT]\n"
	"\n"
	"  info              what image is there, of what system, and its state\n"
	"  verify            read it all and check every checksum\n"
	"  extract           write the pages of the snapshot to a file\n"
	"  discard           drop it: the area becomes ordinary swap again\n"
	"\n"
	"  --offset=BYTES    the swap area begins there (a swap file, on its device)\n"
	"  -o, --output=FILE of extract, the same as OUTPUT; else standard output\n"
	"  --passphrase-fd=N read the passphrase of a sealed image from descriptor N,\n"
	"                    not from the terminal\n"
	"  --json            print JSON (info, verify, discard)\n"
	"  --help            show this text\n"
	"  --version         show the version\n"
	"\n"
	"DEVICE-OR-FILE is a swap partition, a swap file, or a copy of one. An image\n"
	"that was dropped can be read as long as swap has not been used over it.\n";

static const struct {
	const char *name;
	int (*run)(const struct image_options *options, struct failure *f);
	bool output, json;
} commands[] = {
	{"info", image_info, false, true},
	{"verify", image_verify, false, true},
	{"extract", image_extract, true, false},
	{"discard", image_discard, false, true},
};

static int usage_error(const char *what, const char *object)
{
	fprintf(stderr, "hibernate-image: %s%s\nTry hibernate-image --help.\n", what, object);
	return reason_exit_status(REASON_USAGE);
}

static bool parse_number(const char *text, uint64_t *number)
{
	char *end;
	unsigned long long value;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return false;
	*number = value;
	return true;
}

static void print_failure(const struct image_options *options, const struct failure *f)
{
	char text[FAILURE_OBJECT_MAX + 2 * FAILURE_TEXT_MAX + 128];
	struct json json = {.out = stdout};

	fprintf(stderr, "hibernate-image: %s\n", failure_format(f, text, sizeof(text)));
	if (!options->json)
		return;
	json_open(&json, NULL);
	json_string(&json, "path", options->path);
	json_open(&json, "error");
	json_string(&json, "reason", reason_name(f->reason));
	json_string(&json, "object", f->object);
	json_string(&json, "text", f->text);
	json_string(&json, "remedy", f->remedy);
	json_number(&json, "errno", (uint64_t)f->error);
	json_close(&json);
	json_close(&json);
}

static int run(size_t command, const struct image_options *options)
{
	struct failure f = {0};
	int r = commands[command].run(options, &f);

	if (r >= 0 && fflush(stdout) != 0)
		r = failure_set(&f, REASON_IO, errno, "standard output", NULL, "cannot be written");
	if (r >= 0)
		return 0;
	if (!failed(&f))
		failure_set(&f, REASON_INTERNAL, -r, options->path, NULL, "%s failed", commands[command].name);
	print_failure(options, &f);
	return reason_exit_status(f.reason);
}

static int by_hand(int argc, char **argv)
{
	static const struct option table[] = {
		{"offset", required_argument, NULL, 'O'}, {"output", required_argument, NULL, 'o'},
		{"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},      {"passphrase-fd", required_argument, NULL, 'P'},
		{0},
	};
	struct image_options options = {.passphrase_fd = SECRET_TERMINAL};
	uint64_t number;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:h", table, NULL)) >= 0) {
		switch (c) {
		case 'O':
			if (!parse_number(optarg, &options.offset))
				return usage_error("not a number of bytes: --offset=", optarg);
			break;
		case 'P':
			if (!parse_number(optarg, &number) || number > INT_MAX)
				return usage_error("not a descriptor: --passphrase-fd=", optarg);
			options.passphrase_fd = (int)number;
			break;
		case 'o':
			options.output = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("hibernate-image " PACKAGE_VERSION);
			return 0;
		default:
			return usage_error("not an option, or without its value: ", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return usage_error("which command?", "");
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
		if (strcmp(argv[optind], commands[i].name) != 0)
			continue;
		if (argc - optind < 2)
			return usage_error("which device or file?", "");
		if (argc - optind == 3 && commands[i].output && !options.output)
			options.output = argv[optind + 2];
		else if (argc - optind > 2)
			return usage_error("too many arguments, from: ", argv[optind + 2]);
		if (options.output && !commands[i].output)
			return usage_error("--output is not for ", commands[i].name);
		if (options.json && !commands[i].json)
			return usage_error("--json is not for ", commands[i].name);
		options.path = argv[optind + 1];
		return run(i, &options);
	}
	return usage_error("unknown command: ", argv[optind]);
}

/* Returns only if nobody has given it what a worker works with: started by hand, most likely. */
static int be_worker(void)
{
	int status = worker_main();

	fputs("hibernate-image: --worker is only for hibernated, which starts it.\n", stderr);
	return status;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--worker") == 0)
		return be_worker();
	/* A reader of extract's output that goes away is an error with a message. */
	signal(SIGPIPE, SIG_IGN);
	return by_hand(argc, argv);
}
