/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "base/escape.h"
#include "base/secret.h"
#include "cli/json.h"
#include "cli/key-commands.h"
#include "seal/disk.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static void list_tpm_as_json(struct json *json, const struct tpm_part *part)
{
	json_bool(json, "pin", part->pin);
	json_open_list(json, "pcrs");
	for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT; pcr++)
		if (part->pcrs & 1u << pcr)
			json_number(json, NULL, pcr);
	json_close_list(json);
}

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
		if (way == KEY_WAY_TPM)
			list_tpm_as_json(&json, &blob->tpm);
		json_close(&json);
	}
	json_close_list(&json);
	json_close(&json);
}

static void list_as_text(const struct key_options *options, const struct key_material *material,
			 const struct key_blob *blob)
{
	char id[2 * KEY_SET_ID_BYTES + 1], label[4 * KEY_FILE_LABEL_BYTES], made[40] = "at an unknown time";
	char pcrs[KEY_PCRS_TEXT_MAX];
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
		if (way == KEY_WAY_TPM)
			printf("%s: PCRs %s", blob->tpm.pin ? " and a PIN" : "", key_pcrs_text(blob->tpm.pcrs, pcrs));
		putchar('\n');
	}
}

int key_list(const struct key_options *options, struct failure *f)
{
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	struct key_blob blob;
	int r;

	if (!material)
		return secret_refused("hibernatectl", f);
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

int key_test(const struct key_options *options, struct failure *f)
{
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET struct asked *asked = secret_new(sizeof(*asked));
	char id[2 * KEY_SET_ID_BYTES + 1];
	struct key_blob blob;
	enum key_way way;
	int r;

	if (!material || !opened || !asked)
		return secret_refused("hibernatectl", f);
	r = key_file_load(options->directory, material, f);
	if (r >= 0)
		r = key_blob_decode(material->blob, options->directory, &blob, f);
	if (r >= 0 && options->way != _KEY_WAY_INVALID && !(blob.wraps & key_way_wrap(options->way)))
		r = failure_set(f, REASON_NO_KEYS, ENOENT, options->directory, "Add it with hibernatectl key add.",
				"it has no %s", key_way_text(options->way));
	if (r >= 0 && options->way == KEY_WAY_TPM)
		return key_tpm_test(options, material, f);
	if (r >= 0)
		r = key_ask_current(options, material, "Passphrase or recovery key: ", asked, opened, &way, f);
	if (r >= 0 && options->way != _KEY_WAY_INVALID && way != options->way)
		r = failure_set(f, REASON_WRONG_SECRET, 0, options->directory, NULL, "this is the %s, not the %s",
				key_way_text(way), key_way_text(options->way));
	if (r < 0)
		return r;
	r = key_rehearse(options, material, opened, f);
	if (r < 0)
		return r;
	printf("%s: the %s opens key set %s\n", options->directory, key_way_text(way),
	       key_set_text(&material->public, id));
	if (blob.wraps & BLOB_WRAP_TPM && options->way == _KEY_WAY_INVALID)
		key_note("Whether the TPM opens it too, hibernatectl key test tpm tells.");
	return 0;
}
