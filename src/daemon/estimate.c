/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/estimate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Expected and least shares of the image that reach the disk, in percent; measured on desktops and servers: 35-60 % with lz4. */
#define COMPRESSED_PERCENT 60
#define COMPRESSED_LEAST_PERCENT 20

static uint64_t meminfo_bytes(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			return strtoull(line + length + 1, NULL, 10) * KIB;
	}
	return 0;
}

static int read_meminfo(const struct sysctx *s, char *text, size_t size, struct failure *f)
{
	ssize_t n = sys_read(s, "/proc/meminfo", text, size);

	if (n < 0)
		return failure_set(f, REASON_INTERNAL, (int)-n, "/proc/meminfo", "Mount /proc.", "cannot read it");
	return 0;
}

static int one_number(uint64_t *bytes, const struct sysctx *s, const char *key, struct failure *f)
{
	char text[8192];
	int r = read_meminfo(s, text, sizeof(text), f);

	if (r >= 0)
		*bytes = meminfo_bytes(text, key);
	return r;
}

int estimate_ram(uint64_t *bytes, const struct sysctx *s, struct failure *f)
{
	return one_number(bytes, s, "MemTotal", f);
}

int estimate_available(uint64_t *bytes, const struct sysctx *s, struct failure *f)
{
	return one_number(bytes, s, "MemAvailable", f);
}

int estimate_memory(struct estimate_memory *memory, const struct sysctx *s, struct failure *f)
{
	char text[8192];
	int r = read_meminfo(s, text, sizeof(text), f);

	if (r >= 0)
		*memory = (struct estimate_memory){
			.ram = meminfo_bytes(text, "MemTotal"),
			.available = meminfo_bytes(text, "MemAvailable"),
			.idle = meminfo_bytes(text, "MemFree"),
		};
	return r;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t wished_size(const struct image_size_wish *wish, const struct sysctx *s, uint64_t ram, uint64_t free)
{
	uint64_t size;

	if (wish->percent)
		return ram / 100 * wish->percent;
	if (!wish->automatic)
		return wish->bytes;
	if (sys_read_u64(s, "/sys/power/image_size", &size) < 0)
		size = ram / 5 * 2;
	return MIN(size, free);
}

int estimate_make(struct estimate *e, const struct sysctx *s, const struct image_size_wish *wish,
		  enum codec_id codec, uint64_t free, struct failure *f)
{
	uint64_t idle, cache, image, compressed = codec != CODEC_NONE;
	struct estimate made = {0};
	char text[8192];
	int r = read_meminfo(s, text, sizeof(text), f);

	if (r < 0)
		return r;
	made.ram = meminfo_bytes(text, "MemTotal");
	idle = meminfo_bytes(text, "MemFree");
	cache = less(meminfo_bytes(text, "Buffers") + meminfo_bytes(text, "Cached"), meminfo_bytes(text, "Shmem"));
	made.droppable = cache + meminfo_bytes(text, "SReclaimable");
	made.in_use = less(made.ram, idle + made.droppable);
	made.image_size = wished_size(wish, s, made.ram, free);
	image = MAX(made.in_use, MIN(made.image_size, made.in_use + made.droppable));
	made.stored = image / 100 * (compressed ? COMPRESSED_PERCENT : 100);
	made.least = made.in_use / 100 * (compressed ? COMPRESSED_LEAST_PERCENT : 100);
	*e = made;
	return 0;
}

int estimate_check(const struct estimate *e, const char *area, uint64_t free, struct failure *f)
{
	if (free >= e->least)
		return 0;
	return failure_set(f, REASON_TOO_SMALL, ENOSPC, area,
			   "Use a larger swap area, free some of it, or close programs.",
			   "%llu MiB are free, but %llu MiB of memory are in use and need at least %llu MiB",
			   (unsigned long long)(free / MIB), (unsigned long long)(e->in_use / MIB),
			   (unsigned long long)(e->least / MIB));
}
