/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "base/escape.h"
#include "base/secret.h"
#include "cli/json.h"
#include "cli/key-commands.h"
#include "seal/disk.h"
#include "seal/slot.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static void list_as_json(const struct key_options *options, const struct key_material *material,
			 const struct key_blob *blob)
{
	struct json json = {.out = stdout};
	char id[2 * KEY_SET_ID_BYTES + 1];

	json_open(&json, NULL);
	json_string(&json, "directory", options->directory);
	json_string(&json, "id", key_set_text(&material->public, id));
	json_string(&json, "label", material->label);
	json_number(&json, "created_usec", material->created_usec);
	json_open_list(&json, "keys");
	for (int way = 0; way < _KEY_WAY_MAX; way++) {
		if (!(blob->wraps & key_way_wrap((enum key_way)way)))
			continue;
		json_open(&json, NULL);
		json_string(&json, "kind", key_way_name((enum key_way)way));
		if (way == KEY_WAY_PASSPHRASE) {
			json_number(&json, "memory_kib", blob->passphrase.cost.memory_kib);
			json_number(&json, "passes", blob->passphrase.cost.passes);
			json_number(&json, "lanes", blob->passphrase.cost.lanes);
		}
		json_close(&json);
	}
	if (blob->wraps & BLOB_WRAP_TPM) {
		json_open(&json, NULL);
		json_string(&json, "kind", "tpm");
		json_bool(&json, "pin", blob->tpm.pin);
		json_number(&json, "pcrs", blob->tpm.pcrs);
		json_close(&json);
	}
	json_close_list(&json);
	json_close(&json);
}

static void list_as_text(const struct key_options *options, const struct key_material *material,
			 const struct key_blob *blob)
{
	char id[2 * KEY_SET_ID_BYTES + 1], label[4 * KEY_FILE_LABEL_BYTES], made[40] = "at an unknown time";
	time_t seconds = (time_t)(material->created_usec / USEC_PER_SEC);
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(made, sizeof(made), "%F %T UTC", &tm);
	printf("%s: key set %s\n", options->directory, key_set_text(&material->public, id));
	printf("\"%s\", made %s\n", escape_text(material->label, sizeof(material->label), label, sizeof(label)), made);
	for (int way = 0; way < _KEY_WAY_MAX; way++) {
		if (!(blob->wraps & key_way_wrap((enum key_way)way)))
			continue;
		printf("%s", key_way_text((enum key_way)way));
		if (way == KEY_WAY_PASSPHRASE)
			printf(": Argon2id, %u KiB, passes: %u, lanes: %u", blob->passphrase.cost.memory_kib,
			       blob->passphrase.cost.passes, blob->passphrase.cost.lanes);
		putchar('\n');
	}
	if (blob->wraps & BLOB_WRAP_TPM)
		printf("TPM%s, PCRs %#x\n", blob->tpm.pin ? " and a PIN" : "", blob->tpm.pcrs);
}

int key_list(const struct key_options *options, struct failure *f)
{
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	struct key_blob blob;
	int r;

	if (!material)
		return key_no_memory(f);
	r = key_file_load(options->directory, material, f);
	if (r >= 0)
		r = key_blob_decode(material->blob, options->directory, &blob, f);
	if (r < 0)
		return r;
	if (options->json)
		list_as_json(options, material, &blob);
	else
		list_as_text(options, material, &blob);
	return 0;
}

/* What hibernating and resuming do with the keys, on a header page and an image key of no image. */
static int rehearse(const struct key_material *material, const struct key_opened *opened)
{
	AUTO_SECRET uint8_t *keys = secret_new(3 * CRYPTO_KEY_BYTES); /* ephemeral, image key, image key again */
	uint8_t page[PAGE_BYTES] = {0}, *again = keys + 2 * CRYPTO_KEY_BYTES;
	struct slot_image image = {.suite = suite_default()};
	struct key_slot slot;
	int r = keys ? secret_random(keys, (size_t)2 * CRYPTO_KEY_BYTES) : -ENOMEM;

	if (r >= 0)
		r = key_slot_make(&material->public, &image, keys, keys + CRYPTO_KEY_BYTES, &slot);
	if (r >= 0)
		r = key_slot_open(&slot, &image, &opened->public, opened->recipient_secret, again);
	if (r >= 0 && !secret_equal(keys + CRYPTO_KEY_BYTES, again, CRYPTO_KEY_BYTES))
		r = -EBADMSG;
	if (r >= 0)
		r = header_sign(material->signing_seed, page);
	return r < 0 ? r : header_verify(opened->public.verifier, page);
}

int key_test(const struct key_options *options, struct failure *f)
{
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET struct asked *asked = secret_new(sizeof(*asked));
	char id[2 * KEY_SET_ID_BYTES + 1];
	enum key_way way;
	int r;

	if (!material || !opened || !asked)
		return key_no_memory(f);
	r = key_file_load(options->directory, material, f);
	if (r >= 0)
		r = key_ask_current(options, material, "Passphrase or recovery key: ", asked, opened, &way, f);
	if (r < 0)
		return r;
	r = rehearse(material, opened);
	if (r < 0)
		return failure_set(f, REASON_KEY_FILE, -r, options->directory, "Make a new key set.",
				   "what it seals and signs does not open and verify again");
	printf("%s: the %s opens key set %s\n", options->directory, key_way_text(way),
	       key_set_text(&material->public, id));
	return 0;
}
