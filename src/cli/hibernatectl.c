/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernatectl: the face of hibernated. It asks; the daemon does.
 *
 * Reached as s2disk it hibernates, as s2both it suspends to both, as the programs of those names did.
 */
#include "base/clock.h"
#include "base/fdio.h"
#include "cli/client.h"
#include "common/next-boot.h"
#include "config/config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXTENTS_MAX 65536
#define KEY_PATH    PKGLIBEXECDIR "/hibernatectl-key"

static const char usage[] =
	"Usage: hibernatectl COMMAND\n"
	"\n"
	"  hibernate         save memory to disk and power off\n"
	"  hybrid            save memory to disk, then suspend to RAM\n"
	"  status            what hibernated does, and how the last hibernation went\n"
	"  estimate          how large an image would be, and whether it fits\n"
	"  config            each setting, its value, and the file it came from\n"
	"  discard DEVICE    drop the image on an active swap area\n"
	"  keygen            make the keys that images are sealed with\n"
	"  key list          which keys there are\n"
	"  key test          whether a passphrase, recovery key or TPM opens them\n"
	"  key add KIND      another way to open them\n"
	"  key remove KIND   one less; KIND is passphrase, recovery or tpm\n"
	"\n"
	"  --help            show this text\n"
	"  --version         show the version\n"
	"\n"
	"keygen and key have options of their own: see hibernatectl-key(1).\n"
	"s2disk is hibernatectl hibernate, s2both is hibernatectl hybrid.\n";

static void cleanup_bus(sd_bus **bus)
{
	sd_bus_flush_close_unref(*bus);
}

static void cleanup_message(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

/* Numbers of a reply are told from their keys' endings. */
static void print_value(const struct client_value *value)
{
	size_t length = strlen(value->key);

	/* Lines of hibernate.conf, to be copied. */
	if (strcmp(value->key, "ResumeDevice") == 0)
		printf("%s=%s\n", value->key, value->string);
	else if (strcmp(value->key, "ResumeOffset") == 0)
		printf("%s=%" PRIu64 "\n", value->key, value->number);
	else if (value->string)
		printf("%s: %s\n", value->key, value->string);
	else if (length > 4 && strcmp(value->key + length - 4, "USec") == 0)
		printf("%.*s: %.3f s\n", (int)length - 4, value->key, (double)value->number / 1e6);
	else if (length > 5 && strcmp(value->key + length - 5, "Bytes") == 0)
		printf("%.*s: %.1f MiB\n", (int)length - 5, value->key, (double)value->number / (double)MIB);
	else
		printf("%s: %" PRIu64 "\n", value->key, value->number);
}

static int call_and_print(const char *method, const char *argument, struct failure *f)
{
	CLEANUP(cleanup_message) sd_bus_message *reply = NULL;
	CLEANUP(cleanup_bus) sd_bus *bus = NULL;
	struct client_value value;
	int r = client_connect(&bus, f);

	if (r < 0)
		return r;
	r = client_call(bus, method, argument, &reply, f);
	if (r < 0)
		return r;
	r = client_enter(reply);
	while (r >= 0 && (r = client_next(reply, &value)) > 0)
		if (strcmp(value.key, "EndedUSec") != 0)
			print_value(&value);
	if (r < 0)
		return failure_set(f, REASON_INTERNAL, -r, method, "Install matching versions.", "cannot read the reply");
	return 0;
}

static int run_hibernate(const char *argument, struct failure *f)
{
	(void)argument;
	return call_and_print("Hibernate", "hibernate", f);
}

static int run_hybrid(const char *argument, struct failure *f)
{
	(void)argument;
	return call_and_print("Hibernate", "hybrid", f);
}

static int run_status(const char *argument, struct failure *f)
{
	(void)argument;
	return call_and_print("Status", NULL, f);
}

static int run_estimate(const char *argument, struct failure *f)
{
	(void)argument;
	return call_and_print("Estimate", NULL, f);
}

static int run_discard(const char *argument, struct failure *f)
{
	return call_and_print("Discard", argument, f);
}

/* What leads the next boot to the area of now, as comments; nothing where that cannot be found out, such as without root. */
static void print_next_boot(const struct config *config, const struct sysctx *sys)
{
	AUTO_FREE struct extent *extents = calloc(EXTENTS_MAX, sizeof(*extents));
	char lines[160], text[1024];
	struct next_boot next;
	struct failure f = {0};
	struct area area;

	if (!extents || area_find(&area, sys, config->resume_device, extents, EXTENTS_MAX, &f) < 0)
		return;
	next_boot_check(&next, sys, config, &area, &f);
	printf("# an image goes to %s; the next boot finds it by: %s\n", area.name,
	       next_boot_format(&next, lines, sizeof(lines)));
	if (next_boot_warning(&next))
		printf("# %s\n", next_boot_warning(&next));
	if (failed(&f))
		printf("# %s\n", failure_format(&f, text, sizeof(text)));
}

static int run_config(const char *argument, struct failure *f)
{
	struct sysctx host = sysctx_host();
	struct config config;
	int r = config_load(&config, &host, f);

	(void)argument;
	if (r < 0)
		return r;
	r = config_print(&config, stdout);
	if (r >= 0)
		print_next_boot(&config, &host);
	return r;
}

static const struct {
	const char *name;
	const char *alias; /* name of the program that means the same */
	const char *argument; /* what it takes, for the message */
	int (*run)(const char *argument, struct failure *f);
} commands[] = {
	{"hibernate", "s2disk", NULL, run_hibernate},
	{"hybrid", "s2both", NULL, run_hybrid},
	{"status", NULL, NULL, run_status},
	{"estimate", NULL, NULL, run_estimate},
	{"config", NULL, NULL, run_config},
	{"discard", NULL, "DEVICE", run_discard},
};

static int find_command(const char *name, bool by_alias)
{
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
		const char *candidate = by_alias ? commands[i].alias : commands[i].name;

		if (candidate && strcmp(candidate, name) == 0)
			return (int)i;
	}
	return -1;
}

