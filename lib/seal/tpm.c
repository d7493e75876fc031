/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only file that knows libtss2. Commands and structures are those of the TPM 2.0 Library Specification, part 3 and 2.
 */
#include "seal/tpm.h"

#include "base/secret.h"
#include "seal/disk.h"
#include "seal/hkdf.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#define PIN_LABEL      "hibernated pin"
#define DOOR_EVENT     "hibernated: shut"
#define PERSISTENT_SRK (TPM_PERSISTENT | 1u) /* the TCG's place for a storage key */
#define REMEDY_NO_TPM  "Turn it on in the firmware's settings, or use a passphrase alone."
#define REMEDY_ANEW    "Use the passphrase; then run hibernatectl key add tpm --force."
#define NONE           ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE

struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR parent;       /* the storage key */
	bool parent_made;     /* it is ours to flush */
	uint32_t parent_handle; /* as struct tpm_disk has it */
	ESYS_TR session;      /* salted to it: what travels is encrypted */
};

/* The values of the PCRs of a mask, in their order. */
struct pcr_values {
	size_t count;
	uint8_t value[TPM_PCRS_MAX][TPM2_SHA256_DIGEST_SIZE];
};

static const TPMT_SYM_DEF session_cipher = {
	.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};

static void free_esys(void *pointer)
{
	Esys_Free(*(void **)pointer);
}
#define AUTO_ESYS CLEANUP(free_esys)

/* The answer without the number of the parameter, handle or session that it is about. */
static TSS2_RC answer(TSS2_RC rc)
{
	rc &= 0xffff;
	return rc & TPM2_RC_FMT1 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc;
}

static int refused(struct failure *f, TSS2_RC rc, const char *what)
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

static void drop_parent(struct tpm *tpm)
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
		drop_parent(tpm);
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

/* libtss2 keeps a copy of what was to be sealed, until it is given another thing to keep in its place. */
static void forget_sensitive(struct tpm *tpm)
{
	if (make_parent(tpm) == TSS2_RC_SUCCESS)
		Esys_FlushContext(tpm->esys, tpm->parent);
	tpm->parent = ESYS_TR_NONE;
}

/* @handle as struct tpm_disk has it; where the owner has a password and it is 0, the persistent one if @else_persistent. */
static int have_parent(struct tpm *tpm, uint32_t handle, bool else_persistent, struct failure *f)
{
	TSS2_RC rc = TPM2_RC_BAD_AUTH;

	drop_parent(tpm);
	tpm->parent_made = !handle;
	if (!handle)
		rc = make_parent(tpm);
	if (!handle && answer(rc) == TPM2_RC_BAD_AUTH && else_persistent)
		handle = PERSISTENT_SRK;
	if (handle) {
		tpm->parent_made = false;
		rc = Esys_TR_FromTPMPublic(tpm->esys, handle, NONE, &tpm->parent);
	}
	if (rc != TSS2_RC_SUCCESS) {
		tpm->parent = ESYS_TR_NONE;
		return refused(f, rc, handle ? "its persistent storage key" : "making a storage key of the owner's seed");
	}
	tpm->parent_handle = handle;
	return 0;
}

static int begin_session(struct tpm *tpm, TPM2_SE type, ESYS_TR *session, struct failure *f)
{
	const TPMA_SESSION flags = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
	TSS2_RC rc = Esys_StartAuthSession(tpm->esys, tpm->parent, ESYS_TR_NONE, NONE, NULL, type, &session_cipher,
					   TPM2_ALG_SHA256, session);

	if (rc != TSS2_RC_SUCCESS)
		return refused(f, rc, "a session");
	Esys_TRSess_SetAttributes(tpm->esys, *session, flags, 0xff);
	return 0;
}

static int begin(struct tpm *tpm, uint32_t parent, bool else_persistent, struct failure *f)
{
	int r = have_parent(tpm, parent, else_persistent, f);

	return r < 0 ? r : begin_session(tpm, TPM2_SE_HMAC, &tpm->session, f);
}

/* ---- PCRs and the policy ---- */

static TPML_PCR_SELECTION selection_of(uint32_t pcrs)
{
	return (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections[0] = {
			.hash = TPM2_ALG_SHA256,
			.sizeofSelect = 3,
			.pcrSelect = {(uint8_t)pcrs, (uint8_t)(pcrs >> 8), (uint8_t)(pcrs >> 16)},
		},
	};
}

