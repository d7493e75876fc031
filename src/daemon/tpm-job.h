/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hibernated has hibernated-tpm do, and what came of it: one job for each start of the program, in a memfd that both
 * map. hibernated has locked it, so what is secret in it is nowhere else.
 */
#pragma once

#include "base/failure.h"
#include "seal/disk.h"

#define TPM_JOB_VERSION 1
#define TPM_JOB_PIN_MAX 256
#define TPM_JOB_FD      0 /* where the program finds the memfd */

enum tpm_job_kind {
	TPM_JOB_UNSEAL = 1, /* tpm_unseal() with @blob; then tpm_shut(), unless it says that another PIN may be tried */
	TPM_JOB_SHUT,
};

struct tpm_job {
	uint32_t version;
	uint32_t kind;                 /* enum tpm_job_kind */
	char name[FAILURE_OBJECT_MAX]; /* of the image, for messages */
	uint8_t blob[SEAL_BLOB_BYTES];
	uint32_t pin_size;
	uint8_t pin[TPM_JOB_PIN_MAX];  /* the program wipes it */

	int32_t result;                /* of tpm_unseal(), or what kept from it */
	struct failure failure;        /* if that is negative */
	uint32_t tries_left;           /* PINs, if it is KEY_WRONG_SECRET; never 0 */
	uint8_t blob_key[CRYPTO_KEY_BYTES];
	int32_t shut;                  /* 1: the PCR was extended; 0: not tried; else negative */
	struct failure shut_failure;
};
