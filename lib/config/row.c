/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing the value of each key. */
#include "config/row.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESUME_WAIT_SECONDS_MAX 86400

static const char *const shutdown_modes[] = {
	[SHUTDOWN_PLATFORM] = "platform",
	[SHUTDOWN_POWEROFF] = "shutdown",
	[SHUTDOWN_REBOOT] = "reboot",
};
_Static_assert(ARRAY_LENGTH(shutdown_modes) == _SHUTDOWN_MAX, "each mode has a name");

static const char *const resume_failures[] = {
	[RESUME_FAILURE_ASK] = "ask",
	[RESUME_FAILURE_POWEROFF] = "poweroff",
	[RESUME_FAILURE_BOOT] = "boot",
};
_Static_assert(ARRAY_LENGTH(resume_failures) == _RESUME_FAILURE_MAX, "each answer has a name");

static const char *const sealing_modes[] = {
	[SEALING_OFF] = "off",
	[SEALING_REQUIRED] = "required",
};
_Static_assert(ARRAY_LENGTH(sealing_modes) == _SEALING_MODE_MAX, "each mode has a name");

static int find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *shutdown_mode_name(enum shutdown_mode mode)
{
	return mode < 0 || mode >= _SHUTDOWN_MAX ? NULL : shutdown_modes[mode];
}

enum shutdown_mode shutdown_mode_from_name(const char *name)
{
	return (enum shutdown_mode)find_name(shutdown_modes, _SHUTDOWN_MAX, name);
}

const char *resume_failure_name(enum resume_failure what)
{
	return what < 0 || what >= _RESUME_FAILURE_MAX ? NULL : resume_failures[what];
}

enum resume_failure resume_failure_from_name(const char *name)
{
	return (enum resume_failure)find_name(resume_failures, _RESUME_FAILURE_MAX, name);
}

const char *sealing_mode_name(enum sealing_mode mode)
{
	return mode < 0 || mode >= _SEALING_MODE_MAX ? NULL : sealing_modes[mode];
}

enum sealing_mode sealing_mode_from_name(const char *name)
{
	return (enum sealing_mode)find_name(sealing_modes, _SEALING_MODE_MAX, name);
}

/* Digits at the start of @text, no sign, no blank; *@end is what follows. -EINVAL if there is no digit or too many. */
static int parse_digits(const char *text, uint64_t *value, const char **end)
{
	uint64_t sum = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(sum, UINT64_C(10), &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(*text - '0'), &sum))
			return -EINVAL;
	*value = sum;
	*end = text;
	return 0;
}

/* @text is one number from @least to @most. */
static int parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	const char *end;
	uint64_t number;
	int r = parse_digits(text, &number, &end);

	if (r < 0 || *end || number < least || number > most)
		return -EINVAL;
	*value = number;
	return 0;
}

static int parse_resume_device(struct config *c, const char *value)
{
	static const char *const prefixes[] = {"UUID=", "LABEL=", "PARTUUID="};
	bool known = strcmp(value, "auto") == 0 || (value[0] == '/' && value[1]);

	for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		known = known || (strncmp(value, prefixes[i], length) == 0 && value[length]);
	}
	if (!known || strlen(value) >= sizeof(c->resume_device))
		return -EINVAL;
	memset(c->resume_device, 0, sizeof(c->resume_device));
	memcpy(c->resume_device, value, strlen(value));
	return 0;
}

static void format_resume_device(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", c->resume_device);
}

static int parse_resume_offset(struct config *c, const char *value)
{
	uint64_t pages;

	if (strcmp(value, "auto") == 0) {
		c->resume_offset = CONFIG_OFFSET_AUTO;
		return 0;
	}
	if (parse_number(value, 0, INT64_MAX / PAGE_BYTES, &pages) < 0)
		return -EINVAL;
	c->resume_offset = pages * PAGE_BYTES;
	return 0;
}

static void format_resume_offset(const struct config *c, char *buf, size_t size)
{
	if (c->resume_offset == CONFIG_OFFSET_AUTO)
		snprintf(buf, size, "auto");
	else
		snprintf(buf, size, "%llu", (unsigned long long)(c->resume_offset / PAGE_BYTES));
}

static int parse_image_size(struct config *c, const char *value)
{
	static const char units[] = "KMGT";
	struct image_size_wish wish = {0};
	const char *end, *unit;
	uint64_t number;

	if (strcmp(value, "auto") == 0) {
		c->image_size = (struct image_size_wish){.automatic = true};
		return 0;
	}
	if (parse_digits(value, &number, &end) < 0)
		return -EINVAL;
	if (strcmp(end, "%") == 0) {
		if (number < 1 || number > 100)
			return -EINVAL;
		wish.percent = (unsigned int)number;
	} else {
		for (unit = units; *end && *unit && *unit != *end; unit++)
			;
		if (*end && (!*unit || end[1]))
			return -EINVAL;
		for (ptrdiff_t power = *end ? unit - units + 1 : 0; power; power--)
			if (__builtin_mul_overflow(number, KIB, &number))
				return -EINVAL;
		wish.bytes = number;
	}
	c->image_size = wish;
	return 0;
}

