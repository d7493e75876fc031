/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/sealing.h"

#include "base/fdio.h"
#include "base/secret.h"
#include "seal/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(sizeof(struct failure) <= PIPE_BUF, "a failure goes through a pipe in one piece");

struct sealing_drawn {
	uint8_t image_key[CRYPTO_KEY_BYTES];
	uint8_t ephemeral[CRYPTO_KEY_BYTES];
};

_Static_assert(CONFIG_KEY_SET_BYTES == KEY_SET_ID_BYTES, "id");

/* The next boot would refuse the image. */
static int refuse_other_set(const struct config *config, struct failure *f)
{
	char place[CONFIG_PATH_MAX + 16];

	config_format_origin(config, CONFIG_TPM_KEY_SET, place, sizeof(place));
	return failure_set(f, REASON_CONFIG, EKEYREJECTED, place,
			   "Say there what hibernatectl key list shows, and make the initramfs anew.",
			   "TPMKeySet= names another key set than the one in %s", config->key_directory);
}

int sealing_init(struct sealing *s, const struct config *config, struct failure *f)
{
	int r;

	*s = (struct sealing){.suite = SUITE_NONE};
	if (config->sealing != SEALING_REQUIRED)
		return 0;
	r = crypto_init(f);
	if (r < 0)
		return r;
	s->keys = secret_new(sizeof(*s->keys));
	s->drawn = secret_new(sizeof(*s->drawn));
	if (!s->keys || !s->drawn)
		r = failure_set(f, REASON_CRYPTO, ENOMEM, "hibernation", "Raise RLIMIT_MEMLOCK.",
				"no memory for keys, and only sealed images are written here");
	else
		r = key_file_load(config->key_directory, s->keys, f);
	if (r >= 0 && config->tpm && memcmp(config->tpm_key_set, s->keys->public.id, sizeof(config->tpm_key_set)) != 0)
		r = refuse_other_set(config, f);
	if (r < 0) {
		sealing_deinit(s);
		return r;
	}
	s->suite = suite_default();
	return 0;
}

void sealing_deinit(struct sealing *s)
{
	s->keys = secret_free(s->keys);
	s->drawn = secret_free(s->drawn);
	s->suite = SUITE_NONE;
}

int sealing_possible(const struct config *config, struct failure *f)
{
	struct failure found = {0};
	int pair[2];
	ssize_t n;
	pid_t pid;

	if (config->sealing != SEALING_REQUIRED)
		return 0;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return failure_set(f, REASON_INTERNAL, errno, "keys", NULL, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		struct sealing s;

		sealing_init(&s, config, &found);
		sealing_deinit(&s);
		_exit(fd_write_full(pair[1], &found, sizeof(found)) < 0);
	}
	fd_close(pair[1]);
	do
		n = pid < 0 ? 0 : read(pair[0], &found, sizeof(found));
	while (n < 0 && errno == EINTR);
	fd_close(pair[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0); /* where children go by themselves there is none any more */
	if (n != (ssize_t)sizeof(found))
		return failure_set(f, REASON_INTERNAL, EIO, "keys", "Free some memory.", "cannot be looked at");
	if (!failed(&found))
		return 0;
	*f = found;
	return found.error ? -found.error : -EINVAL;
}

static int draw(struct sealing *s, const struct image_meta *meta, struct key_slot *slot)
{
	struct slot_image image = {.suite = s->suite};
	int r = secret_random(s->drawn, sizeof(*s->drawn));

	memcpy(image.id, meta->id.bytes, sizeof(image.id));
	return r < 0 ? r : key_slot_make(&s->keys->public, &image, s->drawn->ephemeral, s->drawn->image_key, slot);
}

int sealing_draw(struct sealing *s, const struct image_meta *meta, struct worker_seal *worker, struct failure *f)
{
	struct image_header *expected = &s->expected;
	struct key_slot slot;
	int r = draw(s, meta, &slot);

	if (r >= 0) {
		*expected = (struct image_header){.id = meta->id, .suite = s->suite};
		memcpy(expected->kernel_release, meta->kernel_release, sizeof(expected->kernel_release));
		key_slot_encode(&slot, expected->slot);
		memcpy(expected->blob, s->keys->blob, sizeof(expected->blob));
		memcpy(worker->slot, expected->slot, sizeof(worker->slot));
		memcpy(worker->blob, expected->blob, sizeof(worker->blob));
		memcpy(worker->image_key, s->drawn->image_key, sizeof(worker->image_key));
	}
	s->drawn = secret_free(s->drawn);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, "hibernation", NULL, "the image's key cannot be made");
	return 0;
}

static bool as_expected(const struct image_header *page, const struct image_header *expected)
{
	return page->suite == expected->suite && memcmp(&page->id, &expected->id, sizeof(page->id)) == 0 &&
	       memcmp(page->slot, expected->slot, sizeof(page->slot)) == 0 &&
	       memcmp(page->blob, expected->blob, sizeof(page->blob)) == 0 &&
	       strncmp(page->kernel_release, expected->kernel_release, sizeof(page->kernel_release)) == 0;
}

int sealing_sign(struct sealing *s, void *page, uint8_t signature[CRYPTO_SIGNATURE_BYTES], struct failure *f)
{
	struct image_header header;
	int r;

	if (!s->keys)
		return failure_set(f, REASON_WORKER, EPROTO, "hibernate-image", NULL, "the worker wants what is not to be signed");
	if (image_header_decode(page, "hibernate-image", UINT64_MAX, &header, f) < 0 ||
	    !as_expected(&header, &s->expected))
		return failure_set(f, REASON_WORKER, EPROTO, "hibernate-image", NULL,
				   "the header page that the worker wants signed is not this image's");
	r = header_sign(s->keys->signing_seed, page);
	sealing_deinit(s);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, "hibernation", NULL, "the image cannot be signed");
	memcpy(signature, (uint8_t *)page + SEAL_PAGE_SIGNATURE, CRYPTO_SIGNATURE_BYTES);
	return 0;
}
