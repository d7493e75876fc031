/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast one core seals and opens chunks with each suite.
 *
 * usage: bench/aead [ROUNDS]
 *        bench/aead --without-aes [ROUNDS]     as on a processor without instructions for AES
 *
 * Suites, sizes and the two ways take turns in each of ROUNDS (15); a number is the median of its rounds. In its turn a
 * suite seals 64 MiB (4 MiB without AES) in place, chunk after chunk, which is more than a core's own caches hold, and then
 * opens them. Prints a table of GB/s, GB being 10^9 bytes.
 */
#include "base/clock.h"
#include "seal/crypto.h"

#include <gcrypt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUFFER_BYTES (64 * MIB)
#define BUFFER_BYTES_SOFT (4 * MIB) /* without instructions it takes a hundred times as long */
#define ROUNDS_MAX 99
#define EXTRA_BYTES 48 /* as much as goes with a chunk */

static const size_t sizes[] = {64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB, 1 * MIB, 2 * MIB, 4 * MIB};

/* Speeds of one suite, size and way. */
struct cell {
	double speeds[ROUNDS_MAX];
};

static struct cell cells[_SUITE_MAX][ARRAY_LENGTH(sizes)][2];

static void die(const char *what)
{
	fprintf(stderr, "bench/aead: %s\n", what);
	exit(1);
}

static struct bytes next(uint8_t *extra, uint8_t *nonce, uint64_t number)
{
	memcpy(nonce, &number, sizeof(number));
	memcpy(extra, &number, sizeof(number));
	return (struct bytes){extra, EXTRA_BYTES};
}

/* Both ways once over @buffer, and that it then is what it was. Bytes per microsecond to @speeds. */
static void measure(struct aead *aead, uint8_t *buffer, size_t total, size_t size, double *speeds[2])
{
	static uint8_t tags[BUFFER_BYTES / (64 * KIB)][CRYPTO_TAG_BYTES];
	uint8_t nonce[CRYPTO_NONCE_BYTES] = {0}, extra[EXTRA_BYTES] = {0};
	size_t count = total / size;
	uint64_t begin = clock_monotonic_usec(), middle;

	for (size_t i = 0; i < count; i++)
		if (aead_seal(aead, nonce, next(extra, nonce, i), buffer + i * size, buffer + i * size, size, tags[i]) < 0)
			die("sealing failed");
	middle = clock_monotonic_usec();
	for (size_t i = 0; i < count; i++)
		if (aead_open(aead, nonce, next(extra, nonce, i), buffer + i * size, buffer + i * size, size, tags[i]) < 0)
			die("opening failed");
	*speeds[0] = (double)total / (double)(middle - begin);
	*speeds[1] = (double)total / (double)(clock_monotonic_usec() - middle);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(struct cell *cell, int rounds)
{
	qsort(cell->speeds, (size_t)rounds, sizeof(double), compare);
	return cell->speeds[rounds / 2];
}

static void pin(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		die("cannot stay on one processor");
}

/* Its name, from /proc/cpuinfo. */
static void processor(char *text, size_t size)
{
	FILE *info = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(text, size, "unknown");
	while (info && fgets(line, sizeof(line), info))
		if (strncmp(line, "model name\t: ", 13) == 0) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(text, size, "%.*s", (int)size - 1, line + 13);
			break;
		}
	if (info)
		fclose(info);
}

static void without_aes(void)
{
	static const char *const features[] = {"intel-aesni", "intel-vaes-vpclmul", "intel-pclmul", "arm-aes", "arm-pmull"};

	for (size_t i = 0; i < ARRAY_LENGTH(features); i++)
		gcry_control(GCRYCTL_DISABLE_HWF, features[i], NULL);
}

static void print(int rounds)
{
	printf("%-18s %-5s", "GB/s", "");
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
		printf(" %5zu KiB", sizes[i] >> 10);
	putchar('\n');
	for (int suite = SUITE_AES256_GCM; suite < _SUITE_MAX; suite++)
		for (int way = 0; way < 2; way++) {
			printf("%-18s %-5s", suite_name((enum seal_suite)suite), way ? "open" : "seal");
			for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
				printf(" %9.2f", median(&cells[suite][i][way], rounds) / 1000);
			putchar('\n');
		}
}

int main(int argc, char **argv)
{
	struct aead *handles[_SUITE_MAX] = {0};
	static const uint8_t key[CRYPTO_KEY_BYTES] = {1, 2, 3};
	bool soft = argc > 1 && strcmp(argv[1], "--without-aes") == 0;
	int rounds = argc > 1 + soft ? atoi(argv[1 + soft]) : 15;
	uint8_t *buffer = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char model[128], text[1024];
	struct failure f;

	if (rounds < 1 || rounds > ROUNDS_MAX || buffer == MAP_FAILED)
		die("usage: bench/aead [--without-aes] [ROUNDS]");
	if (soft)
		without_aes();
	if (crypto_init(&f) < 0)
		die(failure_format(&f, text, sizeof(text)));
	for (int suite = SUITE_AES256_GCM; suite < _SUITE_MAX; suite++)
		if (aead_new(&handles[suite], (enum seal_suite)suite) < 0 || aead_set_key(handles[suite], key) < 0)
			die("no handle");
	memset(buffer, 0x5a, BUFFER_BYTES);
	pin();
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
			for (int suite = SUITE_AES256_GCM; suite < _SUITE_MAX; suite++)
				measure(handles[suite], buffer, soft ? BUFFER_BYTES_SOFT : BUFFER_BYTES, sizes[i],
					(double *[]){&cells[suite][i][0].speeds[round], &cells[suite][i][1].speeds[round]});
	processor(model, sizeof(model));
	printf("%s, AES instructions: %s%s; libgcrypt %s; median of %d rounds, one core\n", model,
	       crypto_has_aes() ? "yes" : "no", soft ? ", not used" : "", gcry_check_version(NULL), rounds);
	print(rounds);
	for (int suite = SUITE_AES256_GCM; suite < _SUITE_MAX; suite++)
		aead_free(handles[suite]);
	return 0;
}
