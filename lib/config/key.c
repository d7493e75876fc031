/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/key.h"

#include "config/row.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *config_key_name(enum config_key key)
{
	return key < 0 || key >= _CONFIG_KEY_MAX ? NULL : config_rows[key].name;
}

const char *config_key_allowed(enum config_key key)
{
	return key < 0 || key >= _CONFIG_KEY_MAX ? NULL : config_rows[key].allowed;
}

enum config_key config_key_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(config_rows); i++)
		if (strcmp(config_rows[i].name, name) == 0)
			return (enum config_key)i;
	return _CONFIG_KEY_INVALID;
}

static char *format_place(const struct config_origin *origin, char *buf, size_t size)
{
	if (!origin->file[0])
		snprintf(buf, size, "default");
	else if (origin->line)
		snprintf(buf, size, "%s:%u", origin->file, origin->line);
	else
		snprintf(buf, size, "%s", origin->file);
	return buf;
}

/* What a line of a file can have. */
static bool is_text(const char *value)
{
	for (const unsigned char *at = (const unsigned char *)value; *at; at++)
		if ((*at < ' ' && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

int config_set(struct config *c, enum config_key key, const char *value, const char *file, unsigned int line,
	       struct failure *f)
{
	struct config_origin origin = {.line = line};
	char place[CONFIG_PATH_MAX + 16], remedy[FAILURE_TEXT_MAX];
	int r = is_text(value) ? config_rows[key].parse(c, value) : -EINVAL;

	snprintf(origin.file, sizeof(origin.file), "%s", file);
	if (r == 0) {
		c->origins[key] = origin;
		return 0;
	}
	format_place(&origin, place, sizeof(place));
	snprintf(remedy, sizeof(remedy), "Allowed: %s.", config_rows[key].allowed);
	if (r == -EOPNOTSUPP)
		return failure_set(f, REASON_CONFIG, EOPNOTSUPP, place, remedy, "%s=%.64s is not part of this build",
				   config_rows[key].name, value);
	return failure_set(f, REASON_CONFIG, 0, place, remedy, "%s=%.64s makes no sense", config_rows[key].name, value);
}

int config_check(const struct config *c, struct failure *f)
{
	int lowest, highest;
	char place[CONFIG_PATH_MAX + 16], remedy[FAILURE_TEXT_MAX];

	if (c->tpm && c->sealing != SEALING_REQUIRED)
		return failure_set(f, REASON_CONFIG, 0, format_place(&c->origins[CONFIG_TPM_KEY_SET], place, sizeof(place)),
				   "Say Sealing=required, too.",
				   "TPMKeySet= makes no sense with Sealing=off, which lets images of anybody be resumed");
	if (codec_level_valid(c->compression, c->compression_level))
		return 0;
	codec_level_range(c->compression, &lowest, &highest);
	if (lowest == highest)
		snprintf(remedy, sizeof(remedy), "Allowed with Compression=%s: auto.", codec_name(c->compression));
	else
		snprintf(remedy, sizeof(remedy), "Allowed with Compression=%s: auto, or %d to %d.",
			 codec_name(c->compression), lowest, highest);
	return failure_set(f, REASON_CONFIG, 0,
			   format_place(&c->origins[CONFIG_COMPRESSION_LEVEL], place, sizeof(place)), remedy,
			   "CompressionLevel=%d makes no sense", c->compression_level);
}

void config_init(struct config *c)
{
	*c = (struct config){0};
	for (size_t i = 0; i < ARRAY_LENGTH(config_rows); i++)
		config_rows[i].parse(c, config_rows[i].fallback);
}

char *config_format_key(const struct config *c, enum config_key key, char *buf, size_t size)
{
	config_rows[key].format(c, buf, size);
	return buf;
}

char *config_format_origin(const struct config *c, enum config_key key, char *buf, size_t size)
{
	return format_place(&c->origins[key], buf, size);
}

int config_print(const struct config *c, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LENGTH(config_rows); i++) {
		char value[CONFIG_VALUE_MAX], place[CONFIG_PATH_MAX + 16];
		int width = 40 - (int)strlen(config_rows[i].name);

		config_rows[i].format(c, value, sizeof(value));
		format_place(&c->origins[i], place, sizeof(place));
		if (fprintf(out, "%s=%-*s %s\n", config_rows[i].name, width, value, place) < 0)
			return -EIO;
	}
	return 0;
}
