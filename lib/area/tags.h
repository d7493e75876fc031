/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on a block device, by libblkid; and finding devices by UUID=, LABEL= and PARTUUID=. */
#pragma once

#include "area/block.h"

struct tags {
	char type[32];      /* "swap", "swsuspend", "ext4" ...; empty if nothing or something ambiguous is there */
	char uuid[64];
	char label[128];
	char part_uuid[IDENTITY_PART_UUID_MAX]; /* lower case */
};

/*
 * Probe @block for any content, or only for @type where that is known already ("swap", or a filesystem
 * as mounted): the rest would be dozens of reads all over the device. @type NULL: any. 0 (fields stay
 * empty where there is nothing), or -errno.
 */
int tags_read(const struct sysctx *sys, const struct block *block, const char *type, struct tags *tags);

/* A textual UUID as 16 bytes; zeros and false if it is not one. */
bool tags_uuid_bytes(const char *text, uint8_t out[16]);

enum spec_kind {
	SPEC_AUTO,
	SPEC_PATH,
	SPEC_UUID,
	SPEC_LABEL,
	SPEC_PARTUUID,
	_SPEC_KIND_MAX,
	_SPEC_KIND_INVALID = -1,
};

/* What kind of name @spec is; *@value gets the part that counts. _SPEC_KIND_INVALID if it is none. */
enum spec_kind spec_parse(const char *spec, const char **value);

/* True if the device with @tags is the one that @kind and @value ask for (not for SPEC_AUTO and SPEC_PATH). */
bool tags_match(const struct tags *tags, enum spec_kind kind, const char *value);

/* Room for a search: more devices with one tag than that are no use to anybody. */
#define TAGS_FOUND_MAX 16

/*
 * All devices with this tag into @blocks (room for @max; more are left out). Count (0: none), or -errno.
 */
int tags_find(const struct sysctx *sys, enum spec_kind kind, const char *value, struct block *blocks, size_t max);
