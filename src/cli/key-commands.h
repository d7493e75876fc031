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
	enum key_way way;        /* what key add and key remove are about */
	int passphrase_fd;       /* -1: the terminal */
	int new_passphrase_fd;   /* the same, where there are two */
	struct argon2_cost cost; /* no memory: measured */
	bool recovery, force, allow_weak, revoke, json, no_config;
};

/* The program behind "hibernatectl keygen" and "hibernatectl key"; @argv begins with that word. Returns the exit status. */
int key_main(int argc, char **argv);

/* ---- the commands: 0 or the failure ---- */

int key_generate(const struct key_options *options, struct failure *f);
int key_add(const struct key_options *options, struct failure *f);
int key_remove(const struct key_options *options, struct failure *f);
int key_list(const struct key_options *options, struct failure *f);
int key_test(const struct key_options *options, struct failure *f);

/* ---- what they share ---- */

/* A line for people. */
void key_note(const char *format, ...) PRINTF_LIKE(1, 2);

/* -ENOMEM and REASON_CRYPTO: no memory for secrets. */
int key_no_memory(struct failure *f);

/* A new passphrase that is good enough: from @fd, or twice from the terminal. */
int key_ask_new(const struct key_options *options, int fd, struct asked *asked, struct failure *f);

/* Ask @question for a secret of @material that is there, and open it. *@way is what it was; @asked keeps it. */
int key_ask_current(const struct key_options *options, const struct key_material *material, const char *question,
		    struct asked *asked, struct key_opened *opened, enum key_way *way, struct failure *f);

/* What Argon2id shall cost: given, or measured. */
int key_cost(const struct key_options *options, struct argon2_cost *cost, struct failure *f);

/* Draw a recovery key, and show it on standard output: this once. */
int key_new_recovery(const struct key_material *material, uint8_t recovery[RECOVERY_KEY_BYTES], struct failure *f);

/* The id as 32 digits and a NUL. Returns @text. */
char *key_set_text(const struct key_public *public, char text[2 * KEY_SET_ID_BYTES + 1]);

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
