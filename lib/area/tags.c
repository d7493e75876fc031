/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The low-level probe of libblkid works on a descriptor: no cache and no udev stands between. PARTUUID comes
 * from the device's uevent on kernels that put it there (6.13), else from the partition table.
 */
#include "area/tags.h"

#include "base/fdio.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void probe_cleanup(blkid_probe *probe)
{
	if (*probe)
		blkid_free_probe(*probe);
}

static void value_of(blkid_probe probe, const char *name, char *out, size_t size)
{
	const char *value;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) == 0)
		snprintf(out, size, "%s", value);
}

static void part_uuid_from_uevent(const struct sysctx *sys, const struct block *block, char *out, size_t size)
{
	char text[2048], *line, *rest = text;

	if (block_attribute(sys, block, "uevent", text, sizeof(text)) <= 0)
		return;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, "PARTUUID=", 9) == 0)
			snprintf(out, size, "%s", line + 9);
}

/* The names that libblkid may have for what is mounted as @type. */
static void look_only_for(blkid_probe probe, const char *type)
{
	char *names[] = {(char *)type, NULL, NULL, NULL};

	if (strcmp(type, "ext4") == 0) {
		names[1] = (char *)"ext3";
		names[2] = (char *)"ext2";
	} else if (strcmp(type, "swap") == 0) {
		names[1] = (char *)"swsuspend";
	}
	blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_ONLYIN, names);
}

int tags_read(const struct sysctx *sys, const struct block *block, const char *type, struct tags *tags)
{
	CLEANUP(probe_cleanup) blkid_probe probe = NULL;
	AUTO_CLOSE int fd = block_open(sys, block, O_RDONLY);
	struct tags found = {0};

	if (fd < 0)
		return fd;
	part_uuid_from_uevent(sys, block, found.part_uuid, sizeof(found.part_uuid));
	probe = blkid_new_probe();
	if (!probe)
		return -ENOMEM;
	if (blkid_probe_set_device(probe, fd, 0, 0) != 0)
		return -EIO;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	if (type)
		look_only_for(probe, type);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
	if (blkid_do_safeprobe(probe) == 0) {
		value_of(probe, "TYPE", found.type, sizeof(found.type));
		value_of(probe, "UUID", found.uuid, sizeof(found.uuid));
		value_of(probe, "LABEL", found.label, sizeof(found.label));
		if (!found.part_uuid[0])
			value_of(probe, "PART_ENTRY_UUID", found.part_uuid, sizeof(found.part_uuid));
	}
	for (char *c = found.part_uuid; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	*tags = found;
	return 0;
}

bool tags_uuid_bytes(const char *text, uint8_t out[16])
{
	size_t digits = 0;

	memset(out, 0, 16);
	for (; *text; text++) {
		int value;

		if (*text == '-')
			continue;
		if (!isxdigit((unsigned char)*text) || digits == 32) {
			memset(out, 0, 16);
			return false;
		}
		value = isdigit((unsigned char)*text) ? *text - '0' : tolower((unsigned char)*text) - 'a' + 10;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | value);
		digits++;
	}
	if (digits != 32)
		memset(out, 0, 16);
	return digits == 32;
}

enum spec_kind spec_parse(const char *spec, const char **value)
{
	static const struct {
		const char *prefix;
		enum spec_kind kind;
	} prefixes[] = {{"UUID=", SPEC_UUID}, {"LABEL=", SPEC_LABEL}, {"PARTUUID=", SPEC_PARTUUID}};

	*value = spec;
	if (strcmp(spec, "auto") == 0)
		return SPEC_AUTO;
	if (spec[0] == '/')
		return SPEC_PATH;
	for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
		size_t length = strlen(prefixes[i].prefix);

		if (strncmp(spec, prefixes[i].prefix, length) != 0 || !spec[length])
			continue;
		*value = spec + length;
		return prefixes[i].kind;
	}
	return _SPEC_KIND_INVALID;
}

bool tags_match(const struct tags *tags, enum spec_kind kind, const char *value)
{
	switch (kind) {
	case SPEC_UUID:
		return tags->uuid[0] && strcasecmp(tags->uuid, value) == 0;
	case SPEC_LABEL:
		return tags->label[0] && strcmp(tags->label, value) == 0;
	case SPEC_PARTUUID:
		return tags->part_uuid[0] && strcasecmp(tags->part_uuid, value) == 0;
	case SPEC_AUTO:
	case SPEC_PATH:
	case _SPEC_KIND_MAX:
	case _SPEC_KIND_INVALID:
		break;
	}
	return false;
}

struct search {
	const struct sysctx *sys;
	enum spec_kind kind;
	const char *value;
	struct block *blocks;
	size_t max;
	int count;
};

static int probe_one(void *data, const struct block *block)
{
	struct search *search = data;
	struct tags tags;

	if (!block_worth_reading(block) || tags_read(search->sys, block, NULL, &tags) < 0)
		return 0;
	if (tags_match(&tags, search->kind, search->value) && (size_t)search->count < search->max)
		search->blocks[search->count++] = *block;
	return 0;
}

int tags_find(const struct sysctx *sys, enum spec_kind kind, const char *value, struct block *blocks, size_t max)
{
	struct search search = {.sys = sys, .kind = kind, .value = value, .blocks = blocks, .max = max};
	int r = block_each(sys, probe_one, &search);

	return r < 0 ? r : search.count;
}
