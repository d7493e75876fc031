/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "base/sys.h"
#include "cli/key-commands.h"
#include "seal/cost.h"
#include "seal/disk.h"
#include "seal/quality.h"
#include "seal/slot.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void key_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

char *key_set_text(const struct key_public *public, char text[2 * KEY_SET_ID_BYTES + 1])
{
	for (size_t i = 0; i < KEY_SET_ID_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", public->id[i]);
	return text;
}

static bool beyond_ascii(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (((const uint8_t *)text.data)[i] & 0x80)
			return true;
	return false;
}

static int check_new(const struct key_options *options, enum key_way way, const struct asked *asked, struct failure *f)
{
	bool pin = way == KEY_WAY_TPM;
	int r = pin ? quality_check_pin(asked_bytes(asked), options->allow_weak, f) :
		      quality_check(asked_bytes(asked), options->allow_weak, f);

	if (r >= 0 && beyond_ascii(asked_bytes(asked)))
		key_note("The %s has characters beyond ASCII: can you type them when no keyboard layout is loaded?",
			 pin ? "PIN" : "passphrase");
	return r;
}

int key_ask_new(const struct key_options *options, enum key_way way, int fd, struct asked *asked, struct failure *f)
{
	AUTO_SECRET struct asked *again = secret_new(sizeof(*again));
	int r;

	if (!again)
		return secret_refused("hibernatectl", f);
	if (fd >= 0) {
		r = ask_fd(fd, asked, f);
		return r < 0 ? r : check_new(options, way, asked, f);
	}
	r = ask_terminal(way == KEY_WAY_TPM ? "New PIN: " : "New passphrase: ", asked, f);
	if (r >= 0)
		r = check_new(options, way, asked, f);
	if (r >= 0)
		r = ask_terminal("The same again: ", again, f);
	if (r >= 0 && (asked->size != again->size || !secret_equal(asked->text, again->text, asked->size)))
		r = failure_set(f, REASON_WRONG_SECRET, 0, way == KEY_WAY_TPM ? "PIN" : "passphrase", "Try again.",
				"the two are not the same");
	return r;
}

static int wrong(const char *directory, const struct key_answer *answer, struct failure *f)
{
	if (answer->typo && answer->group)
		return failure_set(f, REASON_WRONG_SECRET, 0, directory, NULL,
				   "this is no recovery key: there is a mistake in group %u", answer->group);
	if (answer->typo)
		return failure_set(f, REASON_WRONG_SECRET, 0, directory, NULL,
				   "this is no recovery key: there is something behind its last group");
	return failure_set(f, REASON_WRONG_SECRET, 0, directory, NULL, "it is not opened by this");
}

int key_ask_current(const struct key_options *options, const struct key_material *material, const char *question,
		    struct asked *asked, struct key_opened *opened, enum key_way *way, struct failure *f)
{
	struct key_answer answer;
	int r = options->passphrase_fd >= 0 ? ask_fd(options->passphrase_fd, asked, f) :
					      ask_terminal(question, asked, f);

	if (r < 0)
		return r;
	r = key_blob_open_typed(material->blob, asked_bytes(asked), UINT64_MAX, options->directory, opened, &answer, f);
	if (r < 0)
		return r;
	if (r == KEY_WRONG_SECRET)
		return wrong(options->directory, &answer, f);
	if (memcmp(&opened->public, &material->public, sizeof(opened->public)) != 0)
		return failure_set(f, REASON_KEY_FILE, EBADMSG, options->directory, NULL,
				   "the sealed private key is not the one of the public keys beside it");
	*way = answer.way;
	return 0;
}

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

int key_rehearse(const struct key_options *options, const struct key_material *material, const struct key_opened *opened,
		 struct failure *f)
{
	int r = rehearse(material, opened);

	if (r >= 0)
		return 0;
	return failure_set(f, REASON_KEY_FILE, -r, options->directory, "Make a new key set.",
			   "what it seals and signs does not open and verify again");
}

int key_cost(const struct key_options *options, struct argon2_cost *cost, struct failure *f)
{
	struct sysctx host = sysctx_host();
	uint32_t memory_kib = 0;
	int r;

	if (options->cost.memory_kib) {
		*cost = options->cost;
		return 0;
	}
	r = cost_memory_limit(&host, &memory_kib);
	if (r >= 0)
		r = cost_measure(COST_TARGET_USEC, memory_kib, cost);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, "Argon2id", "Give the cost with --argon2.",
				   "what this machine can do cannot be measured");
	key_note("Each try of the passphrase takes %u MiB of memory and %u passes, about a second on this machine.",
		 cost->memory_kib / 1024, cost->passes);
	return 0;
}

