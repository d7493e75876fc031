// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See witness.h. All content is made from a seed by a fixed generator, so that a wrong byte is seen without keeping a
 * second copy; the sum over the memory region is nevertheless reported to the harness, which compares it with the one
 * from before.
 */
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define FILE_SIZE 65536
#define REPORT_TIMEOUT_MS 600000 /* memory that comes back from a slow disk first; the harness has its own limit */

struct witness_shared {
	volatile uint64_t counter, passed, broken;
	volatile uint64_t gap;     /* longest pause of the counter in ms, since the last report */
	volatile uint64_t gap_end; /* when it ended, in ms of CLOCK_MONOTONIC */
};

/* The files that the holder keeps open; each stands at an odd position. */
static const struct {
	const char *key, *name;
	bool in_tmpfs, unlinked;
	off_t position;
} witness_files[] = {
	{ "file", "witness-open", false, false, 4321 },
	{ "unlinked", "witness-unlinked", false, true, 1234 },
	{ "tmpfs", "witness-tmpfs", true, false, 777 },
};
#define N_FILES (sizeof(witness_files) / sizeof(witness_files[0]))

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint64_t memory_word(const struct witness_order *o, uint64_t seed, size_t page, size_t word)
{
	unsigned int kind = mix(page ^ 0x51) % 100;

	if (kind < o->percent_random)
		return mix(seed ^ (page * (PAGE / 8) + word));
	if (kind < o->percent_random + o->percent_zero)
		return 0;
	/* Repeats within the page, but no two pages are the same. */
	return word % 8 == 0 ? mix(seed + page) : 0x6f72676e69747365u + word % 8;
}

static void memory_fill(uint64_t *memory, const struct witness_order *o, uint64_t seed)
{
	for (size_t page = 0; page < o->memory / PAGE; page++)
		for (size_t word = 0; word < PAGE / 8; word++)
			memory[page * (PAGE / 8) + word] = memory_word(o, seed, page, word);
}

/* Sum over the region; the number of pages that are not what they should be goes to @wrong. */
static uint64_t memory_sum(const uint64_t *memory, const struct witness_order *o, uint64_t seed, size_t *wrong)
{
	uint64_t sum = 0xcbf29ce484222325u;
	size_t bad = 0;

	for (size_t page = 0; page < o->memory / PAGE; page++) {
		bool same = true;

		for (size_t word = 0; word < PAGE / 8; word++) {
			uint64_t v = memory[page * (PAGE / 8) + word];

			sum = (sum ^ v) * 0x100000001b3u;
			same &= v == memory_word(o, seed, page, word);
		}
		bad += !same;
	}
	*wrong = bad;
	return sum;
}

static uint8_t file_byte(uint64_t seed, size_t file, off_t at)
{
	return (uint8_t)mix(seed ^ (file << 32) ^ (uint64_t)at);
}

