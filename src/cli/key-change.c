/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fdio.h"
#include "base/secret.h"
#include "cli/key-commands.h"
#include "seal/disk.h"

#include <errno.h>
#include <stdio.h>

/* What both have in hand. */
struct work {
	struct key_material *material;
	struct key_opened *opened;
	struct asked *current, *fresh;
	struct blob_random *random;
	struct key_set *set;
	uint8_t *recovery;
	struct tpm *tpm;
	uint8_t part[TPM_PART_BYTES]; /* what it sealed */
	uint32_t wraps; /* BLOB_WRAP_* that are there */
	int lock;
};

static void work_deinit(struct work *work)
{
	work->material = secret_free(work->material);
	work->opened = secret_free(work->opened);
	work->current = secret_free(work->current);
	work->fresh = secret_free(work->fresh);
	work->random = secret_free(work->random);
	work->set = secret_free(work->set);
	work->recovery = secret_free(work->recovery);
	work->tpm = tpm_free(work->tpm);
	work->lock = fd_close(work->lock);
}

/* The key set that is there, locked against others who would change it. */
static int work_init(struct work *work, const struct key_options *options, struct failure *f)
{
	struct key_blob blob;
	int r;

	*work = (struct work){
		.material = secret_new(sizeof(*work->material)),
		.opened = secret_new(sizeof(*work->opened)),
		.current = secret_new(sizeof(*work->current)),
		.fresh = secret_new(sizeof(*work->fresh)),
		.random = secret_new(sizeof(*work->random)),
		.set = secret_new(sizeof(*work->set)),
		.recovery = secret_new(RECOVERY_KEY_BYTES),
		.lock = -1,
	};
	if (!work->material || !work->opened || !work->current || !work->fresh || !work->random || !work->set ||
	    !work->recovery)
		return secret_refused("hibernatectl", f);
	if (secret_random(work->random, sizeof(*work->random)) < 0)
		return secret_refused("hibernatectl", f);
	r = key_file_load(options->directory, work->material, f);
	if (r >= 0)
		r = work->lock = key_file_lock(options->directory, f);
	if (r >= 0) /* again: somebody may have changed it meanwhile */
		r = key_file_load(options->directory, work->material, f);
	if (r >= 0)
		r = key_blob_decode(work->material->blob, options->directory, &blob, f);
	if (r >= 0)
		work->wraps = blob.wraps;
	return r;
}

static int store_changed(struct work *work, const struct key_options *options, const struct blob_change *change,
			 struct failure *f)
{
	int r = key_blob_change(work->material->blob, work->opened, change, work->random, work->material->blob);

	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, options->directory, NULL, "the private key cannot be sealed again");
	return key_file_store(options->directory, work->material, f);
}

/* ---- key add ---- */

static const char after_updates[] = " After an update of boot loader, kernel or initramfs, and a restart, this is to be done "
				    "anew, with --force: until then the passphrase opens them.";

/* The resume step asks the TPM only for the key set that it is told. */
static void note_trust(const struct key_public *public)
{
	char id[2 * KEY_SET_ID_BYTES + 1];

	if (key_trusted(public) == KEY_TRUSTED)
		return;
	key_note("The resume step asks the TPM only where hibernate.conf, also that in the initramfs, says TPMKeySet=%s. Say so, "
		 "rebuild the initramfs, restart, and do this again with --force.", key_set_text(public, id));
}