static int usage_error(const char *what, const char *object)
{
	fprintf(stderr, "hibernatectl: %s%s\nSee hibernatectl --help.\n", what, object);
	return reason_exit_status(REASON_USAGE);
}

/* Returns only if that failed. */
static int become_key(char **argv)
{
	execv(KEY_PATH, argv);
	fprintf(stderr, "hibernatectl: " KEY_PATH ": cannot be started: %s. Reinstall hibernated.\n", strerrordesc_np(errno));
	return reason_exit_status(REASON_INTERNAL);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	int c, command = find_command(program, true), arguments;
	struct failure f = {0};
	char text[1024];

	if (command < 0 && argc > 1 && (strcmp(argv[1], "keygen") == 0 || strcmp(argv[1], "key") == 0))
		return become_key(argv);
	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("hibernatectl " PACKAGE_VERSION);
			return 0;
		default:
			return usage_error("not an option: ", argv[optind - 1]);
		}
	}
	if (command < 0) {
		if (optind == argc)
			return usage_error("which command?", "");
		command = find_command(argv[optind], false);
		if (command < 0)
			return usage_error("unknown command: ", argv[optind]);
		optind++;
	}
	arguments = argc - optind;
	if (arguments < (commands[command].argument ? 1 : 0))
		return usage_error("which device?", "");
	if (arguments > (commands[command].argument ? 1 : 0))
		return usage_error("too many arguments, from: ", argv[argc - 1]);
	if (commands[command].run(commands[command].argument ? argv[optind] : NULL, &f) < 0 && !failed(&f))
		failure_set(&f, REASON_INTERNAL, EIO, "hibernatectl", NULL, "the command failed");
	if (!failed(&f) && fflush(stdout) != 0)
		failure_set(&f, REASON_IO, errno, "standard output", NULL, "cannot be written");
	if (failed(&f))
		fprintf(stderr, "hibernatectl: %s\n", failure_format(&f, text, sizeof(text)));
	return reason_exit_status(f.reason);
}
