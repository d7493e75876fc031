/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening an image: the worker reads it, and is given what opens it, if it is sealed.
 *
 * That is a TPM's key where the image has a part for one and the configuration names the image's key set (TPMKeySet=), the only
 * reason to believe keys that a TPM gave out; with its PIN, if it has one. Whatever keeps the TPM from it is said, and leads to
 * the question for a passphrase; never on to nothing asked at all. Where TPMKeySet= is set, each boot shuts the TPM's
 * door (seal/tpm.h), whether there was an image or not; where it is not, the TPM is left alone.
 */
#pragma once

#include "config/config.h"
#include "daemon/choice.h"
#include "daemon/log.h"
#include "daemon/prompt.h"
#include "daemon/supervisor.h"
#include "daemon/tpmkey.h"

struct unseal {
	bool sealed;        /* the worker has asked for a secret: the image is sealed */
	bool decided;       /* an answer to that question was not a secret, but this: */
	enum choice choice;
	bool asked;         /* the worker has, in this try */
	bool typed;         /* the last that it was given was typed */
	unsigned int wrong; /* passphrases, in this boot... */
	unsigned int wrong_pins; /* ...and PINs */
	char why[FAILURE_TEXT_MAX]; /* a passphrase is asked for although there is a TPM's key */
	struct log *log;
	struct prompt prompt;
	struct tpmkey tpm;
};

/* All are borrowed. */
void unseal_init(struct unseal *u, const struct sysctx *s, struct keys *keys, struct log *log);
void unseal_deinit(struct unseal *u);

/* Another try to resume begins. */
void unseal_begin(struct unseal *u);

/*
 * Have @worker, which has started, read header page and body of the image on @device, and give it what it asks for. The image
 * is verified when this returns 0, and the TPM's door is shut. Another answer than a secret fails, with @u->decided and
 * @u->choice filled in. @tick and @data as for supervisor_await().
 */
int unseal_open(struct unseal *u, const struct config *config, const char *device, struct supervisor *worker,
		supervisor_tick tick, void *data, struct failure *f);

/* Nothing is opened any more in this boot, the image is about to be entered: wipe the key that is held for another try. */
void unseal_forget(struct unseal *u);

/* The boot goes on: shut the TPM's door, if it is not and @config says so. A failure is logged. */
void unseal_leave(struct unseal *u, const struct config *config);
