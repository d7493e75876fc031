/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Printing JSON, as one object after the other is opened and closed. Strings come from disks: control characters
 * and bytes that are not ASCII are printed as \u00XX, so that the output is ASCII whatever they hold.
 */
#pragma once

#include "base/util.h"

#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool filled; /* something stands before in the object or list that is open */
};

/* @key is NULL inside a list and for the outermost object. */
void json_open(struct json *json, const char *key);
void json_close(struct json *json); /* the outermost one ends the line */
void json_open_list(struct json *json, const char *key);
void json_close_list(struct json *json);
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
