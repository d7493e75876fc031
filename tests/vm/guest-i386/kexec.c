/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Process 1 of a 32-bit guest that starts another kernel by kexec_load(2), and of the guest that comes up then. No libc:
 * the machine that builds the tests has none for 32 bits.
 *
 * On the kernel's command line: "payload=MiB" loads /kernel with an initramfs that holds this program and so many MiB of
 * numbers; "loads=N" does that N times, each of which frees what the last one left; with "starve" no allocation of low
 * memory succeeds meanwhile; with "leave" it then goes. "expect=MiB", in the kernel that comes up, reads the numbers back. Each line on the console begins with "guest:".
 */
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096U
#define MIB (1U << 20)

/* Where things go. The boot page, the jump page and the kernel's place are in memory that every PC has. */
#define AT_JUMP 0x8e000U
#define AT_BOOT 0x90000U
#define AT_CMDLINE (AT_BOOT + 0x1000U)
#define AT_KERNEL 0x2000000U
#define AT_INITRD 0x8000000U

/* Offsets in the kernel's "zero page", Documentation/arch/x86/boot.rst and zero-page.rst. */
#define BOOT_E820_COUNT 0x1e8
#define BOOT_SETUP_SECTS 0x1f1
#define BOOT_JUMP 0x201
#define BOOT_HEADER 0x202
#define BOOT_LOADER 0x210
#define BOOT_RAMDISK 0x218
#define BOOT_RAMDISK_SIZE 0x21c
#define BOOT_CMDLINE 0x228
#define BOOT_INIT_SIZE 0x260
#define BOOT_E820 0x2d0
#define BOOT_E820_END 0xcd0

enum { NR_EXIT = 1, NR_READ = 3, NR_WRITE = 4, NR_OPEN = 5, NR_MOUNT = 21, NR_MKDIR = 39, NR_REBOOT = 88, NR_MMAP2 = 192,
       NR_KEXEC_LOAD = 283 };
enum { REBOOT_RESTART = 0x01234567, REBOOT_KEXEC = 0x45584543 };

struct segment {
	const void *buf;
	uint32_t size;
	uint32_t mem;
	uint32_t memsz;
};

static long sys5(long number, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return result;
}

static long sys3(long number, long a, long b, long c)
{
	return sys5(number, a, b, c, 0, 0);
}

/* mmap2 has six arguments; the sixth, an offset of 0, travels in ebp. */
static uint8_t *anonymous(uint32_t size)
{
	long result;

	__asm__ volatile("push %%ebp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(result)
			 : "0"(NR_MMAP2), "b"(0), "c"(size), "d"(3), "S"(0x22), "D"(-1)
			 : "memory");
	return (unsigned long)result > -4096UL ? NULL : (uint8_t *)result;
}

/* The compiler may call these two. */
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return start;
}

void *memset(void *to, int byte, size_t size)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
	return start;
}

static uint32_t length(const char *text)
{
	uint32_t n = 0;

	while (text[n])
		n++;
	return n;
}

/* "guest: TEXT" and, unless it is negative, a number. */
static void say(const char *text, long number)
{
	char line[128] = "guest: ";
	uint32_t at = 7, n = length(text);

	memcpy(line + at, text, n);
	at += n;
	if (number >= 0) {
		char digits[12];
		uint32_t count = 0;

		line[at++] = ' ';
		do {
			digits[count++] = (char)('0' + number % 10);
			number /= 10;
		} while (number);
		while (count)
			line[at++] = digits[--count];
	}
	line[at++] = '\n';
	sys3(NR_WRITE, 1, (long)line, at);
}

static void __attribute__((noreturn)) stop(void)
{
	sys5(NR_REBOOT, (long)0xfee1dead, 672274793, REBOOT_RESTART, 0, 0);
	for (;;)
		sys3(NR_EXIT, 1, 0, 0);
}

static void check(long result, const char *what)
{
	if (result >= 0)
		return;
	say(what, -1);
	say("failed, error", -result);
	stop();
}

/* Bytes of a file, at most @room. */
static uint32_t slurp(const char *path, uint8_t *to, uint32_t room)
{
	long fd = sys3(NR_OPEN, (long)path, 0, 0), got;
	uint32_t size = 0;

	check(fd, path);
	while (size < room && (got = sys3(NR_READ, fd, (long)(to + size), room - size)) != 0) {
		check(got, path);
		size += (uint32_t)got;
	}
	return size;
}

