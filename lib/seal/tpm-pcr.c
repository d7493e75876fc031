/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the TPM asks for: PCRs, and the policy over them. */
#include "seal/tpm-tss.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define DOOR_EVENT "hibernated: shut"

TPML_PCR_SELECTION tpm_selection(uint32_t pcrs)
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

int tpm_read_pcr(struct tpm *tpm, unsigned int pcr, uint8_t value[TPM2_SHA256_DIGEST_SIZE], struct failure *f)
{
	const TPML_PCR_SELECTION selection = tpm_selection(1u << pcr);
	AUTO_ESYS TPML_DIGEST *got = NULL;
	TSS2_RC rc = Esys_PCR_Read(tpm->esys, TPM_NO_SESSIONS, &selection, NULL, NULL, &got);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_refused(f, rc, "reading PCRs");
	if (got->count != 1 || got->digests[0].size != TPM2_SHA256_DIGEST_SIZE)
		return failure_set(f, REASON_TPM_UNMEASURED, ENODATA, "TPM", "Turn on its SHA-256 bank in the firmware's settings.",
				   "it has no PCR %u of SHA-256", pcr);
	memcpy(value, got->digests[0].buffer, TPM2_SHA256_DIGEST_SIZE);
	return 0;
}

int tpm_read_pcrs(struct tpm *tpm, uint32_t pcrs, struct pcr_values *values, struct failure *f)
{
	int r = 0;

	values->count = 0;
	for (unsigned int pcr = 0; r >= 0 && pcr < TPM_PCR_COUNT; pcr++)
		if (pcrs & 1u << pcr)
			r = tpm_read_pcr(tpm, pcr, values->value[values->count++], f);
	return r;
}

size_t tpm_place_of(uint32_t pcrs, unsigned int pcr)
{
	return (size_t)__builtin_popcount(pcrs & ((1u << pcr) - 1));
}

int tpm_policy_digest(uint32_t pcrs, bool pin, const struct pcr_values *values, TPM2B_DIGEST *digest)
{
	const TPML_PCR_SELECTION selection = tpm_selection(pcrs);
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

int tpm_check_measured(uint32_t pcrs, bool pin, const struct pcr_values *values, struct failure *f)
{
	static const uint8_t zeros[TPM2_SHA256_DIGEST_SIZE];

	for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT; pcr++)
		if (pcr != TPM_PCR_DOOR && pcrs & 1u << pcr && (!pin || TPM_PCRS_WITH_PIN & 1u << pcr) &&
		    memcmp(values->value[tpm_place_of(pcrs, pcr)], zeros, sizeof(zeros)) == 0)
			return failure_set(f, REASON_TPM_UNMEASURED, ENODATA, "TPM",
					   pin ? "Leave this PCR out." : "Use a PIN, or a passphrase alone.",
					   "nothing has been measured into PCR %u (%s)", pcr, tpm_pcr_meaning(pcr));
	return 0;
}

int tpm_choose_pcrs(const struct tpm_policy *policy, uint32_t *pcrs, struct failure *f)
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

int tpm_check_unchanged(struct tpm *tpm, const struct tpm_disk *disk, uint32_t pcrs, const char *name, struct failure *f)
{
	char list[256] = "";
	struct pcr_values now;
	size_t length = 0;
	bool shut = false;
	int r = tpm_read_pcrs(tpm, pcrs, &now, f);

	if (r < 0)
		return r;
	for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT; pcr++) {
		size_t i = tpm_place_of(pcrs, pcr);

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
		return tpm_refused(f, rc, "extending a PCR");
	r = tpm_read_pcr(tpm, TPM_PCR_DOOR, value, f);
	if (r >= 0 && memcmp(value, zeros, sizeof(zeros)) == 0)
		return failure_set(f, REASON_TPM, EIO, "TPM", NULL, "PCR %d does not change", TPM_PCR_DOOR);
	return r;
}