static void format_image_size(const struct config *c, char *buf, size_t size)
{
	const struct image_size_wish *wish = &c->image_size;
	static const char units[] = "KMGT";
	uint64_t number = wish->bytes;
	size_t unit = 0;

	while (number && number % KIB == 0 && units[unit]) {
		number /= KIB;
		unit++;
	}
	if (wish->automatic)
		snprintf(buf, size, "auto");
	else if (wish->percent)
		snprintf(buf, size, "%u%%", wish->percent);
	else
		snprintf(buf, size, "%llu%.*s", (unsigned long long)number, unit > 0, units + (unit ? unit - 1 : 0));
}

static int parse_compression(struct config *c, const char *value)
{
	enum codec_id id = codec_from_name(value);

	if (id == _CODEC_INVALID)
		return -EINVAL;
	if (!codec_available(id))
		return -EOPNOTSUPP;
	c->compression = id;
	return 0;
}

static void format_compression(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", codec_name(c->compression));
}

static int parse_compression_level(struct config *c, const char *value)
{
	bool negative = value[0] == '-';
	uint64_t number;

	if (strcmp(value, "auto") == 0)
		number = 0;
	else if (parse_number(value + negative, 1, INT32_MAX, &number) < 0)
		return -EINVAL;
	c->compression_level = negative ? -(int)number : (int)number;
	return 0;
}

static void format_compression_level(const struct config *c, char *buf, size_t size)
{
	if (c->compression_level)
		snprintf(buf, size, "%d", c->compression_level);
	else
		snprintf(buf, size, "auto");
}

static int parse_threads(struct config *c, const char *value)
{
	uint64_t number = 0;

	if (strcmp(value, "auto") != 0 && parse_number(value, 1, CONFIG_THREADS_MAX, &number) < 0)
		return -EINVAL;
	c->threads = (unsigned int)number;
	return 0;
}

static void format_threads(const struct config *c, char *buf, size_t size)
{
	if (c->threads)
		snprintf(buf, size, "%u", c->threads);
	else
		snprintf(buf, size, "auto");
}

static int parse_shutdown_mode(struct config *c, const char *value)
{
	enum shutdown_mode mode = shutdown_mode_from_name(value);

	if (mode == _SHUTDOWN_INVALID)
		return -EINVAL;
	c->shutdown_mode = mode;
	return 0;
}

static void format_shutdown_mode(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", shutdown_mode_name(c->shutdown_mode));
}

static int parse_resume_wait(struct config *c, const char *value)
{
	uint64_t seconds;

	if (strcmp(value, "infinity") == 0) {
		c->resume_wait_usec = CONFIG_FOREVER;
		return 0;
	}
	if (parse_number(value, 0, RESUME_WAIT_SECONDS_MAX, &seconds) < 0)
		return -EINVAL;
	c->resume_wait_usec = seconds * USEC_PER_SEC;
	return 0;
}

static void format_resume_wait(const struct config *c, char *buf, size_t size)
{
	if (c->resume_wait_usec == CONFIG_FOREVER)
		snprintf(buf, size, "infinity");
	else
		snprintf(buf, size, "%llu", (unsigned long long)(c->resume_wait_usec / USEC_PER_SEC));
}

static int parse_resume_failure(struct config *c, const char *value)
{
	enum resume_failure what = resume_failure_from_name(value);

	if (what == _RESUME_FAILURE_INVALID)
		return -EINVAL;
	c->resume_failure = what;
	return 0;
}

static void format_resume_failure(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", resume_failure_name(c->resume_failure));
}

static int parse_progress(struct config *c, const char *value)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return -EINVAL;
	c->progress = value[0] == 'y';
	return 0;
}

static void format_progress(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", c->progress ? "yes" : "no");
}

/* Words with blanks between them, in any order, each once; or "none". */
static int parse_abort_key(struct config *c, const char *value)
{
	bool none = strcmp(value, "none") == 0, esc = false, power = false;

	while (!none && *value) {
		size_t length = strcspn(value, " \t");
		bool *which = length == 3 && memcmp(value, "esc", 3) == 0     ? &esc
			      : length == 5 && memcmp(value, "power", 5) == 0 ? &power
									      : NULL;

		if (!which || *which)
			return -EINVAL;
		*which = true;
		value += length + strspn(value + length, " \t");
	}
	if (!none && !esc && !power)
		return -EINVAL;
	c->abort_esc = esc;
	c->abort_power = power;
	return 0;
}

static void format_abort_key(const struct config *c, char *buf, size_t size)
{
	static const char *const words[] = {"none", "esc", "power", "esc power"};

	snprintf(buf, size, "%s", words[c->abort_esc + 2 * c->abort_power]);
}