static void put(const char *path, const char *text)
{
	long fd = sys3(NR_OPEN, (long)path, 1, 0);

	check(fd, path);
	check(sys3(NR_WRITE, fd, (long)text, length(text)), path);
}

/* Where @word begins in @text, or NULL. */
static const char *find(const char *text, const char *word)
{
	for (; *text; text++) {
		uint32_t n = 0;

		while (word[n] && text[n] == word[n])
			n++;
		if (!word[n])
			return text;
	}
	return NULL;
}

/* The number after @word, or 0. */
static uint32_t number_after(const char *text, const char *word)
{
	const char *at = find(text, word);
	uint32_t number = 0;

	if (!at)
		return 0;
	for (at += length(word); *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (uint32_t)(*at - '0');
	return number;
}

/* ---- the numbers of the payload --------------------------------------- */

static uint32_t next_number(uint32_t x)
{
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static void fill(uint8_t *to, uint32_t size)
{
	uint32_t x = 2463534242U;

	for (uint32_t i = 0; i < size / 4; i++)
		((uint32_t *)to)[i] = x = next_number(x);
}

static void read_back(uint32_t size)
{
	uint8_t *data = anonymous(size + PAGE);
	uint32_t x = 2463534242U;

	if (!data || slurp("/payload", data, size + PAGE) != size) {
		say("the payload is not there", -1);
		stop();
	}
	for (uint32_t i = 0; i < size / 4; i++) {
		x = next_number(x);
		if (((uint32_t *)data)[i] != x) {
			say("the payload is wrong at byte", (long)(i * 4));
			stop();
		}
	}
	say("the payload has arrived, bytes", (long)size);
	stop();
}

/* ---- the initramfs of the kernel to come ------------------------------ */

static void hex(uint8_t *to, uint32_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 4)
		to[i] = "0123456789ABCDEF"[value & 15];
}

/* A "newc" header and name at @to; returns where the data goes. */
static uint8_t *cpio(uint8_t *to, const char *name, uint32_t mode, uint32_t size, uint32_t major, uint32_t minor)
{
	uint32_t fields[13] = {1, mode, 0, 0, 1, 0, size, 0, 0, major, minor, length(name) + 1, 0};

	memcpy(to, "070701", 6);
	for (int i = 0; i < 13; i++)
		hex(to + 6 + 8 * i, fields[i]);
	memcpy(to + 110, name, length(name) + 1);
	return to + ((110 + length(name) + 1 + 3) & ~3U);
}

static uint8_t *aligned(uint8_t *at)
{
	return (uint8_t *)(((uintptr_t)at + 3) & ~(uintptr_t)3);
}

/* This program, a console to speak on, and the numbers. */
static uint32_t make_initrd(uint8_t *to, uint32_t payload)
{
	uint8_t *at = cpio(to, "dev", 040755, 0, 0, 0), *self = anonymous(MIB);
	uint32_t size = slurp("/init", self, MIB);

	at = cpio(at, "dev/console", 020600, 0, 5, 1);
	at = cpio(at, "proc", 040755, 0, 0, 0);
	at = cpio(at, "sys", 040755, 0, 0, 0);
	at = cpio(at, "init", 0100755, size, 0, 0);
	memcpy(at, self, size);
	at = cpio(aligned(at + size), "payload", 0100644, payload, 0, 0);
	fill(at, payload);
	at = cpio(aligned(at + payload), "TRAILER!!!", 0, 0, 0, 0);
	return (uint32_t)(at - to);
}

/* ---- the way into it -------------------------------------------------- */

static void put32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, 4);
}

