/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/cost.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_SHARE  8
#define SAMPLE_USEC   (200 * USEC_PER_MSEC) /* a shorter one is repeated with more memory */
#define SAMPLE_PASSES 1
#define UNIT_KIB      1024 /* a cost is a whole number of these */

int cost_memory_limit(const struct sysctx *sys, uint32_t *memory_kib)
{
	unsigned long long total;
	char text[8192];
	const char *line;
	ssize_t r = sys_read(sys, "/proc/meminfo", text, sizeof(text));

	if (r < 0)
		return (int)r;
	line = strstr(text, "MemTotal:");
	if (!line || sscanf(line, "MemTotal: %llu kB", &total) != 1)
		return -EBADMSG;
	total = MAX(total / MEMORY_SHARE, COST_MEMORY_MIN_KIB);
	*memory_kib = (uint32_t)MIN(total, COST_MEMORY_MAX_KIB);
	return 0;
}

struct argon2_cost cost_fit(uint64_t target_usec, uint64_t kib_per_second, uint32_t memory_kib)
{
	uint64_t fill = target_usec * kib_per_second / USEC_PER_SEC; /* KiB that can be filled in the time */
	uint64_t memory = fill / COST_PASSES_MIN / UNIT_KIB * UNIT_KIB;
	struct argon2_cost cost = {.lanes = 1};

	memory = MAX(MIN(MAX(memory, COST_MEMORY_MIN_KIB), memory_kib), 8);
	cost.memory_kib = (uint32_t)memory;
	cost.passes = (uint32_t)MIN(MAX(fill / memory, COST_PASSES_MIN), ARGON2_PASSES_MAX);
	return cost;
}

int cost_measure(uint64_t target_usec, uint32_t memory_kib, struct argon2_cost *cost)
{
	static const uint8_t sample[16] = {1};
	struct argon2_input input = {.password = {sample, sizeof(sample)}, .salt = {sample, sizeof(sample)}};
	struct argon2_cost measured = {
		.memory_kib = MIN(COST_MEMORY_MIN_KIB, memory_kib),
		.passes = SAMPLE_PASSES,
		.lanes = 1,
	};

	for (;;) {
		uint8_t out[CRYPTO_KEY_BYTES];
		uint64_t begin = clock_monotonic_usec(), took;
		int r = argon2id(&measured, &input, out);

		if (r < 0)
			return r;
		took = MAX(clock_monotonic_usec() - begin, 1);
		if (took >= SAMPLE_USEC || 2 * measured.memory_kib > memory_kib) {
			*cost = cost_fit(target_usec, (uint64_t)measured.memory_kib * USEC_PER_SEC / took, memory_kib);
			return 0;
		}
		measured.memory_kib *= 2;
	}
}
