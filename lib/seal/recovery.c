/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/recovery.h"

#include "base/secret.h"

#include <errno.h>
#include <string.h>

#define GROUP_LETTERS   8
#define GROUP_KEY_BYTES (RECOVERY_KEY_BYTES / RECOVERY_GROUPS)
#define CRC_POLYNOMIAL  0x07u /* x^8 + x^2 + x + 1 */
#define MEANT_LETTERS   48
#define MEANT_STRANGERS 8 /* one letter in so many may be of no recovery key */

static const char letters[] = "cbdefghijklnrtuv";
_Static_assert(GROUP_LETTERS == 2 * (GROUP_KEY_BYTES + 1), "key, then check");

static uint8_t check_byte(unsigned int group, const uint8_t *bytes)
{
	unsigned int crc = group;

	for (size_t i = 0; i < GROUP_KEY_BYTES; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x80 ? (crc << 1 ^ CRC_POLYNOMIAL) & 0xff : crc << 1;
	}
	return (uint8_t)crc;
}

static char *put_byte(char *at, uint8_t byte)
{
	*at++ = letters[byte >> 4];
	*at++ = letters[byte & 0xf];
	return at;
}

void recovery_key_format(const uint8_t key[RECOVERY_KEY_BYTES], char text[RECOVERY_TEXT_BYTES])
{
	char *at = text;

	for (unsigned int group = 1; group <= RECOVERY_GROUPS; group++) {
		const uint8_t *bytes = key + (group - 1) * GROUP_KEY_BYTES;

		for (size_t i = 0; i < GROUP_KEY_BYTES; i++)
			at = put_byte(at, bytes[i]);
		at = put_byte(at, check_byte(group, bytes));
		*at++ = group < RECOVERY_GROUPS ? '-' : '\0';
	}
}

static bool separates(uint8_t c)
{
	return c == ' ' || c == '-' || c == '\t' || c == '\n' || c == '\r';
}

/* What a letter stands for, or -1. */
static int value_of(uint8_t c)
{
	const char *found = c ? memchr(letters, c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c, sizeof(letters) - 1) : NULL;

	return found ? (int)(found - letters) : -1;
}

static int typo(unsigned int *group, size_t number)
{
	if (group)
		*group = (unsigned int)number;
	return RECOVERY_TYPO;
}

int recovery_key_parse(struct bytes typed, uint8_t key[RECOVERY_KEY_BYTES], unsigned int *group)
{
	AUTO_SECRET uint8_t *bytes = secret_new(RECOVERY_GROUPS * (GROUP_KEY_BYTES + 1));
	const uint8_t *at = typed.data;
	size_t count = 0;

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < typed.size; i++) {
		size_t number = count / GROUP_LETTERS + 1;
		int value = value_of(at[i]);

		if (separates(at[i]))
			continue;
		if (number > RECOVERY_GROUPS)
			return typo(group, 0);
		if (value < 0)
			return typo(group, number);
		bytes[count / 2] = (uint8_t)(bytes[count / 2] << 4 | value);
		count++;
		if (count % GROUP_LETTERS == 0) {
			const uint8_t *of_group = bytes + (number - 1) * (GROUP_KEY_BYTES + 1);

			if (check_byte((unsigned int)number, of_group) != of_group[GROUP_KEY_BYTES])
				return typo(group, number);
		}
	}
	if (count < RECOVERY_GROUPS * GROUP_LETTERS)
		return typo(group, count / GROUP_LETTERS + 1);
	for (size_t i = 0; i < RECOVERY_GROUPS; i++)
		memcpy(key + i * GROUP_KEY_BYTES, bytes + i * (GROUP_KEY_BYTES + 1), GROUP_KEY_BYTES);
	return 0;
}

bool recovery_key_meant(struct bytes typed)
{
	const uint8_t *at = typed.data;
	size_t known = 0, strange = 0;

	for (size_t i = 0; i < typed.size; i++) {
		if (separates(at[i]))
			continue;
		if (value_of(at[i]) >= 0)
			known++;
		else
			strange++;
	}
	return known + strange >= MEANT_LETTERS && strange <= (known + strange) / MEANT_STRANGERS;
}
