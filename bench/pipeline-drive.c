/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drive the pipeline over a snapshot kept in a file, and time it; bench/pipeline is the script around it.
 *
 *   pipeline-drive pump SNAPSHOT CHUNK                move pages only: one thread, no codec, no area
 *   pipeline-drive run SNAPSHOT AREA CODEC THREADS WRITERS CHUNK RAM [SUITE]
 *       save SNAPSHOT to AREA, then load it back and compare; one line of numbers for each way. SUITE: sealed with
 *       that ("default": what an image is sealed with here)
 *
 * The snapshot lies in a memfd and is moved by the movers of lib/snapshot, a page an iovec, as it is
 * on /dev/snapshot. AREA is opened O_DIRECT if it can be; its pages are granted in 16 MiB extents with
 * holes between them. Memory is what worker_layout() gives a worker on a machine of RAM bytes.
 */
#include "base/clock.h"
#include "base/fdio.h"
#include "pipeline/pipeline.h"
#include "pipeline/worker.h"
#include "seal/stream.h"
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOVE_PAGES 128
#define EXTENT_BYTES (16 * MIB)

struct end {
	int fd;
};

static ssize_t move(struct end *end, bool load, uint8_t *buffer, size_t pages)
{
	struct iovec iov[MOVE_PAGES];
	int count = (int)MIN(pages, (size_t)MOVE_PAGES);

	for (int i = 0; i < count; i++)
		iov[i] = (struct iovec){.iov_base = buffer + (size_t)i * PAGE_BYTES, .iov_len = PAGE_BYTES};
	return (load ? snapshot_write_pages : snapshot_read_pages)(&snapshot_device_ops, NULL, end->fd, iov, count);
}

static ssize_t give(void *data, void *buffer, size_t pages)
{
	return move(data, false, buffer, pages);
}

static ssize_t take(void *data, void *buffer, size_t pages)
{
	return move(data, true, buffer, pages);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* @path as a memfd; its pages. */
static uint64_t snapshot_in_memory(const char *path, int *fd)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	char *buffer = malloc(MIB);
	uint64_t size = 0;
	ssize_t n;

	*fd = memfd_create("snapshot", MFD_CLOEXEC);
	if (from < 0 || *fd < 0)
		die(path);
	while ((n = read(from, buffer, MIB)) > 0) {
		if (fd_write_full(*fd, buffer, (size_t)n) < 0)
			die("memfd");
		size += (uint64_t)n;
	}
	free(buffer);
	close(from);
	lseek(*fd, 0, SEEK_SET);
	return size / PAGE_BYTES;
}

static int pump(const char *path, uint32_t chunk)
{
	struct end end;
	uint64_t pages = snapshot_in_memory(path, &end.fd), since;
	uint8_t *buffer = aligned_alloc(PAGE_BYTES, 4 * (size_t)chunk);
	double in, out;
	uint64_t done;
	int to;

	memset(buffer, 1, 4 * (size_t)chunk);
	since = clock_monotonic_usec();
	for (done = 0; done < pages;)
		done += (uint64_t)give(&end, buffer + done * PAGE_BYTES % (3 * (uint64_t)chunk), MIN(pages - done, (uint64_t)MOVE_PAGES));
	in = (double)(clock_monotonic_usec() - since) / 1e6;
	to = end.fd;
	lseek(to, 0, SEEK_SET);
	since = clock_monotonic_usec();
	for (done = 0; done < pages;)
		done += (uint64_t)take(&end, buffer + done * PAGE_BYTES % (3 * (uint64_t)chunk), MIN(pages - done, (uint64_t)MOVE_PAGES));
	out = (double)(clock_monotonic_usec() - since) / 1e6;
	printf("pump save %.3f load %.3f\n", (double)(pages * PAGE_BYTES) / in / 1e9, (double)(pages * PAGE_BYTES) / out / 1e9);
	free(buffer);
	return 0;
}

static void report(const char *way, const struct pipeline_result *r, double cpu, uint64_t region)
{
	double seconds = (double)r->elapsed_usec / 1e6;

	printf("%s GB/s %.3f seconds %.3f cpu %.3f moving %.3f stalled %.3f stored %.3f raw %llu/%llu buffers-MiB %llu\n", way,
	       (double)(r->pages * PAGE_BYTES) / seconds / 1e9, seconds, cpu, (double)r->move_usec / 1e6,
	       (double)r->stall_usec / 1e6, (double)r->stored_bytes / (double)(r->pages * PAGE_BYTES),
	       (unsigned long long)r->raw_chunks, (unsigned long long)r->chunks, (unsigned long long)(region / MIB));
}

