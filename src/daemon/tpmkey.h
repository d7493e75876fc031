/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TPM, as a resume uses it: by hibernated-tpm (tpm-program.c), which is started for each thing that is asked.
 *
 * It gives the key of a blob out once in a boot, because then its door is shut (seal/tpm.h). So the key is kept, for another try of
 * the same image, until tpmkey_forget(), which comes before the image is entered.
 */
#pragma once

#include "daemon/keys.h"
#include "daemon/tpm-job.h"
#include "seal/tpm.h"

struct tpmkey {
	struct keys *keys;
	const char *program;
	/* Tests: does the job in the place of the program. Negative: as if the program could not be started. */
	int (*stand_in)(void *data, struct tpm_job *job);
	void *stand_in_data;
	int memory;          /* the memfd, -1 until it is needed */
	struct tpm_job *job; /* locked; NULL until then */
	bool held;           /* job->blob_key opens job->blob */
	bool shut;           /* the door is, in this boot */
};

/* @keys, whose signals end a wait, is borrowed. */
void tpmkey_init(struct tpmkey *t, struct keys *keys);
/* Wipe and close. Idempotent. */
void tpmkey_deinit(struct tpmkey *t);

/*
 * Have the TPM give out the key of the blob @blob of SEAL_BLOB_BYTES; it is at @t->job->blob_key then. Returns and @f as
 * tpm_unseal(), with KEY_WRONG_SECRET as long as a PIN may be tried, of which @t->job->tries_left remain. No TPM, or no program to
 * ask it: REASON_CRYPTO. A signal: REASON_ABORTED (-ECANCELED). @name of the image is for messages.
 */
int tpmkey_unseal(struct tpmkey *t, const char *name, const uint8_t *blob, struct bytes pin, struct failure *f);

/* Shut the door, unless it is. 0, or @f filled. */
int tpmkey_shut(struct tpmkey *t, struct failure *f);

/* Wipe what is secret. */
void tpmkey_forget(struct tpmkey *t);