static int read_pcr(struct tpm *tpm, unsigned int pcr, uint8_t value[TPM2_SHA256_DIGEST_SIZE], struct failure *f)
{
	const TPML_PCR_SELECTION selection = selection_of(1u << pcr);
	AUTO_ESYS TPML_DIGEST *got = NULL;
	TSS2_RC rc = Esys_PCR_Read(tpm->esys, NONE, &selection, NULL, NULL, &got);

	if (rc != TSS2_RC_SUCCESS)
		return refused(f, rc, "reading PCRs");
	if (got->count != 1 || got->digests[0].size != TPM2_SHA256_DIGEST_SIZE)
		return failure_set(f, REASON_TPM_UNMEASURED, ENODATA, "TPM", "Turn on its SHA-256 bank in the firmware's settings.",
				   "it has no PCR %u of SHA-256", pcr);
	memcpy(value, got->digests[0].buffer, TPM2_SHA256_DIGEST_SIZE);
	return 0;
}

static int read_pcrs(struct tpm *tpm, uint32_t pcrs, struct pcr_values *values, struct failure *f)
{
	int r = 0;

	values->count = 0;
	for (unsigned int pcr = 0; r >= 0 && pcr < TPM_PCR_COUNT; pcr++)
		if (pcrs & 1u << pcr)
			r = read_pcr(tpm, pcr, values->value[values->count++], f);
	return r;
}

/* Where in the values @pcr is. */
static size_t place_of(uint32_t pcrs, unsigned int pcr)
{
	return (size_t)__builtin_popcount(pcrs & ((1u << pcr) - 1));
}

/* TPM2_PolicyPCR and, with a PIN, TPM2_PolicyAuthValue, as the TPM computes them: the boot to come is not this one. */
static int policy_digest(uint32_t pcrs, bool pin, const struct pcr_values *values, TPM2B_DIGEST *digest)
{
	const TPML_PCR_SELECTION selection = selection_of(pcrs);
	uint32_t command = htobe32(TPM2_CC_PolicyPCR);
	uint8_t pcr_digest[TPM2_SHA256_DIGEST_SIZE], zeros[TPM2_SHA256_DIGEST_SIZE] = {0}, marshalled[16];
	struct bytes all = {values->value, values->count * sizeof(values->value[0])};
	size_t size = 0;
	int r = hash_of(HASH_SHA256, &all, 1, pcr_digest);

	if (r < 0)
		return r;
	if (Tss2_MU_TPML_PCR_SELECTION_Marshal(&selection, marshalled, sizeof(marshalled), &size) != TSS2_RC_SUCCESS)
		return -EINVAL;
	digest->size = TPM2_SHA256_DIGEST_SIZE;
	r = hash_of(HASH_SHA256,
		    (struct bytes[]){{zeros, sizeof(zeros)}, {&command, sizeof(command)}, {marshalled, size},
				     {pcr_digest, sizeof(pcr_digest)}},
		    4, digest->buffer);
	command = htobe32(TPM2_CC_PolicyAuthValue);
	if (r >= 0 && pin)
		r = hash_of(HASH_SHA256,
			    (struct bytes[]){{digest->buffer, TPM2_SHA256_DIGEST_SIZE}, {&command, sizeof(command)}}, 2,
			    digest->buffer);
	return r;
}

/* libtss2 has the last answer in its buffer: put a longer one, which is no secret, over the key. */
static void forget_answer(struct tpm *tpm)
{
	uint8_t value[TPM2_SHA256_DIGEST_SIZE];

	read_pcr(tpm, TPM_PCR_DOOR, value, NULL);
}

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

static int check_policy(uint32_t pcrs, bool pin, const struct pcr_values *values, struct failure *f)
{
	static const uint8_t zeros[TPM2_SHA256_DIGEST_SIZE];

	for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT; pcr++)
		if (pcr != TPM_PCR_DOOR && pcrs & 1u << pcr && (!pin || TPM_PCRS_WITH_PIN & 1u << pcr) &&
		    memcmp(values->value[place_of(pcrs, pcr)], zeros, sizeof(zeros)) == 0)
			return failure_set(f, REASON_TPM_UNMEASURED, ENODATA, "TPM",
					   pin ? "Leave this PCR out." : "Use a PIN, or a passphrase alone.",
					   "nothing has been measured into PCR %u (%s)", pcr, tpm_pcr_meaning(pcr));
	return 0;
}