static int file_open(const struct witness_order *o, uint64_t seed, size_t i)
{
	static uint8_t bytes[FILE_SIZE];
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", witness_files[i].in_tmpfs ? "/tmp" : o->dir, witness_files[i].name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (size_t k = 0; k < FILE_SIZE; k++)
		bytes[k] = file_byte(seed, i, (off_t)k);
	if (write(fd, bytes, FILE_SIZE) != FILE_SIZE || lseek(fd, witness_files[i].position, SEEK_SET) < 0 ||
	    (witness_files[i].unlinked && unlink(path) < 0)) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* "position:ok" or what is wrong with the file. */
static void file_report(int fd, uint64_t seed, size_t i, char *buf, size_t size)
{
	static uint8_t bytes[FILE_SIZE];
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (fstat(fd, &st) < 0 || pread(fd, bytes, FILE_SIZE, 0) != FILE_SIZE) {
		snprintf(buf, size, "%lld:unreadable", (long long)at);
		return;
	}
	for (size_t k = 0; k < FILE_SIZE; k++)
		if (bytes[k] != file_byte(seed, i, (off_t)k)) {
			snprintf(buf, size, "%lld:wrong-byte-%zu", (long long)at, k);
			return;
		}
	snprintf(buf, size, "%lld:links=%u:ok", (long long)at, (unsigned int)st.st_nlink);
}

static int holder_answer(int socket, const uint64_t *memory, const struct witness_order *o, uint64_t seed,
			 const int *files)
{
	char text[2048];
	size_t wrong, n;
	uint64_t sum = memory_sum(memory, o, seed, &wrong);

	n = (size_t)snprintf(text, sizeof(text), "nonce=%s\nmemory=%zu:%016llx\nmemory-wrong=%zu\n", o->nonce,
			     o->memory, (unsigned long long)sum, wrong);
	for (size_t i = 0; i < N_FILES; i++) {
		char state[64];

		file_report(files[i], seed, i, state, sizeof(state));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s=%s\n", witness_files[i].key, state);
	}
	return send(socket, text, n, 0) == (ssize_t)n ? 0 : -1;
}

/* Entry @index of a /proc file of 64 bit words, 0 if there is none. */
static uint64_t word_of(int fd, uint64_t index)
{
	uint64_t word = 0;

	return pread(fd, &word, sizeof(word), (off_t)(index * sizeof(word))) == sizeof(word) ? word : 0;
}

/* Highest page frame that is neither free nor missing nor reserved. */
static uint64_t highest_in_use(void)
{
	const uint64_t lru = 1u << 5, slab = 1u << 7, anonymous = 1u << 12;
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	static uint64_t words[8192];
	uint64_t top = 0, at = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, words, sizeof(words))) > 0) {
		for (size_t i = 0; i < (size_t)n / 8; i++)
			if (words[i] & (lru | slab | anonymous))
				top = at + i;
		at += (uint64_t)n / 8;
	}
	if (fd >= 0)
		close(fd);
	return top;
}

static uint64_t highest_zero_page(const uint64_t *memory, const struct witness_order *o)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t top = 0;

	for (size_t page = 0; page < o->memory / PAGE; page++) {
		uint64_t entry = word_of(fd, (uint64_t)(uintptr_t)(memory + page * (PAGE / 8)) / PAGE);
		uint64_t frame = entry & ((1ull << 55) - 1);

		/* Words 0 and 1 are zero together only in pages of zeros. */
		if (entry >> 63 && !memory[page * (PAGE / 8)] && !memory[page * (PAGE / 8) + 1] && frame > top)
			top = frame;
	}
	close(fd);
	return top;
}

static int holder_tail(int socket, const uint64_t *memory, const struct witness_order *o)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "top=%llu zero-top=%llu", (unsigned long long)highest_in_use(),
			 (unsigned long long)highest_zero_page(memory, o));

	return send(socket, text, (size_t)n, 0) == n ? 0 : -1;
}

