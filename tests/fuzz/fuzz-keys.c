/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What parses key slots, sealed private blobs and recovery keys, and what opens a blob.
 *
 * The first byte of the input chooses. What a parser accepts must obey the limits that its callers rely on; a slot
 * must be written again as the same bytes; of all blobs only the one of the corpus opens by its passphrase; and a
 * recovery key that is accepted is the same when it is written and read again.
 */
#include "base/secret.h"
#include "seal/blob.h"
#include "seal/disk.h"
#include "seal/slot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY_KIB 64

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void fuzz_slot(const uint8_t *data, size_t size)
{
	uint8_t place[SEAL_SLOT_BYTES] = {0}, again[SEAL_SLOT_BYTES];
	struct key_slot slot;
	struct failure f;

	memcpy(place, data, MIN(size, sizeof(place)));
	if (key_slot_decode(place, "fuzz", &slot, &f) < 0)
		return;
	key_slot_encode(&slot, again);
	require(memcmp(place, again, sizeof(place)) == 0);
}

static void fuzz_blob(const uint8_t *data, size_t size)
{
	uint8_t place[SEAL_BLOB_BYTES] = {0};
	struct key_blob blob;
	struct failure f;

	memcpy(place, data, MIN(size, sizeof(place)));
	if (key_blob_decode(place, "fuzz", &blob, &f) < 0)
		return;
	require(blob.wraps && !(blob.wraps & ~BLOB_WRAPS_KNOWN));
	require(!(blob.wraps & BLOB_WRAP_PASSPHRASE) || argon2_cost_valid(&blob.passphrase.cost));
}

static void fuzz_open(const uint8_t *data, size_t size)
{
	static const uint8_t id[KEY_SET_ID_BYTES] = {0xd8, 0xc2, 0x06, 0xe6, 0x44, 0x68, 0xea, 0xf9,
						     0x41, 0x1e, 0x7d, 0xb3, 0x3e, 0xf6, 0x9f, 0x99};
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES] = {0};
	struct failure f;

	require(opened && crypto_init(&f) >= 0);
	memcpy(place, data, MIN(size, sizeof(place)));
	if (key_blob_open(place, (struct bytes){"correct horse", 13}, MEMORY_KIB, "fuzz", opened, &f) == 0)
		require(memcmp(opened->public.id, id, sizeof(id)) == 0);
}

static void fuzz_recovery(const uint8_t *data, size_t size)
{
	uint8_t key[RECOVERY_KEY_BYTES], again[RECOVERY_KEY_BYTES];
	char text[RECOVERY_TEXT_BYTES];
	unsigned int group = 0;
	int r = recovery_key_parse((struct bytes){data, size}, key, &group);

	require(r >= 0 && group <= RECOVERY_GROUPS);
	if (r == RECOVERY_TYPO)
		return;
	recovery_key_format(key, text);
	require(recovery_key_parse((struct bytes){text, strlen(text)}, again, NULL) == 0);
	require(memcmp(key, again, sizeof(key)) == 0);
	require(recovery_key_meant((struct bytes){data, size}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0]) {
	case 's':
		fuzz_slot(data + 1, size - 1);
		break;
	case 'b':
		fuzz_blob(data + 1, size - 1);
		break;
	case 'r':
		fuzz_recovery(data + 1, size - 1);
		break;
	case 'o':
		fuzz_open(data + 1, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