/* The mask that @policy stands for, the door among it. */
static int choose_pcrs(const struct tpm_policy *policy, uint32_t *pcrs, struct failure *f)
{
	uint32_t chosen = policy->pcrs;

	if (!chosen)
		chosen = policy->pin.size ? TPM_PCRS_WITH_PIN : TPM_PCRS_DEFAULT;
	chosen |= 1u << TPM_PCR_DOOR;
	if (chosen >> TPM_PCR_COUNT || __builtin_popcount(chosen) > TPM_PCRS_MAX)
		return failure_set(f, REASON_USAGE, EINVAL, "TPM", "Name fewer.", "PCRs %#x: at most %d of %d", chosen,
				   TPM_PCRS_MAX - 1, TPM_PCR_COUNT);
	if (!policy->pin.size && (chosen & TPM_PCRS_DEFAULT) != TPM_PCRS_DEFAULT)
		return failure_set(f, REASON_USAGE, EINVAL, "TPM", "Use a PIN.",
				   "without a PIN the policy needs PCRs 4, 7 and 9");
	*pcrs = chosen;
	return 0;
}

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
		return refused(f, rc, "sealing");
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
	int r = choose_pcrs(policy, &pcrs, f);

	if (r >= 0)
		r = read_pcrs(tpm, pcrs, &values, f);
	if (r >= 0)
		r = check_policy(pcrs, pin, &values, f);
	if (r < 0)
		return r;
	memset(values.value[place_of(pcrs, TPM_PCR_DOOR)], 0, sizeof(values.value[0]));
	for (size_t i = 0; i < values.count; i++)
		memcpy(disk.hints + i * TPM_HINT_BYTES, values.value[i], TPM_HINT_BYTES);
	disk.pcrs = htole32(pcrs);
	disk.flags = htole32(pin ? TPM_FLAG_PIN : 0);
	r = sensitive ? policy_digest(pcrs, pin, &values, &digest) : -ENOMEM;
	if (r >= 0 && pin)
		r = secret_random(disk.salt, sizeof(disk.salt));
	if (r >= 0 && pin)
		r = auth_of(policy->pin, id, disk.salt, &sensitive->sensitive.userAuth);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, "TPM", NULL, "its policy cannot be computed");
	sensitive->sensitive.data.size = CRYPTO_KEY_BYTES;
	memcpy(sensitive->sensitive.data.buffer, blob_key, CRYPTO_KEY_BYTES);
	r = begin(tpm, 0, true, f);
	if (r >= 0)
		r = create(tpm, sensitive, &digest, pin, &disk, f);
	disk.parent = htole32(tpm->parent_handle);
	drop_parent(tpm);
	forget_sensitive(tpm);
	if (r >= 0)
		memcpy(place, &disk, sizeof(disk));
	return r;
}

/* ---- unsealing ---- */

/* A property of the TPM that changes. */
static int property(struct tpm *tpm, uint32_t which, uint32_t *value, struct failure *f)
{
	AUTO_ESYS TPMS_CAPABILITY_DATA *got = NULL;
	TSS2_RC rc = Esys_GetCapability(tpm->esys, NONE, TPM2_CAP_TPM_PROPERTIES, which, 1, NULL, &got);

	if (rc != TSS2_RC_SUCCESS || got->data.tpmProperties.count < 1 ||
	    got->data.tpmProperties.tpmProperty[0].property != which)
		return refused(f, rc, "a property");
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

/* Which PCR keeps the TPM from opening it, as far as the hints tell. */
static int check_pcrs(struct tpm *tpm, const struct tpm_disk *disk, uint32_t pcrs, const char *name, struct failure *f)
{
	char list[256] = "";
	struct pcr_values now;
	size_t length = 0;
	bool shut = false;
	int r = read_pcrs(tpm, pcrs, &now, f);

	if (r < 0)
		return r;
	for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT; pcr++) {
		size_t i = place_of(pcrs, pcr);

		if (!(pcrs & 1u << pcr) || memcmp(disk->hints + i * TPM_HINT_BYTES, now.value[i], TPM_HINT_BYTES) == 0)
			continue;
		if (pcr == TPM_PCR_DOOR)
			shut = true;
		else if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%u (%s)", length ? ", " : "", pcr,
						   tpm_pcr_meaning(pcr));
	}
	if (length)
		return failure_set(f, REASON_WRONG_SECRET, ESTALE, name, REMEDY_ANEW,
				   "the TPM keeps the key, because this boot is another: changed is PCR %s", list);
	if (shut)
		return failure_set(f, REASON_WRONG_SECRET, EPERM, name, "Restart, or use the passphrase.",
				   "the TPM gives the key out once in a boot, and PCR %u says that it was asked",
				   TPM_PCR_DOOR);
	return 0;
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
	if (answer(rc) == TPM2_RC_INTEGRITY)
		return failure_set(f, REASON_WRONG_SECRET, ENOKEY, name, REMEDY_ANEW,
				   "another TPM sealed it, or this one was cleared since, or it was changed");
	return rc == TSS2_RC_SUCCESS ? 0 : refused(f, rc, "loading what it sealed");
}

