/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel command line, as far as it speaks to us.
 *
 * Kernel facts: parameters are separated by blanks; double quotes protect blanks and are dropped;
 * what follows a lone "--" is for init; of a parameter given twice the last one counts; resume_offset= is
 * in pages; resume= may be MAJOR:MINOR. "hibernate." with a dot is a name space of the kernel's
 * own (from 6.9), so ours is "hibernated.".
 */
#include "config/config.h"

#include "config/key.h"

#include <errno.h>
#include <string.h>

#define CMDLINE "/proc/cmdline"
#define OUR_PREFIX "hibernated."

/* Cut the next parameter, quotes dropped, off *@text; NULL at the end. */
static char *next_parameter(char **text)
{
	char *in = *text + strspn(*text, " \t\n"), *begin = in, *out = in;
	bool quoted = false;

	if (!*in)
		return NULL;
	for (; *in && (quoted || !strchr(" \t\n", *in)); in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*text = in + (*in != '\0');
	*out = '\0';
	return begin;
}

static bool is_device_number(const char *text)
{
	size_t major = strspn(text, "0123456789");
	size_t minor = text[major] == ':' ? strspn(text + major + 1, "0123456789") : 0;

	return major && minor && !text[major + 1 + minor];
}

static int apply_resume(struct config *c, const char *value, bool *noresume, struct failure *f)
{
	char path[CONFIG_DEVICE_MAX];

	if (!*value) {
		*noresume = true;
		return 0;
	}
	if (is_device_number(value)) {
		snprintf(path, sizeof(path), "/dev/block/%s", value);
		value = path;
	}
	return config_set(c, CONFIG_RESUME_DEVICE, value, CMDLINE, 0, f);
}

static int apply_ours(struct config *c, char *parameter, struct failure *f)
{
	char *equal = strchr(parameter, '=');
	enum config_key key;

	if (equal)
		*equal = '\0';
	key = config_key_from_name(parameter);
	if (key == _CONFIG_KEY_INVALID || !equal)
		return failure_set(f, REASON_CONFIG, 0, CMDLINE,
				   "Behind " OUR_PREFIX " comes a key of hibernate.conf, = and a value.",
				   OUR_PREFIX "%.64s makes no sense", parameter);
	return config_set(c, key, equal + 1, CMDLINE, 0, f);
}

static int apply_parameter(struct config *c, char *parameter, bool *noresume, struct failure *f)
{
	static const char *const refusals[] = {"noresume", "nohibernate", "hibernate=noresume", "hibernate=no"};

	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++)
		if (strcmp(parameter, refusals[i]) == 0)
			*noresume = true;
	if (strncmp(parameter, "resume=", 7) == 0)
		return apply_resume(c, parameter + 7, noresume, f);
	if (strncmp(parameter, "resume_offset=", 14) == 0)
		return config_set(c, CONFIG_RESUME_OFFSET, parameter + 14, CMDLINE, 0, f);
	if (strcmp(parameter, "resumewait") == 0)
		return config_set(c, CONFIG_RESUME_WAIT, "infinity", CMDLINE, 0, f);
	if (strncmp(parameter, OUR_PREFIX, strlen(OUR_PREFIX)) == 0)
		return apply_ours(c, parameter + strlen(OUR_PREFIX), f);
	return 0;
}

int config_apply_cmdline(struct config *c, const struct sysctx *s, bool *noresume, struct failure *f)
{
	struct config changed = *c;
	char text[8192], *at = text, *parameter;
	bool refused = false;
	ssize_t n = sys_read(s, CMDLINE, text, sizeof(text));
	int r;

	if (n < 0)
		return failure_set(f, REASON_CONFIG, (int)-n, CMDLINE, "Mount /proc.", "cannot read it");
	while ((parameter = next_parameter(&at)) && strcmp(parameter, "--") != 0) {
		r = apply_parameter(&changed, parameter, &refused, f);
		if (r < 0)
			return r;
	}
	/* Who edits the command line at the boot loader can ask for sealing, and not do away with it. */
	if (c->sealing == SEALING_REQUIRED) {
		changed.sealing = c->sealing;
		changed.origins[CONFIG_SEALING] = c->origins[CONFIG_SEALING];
	}
	/* Nor can they say whose images are trusted. */
	changed.tpm = c->tpm;
	memcpy(changed.tpm_key_set, c->tpm_key_set, sizeof(changed.tpm_key_set));
	changed.origins[CONFIG_TPM_KEY_SET] = c->origins[CONFIG_TPM_KEY_SET];
	r = config_check(&changed, f);
	if (r < 0)
		return r;
	*c = changed;
	*noresume = refused;
	return 0;
}
