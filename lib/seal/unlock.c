/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/unlock.h"

#include "base/secret.h"
#include "seal/disk.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name, *text;
	uint32_t wrap;
} ways[] = {
	[KEY_WAY_PASSPHRASE] = {"passphrase", "passphrase", BLOB_WRAP_PASSPHRASE},
	[KEY_WAY_RECOVERY] = {"recovery", "recovery key", BLOB_WRAP_RECOVERY},
	[KEY_WAY_TPM] = {"tpm", "TPM", BLOB_WRAP_TPM},
};
_Static_assert(ARRAY_LENGTH(ways) == _KEY_WAY_MAX, "each way has a row");

const char *key_way_name(enum key_way way)
{
	return way < 0 || way >= _KEY_WAY_MAX ? NULL : ways[way].name;
}

const char *key_way_text(enum key_way way)
{
	return way < 0 || way >= _KEY_WAY_MAX ? NULL : ways[way].text;
}

enum key_way key_way_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(ways); i++)
		if (strcmp(ways[i].name, name) == 0)
			return (enum key_way)i;
	return _KEY_WAY_INVALID;
}

uint32_t key_way_wrap(enum key_way way)
{
	return ways[way].wrap;
}

int key_blob_open_typed(const void *place, struct bytes typed, uint64_t memory_kib, const char *name,
			struct key_opened *opened, struct key_answer *answer, struct failure *f)
{
	AUTO_SECRET uint8_t *recovery = secret_new(RECOVERY_KEY_BYTES);
	struct key_answer found = {.way = _KEY_WAY_INVALID};
	int r;

	if (!recovery)
		return failure_set(f, REASON_CRYPTO, errno, name, NULL, "the sealed private key cannot be opened here");
	r = recovery_key_parse(typed, recovery, &found.group);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, name, NULL, "the sealed private key cannot be opened here");
	found.typo = r == RECOVERY_TYPO && recovery_key_meant(typed);
	r = r == 0 ? key_blob_open_recovery(place, recovery, name, opened, f) : KEY_WRONG_SECRET;
	if (r == 0) {
		found.way = KEY_WAY_RECOVERY;
	} else if (r == KEY_WRONG_SECRET) {
		r = key_blob_open(place, typed, memory_kib, name, opened, f);
		if (r == 0)
			found = (struct key_answer){.way = KEY_WAY_PASSPHRASE};
	}
	if (r >= 0)
		*answer = found;
	return r;
}
