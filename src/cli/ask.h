/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets from a terminal or a descriptor, into memory for secrets and nowhere else: read(2), no stdio.
 *
 * The terminal is the controlling one, whatever standard input is. Its echo is off while it is asked, and on again on
 * every way out, a signal included.
 */
#pragma once

#include "base/failure.h"
#include "seal/crypto.h"

#define ASK_BYTES_MAX 1024

/* In memory for secrets only. */
struct asked {
	size_t size;
	uint8_t text[ASK_BYTES_MAX];
};

static inline struct bytes asked_bytes(const struct asked *asked)
{
	return (struct bytes){asked->text, asked->size};
}

/* Ask with @question at the terminal. REASON_USAGE if there is none or the answer is too long, REASON_ABORTED by a signal. */
int ask_terminal(const char *question, struct asked *asked, struct failure *f);

/* A line from @fd, or all up to its end; no byte behind the newline is taken. REASON_USAGE if it cannot be read or is too long. */
int ask_fd(int fd, struct asked *asked, struct failure *f);
