/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The object that the TPM seals the key into, and how it comes out again. */
#include "seal/tpm-tss.h"

#include "base/secret.h"
#include "seal/hkdf.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define PIN_LABEL "hibernated pin"

/* What the TPM takes for the PIN. Its last byte is no zero: TPMs cut zeros off. */
static int auth_of(struct bytes pin, const uint8_t *id, const uint8_t salt[TPM_SALT_BYTES], TPM2B_AUTH *auth)
{
	struct pin_transcript_disk transcript;
	int r;

	memcpy(transcript.key_set, id, sizeof(transcript.key_set));
	memcpy(transcript.salt, salt, sizeof(transcript.salt));
	r = hkdf_derive((struct bytes){NULL, 0}, pin, PIN_LABEL, (struct bytes){&transcript, sizeof(transcript)},
			auth->buffer, CRYPTO_KEY_BYTES);
	auth->size = CRYPTO_KEY_BYTES;
	auth->buffer[CRYPTO_KEY_BYTES - 1] |= 1;
	return r;
}

/* ---- sealing ---- */

static int put_object(struct tpm_disk *disk, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private, struct failure *f)
{
	size_t at = 0, public_size;
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, disk->object, sizeof(disk->object), &at);

	public_size = at;
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PRIVATE_Marshal(private, disk->object, sizeof(disk->object), &at);
	if (rc != TSS2_RC_SUCCESS)
		return failure_set(f, REASON_TPM, EMSGSIZE, "TPM", NULL, "what it sealed is larger than %zu bytes",
				   sizeof(disk->object));
	disk->public_size = htole16((uint16_t)public_size);
	disk->private_size = htole16((uint16_t)(at - public_size));
	return 0;
}

static int create(struct tpm *tpm, const TPM2B_SENSITIVE_CREATE *sensitive, const TPM2B_DIGEST *policy, bool pin,
		  struct tpm_disk *disk, struct failure *f)
{
	const TPM2B_PUBLIC template = {.publicArea = {
		.type = TPM2_ALG_KEYEDHASH,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | (pin ? 0 : TPMA_OBJECT_NODA),
		.authPolicy = *policy,
		.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
	}};
	const TPML_PCR_SELECTION pcrs = {0};
	const TPM2B_DATA outside = {0};
	AUTO_ESYS TPM2B_PRIVATE *private = NULL;
	AUTO_ESYS TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc = Esys_Create(tpm->esys, tpm->parent, tpm->session, ESYS_TR_NONE, ESYS_TR_NONE, sensitive, &template,
				 &outside, &pcrs, &private, &public, NULL, NULL, NULL);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_refused(f, rc, "sealing");
	return put_object(disk, public, private, f);
}

int tpm_seal(struct tpm *tpm, const struct tpm_policy *policy, const uint8_t id[KEY_SET_ID_BYTES],
	     const uint8_t blob_key[CRYPTO_KEY_BYTES], void *place, struct failure *f)
{
	AUTO_SECRET TPM2B_SENSITIVE_CREATE *sensitive = secret_new(sizeof(*sensitive));
	struct tpm_disk disk = {.kind = htole32(WRAP_KIND_TPM2)};
	bool pin = policy->pin.size;
	struct pcr_values values;
	TPM2B_DIGEST digest = {0};
	uint32_t pcrs = 0;
	int r = sensitive ? tpm_choose_pcrs(policy, &pcrs, f) : secret_refused("TPM", f);

	if (r >= 0)
		r = tpm_read_pcrs(tpm, pcrs, &values, f);
	if (r >= 0)
		r = tpm_check_measured(pcrs, pin, &values, f);
	if (r < 0)
		return r;
	memset(values.value[tpm_place_of(pcrs, TPM_PCR_DOOR)], 0, sizeof(values.value[0]));
	for (size_t i = 0; i < values.count; i++)
		memcpy(disk.hints + i * TPM_HINT_BYTES, values.value[i], TPM_HINT_BYTES);
	disk.pcrs = htole32(pcrs);
	disk.flags = htole32(pin ? TPM_FLAG_PIN : 0);
	r = tpm_policy_digest(pcrs, pin, &values, &digest);
	if (r >= 0 && pin)
		r = secret_random(disk.salt, sizeof(disk.salt));
	if (r >= 0 && pin)
		r = auth_of(policy->pin, id, disk.salt, &sensitive->sensitive.userAuth);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, "TPM", NULL, "its policy cannot be computed");
	sensitive->sensitive.data.size = CRYPTO_KEY_BYTES;
	memcpy(sensitive->sensitive.data.buffer, blob_key, CRYPTO_KEY_BYTES);
	r = tpm_begin(tpm, 0, true, f);
	if (r >= 0)
		r = create(tpm, sensitive, &digest, pin, &disk, f);
	disk.parent = htole32(tpm->parent_handle);
	tpm_end(tpm);
	tpm_forget_sensitive(tpm);
	if (r >= 0)
		memcpy(place, &disk, sizeof(disk));
	return r;
}

/* ---- unsealing ---- */

/* libtss2 has the last answer in its buffer: put a longer one, which is no secret, over the key. */
static void forget_answer(struct tpm *tpm)
{
	uint8_t value[TPM2_SHA256_DIGEST_SIZE];

	tpm_read_pcr(tpm, TPM_PCR_DOOR, value, NULL);
}

