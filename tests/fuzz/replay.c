/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer's corpus without a fuzzer: gives each file of a folder to the target as it is, then with some bytes
 * changed, many times over, always the same ones.
 *
 * usage: fuzz-NAME [FOLDER [CHANGES]]; FOLDER is $srcdir/tests/fuzz/corpus/NAME if not given
 */
#include "base/fdio.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANGES 3000

static uint64_t random_state;

static uint64_t next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* One to four changes: a byte, a number that is at the edge of something, a cut. Returns the new size. */
static size_t change(uint8_t *data, size_t size)
{
	static const uint64_t edges[] = {0, 1, 64, 4095, 4096, 65536, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 4095};

	for (uint64_t n = 1 + next_random() % 4; n && size > 9; n--) {
		/* Half of the changes near the beginning, where the counts are. */
		size_t at = 1 + next_random() % (next_random() % 2 ? MIN(size - 9, (size_t)512) : size - 9);

		switch (next_random() % 8) {
		case 0:
			size = at + 1;
			break;
		case 1:
		case 2:
			memcpy(data + at, &edges[next_random() % ARRAY_LENGTH(edges)], next_random() % 2 ? 4 : 8);
			break;
		case 3:
			data[at] = (uint8_t)(data[at] + 1);
			break;
		default:
			data[at] = (uint8_t)next_random();
			break;
		}
	}
	return size;
}

static int replay(int folder, const char *name, unsigned long changes)
{
	AUTO_CLOSE int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data, *changed;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return -1;
	data = malloc((size_t)st.st_size);
	changed = malloc((size_t)st.st_size);
	if (!data || !changed || fd_pread_full(fd, data, (size_t)st.st_size, 0) < 0)
		return -1;
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	for (unsigned long i = 0; i < changes; i++) {
		memcpy(changed, data, (size_t)st.st_size);
		LLVMFuzzerTestOneInput(changed, change(changed, (size_t)st.st_size));
	}
	free(data);
	free(changed);
	return 0;
}

int main(int argc, char **argv)
{
	const char *program = strrchr(argv[0], '-'), *srcdir = getenv("srcdir");
	unsigned long changes = argc > 2 ? strtoul(argv[2], NULL, 10) : CHANGES;
	AUTO_CLOSEDIR DIR *folder = NULL;
	struct dirent *entry;
	unsigned int count = 0;
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", program ? program + 1 : "");
	folder = opendir(argc > 1 ? argv[1] : path);
	if (!folder) {
		perror(argc > 1 ? argv[1] : path);
		return 1;
	}
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		random_state = strlen(entry->d_name);
		if (replay(dirfd(folder), entry->d_name, changes) < 0) {
			perror(entry->d_name);
			return 1;
		}
		count++;
	}
	printf("%u files, %lu changes of each\n", count, changes);
	return count ? 0 : 1;
}
