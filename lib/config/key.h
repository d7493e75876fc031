/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Setting one key of a struct config from text. Inside lib/config only. */
#pragma once

#include "config/config.h"

/*
 * Set @key of @c to @value and its origin to @file (may be empty) and @line (0: none). On failure, -EINVAL
 * or -EOPNOTSUPP (this build lacks it), *@c is untouched, and @f names the origin and what is allowed.
 */
int config_set(struct config *c, enum config_key key, const char *value, const char *file, unsigned int line,
	       struct failure *f);

/* What can only be said about all keys together: does the level fit the codec? To be called after the last config_set(). */
int config_check(const struct config *c, struct failure *f);
