/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/tpm.h"

#include "base/cursor.h"
#include "seal/disk.h"

#include <errno.h>

_Static_assert(sizeof(struct tpm_disk) == TPM_PART_BYTES, "part");
_Static_assert(sizeof(((struct tpm_disk *)0)->hints) == TPM_PCRS_MAX * TPM_HINT_BYTES, "hints");

/* As the UAPI group's list has them (Linux TPM PCR Registry). */
static const char *const meanings[TPM_PCR_COUNT] = {
	[0] = "firmware",
	[1] = "firmware's settings",
	[2] = "firmware of cards",
	[3] = "settings of cards",
	[4] = "boot loader and kernel",
	[5] = "partition table, boot loader's settings",
	[7] = "Secure Boot",
	[8] = "commands of the boot loader",
	[9] = "initramfs, kernel command line",
	[11] = "unified kernel image",
	[12] = "overridden kernel command line",
	[14] = "machine owner keys",
	[TPM_PCR_DOOR] = "this boot has had its turn",
};

const char *tpm_pcr_meaning(unsigned int pcr)
{
	return pcr < TPM_PCR_COUNT && meanings[pcr] ? meanings[pcr] : "";
}

static int unknown(const char *name, struct failure *f)
{
	return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, "Use the version of hibernated that wrote it.",
			   "the sealed private key asks a TPM in a way unknown here");
}

int tpm_part_decode(const void *place, const char *name, struct tpm_part *part, struct failure *f)
{
	uint8_t skipped[sizeof(((struct tpm_disk *)0)->object)];
	uint32_t kind, flags, parent, pcrs;
	uint16_t public_size, private_size;
	struct reader r;
	bool pin;

	reader_init(&r, place, TPM_PART_BYTES);
	kind = get_u32(&r);
	flags = get_u32(&r);
	parent = get_u32(&r);
	pcrs = get_u32(&r);
	get_bytes(&r, skipped, TPM_PCRS_MAX * TPM_HINT_BYTES);
	pin = flags & TPM_FLAG_PIN;
	if (kind != WRAP_KIND_TPM2 || flags & ~TPM_FLAG_PIN || (parent && parent >> 24 != TPM_PERSISTENT >> 24))
		return unknown(name, f);
	if (pin)
		get_bytes(&r, skipped, TPM_SALT_BYTES);
	else if (!get_zeros(&r, TPM_SALT_BYTES))
		return unknown(name, f);
	public_size = get_u16(&r);
	private_size = get_u16(&r);
	if (!public_size || !private_size || public_size + private_size > (int)sizeof(skipped) || pcrs >> TPM_PCR_COUNT ||
	    !(pcrs & 1u << TPM_PCR_DOOR) || __builtin_popcount(pcrs) > TPM_PCRS_MAX)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, "Boot without it.",
				   "what the TPM sealed has %u and %u bytes of at most %zu, and PCRs %#x", public_size,
				   private_size, sizeof(skipped), pcrs);
	get_bytes(&r, skipped, (size_t)public_size + private_size);
	if (!get_zeros(&r, TPM_PART_BYTES - r.at))
		return unknown(name, f);
	*part = (struct tpm_part){.pin = pin, .pcrs = pcrs};
	return 0;
}
