/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/ahead.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NICE 19                            /* whatever else there is goes first */
#define FIRST_FD 64                        /* where the reader keeps what it needs */
#define DEATH_USEC (2 * USEC_PER_SEC)      /* longer only if the disk does not answer */
#define LOOK_USEC 500

uint64_t ahead_room(const struct estimate_memory *memory, uint64_t pages, uint64_t spare)
{
	/* Half of what the kernel counts; besides, half of what it does not (itself, its page structs), and its lists of pages. */
	uint64_t most = memory->ram / 2 + memory->ram / 32;
	uint64_t room = MIN(memory->available, memory->idle);
	uint64_t kept;

	if (!memory->ram || pages > room / PAGE_BYTES)
		return 0;
	kept = MAX(pages * PAGE_BYTES, most);
	return room > kept && room - kept > spare ? room - kept - spare : 0;
}

struct extent ahead_range(uint64_t header_offset, uint64_t stored_bytes, uint64_t device_size)
{
	struct extent range = {0};
	uint64_t start = header_offset + PAGE_BYTES;

	if (header_offset % PAGE_BYTES || start < header_offset || start >= device_size || stored_bytes <= PAGE_BYTES)
		return range;
	range.start = start;
	range.length = MIN(stored_bytes - PAGE_BYTES, device_size - start) / PAGE_BYTES * PAGE_BYTES;
	return range;
}

/* What has been read counts as available, too, but not for the image. */
static bool has_room(const struct ahead *a, const struct sysctx *s, uint64_t bytes, uint64_t spare)
{
	uint64_t done = a->done ? atomic_load(a->done) : 0;
	struct estimate_memory memory;

	if (estimate_memory(&memory, s, NULL) < 0)
		return false;
	memory.available -= MIN(memory.available, done);
	return ahead_room(&memory, a->pages, spare) >= bytes;
}

/* Child: only the device and the root of the tree stay open; a copy of the worker's socket would hide the daemon's death. */
static int keep_only(int *fd, int *root)
{
	int device = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FD), top = device;

	if (device < 0)
		return -errno;
	if (*root >= 0)
		top = *root = fcntl(*root, F_DUPFD_CLOEXEC, device + 1);
	if (top < 0)
		return -errno;
	syscall(SYS_close_range, 0, device - 1, 0);
	if (top > device + 1)
		syscall(SYS_close_range, device + 1, top - 1, 0);
	syscall(SYS_close_range, top + 1, ~0U, 0);
	*fd = device;
	return 0;
}

static _Noreturn void read_on(const struct ahead *a, struct sysctx s, pid_t parent)
{
	uint8_t buffer[AHEAD_STEP_BYTES];
	uint64_t at = 0, left = a->range.length;
	int fd = a->fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || keep_only(&fd, &s.root) < 0)
		_exit(1);
	setpriority(PRIO_PROCESS, 0, NICE);
	while (left && has_room(a, &s, sizeof(buffer), AHEAD_SPARE_BYTES)) {
		ssize_t n = pread(fd, buffer, MIN(left, sizeof(buffer)), (off_t)(a->range.start + at));

		if (n <= 0) /* who needs it will be told */
			break;
		at += (uint64_t)n;
		left -= (uint64_t)n;
		atomic_store(a->done, at / PAGE_BYTES * PAGE_BYTES);
	}
	_exit(0);
}

void ahead_init(struct ahead *a)
{
	*a = (struct ahead){.fd = -1};
}

static int open_cached(const struct area_place *place, const struct sysctx *s)
{
	int fd = area_place_open(place, s, O_RDONLY, NULL);

	if (fd >= 0 && fcntl(fd, F_SETFL, 0) < 0) /* no longer O_DIRECT */
		return fd_close(fd);
	return fd;
}

void ahead_begin(struct ahead *a, const struct sysctx *s, const struct area_place *place, const struct mark *mark)
{
	pid_t parent = getpid();

	if (a->fd >= 0)
		return;
	a->pages = mark->save.pages;
	a->range = ahead_range(mark->header_offset, mark->save.stored_bytes, place->identity.device_size);
	if (a->range.length && has_room(a, s, AHEAD_STEP_BYTES, AHEAD_SPARE_BYTES))
		a->fd = open_cached(place, s);
	if (a->fd >= 0)
		a->done = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a->done == MAP_FAILED)
		a->done = NULL;
	if (!a->done) {
		ahead_drop(a);
		return;
	}
	a->reader = fork();
	if (a->reader == 0)
		read_on(a, *s, parent);
	a->reader = MAX(a->reader, 0);
}

static void stop(struct ahead *a)
{
	uint64_t deadline = clock_monotonic_usec() + DEATH_USEC;

	if (!a->reader)
		return;
	kill(a->reader, SIGKILL);
	while (waitpid(a->reader, NULL, WNOHANG) == 0 && clock_monotonic_usec() < deadline)
		usleep(LOOK_USEC);
	a->reader = 0;
}

void ahead_end(struct ahead *a, const struct sysctx *s)
{
	if (a->fd < 0)
		return;
	stop(a);
	a->range.length = atomic_load(a->done);
	if (!a->range.length || !has_room(a, s, 1, AHEAD_LEAST_BYTES))
		ahead_drop(a);
}

void ahead_drop(struct ahead *a)
{
	stop(a);
	if (a->fd >= 0) /* to the device's end: the kernel reads a little further than it is asked to */
		posix_fadvise(a->fd, (off_t)a->range.start, 0, POSIX_FADV_DONTNEED);
	a->fd = fd_close(a->fd);
	if (a->done)
		munmap(a->done, PAGE_BYTES);
	a->done = NULL;
	a->range = (struct extent){0};
}
