/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The passphrase of a sealed image that somebody looks at by hand. */
#pragma once

#include "base/failure.h"

#define IMAGE_SECRET_MAX 1024
/* Asked for so often at a terminal. */
#define IMAGE_SECRET_TRIES 3

/* Where it comes from. */
#define IMAGE_SECRET_TERMINAL (-1)
#define IMAGE_SECRET_NONE     (-2) /* nowhere: sealed images stay closed */

/*
 * Into @secret, IMAGE_SECRET_MAX bytes of memory for secrets: all that comes from descriptor @fd, without a newline at its end;
 * or from IMAGE_SECRET_TERMINAL a line, typed with echo off after a question about @name. *@length bytes, not 0.
 * REASON_USAGE if there is no terminal or nothing, or too much, is there; REASON_ABORTED (-ECANCELED); REASON_IO.
 */
int image_secret_read(int fd, const char *name, uint8_t *secret, size_t *length, struct failure *f);