/* 0, KEY_WRONG_SECRET, TPM_TRIES_USED or an error. */
static int ask(struct tpm *tpm, ESYS_TR object, uint32_t pcrs, bool pin, const char *name,
	       uint8_t blob_key[CRYPTO_KEY_BYTES], struct failure *f)
{
	const TPML_PCR_SELECTION selection = selection_of(pcrs);
	const TPM2B_DIGEST as_they_are = {0};
	AUTO_ESYS TPM2B_SENSITIVE_DATA *data = NULL;
	ESYS_TR session = ESYS_TR_NONE;
	TSS2_RC rc;
	int r = begin_session(tpm, TPM2_SE_POLICY, &session, f);

	if (r < 0)
		return r;
	rc = Esys_PolicyPCR(tpm->esys, session, NONE, &as_they_are, &selection);
	if (rc == TSS2_RC_SUCCESS && pin)
		rc = Esys_PolicyAuthValue(tpm->esys, session, NONE);
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
	if (pin && answer(rc) == TPM2_RC_AUTH_FAIL)
		return KEY_WRONG_SECRET;
	if (pin && answer(rc) == TPM2_RC_LOCKOUT)
		return TPM_TRIES_USED;
	if (answer(rc) == TPM2_RC_POLICY_FAIL || answer(rc) == TPM2_RC_PCR_CHANGED)
		return failure_set(f, REASON_WRONG_SECRET, ESTALE, name, REMEDY_ANEW,
				   "the TPM keeps the key, because this boot is another, or what it sealed was changed");
	return refused(f, rc, "unsealing");
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
	r = auth ? auth_of(pin, id, salt, auth) : -ENOMEM;
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
		r = begin(tpm, le32toh(disk.parent), false, f);
	if (r >= 0)
		r = load(tpm, &disk, &object, name, f);
	if (r >= 0)
		r = check_pcrs(tpm, &disk, part.pcrs, name, f);
	if (r >= 0 && part.pin)
		r = give_pin(tpm, object, pin, id, disk.salt, f);
	if (r == 0)
		r = ask(tpm, object, part.pcrs, part.pin, name, blob_key, f);
	if (object != ESYS_TR_NONE)
		Esys_FlushContext(tpm->esys, object);
	drop_parent(tpm);
	forget_answer(tpm);
	return r;
}

int tpm_shut(struct tpm *tpm, struct failure *f)
{
	static const uint8_t zeros[TPM2_SHA256_DIGEST_SIZE];
	TPM2B_EVENT event = {.size = sizeof(DOOR_EVENT) - 1};
	uint8_t value[TPM2_SHA256_DIGEST_SIZE];
	AUTO_ESYS TPML_DIGEST_VALUES *digests = NULL;
	TSS2_RC rc;
	int r;

	memcpy(event.buffer, DOOR_EVENT, event.size);
	rc = Esys_PCR_Event(tpm->esys, ESYS_TR_PCR0 + TPM_PCR_DOOR, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &event,
			    &digests);
	if (rc != TSS2_RC_SUCCESS)
		return refused(f, rc, "extending a PCR");
	r = read_pcr(tpm, TPM_PCR_DOOR, value, f);
	if (r >= 0 && memcmp(value, zeros, sizeof(zeros)) == 0)
		return failure_set(f, REASON_TPM, EIO, "TPM", NULL, "PCR %d does not change", TPM_PCR_DOOR);
	return r;
}
