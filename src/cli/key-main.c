/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernatectl-key: what hibernatectl becomes for keygen and key. A program of its own, because it alone needs libgcrypt and
 * libtss2, whose loading takes as long as all the rest of hibernatectl.
 */
#include "cli/key-commands.h"
#include "config/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FD_MAX 1048576

enum {
	OPTION_DIRECTORY = 1 << 0,
	OPTION_PASSPHRASE_FD = 1 << 1,
	OPTION_NEW_PASSPHRASE_FD = 1 << 2,
	OPTION_ARGON2 = 1 << 3,
	OPTION_LABEL = 1 << 4,
	OPTION_RECOVERY = 1 << 5,
	OPTION_FORCE = 1 << 6,
	OPTION_ALLOW_WEAK = 1 << 7,
	OPTION_REVOKE = 1 << 8,
	OPTION_JSON = 1 << 9,
	OPTION_NO_CONFIG = 1 << 10,
	OPTION_PIN = 1 << 11,
	OPTION_PIN_FD = 1 << 12,
	OPTION_PCRS = 1 << 13,
	OPTION_TPM = 1 << 14,
	OPTION_HELP = 1 << 15,
};

/* Options that are about a TPM. */
#define OPTIONS_TPM (OPTION_PIN | OPTION_PIN_FD | OPTION_PCRS | OPTION_TPM)

enum takes_way {
	TAKES_NONE,
	TAKES_WAY,
	TAKES_WAY_OR_NONE,
};

static const struct {
	const char *word; /* behind "key"; NULL: keygen */
	enum takes_way way;
	unsigned int options; /* besides --directory */
	int (*run)(const struct key_options *options, struct failure *f);
} commands[] = {
	{NULL, TAKES_NONE, OPTION_PASSPHRASE_FD | OPTION_ARGON2 | OPTION_LABEL | OPTION_RECOVERY | OPTION_FORCE |
	 OPTION_ALLOW_WEAK | OPTION_NO_CONFIG, key_generate},
	{"add", TAKES_WAY, OPTION_PASSPHRASE_FD | OPTION_NEW_PASSPHRASE_FD | OPTION_ARGON2 | OPTION_FORCE |
	 OPTION_ALLOW_WEAK | OPTIONS_TPM, key_add},
	{"remove", TAKES_WAY, OPTION_PASSPHRASE_FD | OPTION_ARGON2 | OPTION_REVOKE, key_remove},
	{"list", TAKES_NONE, OPTION_JSON, key_list},
	{"test", TAKES_WAY_OR_NONE, OPTION_PASSPHRASE_FD | OPTION_PIN_FD | OPTION_TPM, key_test},
};

static const struct option long_options[] = {
	{"directory", required_argument, NULL, OPTION_DIRECTORY},
	{"passphrase-fd", required_argument, NULL, OPTION_PASSPHRASE_FD},
	{"new-passphrase-fd", required_argument, NULL, OPTION_NEW_PASSPHRASE_FD},
	{"argon2", required_argument, NULL, OPTION_ARGON2},
	{"label", required_argument, NULL, OPTION_LABEL},
	{"recovery", no_argument, NULL, OPTION_RECOVERY},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"allow-weak", no_argument, NULL, OPTION_ALLOW_WEAK},
	{"revoke", no_argument, NULL, OPTION_REVOKE},
	{"json", no_argument, NULL, OPTION_JSON},
	{"no-config", no_argument, NULL, OPTION_NO_CONFIG},
	{"pin", no_argument, NULL, OPTION_PIN},
	{"pin-fd", required_argument, NULL, OPTION_PIN_FD},
	{"pcrs", required_argument, NULL, OPTION_PCRS},
	{"tpm", required_argument, NULL, OPTION_TPM},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"Usage: hibernatectl keygen [--recovery] [--label=TEXT] [--force] [OPTION...]\n"
	"       hibernatectl key add passphrase|recovery [--force] [OPTION...]\n"
	"       hibernatectl key add tpm [--pin] [--pcrs=LIST] [--force] [OPTION...]\n"
	"       hibernatectl key remove passphrase|recovery|tpm [--revoke] [OPTION...]\n"
	"       hibernatectl key test [passphrase|recovery|tpm] [OPTION...]\n"
	"       hibernatectl key list [--json] [OPTION...]\n"
	"\n"
	"See hibernatectl-key(1).\n";