int key_new_recovery(const struct key_material *material, uint8_t recovery[RECOVERY_KEY_BYTES], struct failure *f)
{
	AUTO_SECRET char *text = secret_new(RECOVERY_TEXT_BYTES);
	char id[2 * KEY_SET_ID_BYTES + 1];
	int r = text ? secret_random(recovery, RECOVERY_KEY_BYTES) : -ENOMEM;

	if (r < 0)
		return secret_refused("hibernatectl", f);
	recovery_key_format(recovery, text);
	text[RECOVERY_TEXT_BYTES - 1] = '\n';
	key_note("The recovery key of key set %s. Write it down now, it is not shown again:\n",
		 key_set_text(&material->public, id));
	r = fd_write_full(STDOUT_FILENO, text, RECOVERY_TEXT_BYTES);
	if (r < 0)
		return failure_set(f, REASON_IO, -r, "standard output", NULL,
				   "the recovery key cannot be shown, and nothing was changed");
	key_note("%s", "");
	return 0;
}

int key_material_draw(const char *label, struct key_set *set, struct key_material *material, struct failure *f)
{
	char copy[KEY_FILE_LABEL_BYTES] = ""; /* it may be the one in @material */
	int r = key_set_generate(set);

	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, "hibernatectl", NULL, "no keys can be drawn");
	snprintf(copy, sizeof(copy), "%s", label);
	material->public = set->public;
	memcpy(material->signing_seed, set->signing_seed, sizeof(material->signing_seed));
	material->created_usec = clock_realtime_usec();
	memcpy(material->label, copy, sizeof(copy));
	return 0;
}

/* The blob is made with a passphrase; where there is to be none, with one that nobody knows and that is taken out again. */
int key_material_seal(const struct key_set *set, const struct key_secrets *secrets, struct key_material *material,
		      struct failure *f)
{
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET uint8_t *nobodys = secret_new(CRYPTO_KEY_BYTES);
	struct blob_change change = {.recovery = secrets->recovery};
	struct bytes passphrase = secrets->passphrase;
	struct argon2_cost cost = secrets->cost;
	int r;

	if (!random || !opened || !nobodys)
		return secret_refused("hibernatectl", f);
	r = secret_random(random, sizeof(*random));
	if (r >= 0)
		r = secret_random(nobodys, CRYPTO_KEY_BYTES);
	if (!passphrase.size) {
		passphrase = (struct bytes){nobodys, CRYPTO_KEY_BYTES};
		cost = (struct argon2_cost){.memory_kib = 8, .passes = 1, .lanes = 1};
		change.remove = BLOB_WRAP_PASSPHRASE;
	}
	if (r >= 0)
		r = key_blob_make(set, passphrase, &cost, random, material->blob);
	/* It opens, and the memory that Argon2 needs is there again. */
	if (r >= 0)
		r = key_blob_open(material->blob, passphrase, UINT64_MAX, "new key set", opened, f);
	if (r == KEY_WRONG_SECRET)
		r = -EIO;
	if (r >= 0 && change.recovery)
		r = secret_random(random->nonce, sizeof(random->nonce));
	if (r >= 0 && change.recovery)
		r = key_blob_change(material->blob, opened, &change, random, material->blob);
	if (r == -ENOMEM)
		return failure_set(f, REASON_CRYPTO, ENOMEM, "Argon2id", "Give a lower cost with --argon2.",
				   "%u KiB of memory cannot be had and locked", cost.memory_kib);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, "hibernatectl", NULL, "the private key cannot be sealed");
	return 0;
}
