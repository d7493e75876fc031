/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What parses hibernate.conf and the kernel command line.
 *
 * The first byte of the input chooses. What is accepted must be within what its users rely on, and be the same when it
 * is written as a file and read again. The command line must not do away with a demand for sealing, nor
 * name a key set that a TPM may open.
 */
#include "config/config.h"
#include "scratch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

/* In a tree of its own: nothing is read but the one file. */
static struct sysctx tree(void)
{
	struct sysctx s;

	require(sysctx_init_rooted(&s, scratch_folder(), NULL, NULL) >= 0);
	return s;
}

static void require_sound(const struct config *c)
{
	require(memchr(c->resume_device, '\0', sizeof(c->resume_device)) && *c->resume_device);
	require(memchr(c->key_directory, '\0', sizeof(c->key_directory)) && *c->key_directory == '/');
	require(c->image_size.percent <= 100 && c->threads <= CONFIG_THREADS_MAX && c->resume_wait_usec <= CONFIG_FOREVER);
	require(codec_available(c->compression) && c->console_log_level >= -1 && c->console_log_level <= 7);
	require(shutdown_mode_name(c->shutdown_mode) && resume_failure_name(c->resume_failure) && sealing_mode_name(c->sealing));
}

/* A file has no blanks around a value; on the command line quotes can keep them. */
static bool in_blanks(const char *value)
{
	return *value && (strchr(" \t", *value) || strchr(" \t", value[strlen(value) - 1]));
}

static void require_same(const struct config *c, const struct sysctx *s)
{
	char text[_CONFIG_KEY_MAX * (CONFIG_VALUE_MAX + 64)], value[CONFIG_VALUE_MAX], again_value[CONFIG_VALUE_MAX];
	static struct config again;
	struct failure f;
	size_t used = (size_t)snprintf(text, sizeof(text), "[Hibernate]\n");

	if (in_blanks(c->resume_device) || in_blanks(c->key_directory))
		return;
	for (int key = 0; key < _CONFIG_KEY_MAX; key++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s=%s\n", config_key_name((enum config_key)key),
					 config_format_key(c, (enum config_key)key, value, sizeof(value)));
	scratch_write("again.conf", text, used);
	require(config_load_file(&again, s, "/again.conf", &f) >= 0);
	for (int key = 0; key < _CONFIG_KEY_MAX; key++) {
		config_format_key(c, (enum config_key)key, value, sizeof(value));
		config_format_key(&again, (enum config_key)key, again_value, sizeof(again_value));
		require(strcmp(value, again_value) == 0);
	}
}

static void fuzz_file(const uint8_t *data, size_t size)
{
	struct sysctx s = tree();
	static struct config c;
	struct failure f;

	scratch_write("hibernate.conf", data, size);
	if (config_load_file(&c, &s, "/hibernate.conf", &f) >= 0) {
		require_sound(&c);
		require_same(&c, &s);
	}
	sysctx_deinit(&s);
}

static void fuzz_cmdline(const uint8_t *data, size_t size)
{
	struct sysctx s = tree();
	static struct config c;
	bool noresume = false;
	struct failure f;

	scratch_write("proc/cmdline", data, size);
	config_init(&c);
	c.sealing = size % 2 ? SEALING_REQUIRED : SEALING_OFF;
	if (config_apply_cmdline(&c, &s, &noresume, &f) >= 0) {
		require_sound(&c);
		require_same(&c, &s);
		require((size % 2 == 0 || c.sealing == SEALING_REQUIRED) && !c.tpm);
	}
	sysctx_deinit(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0]) {
	case 'c':
		fuzz_file(data + 1, size - 1);
		break;
	case 'k':
		fuzz_cmdline(data + 1, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