static int usage_error(const char *what, const char *object)
{
	fprintf(stderr, "hibernatectl: %s%s\nSee hibernatectl --help.\n", what, object);
	return reason_exit_status(REASON_USAGE);
}

/* Digits only, at most @max; then @end, which may be NUL. Moves *@at behind it. */
static bool take_number(const char **at, char end, unsigned long max, unsigned long *number)
{
	unsigned long value;
	char *rest;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	value = strtoul(*at, &rest, 10);
	if (errno || value > max || *rest != end)
		return false;
	*at = end ? rest + 1 : rest;
	*number = value;
	return true;
}

static bool take_fd(const char *text, int *fd)
{
	unsigned long number;

	if (!take_number(&text, '\0', FD_MAX, &number))
		return false;
	*fd = (int)number;
	return true;
}

/* KIB,PASSES */
static bool take_cost(const char *text, struct argon2_cost *cost)
{
	unsigned long memory_kib, passes;

	if (!take_number(&text, ',', ARGON2_MEMORY_MAX_KIB, &memory_kib) ||
	    !take_number(&text, '\0', ARGON2_PASSES_MAX, &passes))
		return false;
	*cost = (struct argon2_cost){.memory_kib = (uint32_t)memory_kib, .passes = (uint32_t)passes, .lanes = 1};
	return argon2_cost_valid(cost);
}

/* "4,7,9". */
static bool take_pcrs(const char *text, uint32_t *pcrs)
{
	unsigned long pcr;
	bool more = true;

	for (*pcrs = 0; more; *pcrs |= 1u << pcr) {
		more = strchr(text, ',');
		if (!take_number(&text, more ? ',' : '\0', TPM_PCR_COUNT - 1, &pcr))
			return false;
	}
	return true;
}

static bool take_option(int option, struct key_options *options)
{
	switch (option) {
	case OPTION_DIRECTORY:
		options->directory = optarg;
		options->elsewhere = true;
		return optarg[0] != '\0';
	case OPTION_PASSPHRASE_FD:
		return take_fd(optarg, &options->passphrase_fd);
	case OPTION_NEW_PASSPHRASE_FD:
		return take_fd(optarg, &options->new_passphrase_fd);
	case OPTION_ARGON2:
		return take_cost(optarg, &options->cost);
	case OPTION_LABEL:
		options->label = optarg;
		return strlen(optarg) < KEY_FILE_LABEL_BYTES;
	case OPTION_RECOVERY:
		return options->recovery = true;
	case OPTION_FORCE:
		return options->force = true;
	case OPTION_ALLOW_WEAK:
		return options->allow_weak = true;
	case OPTION_REVOKE:
		return options->revoke = true;
	case OPTION_JSON:
		return options->json = true;
	case OPTION_NO_CONFIG:
		return options->no_config = true;
	case OPTION_PIN:
		return options->pin = true;
	case OPTION_PIN_FD:
		options->pin = true;
		return take_fd(optarg, &options->pin_fd);
	case OPTION_PCRS:
		return take_pcrs(optarg, &options->pcrs);
	case OPTION_TPM:
		options->tpm = optarg;
		return optarg[0] != '\0';
	default:
		return false;
	}
}

/* What the text says already, the C library need not say again. */
static bool errno_told(const struct failure *f)
{
	if (f->reason == REASON_NO_KEYS || f->reason == REASON_KEYS_EXIST || f->reason == REASON_NO_TPM ||
	    f->reason == REASON_TPM_UNMEASURED || f->reason == REASON_TPM)
		return true;
	if (f->reason == REASON_WRONG_SECRET || (f->reason == REASON_USAGE && f->error == EINVAL))
		return true;
	return f->reason == REASON_KEY_FILE &&
	       (f->error == EBADMSG || f->error == ELOOP || f->error == ENOTSUP || f->error == EPERM);
}

/* Where the daemon looks for the keys. */
static int configured_directory(char *directory, size_t size, struct failure *f)
{
	struct sysctx host = sysctx_host();
	enum config_key key = config_key_from_name("KeyDirectory");
	struct config config;
	int r = config_load(&config, &host, f);

	if (r < 0)
		return r;
	if (key == _CONFIG_KEY_INVALID)
		snprintf(directory, size, "%s", KEY_DIRECTORY);
	else
		config_format_key(&config, key, directory, size);
	return 0;
}

