/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names only, without libgcrypt: who merely tells sealed from unsealed is not linked with it. */
#include "seal/crypto.h"

#include <string.h>

static const char *const names[] = {
	[SUITE_NONE] = "none",
	[SUITE_AES256_GCM] = "aes256-gcm",
	[SUITE_AES256_OCB] = "aes256-ocb",
	[SUITE_CHACHA20_POLY1305] = "chacha20-poly1305",
};
_Static_assert(ARRAY_LENGTH(names) == _SUITE_MAX, "each suite has a name");

const char *suite_name(enum seal_suite suite)
{
	return suite < 0 || suite >= _SUITE_MAX ? NULL : names[suite];
}

enum seal_suite suite_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum seal_suite)i;
	return _SUITE_INVALID;
}

bool suite_seals(enum seal_suite suite)
{
	return suite > SUITE_NONE && suite < _SUITE_MAX;
}
