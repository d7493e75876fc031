/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between lib/seal/tpm*.c, which are all that knows libtss2. Commands and structures are those of the TPM 2.0 Library
 * Specification, parts 3 and 2.
 */
#pragma once

#include "seal/tpm.h"

#include "seal/disk.h"

#include <tss2/tss2_esys.h>

#define TPM_NO_SESSIONS ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE
#define REMEDY_ANEW     "Use the passphrase; then run hibernatectl key add tpm --force."

struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR parent;         /* the storage key */
	bool parent_made;       /* it is ours to flush */
	uint32_t parent_handle; /* as struct tpm_disk has it */
	ESYS_TR session;        /* salted to it: what travels is encrypted */
};

/* For what libtss2 allocates. */
void tpm_free_esys(void *pointer);
#define AUTO_ESYS CLEANUP(tpm_free_esys)

/* The answer without the number of the parameter, handle or session that it is about. */
TSS2_RC tpm_answer(TSS2_RC rc);

/* REASON_TPM (-EIO): the answer to @what. */
int tpm_refused(struct failure *f, TSS2_RC rc, const char *what);

/* ---- the storage key, and a session with it ---- */

/*
 * Have the storage key @parent, as struct tpm_disk has it, and a session with it, until tpm_end(), which may be called
 * twice. Where the owner has a password and @parent is 0, the persistent one if @else_persistent.
 */
int tpm_begin(struct tpm *tpm, uint32_t parent, bool else_persistent, struct failure *f);
void tpm_end(struct tpm *tpm);

/* Another session with the storage key, which is the caller's to flush. */
int tpm_begin_session(struct tpm *tpm, TPM2_SE type, ESYS_TR *session, struct failure *f);

/* libtss2 keeps a copy of what was to be sealed, until it is given another thing to keep in its place. */
void tpm_forget_sensitive(struct tpm *tpm);

/* ---- PCRs and the policy ---- */

/* The values of the PCRs of a mask, in their order. */
struct pcr_values {
	size_t count;
	uint8_t value[TPM_PCRS_MAX][TPM2_SHA256_DIGEST_SIZE];
};

TPML_PCR_SELECTION tpm_selection(uint32_t pcrs);
int tpm_read_pcr(struct tpm *tpm, unsigned int pcr, uint8_t value[TPM2_SHA256_DIGEST_SIZE], struct failure *f);
int tpm_read_pcrs(struct tpm *tpm, uint32_t pcrs, struct pcr_values *values, struct failure *f);

/* Where in the values @pcr is. */
size_t tpm_place_of(uint32_t pcrs, unsigned int pcr);

/* The mask that @policy stands for, the door among it. */
int tpm_choose_pcrs(const struct tpm_policy *policy, uint32_t *pcrs, struct failure *f);

/* REASON_TPM_UNMEASURED if one of @pcrs that matters is zeros. */
int tpm_check_measured(uint32_t pcrs, bool pin, const struct pcr_values *values, struct failure *f);

/* TPM2_PolicyPCR and, with a PIN, TPM2_PolicyAuthValue, as the TPM computes them: the boot to come is not this one. */
int tpm_policy_digest(uint32_t pcrs, bool pin, const struct pcr_values *values, TPM2B_DIGEST *digest);

/* Which PCR keeps the TPM from opening it, as far as the hints tell. */
int tpm_check_unchanged(struct tpm *tpm, const struct tpm_disk *disk, uint32_t pcrs, const char *name, struct failure *f);
