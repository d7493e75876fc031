/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hibernatectl key asks of a TPM.
 *
 * On a running system the TPM often gives nothing out any more: the resume step has had this boot's turn (seal/tpm.h). Sealing
 * works all the same, and trying goes as far as it can: that it is this TPM's, and that its PCRs are those it was sealed for.
 */
#include "base/secret.h"
#include "cli/key-commands.h"
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

char *key_pcrs_text(uint32_t pcrs, char text[KEY_PCRS_TEXT_MAX])
{
	size_t length = 0;

	text[0] = '\0';
	for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT && length < KEY_PCRS_TEXT_MAX; pcr++) {
		const char *meaning = tpm_pcr_meaning(pcr);

		if (pcrs & 1u << pcr)
			length += (size_t)snprintf(text + length, KEY_PCRS_TEXT_MAX - length, "%s%u%s%s%s",
						   length ? ", " : "", pcr, meaning[0] ? " (" : "", meaning,
						   meaning[0] ? ")" : "");
	}
	return text;
}

static int locked(struct failure *f)
{
	return failure_set(f, REASON_TPM_LOCKED, 0, "TPM", "Wait until it has forgotten some, or use the passphrase.",
			   "after too many wrong PINs it takes none, not even a right one");
}

int key_tpm_open(const struct key_options *options, struct tpm **tpm, struct failure *f)
{
	AUTO_TPM struct tpm *opened = NULL;
	int r = tpm_open(&opened, options->tpm, f);

	if (r >= 0 && options->pin) {
		r = tpm_tries_left(opened, f);
		if (r == 0)
			r = locked(f);
	}
	if (r < 0)
		return r;
	*tpm = opened;
	opened = NULL;
	return 0;
}

/* Where this boot has not had its turn, what was sealed comes out again. */
static int check_sealed(struct tpm *tpm, const void *part, struct bytes pin, const struct key_opened *opened,
			struct failure *f)
{
	AUTO_SECRET uint8_t *again = secret_new(CRYPTO_KEY_BYTES);
	struct failure door = {0};
	int r;

	if (!again)
		return secret_refused("hibernatectl", f);
	r = tpm_unseal(tpm, part, pin, opened->public.id, "TPM", again, &door);
	if (r == -EPERM)
		return 0;
	if (r < 0) {
		*f = door;
		return r;
	}
	if (r > 0 || !secret_equal(again, opened->blob_key, CRYPTO_KEY_BYTES))
		return failure_set(f, REASON_TPM, EIO, "TPM", NULL, "what it has just sealed does not open again");
	return 0;
}

int key_tpm_seal(const struct key_options *options, struct tpm *tpm, const struct key_opened *opened, void *part,
		 struct failure *f)
{
	AUTO_SECRET struct asked *pin = secret_new(sizeof(*pin));
	struct tpm_policy policy = {.pcrs = options->pcrs};
	int r = 0;

	if (!pin)
		return secret_refused("hibernatectl", f);
	if (options->pin) {
		r = key_ask_new(options, KEY_WAY_TPM, options->pin_fd, pin, f);
		policy.pin = asked_bytes(pin);
	}
	if (r >= 0)
		r = tpm_seal(tpm, &policy, opened->public.id, opened->blob_key, part, f);
	return r < 0 ? r : check_sealed(tpm, part, policy.pin, opened, f);
}

/* ---- which key set the TPM may open images of ---- */

enum key_trust key_trusted(const struct key_public *public)
{
	struct sysctx host = sysctx_host();
	struct config config;
	struct failure f;

	if (config_load(&config, &host, &f) < 0 || !config.tpm)
		return KEY_TRUST_NONE;
	return memcmp(config.tpm_key_set, public->id, sizeof(public->id)) == 0 ? KEY_TRUSTED : KEY_TRUST_OTHERS;
}

void key_warn_of_trust(const struct key_options *options, const struct key_public *public)
{
	char id[2 * KEY_SET_ID_BYTES + 1];

	if (!options->elsewhere && key_trusted(public) == KEY_TRUST_OTHERS)
		key_note("Warning: hibernate.conf says TPMKeySet= of another key set, so the resume step refuses images of this one. "
			 "Say TPMKeySet=%s, and rebuild the initramfs, before you hibernate.", key_set_text(public, id));
}

/* ---- key test ---- */

/* With the PIN that it asks for: 0, KEY_WRONG_SECRET, TPM_TRIES_USED or an error. */
static int unseal_by_pin(const struct key_options *options, const struct key_material *material, struct tpm *tpm,
			 uint8_t *blob_key, struct failure *f)
{
	AUTO_SECRET struct asked *pin = secret_new(sizeof(*pin));
	int r = pin ? tpm_tries_left(tpm, f) : secret_refused("hibernatectl", f);

	if (r < 0)
		return r;
	if (r == 0)
		return TPM_TRIES_USED;
	r = options->pin_fd >= 0 ? ask_fd(options->pin_fd, pin, f) : ask_terminal("PIN: ", pin, f);
	return r < 0 ? r : tpm_unseal(tpm, material->blob + SEAL_BLOB_TPM, asked_bytes(pin), material->public.id,
				      options->directory, blob_key, f);
}

static int wrong_pin(const struct key_options *options, struct tpm *tpm, struct failure *f)
{
	int left = tpm_tries_left(tpm, NULL);

	return failure_set(f, REASON_WRONG_SECRET, 0, options->directory, NULL,
			   "the TPM does not open it by this PIN; %d more may be tried now", left < 0 ? 0 : left);
}

int key_tpm_test(const struct key_options *options, const struct key_material *material, struct failure *f)
{
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET uint8_t *blob_key = secret_new(CRYPTO_KEY_BYTES);
	char id[2 * KEY_SET_ID_BYTES + 1];
	AUTO_TPM struct tpm *tpm = NULL;
	int r;

	if (!opened || !blob_key)
		return secret_refused("hibernatectl", f);
	key_set_text(&material->public, id);
	r = tpm_open(&tpm, options->tpm, f);
	if (r < 0)
		return r;
	r = tpm_unseal(tpm, material->blob + SEAL_BLOB_TPM, (struct bytes){NULL, 0}, material->public.id, options->directory,
		       blob_key, f);
	if (r == -EPERM) {
		printf("%s: the TPM opens key set %s in the next boot: it is the one, and its PCRs are right. In this boot "
		       "it gives the key to nobody any more.\n", options->directory, id);
		return 0;
	}
	if (r == KEY_WRONG_SECRET)
		r = unseal_by_pin(options, material, tpm, blob_key, f);
	if (r == KEY_WRONG_SECRET)
		return wrong_pin(options, tpm, f);
	if (r == TPM_TRIES_USED)
		return locked(f);
	if (r >= 0)
		r = key_blob_open_key(material->blob, blob_key, options->directory, opened, f);
	if (r >= 0 && memcmp(&opened->public, &material->public, sizeof(opened->public)) != 0)
		r = failure_set(f, REASON_KEY_FILE, EBADMSG, options->directory, "Make a new key set.",
				"the sealed private key is not the one of the public keys beside it");
	if (r >= 0)
		r = key_rehearse(options, material, opened, f);
	if (r >= 0)
		printf("%s: the TPM opens key set %s\n", options->directory, id);
	return r;
}
