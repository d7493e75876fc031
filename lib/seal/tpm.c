/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That there is a TPM, and a session with its storage key. */
#include "seal/tpm-tss.h"

#include <errno.h>
#include <stdlib.h>
#include <tss2/tss2_tctildr.h>

#define PERSISTENT_SRK (TPM_PERSISTENT | 1u) /* the TCG's place for a storage key */
#define REMEDY_NO_TPM  "Turn it on in the firmware's settings, or use a passphrase alone."

static const TPMT_SYM_DEF session_cipher = {
	.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};

void tpm_free_esys(void *pointer)
{
	Esys_Free(*(void **)pointer);
}

TSS2_RC tpm_answer(TSS2_RC rc)
{
	rc &= 0xffff;
	return rc & TPM2_RC_FMT1 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc;
}

int tpm_refused(struct failure *f, TSS2_RC rc, const char *what)
{
	return failure_set(f, REASON_TPM, EIO, "TPM", NULL, "%s: the TPM, or libtss2, says %#x", what, (unsigned int)rc);
}

/* ---- there and gone ---- */

bool tpm_available(void)
{
	return true;
}

int tpm_open(struct tpm **tpm, const char *where, struct failure *f)
{
	struct tpm *t = calloc(1, sizeof(*t));
	TSS2_RC rc;

	if (!t)
		return failure_set(f, REASON_INTERNAL, ENOMEM, "TPM", NULL, "no memory");
	setenv("TSS2_LOG", "all+NONE", 0);
	t->parent = t->session = ESYS_TR_NONE;
	rc = Tss2_TctiLdr_Initialize(where, &t->tcti);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_Initialize(&t->esys, t->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS) {
		tpm_free(t);
		return failure_set(f, REASON_NO_TPM, ENODEV, where, REMEDY_NO_TPM, "no TPM 2.0 answers there (%#x)",
				   (unsigned int)rc);
	}
	*tpm = t;
	return 0;
}

void tpm_end(struct tpm *tpm)
{
	if (tpm->session != ESYS_TR_NONE)
		Esys_FlushContext(tpm->esys, tpm->session);
	if (tpm->parent != ESYS_TR_NONE && tpm->parent_made)
		Esys_FlushContext(tpm->esys, tpm->parent);
	else if (tpm->parent != ESYS_TR_NONE)
		Esys_TR_Close(tpm->esys, &tpm->parent);
	tpm->parent = tpm->session = ESYS_TR_NONE;
}

struct tpm *tpm_free(struct tpm *tpm)
{
	if (!tpm)
		return NULL;
	if (tpm->esys)
		tpm_end(tpm);
	Esys_Finalize(&tpm->esys);
	Tss2_TctiLdr_Finalize(&tpm->tcti);
	free(tpm);
	return NULL;
}

void tpm_cleanup(struct tpm **tpm)
{
	*tpm = tpm_free(*tpm);
}

/* ---- the storage key, and a session with it ---- */

/* The storage key that anybody's software makes of the owner's seed: the same each time. */
static TSS2_RC make_parent(struct tpm *tpm)
{
	const TPM2B_PUBLIC template = {.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM |
				    TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
				    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
		.parameters.eccDetail = {
			.symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
			.scheme.scheme = TPM2_ALG_NULL,
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	}};
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	const TPM2B_DATA outside = {0};

	return Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
				  &template, &outside, &pcrs, &tpm->parent, NULL, NULL, NULL, NULL);
}

void tpm_forget_sensitive(struct tpm *tpm)
{
	if (make_parent(tpm) == TSS2_RC_SUCCESS)
		Esys_FlushContext(tpm->esys, tpm->parent);
	tpm->parent = ESYS_TR_NONE;
}

/* @handle as struct tpm_disk has it; where the owner has a password and it is 0, the persistent one if @else_persistent. */
static int have_parent(struct tpm *tpm, uint32_t handle, bool else_persistent, struct failure *f)
{
	TSS2_RC rc = TPM2_RC_BAD_AUTH;

	tpm_end(tpm);
	tpm->parent_made = !handle;
	if (!handle)
		rc = make_parent(tpm);
	if (!handle && tpm_answer(rc) == TPM2_RC_BAD_AUTH && else_persistent)
		handle = PERSISTENT_SRK;
	if (handle) {
		tpm->parent_made = false;
		rc = Esys_TR_FromTPMPublic(tpm->esys, handle, TPM_NO_SESSIONS, &tpm->parent);
	}
	if (rc != TSS2_RC_SUCCESS) {
		tpm->parent = ESYS_TR_NONE;
		return tpm_refused(f, rc, handle ? "its persistent storage key" : "making a storage key of the owner's seed");
	}
	tpm->parent_handle = handle;
	return 0;
}

int tpm_begin_session(struct tpm *tpm, TPM2_SE type, ESYS_TR *session, struct failure *f)
{
	const TPMA_SESSION flags = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
	TSS2_RC rc = Esys_StartAuthSession(tpm->esys, tpm->parent, ESYS_TR_NONE, TPM_NO_SESSIONS, NULL, type, &session_cipher,
					   TPM2_ALG_SHA256, session);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_refused(f, rc, "a session");
	Esys_TRSess_SetAttributes(tpm->esys, *session, flags, 0xff);
	return 0;
}

int tpm_begin(struct tpm *tpm, uint32_t parent, bool else_persistent, struct failure *f)
{
	int r = have_parent(tpm, parent, else_persistent, f);

	return r < 0 ? r : tpm_begin_session(tpm, TPM2_SE_HMAC, &tpm->session, f);
}

/* ---- how many tries are left ---- */

/* A property of the TPM that changes. */
static int property(struct tpm *tpm, uint32_t which, uint32_t *value, struct failure *f)
{
	AUTO_ESYS TPMS_CAPABILITY_DATA *got = NULL;
	TSS2_RC rc = Esys_GetCapability(tpm->esys, TPM_NO_SESSIONS, TPM2_CAP_TPM_PROPERTIES, which, 1, NULL, &got);

	if (rc != TSS2_RC_SUCCESS || got->data.tpmProperties.count < 1 ||
	    got->data.tpmProperties.tpmProperty[0].property != which)
		return tpm_refused(f, rc, "a property");
	*value = got->data.tpmProperties.tpmProperty[0].value;
	return 0;
}

int tpm_tries_left(struct tpm *tpm, struct failure *f)
{
	uint32_t counter = 0, most = 0, permanent = 0;
	int r = property(tpm, TPM2_PT_LOCKOUT_COUNTER, &counter, f);

	if (r >= 0)
		r = property(tpm, TPM2_PT_MAX_AUTH_FAIL, &most, f);
	if (r >= 0)
		r = property(tpm, TPM2_PT_PERMANENT, &permanent, f);
	if (r < 0)
		return r;
	if (permanent & TPMA_PERMANENT_INLOCKOUT || most < 1 || counter >= most - 1)
		return 0;
	return (int)MIN(most - 1 - counter, 1000u);
}
