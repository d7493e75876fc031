/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/encrypted.h"
#include "base/escape.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "cli/key-commands.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DROPIN_DIRECTORY "/etc/hibernate.conf.d"
#define DROPIN           DROPIN_DIRECTORY "/50-sealing.conf"
#define SEALING_KEY      "Sealing"

static const char dropin[] = "# Written by hibernatectl keygen.\n"
			     "[Hibernate]\n"
			     SEALING_KEY "=required\n";

/* Who reads the disk while the machine is off has the signing key, unless the disk is encrypted. */
static void warn_of_disk(const char *directory)
{
	struct sysctx host = sysctx_host();
	char path[PATH_MAX], source[256], shown[256];
	int r;

	if (!realpath(directory, path))
		return;
	r = path_encrypted(&host, path, source, sizeof(source));
	if (r < 0)
		return;
	escape_text(source, sizeof(source), shown, sizeof(shown));
	switch ((enum encrypted)r) {
	case ENCRYPTED_YES:
		break;
	case ENCRYPTED_NO:
		key_note("Warning: %s lies on %s, which is not encrypted. Who can read that disk while the machine is off can "
			 "forge images that this machine resumes. They cannot read any.", directory, shown);
		break;
	case ENCRYPTED_MEMORY:
		key_note("Warning: %s lies in memory and is gone after a reboot.", directory);
		break;
	case ENCRYPTED_UNKNOWN:
		key_note("Warning: whether %s is encrypted on its disk cannot be seen. If it is not, who can read that disk "
			 "while the machine is off can forge images that this machine resumes.", directory);
		break;
	}
}

static int write_dropin(struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	int r = 0;

	if (mkdir(DROPIN_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return failure_set(f, REASON_CONFIG, errno, DROPIN_DIRECTORY, NULL, "cannot be made");
	fd = open(DROPIN, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return 0; /* somebody's choice, or a mask */
	if (fd < 0)
		r = -errno;
	if (r >= 0)
		r = fd_write_full(fd, dropin, sizeof(dropin) - 1);
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		return failure_set(f, REASON_CONFIG, -r, DROPIN, "Write it by hand.",
				   "the keys are there, but " SEALING_KEY "=required cannot be set");
	key_note("%s: " SEALING_KEY "=required. From now on only sealed images are written and resumed.", DROPIN);
	return 0;
}

/* Images shall be sealed from now on, unless the configuration says anything about it already. */
static int set_sealing(const struct key_options *options, struct failure *f)
{
	struct sysctx host = sysctx_host();
	enum config_key key = config_key_from_name(SEALING_KEY);
	struct config config;
	int r;

	if (key == _CONFIG_KEY_INVALID || options->no_config || options->elsewhere)
		return 0;
	r = config_load(&config, &host, f);
	if (r < 0)
		return r;
	if (!config.origins[key].file[0]) {
		r = write_dropin(f);
		if (r < 0)
			return r;
	}
	key_note("Rebuild the initramfs, so that the next boot asks for it: update-initramfs -u, or dracut --force.");
	return 0;
}

static const char *label_of(const struct key_options *options, char host[KEY_FILE_LABEL_BYTES])
{
	if (options->label)
		return options->label;
	if (gethostname(host, KEY_FILE_LABEL_BYTES) < 0)
		snprintf(host, KEY_FILE_LABEL_BYTES, "this machine");
	host[KEY_FILE_LABEL_BYTES - 1] = '\0';
	return host;
}

static int refuse_to_replace(const struct key_options *options, struct failure *f)
{
	if (options->force || !key_file_present(options->directory))
		return 0;
	return failure_set(f, REASON_KEYS_EXIST, EEXIST, options->directory,
			   "With --force it is replaced; images that it sealed stay readable by it.",
			   "there is a key set already");
}

int key_generate(const struct key_options *options, struct failure *f)
{
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	AUTO_SECRET uint8_t *recovery = secret_new(RECOVERY_KEY_BYTES);
	AUTO_SECRET struct key_set *set = secret_new(sizeof(*set));
	AUTO_SECRET struct asked *asked = secret_new(sizeof(*asked));
	char host[KEY_FILE_LABEL_BYTES], id[2 * KEY_SET_ID_BYTES + 1];
	struct key_secrets secrets = {.recovery = options->recovery ? recovery : NULL};
	bool replaced = key_file_present(options->directory);
	AUTO_CLOSE int lock = -1;
	int r;

	if (!material || !recovery || !set || !asked)
		return secret_refused("hibernatectl", f);
	r = refuse_to_replace(options, f);
	if (r >= 0)
		r = lock = key_file_lock(options->directory, f);
	if (r >= 0)
		r = key_ask_new(options, KEY_WAY_PASSPHRASE, options->passphrase_fd, asked, f);
	if (r >= 0)
		r = key_cost(options, &secrets.cost, f);
	if (r >= 0)
		r = key_material_draw(label_of(options, host), set, material, f);
	if (r >= 0 && options->recovery)
		r = key_new_recovery(material, recovery, f);
	secrets.passphrase = asked_bytes(asked);
	if (r >= 0)
		r = key_material_seal(set, &secrets, material, f);
	if (r >= 0)
		r = key_file_store(options->directory, material, f);
	if (r < 0)
		return r;
	key_note("%s: key set %s.", options->directory, key_set_text(&material->public, id));
	if (replaced)
		key_note("The key set before is gone from here. Images that it sealed carry what opens them, and stay readable by "
			 "its passphrase.");
	key_warn_of_trust(options, &material->public);
	warn_of_disk(options->directory);
	return set_sealing(options, f);
}