/* Machine code at AT_JUMP that enters a kernel as its 32-bit boot protocol wants: flat segments 0x10 and 0x18, esi. */
static void make_jump(uint8_t *page, uint32_t entry)
{
	static const uint8_t code[] = {
		0x0f, 0x01, 0x15, 0, 0, 0, 0,                               /* lgdt  [gdtr]		*/
		0xea, 0, 0, 0, 0, 0x10, 0x00,                               /* ljmp  $0x10, next	*/
		0xb8, 0x18, 0, 0, 0,                                        /* next: mov $0x18, %eax	*/
		0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8, 0x8e, 0xd0, /* ds, es, fs, gs, ss	*/
		0xbc, 0, 0, 0, 0,                                           /* mov   stack, %esp	*/
		0xbe, 0, 0, 0, 0,                                           /* mov   zero page, %esi	*/
		0x31, 0xed, 0x31, 0xff, 0x31, 0xdb,                         /* xor   ebp, edi, ebx	*/
		0xb8, 0, 0, 0, 0,                                           /* mov   entry, %eax	*/
		0xff, 0xe0,                                                 /* jmp   *%eax		*/
	};
	static const uint32_t gdt[] = {0, 0, 0, 0, 0x0000ffff, 0x00cf9a00, 0x0000ffff, 0x00cf9200};

	memcpy(page, code, sizeof(code));
	put32(page + 0x03, AT_JUMP + 0x80);
	put32(page + 0x08, AT_JUMP + 0x0e);
	put32(page + 0x1e, AT_JUMP + PAGE);
	put32(page + 0x23, AT_BOOT);
	put32(page + 0x2e, entry);
	page[0x80] = sizeof(gdt) - 1;
	put32(page + 0x82, AT_JUMP + 0x90);
	memcpy(page + 0x90, gdt, sizeof(gdt));
}

/* The zero page: the kernel's own setup header, this machine's memory map, where the initramfs is. */
static void make_boot_page(uint8_t *page, const uint8_t *kernel, const uint8_t *running, uint32_t initrd_size)
{
	memcpy(page + BOOT_SETUP_SECTS, kernel + BOOT_SETUP_SECTS, BOOT_HEADER + kernel[BOOT_JUMP] - BOOT_SETUP_SECTS);
	page[BOOT_E820_COUNT] = running[BOOT_E820_COUNT];
	memcpy(page + BOOT_E820, running + BOOT_E820, BOOT_E820_END - BOOT_E820);
	page[BOOT_LOADER] = 0xff;
	put32(page + BOOT_RAMDISK, AT_INITRD);
	put32(page + BOOT_RAMDISK_SIZE, initrd_size);
	put32(page + BOOT_CMDLINE, AT_CMDLINE);
}

