/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recovery key: 192 random bits that a human copies from paper.
 *
 * It is written as eight groups of eight letters. The letters are those that most keyboards have in the same place
 * (cbdefghijklnrtuv, each for four bits), since the layout is seldom loaded where it is typed. Six letters of a group are of
 * the key, the last two are a CRC-8 of these and of the group's number: one wrong letter, two neighbours exchanged, or
 * two groups exchanged are always noticed, anything else with 255 in 256.
 */
#pragma once

#include "seal/crypto.h"

#define RECOVERY_KEY_BYTES  24
#define RECOVERY_GROUPS     8
#define RECOVERY_TEXT_BYTES (RECOVERY_GROUPS * 9) /* groups with dashes between, and a NUL */

/* An expected answer where a recovery key is read. */
#define RECOVERY_TYPO 1

/* In memory for secrets, both. */
void recovery_key_format(const uint8_t key[RECOVERY_KEY_BYTES], char text[RECOVERY_TEXT_BYTES]);

/*
 * Read what somebody typed: small or capital letters, with or without blanks and dashes. 0; or RECOVERY_TYPO, and in
 * *@group the first group that is wrong or not complete, 1 to RECOVERY_GROUPS, or 0 if something comes behind the last one. @key
 * is touched on success only, *@group on a typo only; NULL if nobody wants to know.
 */
int recovery_key_parse(struct bytes typed, uint8_t key[RECOVERY_KEY_BYTES], unsigned int *group);

/* True if it was meant as one, well or badly typed: long enough, and hardly a letter that occurs in none. */
bool recovery_key_meant(struct bytes typed);
