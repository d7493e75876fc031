/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TPM 2.0: the key of a sealed private blob, which the TPM gives out only to a boot like those before.
 *
 * The TPM seals the blob's key into an object under its storage key; the object lies in the blob, so the initramfs needs
 * nothing but the TPM. What the TPM asks for is a policy:
 *
 *   - the SHA-256 PCRs of a mask are what they were when the key was sealed. Without a PIN these are more than Secure
 *     Boot's PCR 7, which says who signed what was started but not what: also 4 (boot loader, kernel) and 9 (initramfs,
 *     command line), and each of them must have been measured at all.
 *   - TPM_PCR_DOOR is zeros, as after a reset. tpm_shut() extends it, after use, after a failure, and before the
 *     initramfs is left: from then on nobody gets the key until the next reset, the running system neither.
 *   - the PIN, if there is one. The TPM counts wrong ones, also those that were for others' keys, and locks itself up
 *     in the end; tpm_unseal() stops one try before that.
 *
 * Anybody can seal a blob of their own to the same TPM. So one that the TPM opened is no reason to believe an image: see
 * key_choose_verifier().
 *
 * Keys travel to and from the TPM encrypted, under a session salted to its storage key. That helps against who listens on
 * the wires, not against who stands in between. The copies of keys that libtss2 makes lie in memory that is not locked; they
 * have been written over when a function here returns.
 */
#pragma once

#include "seal/keys.h"

#define TPM_PART_BYTES 320
#define TPM_PCR_COUNT  24
#define TPM_PCRS_MAX   8
#define TPM_PCR_DOOR   15

#define TPM_PCRS_DEFAULT  (1u << 4 | 1u << 7 | 1u << 9) /* without a PIN; none of them may be left out */
#define TPM_PCRS_WITH_PIN (1u << 7)

/* An expected answer, besides KEY_WRONG_SECRET: one more wrong PIN, and the TPM would lock itself up for everybody. */
#define TPM_TRIES_USED 2

/* ---- what lies in the blob ---- */

/* What a part of a blob says, none of it authentic. */
struct tpm_part {
	bool pin;
	uint32_t pcrs; /* a bit for each, TPM_PCR_DOOR among them */
};

/*
 * REASON_IMAGE_VERSION (-ENOTSUP) for what is not known here, REASON_IMAGE_DAMAGED (-EBADMSG) for what cannot be. @name is
 * for the message. Needs no TPM and no libtss2.
 */
int tpm_part_decode(const void *place, const char *name, struct tpm_part *part, struct failure *f);

/* "boot loader and kernel"; "" if nothing is known of it. */
const char *tpm_pcr_meaning(unsigned int pcr);

/* ---- the TPM ---- */

#define TPM_DEVICE "device:/dev/tpmrm0"

struct tpm;

/* False in a build without libtss2, where all that follows fails with REASON_NO_TPM (-EOPNOTSUPP). */
bool tpm_available(void);

/*
 * @where is libtss2's: TPM_DEVICE in earnest. REASON_NO_TPM (-ENODEV) if there is none. Before there are threads:
 * turns off libtss2's own messages, by an environment variable.
 */
int tpm_open(struct tpm **tpm, const char *where, struct failure *f);
struct tpm *tpm_free(struct tpm *tpm);
void tpm_cleanup(struct tpm **tpm);
#define AUTO_TPM CLEANUP(tpm_cleanup)

struct tpm_policy {
	uint32_t pcrs;    /* 0: the default; TPM_PCR_DOOR comes by itself */
	struct bytes pin; /* empty: none */
};

/*
 * Seal @blob_key under @policy into the TPM_PART_BYTES at @place, for the key set @id. REASON_USAGE (-EINVAL) for PCRs that are
 * too many, unknown, or too few for want of a PIN; REASON_TPM_UNMEASURED (-ENODATA) for one that nothing was measured into;
 * REASON_TPM for whatever the TPM says, (-EMSGSIZE) if what it sealed is too large.
 */
int tpm_seal(struct tpm *tpm, const struct tpm_policy *policy, const uint8_t id[KEY_SET_ID_BYTES],
	     const uint8_t blob_key[CRYPTO_KEY_BYTES], void *place, struct failure *f);

/*
 * Give @blob_key out, into memory for secrets. KEY_WRONG_SECRET for another PIN; TPM_TRIES_USED, the PIN not tried.
 * REASON_WRONG_SECRET: -ENOKEY if another TPM sealed it, or this one was cleared; -ESTALE if a PCR has changed, which is named;
 * -EPERM if that is only because tpm_shut() was here since the last reset. Without a PIN that is asked for, KEY_WRONG_SECRET
 * says that all this is not so. Else as tpm_part_decode(), or REASON_TPM.
 */
int tpm_unseal(struct tpm *tpm, const void *place, struct bytes pin, const uint8_t id[KEY_SET_ID_BYTES], const char *name,
	       uint8_t blob_key[CRYPTO_KEY_BYTES], struct failure *f);

/* Wrong PINs that may be tried before TPM_TRIES_USED. 0 or more, or REASON_TPM. */
int tpm_tries_left(struct tpm *tpm, struct failure *f);

/* Extend TPM_PCR_DOOR in all banks: no key of ours comes out before the next reset. Again does no harm. */
int tpm_shut(struct tpm *tpm, struct failure *f);