static void run_way(struct pipeline_job *job, const struct worker_job *sizes, uint8_t *region, struct pipeline_result *result)
{
	struct failure f = {0};
	struct pipeline *p;
	struct pollfd done;
	double cpu;

	if (pipeline_start(&p, region, sizes->buffers_size, sizes->threads, sizes->writers, &f) < 0 ||
	    pipeline_begin(p, job, &f) < 0)
		goto failed;
	cpu = cpu_seconds();
	done = (struct pollfd){.fd = pipeline_done_fd(p), .events = POLLIN};
	while (poll(&done, 1, 200) == 0)
		pipeline_progress(p);
	cpu = cpu_seconds() - cpu;
	if (pipeline_end(p, result, &f) < 0)
		goto failed;
	report(job->load ? "load" : "save", result, cpu, sizes->buffers_size);
	return;
failed:
	fprintf(stderr, "%s: %s\n", f.object, f.text);
	exit(1);
}

static int open_area(const char *path, uint64_t *size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	struct stat st;

	if (fd < 0 && errno == EINVAL)
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	*size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : (uint64_t)lseek(fd, 0, SEEK_END);
	return fd;
}

static bool same(int a, int b, uint64_t size)
{
	void *x = mmap(NULL, size, PROT_READ, MAP_SHARED, a, 0), *y = mmap(NULL, size, PROT_READ, MAP_SHARED, b, 0);

	return x != MAP_FAILED && y != MAP_FAILED && memcmp(x, y, size) == 0;
}

/* A stream for each codec thread, under some key. */
static struct seal_stream **seal_with(const char *name, unsigned int threads)
{
	struct seal_transcript transcript = {0};
	const uint8_t key[CRYPTO_KEY_BYTES] = {1};
	struct seal_stream **streams = calloc(threads, sizeof(struct seal_stream *));
	struct failure f;

	transcript.suite = strcmp(name, "default") == 0 ? suite_default() : suite_from_name(name);
	if (!streams || crypto_init(&f) < 0)
		die("libgcrypt");
	for (unsigned int i = 0; i < threads; i++)
		if (seal_stream_new(&streams[i], SEAL_CHUNKS, transcript.suite) < 0 ||
		    seal_stream_key(streams[i], &transcript, key) < 0)
			die(name);
	return streams;
}

static int run(char **argv)
{
	struct worker_job sizes = {
		.direction = WORKER_SAVE,
		.codec = codec_from_name(argv[4]),
		.threads = (uint32_t)atoi(argv[5]),
		.writers = (uint32_t)atoi(argv[6]),
		.chunk_size = (uint32_t)atoi(argv[7]),
	};
	uint64_t ram = strtoull(argv[8], NULL, 0), area_size, flushed;
	struct end from, to = {.fd = memfd_create("restored", MFD_CLOEXEC)};
	uint64_t pages = snapshot_in_memory(argv[2], &from.fd);
	int area = open_area(argv[3], &area_size);
	struct extent_list extents;
	struct image_index index;
	struct pipeline_job job;
	struct pipeline_result result;
	uint8_t *region, *target;

	worker_layout(&sizes, ram);
	region = mmap(NULL, sizes.buffers_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (region == MAP_FAILED || ftruncate(to.fd, (off_t)(pages * PAGE_BYTES)) < 0 ||
	    !(target = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, to.fd, 0)) || target == MAP_FAILED)
		die("memory");
	/* No run pays for getting memory. */
	memset(target, 1, pages * PAGE_BYTES);
	munmap(target, pages * PAGE_BYTES);
	extent_list_init(&extents, calloc(area_size / EXTENT_BYTES + 1, sizeof(struct extent)), area_size / EXTENT_BYTES + 1);
	for (uint64_t at = 0; at + EXTENT_BYTES <= area_size; at += EXTENT_BYTES)
		extent_list_append(&extents, at, EXTENT_BYTES - PAGE_BYTES);
	index = (struct image_index){.capacity = sizes.index_capacity};
	index.chunks = calloc(index.capacity, sizeof(*index.chunks));

	job = (struct pipeline_job){
		.codec = (enum codec_id)sizes.codec,
		.chunk_size = sizes.chunk_size,
		.area_fd = area,
		.area_name = argv[3],
		.extents = &extents,
		.stream_limit = extent_list_total(&extents),
		.pages = pages,
		.index = &index,
		.mover = {.move = give, .data = &from},
	};
	if (argv[9])
		job.seal = seal_with(argv[9], sizes.threads);
	run_way(&job, &sizes, region, &result);
	flushed = clock_monotonic_usec();
	if (fdatasync(area) < 0)
		die("flush");
	printf("flush seconds %.3f\n", (double)(clock_monotonic_usec() - flushed) / 1e6);

	job.load = true;
	job.mover = (struct page_mover){.move = take, .data = &to};
	run_way(&job, &sizes, region, &result);
	if (!same(from.fd, to.fd, pages * PAGE_BYTES)) {
		fprintf(stderr, "what was loaded is not what was saved\n");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "pump") == 0)
		return pump(argv[2], (uint32_t)atoi(argv[3]));
	if ((argc == 9 || argc == 10) && strcmp(argv[1], "run") == 0)
		return run(argv);
	fprintf(stderr, "usage: pipeline-drive pump SNAPSHOT CHUNK | run SNAPSHOT AREA CODEC THREADS WRITERS CHUNK RAM [SUITE]\n");
	return 2;
}