static uint32_t pages(uint32_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

static uint32_t free_kib(void)
{
	static char text[4096];
	const char *at;

	text[slurp("/proc/meminfo", (uint8_t *)text, sizeof(text) - 1)] = 0;
	at = find(text, "MemFree:");
	for (at += 8; *at == ' ';)
		at++;
	return number_after(at, "");
}

static long load(uint32_t payload, const char *cmdline, uint32_t times)
{
	uint32_t room = 32 * MIB, initrd_room = payload + 2 * MIB, kernel_size, initrd_size, offset, init_size;
	uint8_t *kernel = anonymous(room), *initrd = anonymous(initrd_room), *low = anonymous(4 * PAGE);
	struct segment segments[4];
	long error = 0;

	if (!kernel || !initrd || !low) {
		say("no memory", -1);
		stop();
	}
	kernel_size = slurp("/kernel", kernel, room);
	initrd_size = make_initrd(initrd, payload);
	offset = (kernel[BOOT_SETUP_SECTS] + 1U) * 512;
	memcpy(&init_size, kernel + BOOT_INIT_SIZE, 4);
	slurp("/sys/kernel/boot_params/data", low + 2 * PAGE, PAGE);
	make_boot_page(low, kernel, low + 2 * PAGE, initrd_size);
	memcpy(low + PAGE, cmdline, length(cmdline) + 1);
	make_jump(low + 3 * PAGE, AT_KERNEL);

	segments[0] = (struct segment){low + 3 * PAGE, PAGE, AT_JUMP, PAGE};
	segments[1] = (struct segment){low, 2 * PAGE, AT_BOOT, 2 * PAGE};
	segments[2] = (struct segment){kernel + offset, kernel_size - offset, AT_KERNEL, pages(init_size)};
	segments[3] = (struct segment){initrd, initrd_size, AT_INITRD, pages(initrd_size)};
	for (uint32_t i = 0; i < times && !error; i++) {
		error = sys5(NR_KEXEC_LOAD, AT_JUMP, 4, (long)segments, 0, 0);
		if (i == 1 || i == times - 1)
			say("after a load, free KiB", (long)free_kib());
	}
	return error;
}

/* ---- without low memory ------------------------------------------------ */

static uint32_t parse_hex(const char *at)
{
	uint32_t value = 0;

	for (;; at++) {
		if (*at >= '0' && *at <= '9')
			value = value * 16 + (uint32_t)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			value = value * 16 + (uint32_t)(*at - 'a' + 10);
		else
			return value;
	}
}

static void put_hex(const char *path, uint32_t value)
{
	char text[11] = "0x";

	hex((uint8_t *)text + 2, value);
	put(path, text);
}

/* Address of a function, of which the compiler may have made a variant; 0 if it is part of another one. */
static uint32_t symbol(const char *all, const char *name)
{
	const char *at = find(all, name);

	while (at > all && at[-1] != '\n')
		at--;
	return at ? parse_hex(at) : 0;
}

static uint32_t symbol_after(const char *all, uint32_t address)
{
	uint32_t next = ~0U;

	for (const char *at = all; *at; at++) {
		uint32_t value;

		if (at != all && at[-1] != '\n')
			continue;
		value = parse_hex(at);
		if (value > address && value < next)
			next = value;
	}
	return next;
}

#define FAIL "/sys/kernel/debug/fail_page_alloc/"

/*
 * From now on each allocation of a page that may not be in high memory fails, if it comes from where the kernel loads a
 * segment. (A request that may be in high memory is left alone by ignore-gfp-highmem.)
 */
static void starve(void)
{
	uint32_t room = 8 * MIB, start;
	char *all = (char *)anonymous(room);

	all[slurp("/proc/kallsyms", (uint8_t *)all, room - 1)] = 0;
	start = symbol(all, " kimage_load_normal_segment");
	if (!start)
		start = symbol(all, " kimage_load_segment\n");
	if (!start) {
		say("no kimage_load_segment", -1);
		stop();
	}
	put_hex(FAIL "require-start", start);
	put_hex(FAIL "require-end", symbol_after(all, start));
	put(FAIL "stacktrace-depth", "32");
	put(FAIL "min-order", "0");
	put(FAIL "ignore-gfp-wait", "N");
	put(FAIL "ignore-gfp-highmem", "Y");
	put(FAIL "verbose", "1");
	put(FAIL "times", "-1");
	put(FAIL "probability", "100");
	say("low memory is refused", -1);
}

/* The payload's size as text, behind the rest of the next kernel's command line. */
static void make_cmdline(char *to, uint32_t mib)
{
	static const char head[] = "console=ttyS0 panic=-1 no_timer_check expect=000";

	memcpy(to, head, sizeof(head));
	for (uint32_t at = sizeof(head) - 2; mib; at--, mib /= 10)
		to[at] = (char)('0' + mib % 10);
}

void _start(void);
void __attribute__((force_align_arg_pointer)) _start(void)
{
	static char cmdline[4096], next[128];
	uint32_t mib, times;
	long error;

	sys3(NR_MKDIR, (long)"/proc", 0755, 0);
	sys3(NR_MKDIR, (long)"/sys", 0755, 0);
	check(sys5(NR_MOUNT, (long)"none", (long)"/proc", (long)"proc", 0, 0), "mount /proc");
	check(sys5(NR_MOUNT, (long)"none", (long)"/sys", (long)"sysfs", 0, 0), "mount /sys");
	check(sys5(NR_MOUNT, (long)"none", (long)"/sys/kernel/debug", (long)"debugfs", 0, 0), "mount debugfs");
	cmdline[slurp("/proc/cmdline", (uint8_t *)cmdline, sizeof(cmdline) - 1)] = 0;

	mib = number_after(cmdline, "expect=");
	if (mib)
		read_back(mib * MIB);
	mib = number_after(cmdline, "payload=");
	if (!mib) {
		say("nothing to do", -1);
		stop();
	}
	make_cmdline(next, mib);
	if (find(cmdline, "starve"))
		starve();
	times = number_after(cmdline, "loads=");
	error = load(mib * MIB, next, times ? times : 1);
	if (error) {
		say("kexec_load failed, error", -error);
		stop();
	}
	say("loaded, MiB", (long)mib);
	if (find(cmdline, "leave"))
		sys5(NR_REBOOT, (long)0xfee1dead, 672274793, REBOOT_KEXEC, 0, 0);
	stop();
}