static int add(struct work *work, const struct key_options *options, struct failure *f)
{
	const char *text = key_way_text(options->way);
	struct blob_change change = {0};
	enum key_way way;
	int r;

	if (work->wraps & key_way_wrap(options->way) && !options->force)
		return failure_set(f, REASON_KEYS_EXIST, EEXIST, options->directory,
				   "With --force it is replaced; images that were made before stay readable by it.",
				   "there is a %s already", text);
	if (options->way == KEY_WAY_TPM) {
		r = key_tpm_open(options, &work->tpm, f);
		if (r < 0)
			return r;
	}
	r = key_ask_current(options, work->material, "Passphrase or recovery key as it is: ", work->current,
			    work->opened, &way, f);
	if (r < 0)
		return r;
	switch (options->way) {
	case KEY_WAY_PASSPHRASE:
		r = key_ask_new(options, options->way, options->new_passphrase_fd, work->fresh, f);
		if (r >= 0)
			r = key_cost(options, &change.cost, f);
		change.passphrase = asked_bytes(work->fresh);
		break;
	case KEY_WAY_RECOVERY:
		r = key_new_recovery(work->material, work->recovery, f);
		change.recovery = work->recovery;
		break;
	case KEY_WAY_TPM:
		r = key_tpm_seal(options, work->tpm, work->opened, work->part, f);
		change.tpm = work->part;
		break;
	case _KEY_WAY_MAX:
	case _KEY_WAY_INVALID:
		return -EINVAL;
	}
	if (r >= 0)
		r = store_changed(work, options, &change, f);
	if (r >= 0)
		key_note("%s: images are opened by the new %s from the next one on.%s", options->directory, text,
			 options->way == KEY_WAY_TPM && !options->pin ? after_updates : "");
	if (r >= 0 && options->way == KEY_WAY_TPM)
		note_trust(&work->material->public);
	return r;
}

int key_add(const struct key_options *options, struct failure *f)
{
	CLEANUP(work_deinit) struct work work = {.lock = -1};
	int r = work_init(&work, options, f);

	return r < 0 ? r : add(&work, options, f);
}

/* ---- key remove ---- */

/* A new pair, for the one secret that is known to stay. */
static int revoke(struct work *work, const struct key_options *options, enum key_way stays, struct failure *f)
{
	struct key_secrets secrets = {0};
	int r = key_material_draw(work->material->label, work->set, work->material, f);

	if (r < 0)
		return r;
	if (stays == KEY_WAY_RECOVERY) {
		r = recovery_key_parse(asked_bytes(work->current), work->recovery, NULL);
		if (r != 0)
			return secret_refused("hibernatectl", f); /* it has just been read */
		secrets.recovery = work->recovery;
	} else {
		secrets.passphrase = asked_bytes(work->current);
		r = key_cost(options, &secrets.cost, f);
	}
	if (r >= 0)
		r = key_material_seal(work->set, &secrets, work->material, f);
	return r < 0 ? r : key_file_store(options->directory, work->material, f);
}

static int remove_way(struct work *work, const struct key_options *options, struct failure *f)
{
	const char *text = key_way_text(options->way);
	struct blob_change change = {.remove = key_way_wrap(options->way)};
	enum key_way stays;
	int r;

	if (!(work->wraps & change.remove))
		return failure_set(f, REASON_NO_KEYS, ENOENT, options->directory, NULL, "it has no %s", text);
	if ((work->wraps & BLOB_WRAPS_HUMAN) == change.remove)
		return failure_set(f, REASON_USAGE, 0, options->directory, "Add another with hibernatectl key add first.",
				   "nothing but the %s opens it", text);
	r = key_ask_current(options, work->material, "What stays, passphrase or recovery key: ", work->current, work->opened,
			    &stays, f);
	if (r < 0)
		return r;
	if (stays == options->way)
		return failure_set(f, REASON_WRONG_SECRET, 0, options->directory, "Give what is to stay.",
				   "this is the %s that is to go", text);
	if (options->revoke) {
		r = revoke(work, options, stays, f);
		if (r >= 0)
			key_note("%s: a new key set, opened by the %s alone. The %s opens no image that is made from now on. "
				 "Images made before are not affected.%s",
				 options->directory, key_way_text(stays), text,
				 work->wraps & BLOB_WRAP_TPM & ~change.remove ?
				 " The TPM opens it only after hibernatectl key add tpm." : "");
		if (r >= 0)
			key_warn_of_trust(options, &work->material->public);
		return r;
	}
	r = store_changed(work, options, &change, f);
	if (r >= 0)
		key_note("%s: the %s is removed, not revoked. Images made before, and copies of them, carry the private key as "
			 "it was sealed then: who has one of them and the %s can still get at it, and with it at later images. "
			 "--revoke makes a new key set.",
			 options->directory, text, text);
	return r;
}

int key_remove(const struct key_options *options, struct failure *f)
{
	CLEANUP(work_deinit) struct work work = {.lock = -1};
	int r = work_init(&work, options, f);

	return r < 0 ? r : remove_way(&work, options, f);
}