static void holder_main(int socket, const struct witness_order *o)
{
	uint64_t seed = 0, *memory;
	int files[N_FILES];
	char request;

	prctl(PR_SET_NAME, "w-holder");
	for (const char *p = o->nonce; *p; p++)
		seed = mix(seed ^ (uint8_t)*p);
	memory = mmap(NULL, o->memory ? o->memory : PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		_exit(2);
	memory_fill(memory, o, seed);
	for (size_t i = 0; i < N_FILES; i++) {
		files[i] = file_open(o, seed, i);
		if (files[i] < 0)
			_exit(3);
	}
	if (send(socket, "r", 1, 0) != 1)
		_exit(4);
	while (recv(socket, &request, 1, 0) == 1)
		if ((request == 't' ? holder_tail(socket, memory, o) : holder_answer(socket, memory, o, seed, files)) < 0)
			break;
	_exit(0);
}

static void nap(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void counter_main(struct witness_shared *shared)
{
	uint64_t before = now_ms();

	prctl(PR_SET_NAME, "w-counter");
	for (;;) {
		uint64_t now;

		shared->counter++;
		nap(20);
		now = now_ms();
		if (now - before > shared->gap) {
			shared->gap = now - before;
			shared->gap_end = now;
		}
		before = now;
	}
}

static void source_main(int pipe_end)
{
	prctl(PR_SET_NAME, "w-source");
	for (uint64_t n = 1;; n++) {
		if (write(pipe_end, &n, sizeof(n)) != (ssize_t)sizeof(n))
			_exit(1);
		if (n % 16 == 0)
			nap(20);
	}
}

static void sink_main(int pipe_end, struct witness_shared *shared)
{
	prctl(PR_SET_NAME, "w-sink");
	for (uint64_t n, want = 1; read(pipe_end, &n, sizeof(n)) == (ssize_t)sizeof(n); want++) {
		if (n != want)
			shared->broken++;
		shared->passed = n;
	}
	shared->broken++;
	_exit(1);
}

int witnesses_start(struct witnesses *w, const struct witness_order *order)
{
	int pair[2], ends[2];
	char ready;

	w->shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->shared == MAP_FAILED)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;

	signal(SIGTERM, SIG_IGN); /* for the children: sysrq-e, SIGTERM to all, is one of the tests */
	w->holder = fork();
	if (w->holder == 0) {
		close(pair[0]);
		holder_main(pair[1], order);
	}
	w->counter = fork();
	if (w->counter == 0)
		counter_main(w->shared);
	w->source = fork();
	if (w->source == 0) {
		close(ends[0]);
		source_main(ends[1]);
	}
	w->sink = fork();
	if (w->sink == 0) {
		close(ends[1]);
		sink_main(ends[0], w->shared);
	}
	if (w->holder < 0 || w->counter < 0 || w->source < 0 || w->sink < 0)
		return -EAGAIN;
	close(pair[1]);
	close(ends[0]);
	close(ends[1]);
	if (recv(pair[0], &ready, 1, 0) != 1) {
		close(pair[0]);
		return -EPIPE;
	}
	w->socket = pair[0];
	return 0;
}

/* Field 22 of /proc/PID/stat, 0 if there is no such process. */
static unsigned long long start_time(pid_t pid)
{
	char path[32], text[1024], *p;
	unsigned long long ticks = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			 &ticks) != 1)
		return 0;
	return ticks;
}

static ssize_t ask_holder(const struct witnesses *w, char request, char *buf, size_t size)
{
	struct pollfd p = { .fd = w->socket, .events = POLLIN };
	ssize_t n;

	if (w->socket < 0)
		return -ENOTCONN;
	if (send(w->socket, &request, 1, MSG_NOSIGNAL) != 1)
		return -errno;
	if (poll(&p, 1, REPORT_TIMEOUT_MS) != 1)
		return -ETIMEDOUT;
	n = recv(w->socket, buf, size, 0);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	return n;
}

ssize_t witnesses_tail(const struct witnesses *w, char *buf, size_t size)
{
	return ask_holder(w, 't', buf, size);
}

ssize_t witnesses_report(const struct witnesses *w, char *buf, size_t size)
{
	ssize_t n = ask_holder(w, '?', buf, size);

	if (n < 0)
		return n;
	n += snprintf(buf + n, size - (size_t)n,
		      "counter=%llu\ngap=%llu\ngap-end=%llu\npipe=%llu\npipe-broken=%llu\nstart=%d:%llu,%d:%llu,%d:%llu,%d:%llu,1:%llu\n",
		      (unsigned long long)w->shared->counter, (unsigned long long)w->shared->gap,
		      (unsigned long long)w->shared->gap_end,
		      (unsigned long long)w->shared->passed, (unsigned long long)w->shared->broken,
		      (int)w->holder, start_time(w->holder), (int)w->counter, start_time(w->counter), (int)w->source,
		      start_time(w->source), (int)w->sink, start_time(w->sink), start_time(1));
	w->shared->gap = 0;
	return n < (ssize_t)size ? n : -EMSGSIZE;
}
