/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/quality.h"

#include <errno.h>
#include <stdlib.h>

#define OBJECT        "passphrase"
#define PIN           "PIN"
#define REMEDY_PIN    "Take four characters or more."
#define REMEDY_LONGER "Take a longer one: five or more words that nobody connects, for instance."

enum {
	CLASS_SMALL = 1,
	CLASS_CAPITAL = 2,
	CLASS_DIGIT = 4,
	CLASS_OTHER = 8,
};

static unsigned int class_of(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		return CLASS_SMALL;
	if (c >= 'A' && c <= 'Z')
		return CLASS_CAPITAL;
	return c >= '0' && c <= '9' ? CLASS_DIGIT : CLASS_OTHER;
}

/* What it adds, in half bits, behind @counted others. */
static unsigned int half_bits(size_t counted)
{
	if (counted == 0)
		return 8;
	if (counted < 8)
		return 4;
	return counted < 20 ? 3 : 2;
}

unsigned int quality_bits(struct bytes passphrase)
{
	const uint8_t *at = passphrase.data;
	unsigned int total = 0, classes = 0;
	size_t counted = 0;

	for (size_t i = 0; i < passphrase.size; i++) {
		/* The bytes behind the first one of a character in UTF-8. */
		if ((at[i] & 0xc0) == 0x80)
			continue;
		if (i && abs(at[i] - at[i - 1]) <= 1 && class_of(at[i]) == class_of(at[i - 1]))
			continue;
		total += half_bits(counted++);
		classes |= class_of(at[i]);
	}
	if (__builtin_popcount(classes) >= 3)
		total += 12;
	return total / 2;
}

static int check_controls(struct bytes secret, const char *object, struct failure *f)
{
	const uint8_t *at = secret.data;

	for (size_t i = 0; i < secret.size; i++)
		if (at[i] < ' ' || at[i] == 0x7f)
			return failure_set(f, REASON_WEAK_SECRET, 0, object, "Take one without.",
					   "it has control characters, which cannot be typed when the machine resumes");
	return 0;
}

int quality_check(struct bytes passphrase, bool weak_too, struct failure *f)
{
	unsigned int bits = quality_bits(passphrase);
	int r;

	if (!passphrase.size)
		return failure_set(f, REASON_WEAK_SECRET, 0, OBJECT, REMEDY_LONGER, "it is empty");
	r = check_controls(passphrase, OBJECT, f);
	if (r < 0)
		return r;
	if (bits < QUALITY_BITS_MIN && !weak_too)
		return failure_set(f, REASON_WEAK_SECRET, 0, OBJECT, REMEDY_LONGER,
				   "it could be guessed: about %u bits, of at least %u", bits, QUALITY_BITS_MIN);
	return 0;
}

int quality_check_pin(struct bytes pin, bool weak_too, struct failure *f)
{
	int r;

	if (!pin.size)
		return failure_set(f, REASON_WEAK_SECRET, 0, PIN, REMEDY_PIN, "it is empty");
	r = check_controls(pin, PIN, f);
	if (r < 0)
		return r;
	if (pin.size < QUALITY_PIN_MIN && !weak_too)
		return failure_set(f, REASON_WEAK_SECRET, 0, PIN, REMEDY_PIN,
				   "it could be guessed in the tries that a TPM leaves: it has fewer than %d bytes", QUALITY_PIN_MIN);
	return 0;
}
