/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a new passphrase is worth stretching.
 *
 * An estimate in bits, by the rule that NIST SP 800-63-1 (appendix A) had for passwords that people choose: 4 for the first
 * character, 2 for each up to the 8th, 1.5 up to the 20th, 1 for each behind, and 6 if it mixes at least three of small letters,
 * capitals, digits, and anything else. A character that is the one before it, or its neighbour in the alphabet or among the
 * digits, is not counted. No dictionary is looked into: the rule expects that people take words.
 */
#pragma once

#include "base/failure.h"
#include "seal/crypto.h"

/* At a second for each guess, on one machine, 2^30 guesses take 34 years. */
#define QUALITY_BITS_MIN 30

unsigned int quality_bits(struct bytes passphrase);

/*
 * 0, or REASON_WEAK_SECRET (-EINVAL): too few bits unless @weak_too, empty, or with control characters, which cannot be
 * typed at resume. The message has numbers, and nothing of the passphrase.
 */
int quality_check(struct bytes passphrase, bool weak_too, struct failure *f);

/* A TPM lets a few dozen wrong ones be tried, and then about one in an hour. */
#define QUALITY_PIN_MIN 4

/* The same for the PIN of a TPM: at least QUALITY_PIN_MIN bytes unless @weak_too. */
int quality_check_pin(struct bytes pin, bool weak_too, struct failure *f);