static int prepare(struct key_options *options, char *directory, size_t size, struct failure *f)
{
	int r = 0;

	if (!options->elsewhere && geteuid() != 0)
		return failure_set(f, REASON_PERMISSION, EPERM, "hibernatectl", "Run it as root, for instance with sudo.",
				   "the keys are root's");
	if (!options->elsewhere) {
		r = configured_directory(directory, size, f);
		options->directory = directory;
	}
	return r < 0 ? r : crypto_init(f);
}

static int run(size_t command, struct key_options *options, char *directory, size_t size)
{
	struct failure f = {0};
	char text[FAILURE_OBJECT_MAX + 2 * FAILURE_TEXT_MAX + 128];
	int r = prepare(options, directory, size, &f);

	if (r >= 0)
		r = commands[command].run(options, &f);
	if (r >= 0 && fflush(stdout) != 0)
		r = failure_set(&f, REASON_IO, errno, "standard output", NULL, "cannot be written");
	if (r >= 0)
		return 0;
	if (!failed(&f))
		failure_set(&f, REASON_INTERNAL, -r, "hibernatectl", NULL, "the command failed");
	if (errno_told(&f))
		f.error = 0;
	fprintf(stderr, "hibernatectl: %s\n", failure_format(&f, text, sizeof(text)));
	return reason_exit_status(f.reason);
}

static int say_usage(void)
{
	fputs(usage, stdout);
	return fflush(stdout) == 0 ? 0 : reason_exit_status(REASON_IO);
}

/* The row, or -1 after a message. The words end behind what belongs to it. */
static int find_command(int argc, char **argv, int *words, int *status)
{
	if (strcmp(argv[0], "keygen") == 0) {
		*words = 1;
		return 0;
	}
	for (size_t i = 0; argc > 1 && i < ARRAY_LENGTH(commands); i++)
		if (commands[i].word && strcmp(commands[i].word, argv[1]) == 0) {
			*words = 2;
			return (int)i;
		}
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		*status = say_usage();
	else
		*status = argc > 1 ? usage_error("unknown: key ", argv[1]) : usage_error("key: add, remove, list or test?", "");
	return -1;
}

/* The word behind the options, and whether it goes with them. 0, or the exit status after a message. */
static int take_way(int argc, char **argv, enum takes_way takes, struct key_options *options)
{
	if (optind == argc && takes == TAKES_WAY)
		return usage_error("passphrase, recovery or tpm?", "");
	if (optind < argc && takes != TAKES_NONE) {
		options->way = key_way_from_name(argv[optind]);
		if (options->way == _KEY_WAY_INVALID)
			return usage_error("neither passphrase, recovery nor tpm: ", argv[optind]);
		optind++;
	}
	if (optind < argc)
		return usage_error("too many arguments, from: ", argv[optind]);
	if (options->way != KEY_WAY_TPM && (options->pin || options->pcrs || options->tpm))
		return usage_error("only for tpm: --pin, --pin-fd, --pcrs, --tpm", "");
	if (!options->tpm)
		options->tpm = TPM_DEVICE;
	return 0;
}

static int key_main(int argc, char **argv)
{
	struct key_options options = {
		.way = _KEY_WAY_INVALID, .passphrase_fd = -1, .new_passphrase_fd = -1, .pin_fd = -1};
	char directory[CONFIG_VALUE_MAX];
	int words = 0, status = 0, option, command = find_command(argc, argv, &words, &status);

	if (command < 0)
		return status;
	argc -= words - 1;
	argv += words - 1;
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		if (option == '?')
			return usage_error("not an option, or without its value: ", argv[optind - 1]);
		if (option == OPTION_HELP)
			return say_usage();
		if (option != OPTION_DIRECTORY && !(commands[command].options & (unsigned int)option))
			return usage_error("not an option of this command: ", argv[optind - 1]);
		if (!take_option(option, &options))
			return usage_error("not a value for its option: ", argv[optind - 1]);
	}
	status = take_way(argc, argv, commands[command].way, &options);
	return status ? status : run((size_t)command, &options, directory, sizeof(directory));
}

int main(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "keygen") == 0 || strcmp(argv[1], "key") == 0))
		return key_main(argc - 1, argv + 1);
	return usage_error("run hibernatectl(1): keygen, or key?", "");
}
