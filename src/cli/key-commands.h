/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernatectl keygen and hibernatectl key: the key set that images are sealed with.
 *
 * They work on root's files themselves, without the daemon: secrets pass through as few processes as possible, and keys can be
 * made before anything runs. What is meant for other programs goes to standard output, what is meant for people to standard
 * error. A key set on the disk is only ever replaced by a complete one.
 */
#pragma once

#include "base/failure.h"
#include "cli/ask.h"
#include "seal/keyfile.h"
#include "seal/unlock.h"

struct key_options {
	const char *directory;
	bool elsewhere;          /* that was given, and is not what the configuration says */
	const char *label;       /* NULL: the host's name */
	enum key_way way;        /* what key add and key remove are about; key test: that one only, if it is any */
	int passphrase_fd;       /* -1: the terminal */
	int new_passphrase_fd;   /* the same, where there are two */
	int pin_fd;              /* the same */
	const char *tpm;         /* where it is, as libtss2 has it */
	uint32_t pcrs;           /* what it shall ask for; 0: the default */
	struct argon2_cost cost; /* no memory: measured */
	bool recovery, force, allow_weak, revoke, json, no_config, pin;
};

/* ---- the commands: 0 or the failure ---- */

int key_generate(const struct key_options *options, struct failure *f);
int key_add(const struct key_options *options, struct failure *f);
int key_remove(const struct key_options *options, struct failure *f);
int key_list(const struct key_options *options, struct failure *f);
int key_test(const struct key_options *options, struct failure *f);

/* ---- what they share ---- */

/* A line for people. */
void key_note(const char *format, ...) PRINTF_LIKE(1, 2);

/* A new passphrase, or PIN if @way is KEY_WAY_TPM, that is good enough: from @fd, or twice from the terminal. */
int key_ask_new(const struct key_options *options, enum key_way way, int fd, struct asked *asked, struct failure *f);

/* Ask @question for a secret of @material that is there, and open it. *@way is what it was; @asked keeps it. */
int key_ask_current(const struct key_options *options, const struct key_material *material, const char *question,
		    struct asked *asked, struct key_opened *opened, enum key_way *way, struct failure *f);

/* What hibernating and resuming do with the keys, on a header page and an image key of no image. */
int key_rehearse(const struct key_options *options, const struct key_material *material, const struct key_opened *opened,
		 struct failure *f);

/* What Argon2id shall cost: given, or measured. */
int key_cost(const struct key_options *options, struct argon2_cost *cost, struct failure *f);

/* Draw a recovery key, and show it on standard output: this once. */
int key_new_recovery(const struct key_material *material, uint8_t recovery[RECOVERY_KEY_BYTES], struct failure *f);

/* The id as 32 digits and a NUL. Returns @text. */
char *key_set_text(const struct key_public *public, char text[2 * KEY_SET_ID_BYTES + 1]);

/* ---- with a TPM ---- */

#define KEY_PCRS_TEXT_MAX 512

/* "4 (boot loader and kernel), 7 (Secure Boot)" into @text. Returns it. */
char *key_pcrs_text(uint32_t pcrs, char text[KEY_PCRS_TEXT_MAX]);

/* The TPM, before anybody is asked for anything: it is there, and takes a PIN if there is to be one. */
int key_tpm_open(const struct key_options *options, struct tpm **tpm, struct failure *f);

/* Ask for a PIN if there is to be one, and seal the blob's key; TPM_PART_BYTES at @part. It opens again, as far as this boot may. */
int key_tpm_seal(const struct key_options *options, struct tpm *tpm, const struct key_opened *opened, void *part,
		 struct failure *f);

/* The TPM's part of @material, tried as far as this boot may, and said on standard output. */
int key_tpm_test(const struct key_options *options, const struct key_material *material, struct failure *f);

/* What TPMKeySet= of hibernate.conf, as it is here, means for images of a key set. */
enum key_trust {
	KEY_TRUST_NONE,   /* nothing is said, or it cannot be read */
	KEY_TRUSTED,
	KEY_TRUST_OTHERS, /* they are refused */
};
enum key_trust key_trusted(const struct key_public *public);

/* Say it, if images of a new key set would be refused. */
void key_warn_of_trust(const struct key_options *options, const struct key_public *public);

/* ---- new ones ---- */

/* A new pair, and what opens it: a passphrase of some size, a recovery key that is not NULL, or both. */
struct key_secrets {
	struct bytes passphrase;
	struct argon2_cost cost;
	const uint8_t *recovery;
};

/* A new set into @material, but for its blob; then the blob, when the secrets are known. */
int key_material_draw(const char *label, struct key_set *set, struct key_material *material, struct failure *f);
int key_material_seal(const struct key_set *set, const struct key_secrets *secrets, struct key_material *material,
		      struct failure *f);