static int parse_console_log_level(struct config *c, const char *value)
{
	uint64_t level;

	if (strcmp(value, "keep") == 0) {
		c->console_log_level = -1;
		return 0;
	}
	if (parse_number(value, 0, 7, &level) < 0)
		return -EINVAL;
	c->console_log_level = (int)level;
	return 0;
}

static void format_console_log_level(const struct config *c, char *buf, size_t size)
{
	if (c->console_log_level < 0)
		snprintf(buf, size, "keep");
	else
		snprintf(buf, size, "%d", c->console_log_level);
}

static int parse_sealing(struct config *c, const char *value)
{
	enum sealing_mode mode = sealing_mode_from_name(value);

	if (mode == _SEALING_MODE_INVALID)
		return -EINVAL;
	c->sealing = mode;
	return 0;
}

static void format_sealing(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", sealing_mode_name(c->sealing));
}

static int parse_key_directory(struct config *c, const char *value)
{
	if (value[0] != '/' || !value[1] || strlen(value) >= sizeof(c->key_directory))
		return -EINVAL;
	memset(c->key_directory, 0, sizeof(c->key_directory));
	memcpy(c->key_directory, value, strlen(value));
	return 0;
}

static void format_key_directory(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s", c->key_directory);
}

static int parse_tpm_key_set(struct config *c, const char *value)
{
	uint8_t id[CONFIG_KEY_SET_BYTES] = {0};
	bool none = strcmp(value, "none") == 0;

	if (!none && strspn(value, "0123456789abcdef") != 2 * sizeof(id))
		return -EINVAL;
	for (size_t i = 0; !none && i < 2 * sizeof(id); i++)
		id[i / 2] = (uint8_t)(id[i / 2] << 4 | (value[i] <= '9' ? value[i] - '0' : value[i] - 'a' + 10));
	if (!none && value[2 * sizeof(id)])
		return -EINVAL;
	c->tpm = !none;
	memcpy(c->tpm_key_set, id, sizeof(id));
	return 0;
}

static void format_tpm_key_set(const struct config *c, char *buf, size_t size)
{
	if (!c->tpm)
		snprintf(buf, size, "none");
	for (size_t i = 0; c->tpm && i < sizeof(c->tpm_key_set) && 2 * i < size; i++)
		snprintf(buf + 2 * i, size - 2 * i, "%02x", c->tpm_key_set[i]);
}

const struct config_row config_rows[_CONFIG_KEY_MAX] = {
	[CONFIG_RESUME_DEVICE] = {"ResumeDevice", parse_resume_device, format_resume_device, "auto",
				  "auto, a path beginning with /, UUID=..., LABEL=... or PARTUUID=..., at most 255 bytes"},
	[CONFIG_RESUME_OFFSET] = {"ResumeOffset", parse_resume_offset, format_resume_offset, "auto",
				  "auto, or the place of the swap file's first page on ResumeDevice, in pages of 4096 bytes"},
	[CONFIG_IMAGE_SIZE] = {"ImageSize", parse_image_size, format_image_size, "auto",
			       "auto, bytes (with K, M, G or T if you like), or 1% to 100% of memory"},
	[CONFIG_COMPRESSION] = {"Compression", parse_compression, format_compression, "lz4", "lz4, zstd or none"},
	[CONFIG_COMPRESSION_LEVEL] = {"CompressionLevel", parse_compression_level, format_compression_level, "auto",
				      "auto, or a level that the codec has"},
	[CONFIG_THREADS] = {"Threads", parse_threads, format_threads, "auto", "auto, or 1 to 64"},
	[CONFIG_SHUTDOWN_MODE] = {"ShutdownMode", parse_shutdown_mode, format_shutdown_mode, "platform",
				  "platform, shutdown or reboot"},
	[CONFIG_RESUME_WAIT] = {"ResumeWait", parse_resume_wait, format_resume_wait, "30",
				"seconds from 0 to 86400, or infinity"},
	[CONFIG_RESUME_FAILURE] = {"ResumeFailure", parse_resume_failure, format_resume_failure, "ask",
				   "ask, poweroff or boot"},
	[CONFIG_PROGRESS] = {"Progress", parse_progress, format_progress, "yes", "yes or no"},
	[CONFIG_ABORT_KEY] = {"AbortKey", parse_abort_key, format_abort_key, "esc power",
			      "esc, power, both with a blank between them, or none"},
	[CONFIG_CONSOLE_LOG_LEVEL] = {"ConsoleLogLevel", parse_console_log_level, format_console_log_level, "keep",
				      "keep, or 0 to 7"},
	[CONFIG_SEALING] = {"Sealing", parse_sealing, format_sealing, "off", "off or required"},
	[CONFIG_KEY_DIRECTORY] = {"KeyDirectory", parse_key_directory, format_key_directory, "/etc/hibernate/keys",
				  "a path beginning with /, at most 255 bytes"},
	[CONFIG_TPM_KEY_SET] = {"TPMKeySet", parse_tpm_key_set, format_tpm_key_set, "none",
				"none, or the 32 digits that hibernatectl key list shows"},
};