static int load(struct tpm *tpm, const struct tpm_disk *disk, ESYS_TR *object, const char *name, struct failure *f)
{
	size_t public_size = le16toh(disk->public_size), at = 0, end = public_size + le16toh(disk->private_size);
	TPM2B_PRIVATE private = {0};
	TPM2B_PUBLIC public = {0};
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(disk->object, public_size, &at, &public);

	if (rc == TSS2_RC_SUCCESS && at == public_size)
		rc = Tss2_MU_TPM2B_PRIVATE_Unmarshal(disk->object, end, &at, &private);
	if (rc != TSS2_RC_SUCCESS || at != end)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, "Use the passphrase.",
				   "what the TPM sealed cannot be read");
	rc = Esys_Load(tpm->esys, tpm->parent, tpm->session, ESYS_TR_NONE, ESYS_TR_NONE, &private, &public, object);
	if (tpm_answer(rc) == TPM2_RC_INTEGRITY)
		return failure_set(f, REASON_WRONG_SECRET, ENOKEY, name, REMEDY_ANEW,
				   "another TPM sealed it, or this one was cleared since, or it was changed");
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_refused(f, rc, "loading what it sealed");
}

/* 0, KEY_WRONG_SECRET, TPM_TRIES_USED or an error. */
static int ask(struct tpm *tpm, ESYS_TR object, uint32_t pcrs, bool pin, const char *name,
	       uint8_t blob_key[CRYPTO_KEY_BYTES], struct failure *f)
{
	const TPML_PCR_SELECTION selection = tpm_selection(pcrs);
	const TPM2B_DIGEST as_they_are = {0};
	AUTO_ESYS TPM2B_SENSITIVE_DATA *data = NULL;
	ESYS_TR session = ESYS_TR_NONE;
	TSS2_RC rc;
	int r = tpm_begin_session(tpm, TPM2_SE_POLICY, &session, f);

	if (r < 0)
		return r;
	rc = Esys_PolicyPCR(tpm->esys, session, TPM_NO_SESSIONS, &as_they_are, &selection);
	if (rc == TSS2_RC_SUCCESS && pin)
		rc = Esys_PolicyAuthValue(tpm->esys, session, TPM_NO_SESSIONS);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_Unseal(tpm->esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, &data);
	Esys_FlushContext(tpm->esys, session);
	if (rc == TSS2_RC_SUCCESS && data->size == CRYPTO_KEY_BYTES) {
		memcpy(blob_key, data->buffer, CRYPTO_KEY_BYTES);
		secret_wipe(data, sizeof(*data));
		return 0;
	}
	if (rc == TSS2_RC_SUCCESS)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, "Use the passphrase.", "what the TPM sealed is no key");
	if (pin && tpm_answer(rc) == TPM2_RC_AUTH_FAIL)
		return KEY_WRONG_SECRET;
	if (pin && tpm_answer(rc) == TPM2_RC_LOCKOUT)
		return TPM_TRIES_USED;
	if (tpm_answer(rc) == TPM2_RC_POLICY_FAIL || tpm_answer(rc) == TPM2_RC_PCR_CHANGED)
		return failure_set(f, REASON_WRONG_SECRET, ESTALE, name, REMEDY_ANEW,
				   "the TPM keeps the key, because this boot is another, or what it sealed was changed");
	return tpm_refused(f, rc, "unsealing");
}

/* 0, KEY_WRONG_SECRET for none, TPM_TRIES_USED, or an error. */
static int give_pin(struct tpm *tpm, ESYS_TR object, struct bytes pin, const uint8_t *id,
		    const uint8_t salt[TPM_SALT_BYTES], struct failure *f)
{
	AUTO_SECRET TPM2B_AUTH *auth = secret_new(sizeof(*auth));
	int r;

	if (!pin.size)
		return KEY_WRONG_SECRET;
	r = tpm_tries_left(tpm, f);
	if (r <= 0)
		return r < 0 ? r : TPM_TRIES_USED;
	if (!auth)
		return secret_refused("TPM", f);
	r = auth_of(pin, id, salt, auth);
	if (r >= 0 && Esys_TR_SetAuth(tpm->esys, object, auth) != TSS2_RC_SUCCESS)
		r = -EIO;
	return r < 0 ? failure_set(f, REASON_CRYPTO, -r, "TPM", NULL, "the PIN cannot be given to it") : 0;
}

int tpm_unseal(struct tpm *tpm, const void *place, struct bytes pin, const uint8_t id[KEY_SET_ID_BYTES], const char *name,
	       uint8_t blob_key[CRYPTO_KEY_BYTES], struct failure *f)
{
	ESYS_TR object = ESYS_TR_NONE;
	struct tpm_disk disk;
	struct tpm_part part;
	int r;

	memcpy(&disk, place, sizeof(disk));
	r = tpm_part_decode(&disk, name, &part, f);
	if (r >= 0)
		r = tpm_begin(tpm, le32toh(disk.parent), false, f);
	if (r >= 0)
		r = load(tpm, &disk, &object, name, f);
	if (r >= 0)
		r = tpm_check_unchanged(tpm, &disk, part.pcrs, name, f);
	if (r >= 0 && part.pin)
		r = give_pin(tpm, object, pin, id, disk.salt, f);
	if (r == 0)
		r = ask(tpm, object, part.pcrs, part.pin, name, blob_key, f);
	if (object != ESYS_TR_NONE)
		Esys_FlushContext(tpm->esys, object);
	tpm_end(tpm);
	forget_answer(tpm);
	return r;
}
