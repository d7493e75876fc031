/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Process 1 of an arm64 guest that starts another kernel while pages of memfd_secret(2) lie where that kernel goes, and of
 * the guest that comes up then.
 *
 * On the kernel's command line: "secret=MiB" fills so much memory with secret pages, which the kernel then does not map;
 * "load" loads /kernel with the initramfs /next by kexec_file_load(2) and says how many pages of where they go are secret;
 * "nowhere" loads a page to where there are devices, by kexec_load(2); "leave" leaves for what was loaded; "next" is for
 * the kernel that comes up. Each line on the console begins with "guest:".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define PAGE 4096UL
#define MIB (1UL << 20)
#define NEXT_CMDLINE "console=ttyAMA0 panic=-1 next"
/* The serial line of QEMU's "virt" machine. */
#define NOWHERE 0x09000000UL

enum { REBOOT_POWER_OFF = 0x4321fedc, REBOOT_KEXEC = 0x45584543, REBOOT_MAGIC1 = 0xfee1dead, REBOOT_MAGIC2 = 672274793 };
enum { KEXEC_FILE_DEBUG = 8, KEXEC_ARCH_AARCH64 = 183 << 16 };

struct segment {
	const void *buf;
	size_t size;
	unsigned long mem;
	size_t memsz;
};

static uint64_t *frames;     /* of the secret pages */
static size_t frame_count;

static void __attribute__((noreturn)) leave(int how)
{
	syscall(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, how, NULL);
	printf("guest: reboot failed, error %d\n", errno);
	syscall(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF, NULL);
	for (;;)
		pause();
}

static void __attribute__((noreturn)) give_up(const char *what)
{
	printf("guest: %s failed, error %d\n", what, errno);
	leave(REBOOT_POWER_OFF);
}

/* A word of the command line, NULL if it is not there; after "word=", what follows. */
static const char *word(const char *line, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = strstr(line, name); at; at = strstr(at + 1, name)) {
		if ((at == line || at[-1] == ' ') && (name[length - 1] == '=' || at[length] <= ' '))
			return at + length;
	}
	return NULL;
}

/* The pages stay as long as this process does. */
static void keep_secret(size_t bytes)
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = (int)syscall(SYS_memfd_secret, 0), map;
	uint8_t *at;

	/* They count as locked memory, for root as well. */
	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		give_up("setrlimit");
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		give_up("memfd_secret");
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		give_up("mmap");
	for (size_t i = 0; i < bytes; i += PAGE)
		at[i] = 1;

	map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	frame_count = bytes / PAGE;
	frames = calloc(frame_count, sizeof(*frames));
	if (!frames || pread(map, frames, frame_count * 8, (off_t)((uintptr_t)at / PAGE * 8)) != (ssize_t)(frame_count * 8))
		give_up("reading pagemap");
	for (size_t i = 0; i < frame_count; i++)
		frames[i] &= (1ULL << 55) - 1;
	printf("guest: keeps secret, pages %zu\n", frame_count);
}

static size_t secret_pages_in(unsigned long start, unsigned long size)
{
	size_t count = 0;

	for (size_t i = 0; i < frame_count; i++)
		count += frames[i] * PAGE >= start && frames[i] * PAGE - start < size;
	return count;
}

/* What the kernel says about where things go, with dynamic debug: "Loaded kernel at 0x... bufsz=0x... memsz=0x...". */
static size_t secret_destinations(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];
	size_t count = 0, loaded = 0;
	ssize_t length;

	while ((length = read(fd, record, sizeof(record) - 1)) > 0) {
		unsigned long start, size;
		const char *at;

		record[length] = '\0';
		at = strstr(record, "Loaded ");
		if (at && sscanf(at, "Loaded %*s at %lx bufsz=%*x memsz=%lx", &start, &size) == 2) {
			count += secret_pages_in(start, size);
			loaded++;
		}
	}
	close(fd);
	printf("guest: loaded, things %zu, to secret pages %zu\n", loaded, count);
	return count;
}

static void load(void)
{
	int kernel = open("/kernel", O_RDONLY | O_CLOEXEC), next = open("/next", O_RDONLY | O_CLOEXEC);
	long result = syscall(SYS_kexec_file_load, kernel, next, sizeof(NEXT_CMDLINE), NEXT_CMDLINE, KEXEC_FILE_DEBUG);

	if (result < 0 && errno == EINVAL)
		result = syscall(SYS_kexec_file_load, kernel, next, sizeof(NEXT_CMDLINE), NEXT_CMDLINE, 0);
	if (result < 0)
		give_up("kexec_file_load");
	secret_destinations();
}

static void load_nowhere(void)
{
	static const uint8_t nothing[PAGE];
	struct segment segment = { nothing, sizeof(nothing), NOWHERE, sizeof(nothing) };

	if (syscall(SYS_kexec_load, NOWHERE, 1UL, &segment, (unsigned long)KEXEC_ARCH_AARCH64) < 0)
		give_up("kexec_load");
	printf("guest: loaded to nowhere\n");
}

int main(void)
{
	char line[2048] = "";
	const char *value;
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (read(fd, line, sizeof(line) - 1) < 0)
		give_up("reading the command line");
	close(fd);

	if (word(line, "next")) {
		printf("guest: the next kernel is up\n");
		leave(REBOOT_POWER_OFF);
	}
	value = word(line, "secret=");
	if (value)
		keep_secret(strtoul(value, NULL, 10) * MIB);
	if (word(line, "load"))
		load();
	if (word(line, "nowhere"))
		load_nowhere();
	if (word(line, "leave"))
		leave(REBOOT_KEXEC);
	leave(REBOOT_POWER_OFF);
}
