/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One row a key: how to read a value, how to write it, what it is when nobody says anything. The
 * defaults are text and go through the same parsers, so that there is one truth. Inside lib/config only.
 */
#pragma once

#include "config/config.h"

struct config_row {
	const char *name;
	int (*parse)(struct config *c, const char *value); /* 0, -EINVAL, or -EOPNOTSUPP; sets all or nothing */
	void (*format)(const struct config *c, char *buf, size_t size);
	const char *fallback; /* the default */
	const char *allowed;
};

extern const struct config_row config_rows[_CONFIG_KEY_MAX];
