/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "secrets.h"

#include "base/fdio.h"
#include "base/util.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The linker's names: the wrapped function and the real one. */
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);

#define MAPPING_MAX (256 * MIB) /* larger ones are a sanitizer's */
#define MASK 0x5a

static bool refusing;
static unsigned int refused;
static size_t live, removed, dirty;

void secrets_refuse(bool refuse)
{
	refusing = refuse;
}

unsigned int secrets_refused(void)
{
	return refused;
}

size_t secrets_live(void)
{
	return live;
}

size_t secrets_removed(void)
{
	return removed;
}

size_t secrets_dirty(void)
{
	return dirty;
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *mapping;

	if (refusing) {
		refused++;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	mapping = __real_mmap(at, size, protection, flags, fd, offset);
	live += mapping != MAP_FAILED;
	return mapping;
}

int __wrap_munmap(void *at, size_t size)
{
	const uint8_t *bytes = at;

	for (size_t i = 0; i < size; i++)
		if (bytes[i]) {
			dirty++;
			break;
		}
	live--;
	removed++;
	return __real_munmap(at, size);
}

/* Copies of the masked @pattern in [start, end) of @memory; through a buffer that is masked before it is looked at. */
static size_t search(int memory, uint64_t start, uint64_t end, const uint8_t *pattern, size_t size)
{
	static uint8_t window[64 * KIB];
	size_t found = 0, kept = 0;

	for (uint64_t at = start; at < end;) {
		size_t wanted = MIN(sizeof(window) - kept, end - at), held = kept + wanted;

		if (fd_pread_full(memory, window + kept, wanted, at) < 0)
			break;
		for (size_t i = kept; i < held; i++)
			window[i] ^= MASK;
		for (size_t i = 0; i + size <= held; i++)
			found += window[i] == pattern[0] && memcmp(window + i, pattern, size) == 0;
		at += wanted;
		kept = MIN(size - 1, held);
		memmove(window, window + held - kept, kept);
	}
	memset(window, 0, sizeof(window));
	return found;
}

size_t secrets_copies(const void *secret, size_t size)
{
	AUTO_CLOSE int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	AUTO_FCLOSE FILE *maps = fopen("/proc/self/maps", "re");
	uint8_t pattern[64];
	size_t found = 0;
	char line[512];

	ck_assert_int_ge(memory, 0);
	ck_assert_ptr_nonnull(maps);
	ck_assert_uint_le(size, sizeof(pattern));
	for (size_t i = 0; i < size; i++)
		pattern[i] = ((const uint8_t *)secret)[i] ^ MASK;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, mode) == 3 && strncmp(mode, "rw", 2) == 0 &&
		    end - start <= MAPPING_MAX)
			found += search(memory, start, end, pattern, size);
	}
	return found;
}
