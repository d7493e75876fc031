/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/next-boot.h"

#include "area/block.h"
#include "area/tags.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool all_zero(const uint8_t uuid[16])
{
	for (size_t i = 0; i < 16; i++)
		if (uuid[i])
			return false;
	return true;
}

void next_boot_describe(struct next_boot *next, const struct area *area)
{
	const uint8_t *u = area->kind == AREA_FILE ? area->identity.filesystem_uuid : area->identity.swap_uuid;

	*next = (struct next_boot){.has_offset = area->kind == AREA_FILE, .offset_pages = area->offset_pages};
	if (all_zero(u))
		snprintf(next->device, sizeof(next->device), "%.63s", area->device);
	else
		snprintf(next->device, sizeof(next->device),
			 "UUID=%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3],
			 u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

char *next_boot_format(const struct next_boot *next, char *buf, size_t size)
{
	if (next->has_offset)
		snprintf(buf, size, "ResumeDevice=%s ResumeOffset=%llu", next->device, (unsigned long long)next->offset_pages);
	else
		snprintf(buf, size, "ResumeDevice=%s", next->device);
	return buf;
}

/* ---- the check --------------------------------------------------------- */

/* What the resume step would be told. */
struct told {
	const struct sysctx *sys;
	const struct area *area;
	const struct next_boot *next;
	struct config config;
};

static bool by_cmdline(const struct told *told, enum config_key key)
{
	const struct config_origin *origin = &told->config.origins[key];

	return origin->file[0] && !origin->line;
}

/* What to do about @key: on the command line only another boot changes it. */
static void make_remedy(const struct told *told, enum config_key key, char *buf, size_t size)
{
	char lines[160], offset[32] = "";

	if (!by_cmdline(told, key)) {
		snprintf(buf, size, "Set %s in hibernate.conf, here and in the initramfs.",
			 next_boot_format(told->next, lines, sizeof(lines)));
		return;
	}
	if (told->next->has_offset)
		snprintf(offset, sizeof(offset), " resume_offset=%llu", (unsigned long long)told->next->offset_pages);
	snprintf(buf, size, "Boot with resume=%s%s on the kernel command line, then hibernate.", told->next->device, offset);
}

static int wrong(const struct told *told, enum config_key key, struct failure *f, const char *text)
{
	char origin[CONFIG_PATH_MAX + 16], remedy[FAILURE_TEXT_MAX];

	make_remedy(told, key, remedy, sizeof(remedy));
	if (told->config.origins[key].file[0])
		config_format_origin(&told->config, key, origin, sizeof(origin));
	else
		snprintf(origin, sizeof(origin), "%s", told->area->name);
	return failure_set(f, REASON_CONFIG, ENXIO, origin, remedy, "%s; the next boot would not find the image", text);
}

/* Whether the device that is told carries the area. */
static bool is_device(const struct told *told, enum spec_kind kind, const char *value)
{
	struct block blocks[TAGS_FOUND_MAX];
	int n;

	if (kind == SPEC_PATH)
		n = block_by_path(told->sys, value, blocks) == 0;
	else
		n = tags_find(told->sys, kind, value, blocks, TAGS_FOUND_MAX);
	for (int i = 0; i < n; i++)
		if (blocks[i].devno == told->area->devno)
			return true;
	return false;
}

static int check_device(const struct told *told, struct failure *f)
{
	const char *value, *spec = told->config.resume_device;
	enum spec_kind kind = spec_parse(spec, &value);
	char text[FAILURE_TEXT_MAX];
	struct block block;

	if (kind == SPEC_AUTO && told->area->kind != AREA_FILE)
		return 0; /* the resume step looks at the beginning of each device */
	if (kind != SPEC_AUTO && is_device(told, kind, value))
		return 0;
	if (kind == SPEC_AUTO)
		snprintf(text, sizeof(text), "%s is a swap file, whose place must be told", told->area->name);
	else if (kind == SPEC_PATH && block_by_path(told->sys, value, &block) == -ENOTBLK)
		snprintf(text, sizeof(text), "the path %.128s means nothing before its filesystem is mounted", value);
	else
		snprintf(text, sizeof(text), "ResumeDevice=%.128s is not %s, where the image would go", spec, told->area->device);
	return wrong(told, CONFIG_RESUME_DEVICE, f, text);
}

static int check_offset(const struct told *told, struct failure *f)
{
	bool given = told->config.resume_offset != CONFIG_OFFSET_AUTO;
	uint64_t pages = given ? told->config.resume_offset / PAGE_BYTES : 0;
	enum config_key key = given ? CONFIG_RESUME_OFFSET : CONFIG_RESUME_DEVICE;
	char text[FAILURE_TEXT_MAX], is[64];

	if (pages == told->area->offset_pages)
		return 0;
	snprintf(is, sizeof(is), given ? "ResumeOffset=%llu" : "no ResumeOffset= is given", (unsigned long long)pages);
	snprintf(text, sizeof(text), "%s, but %.128s begins at page %llu of %s", is, told->area->name,
		 (unsigned long long)told->area->offset_pages, told->area->device);
	return wrong(told, key, f, text);
}

int next_boot_check(struct next_boot *next, const struct sysctx *sys, const struct config *config,
		    const struct area *area, struct failure *f)
{
	struct told told = {.sys = sys, .area = area, .next = next, .config = *config};
	struct stat st;
	int r;

	next_boot_describe(next, area);
	next->no_step = sys_stat(sys, RESUME_STEP_NOTE, &st) == -ENOENT;
	r = config_apply_cmdline(&told.config, sys, &next->noresume, f);
	if (r >= 0)
		r = check_device(&told, f);
	return r < 0 ? r : check_offset(&told, f);
}

const char *next_boot_warning(const struct next_boot *next)
{
	if (next->noresume)
		return "this boot was told not to resume; with noresume again the image is dropped";
	if (next->no_step)
		return "no resume step ran in this boot; unless the initramfs has one now, the next boot drops the image "
		       "(hibernated(8), --resume)";
	return NULL;
}
