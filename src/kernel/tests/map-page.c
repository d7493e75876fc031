// SPDX-License-Identifier: GPL-2.0-only
/*
 * How x86 reads pages that the direct map lacks while an image is made: the
 * functions are those of the patches, taken from there by the makefile. The
 * direct map and the slot of the fixmap are mappings of this process: whoever
 * touches what is not mapped gets a signal.
 */
#include "shim/ram.h"
#include "shim/sleep.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SIZE 4096UL
#define PAGES 512UL
#define FIX_HIBERNATION 1
#define PAGE_KERNEL_RO PROT_READ
#define PAGE_KERNEL (PROT_READ | PROT_WRITE)

struct page {
	bool present;
};

static struct page pages[PAGES];
static char *memory, *direct, *slot, *image;
static int file;
static unsigned int mapped;

/* The page table of the fixmap is in the first page, like any other data. */
static unsigned long *slot_entry(void)
{
	return (unsigned long *)memory + 5;
}

static unsigned long number_of(const struct page *page)
{
	ck_assert(page >= pages && page < pages + PAGES);
	return (unsigned long)(page - pages);
}

static unsigned long page_to_phys(const struct page *page)
{
	return number_of(page) * PAGE_SIZE;
}

static void *page_address(const struct page *page)
{
	return direct + page_to_phys(page);
}

static bool kernel_page_present(const struct page *page)
{
	return pages[number_of(page)].present;
}

static unsigned long fix_to_virt(int which)
{
	ck_assert_int_eq(which, FIX_HIBERNATION);
	return (unsigned long)slot;
}

static void __set_fixmap(int which, unsigned long phys, int rights)
{
	ck_assert_int_eq(which, FIX_HIBERNATION);
	ck_assert_uint_eq(*slot_entry(), 0);
	ck_assert(mmap(slot, PAGE_SIZE, rights, MAP_SHARED | MAP_FIXED, file,
		       (off_t)phys) == slot);
	*slot_entry() = phys | 1;
	mapped++;
}

static void clear_fixmap(int which)
{
	ck_assert_int_eq(which, FIX_HIBERNATION);
	*slot_entry() = 0;
	ck_assert(mmap(slot, PAGE_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == slot);
}

void *hibernate_map_page(struct page *page);
void hibernate_unmap_page(struct page *page);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "map-page.inc"
#pragma GCC diagnostic pop

/* As in kernel/power/snapshot.c since 6.6. */
static bool do_copy_page(long *dst, const long *src)
{
	long z = 0;
	unsigned long n;

	for (n = PAGE_SIZE / sizeof(long); n; n--) {
		z |= *src;
		*dst++ = *src++;
	}
	return !z;
}

static bool safe_copy_page(void *dst, struct page *s_page)
{
	bool zeros_only;

#include "safe-copy-page.inc"
}

static void *map(size_t size, int rights, int descriptor)
{
	int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *p = mmap(NULL, size, rights, flags, descriptor, 0);

	ck_assert(p != MAP_FAILED);
	return p;
}

/* Random contents, every third page zero, and runs that are not present. */
static void start(uint64_t seed)
{
	ram_seed(seed);
	file = memfd_create("memory", MFD_CLOEXEC);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, PAGES * PAGE_SIZE), 0);
	memory = map(PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, file);
	direct = map(PAGES * PAGE_SIZE, PROT_READ, file);
	image = map(PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, -1);
	slot = map(PAGE_SIZE, PROT_NONE, -1);
	mapped = 0;
	for (unsigned long i = 0; i < PAGES; i++) {
		pages[i].present = true;
		for (size_t k = 0; i && ram_random(3) && k < PAGE_SIZE; k++)
			memory[i * PAGE_SIZE + k] = (char)ram_random(256);
	}
	for (unsigned long i = 1 + ram_random(20); i < PAGES;) {
		unsigned long count = 1 + ram_random(PAGES - i);

		ck_assert_int_eq(mprotect(direct + i * PAGE_SIZE,
					  count * PAGE_SIZE, PROT_NONE), 0);
		for (; count; count--)
			pages[i++].present = false;
		i += ram_random(20);
	}
}

static void stop(void)
{
	munmap(memory, PAGES * PAGE_SIZE);
	munmap(direct, PAGES * PAGE_SIZE);
	munmap(image, PAGES * PAGE_SIZE);
	munmap(slot, PAGE_SIZE);
	close(file);
}

START_TEST(each_page_is_read_wherever_it_is)
{
	unsigned int absent = 0;

	start((uint64_t)_i);
	local_irq_disable();
	/* The first page is copied while none is mapped, whenever it is. */
	for (unsigned long i = PAGES; i-- > 0;) {
		char *copy = image + i * PAGE_SIZE;
		const char *page = memory + i * PAGE_SIZE;
		bool zeros = safe_copy_page(copy, &pages[i]);

		absent += !pages[i].present;
		ck_assert_mem_eq(copy, page, PAGE_SIZE);
		ck_assert_int_eq(zeros, !page[0] &&
				 !memcmp(page, page + 1, PAGE_SIZE - 1));
	}
	local_irq_enable();
	ck_assert_uint_gt(absent, 0);
	ck_assert_uint_eq(mapped, absent);
	ck_assert_uint_eq(*slot_entry(), 0);
	ck_assert_uint_eq(((unsigned long *)image)[5], 0);
	stop();
}
END_TEST

/* Whether the kernel of this process could copy from there, or to there. */
static bool readable(const void *at)
{
	int scratch = memfd_create("scratch", MFD_CLOEXEC);
	bool done = write(scratch, at, 1) == 1;

	close(scratch);
	return done;
}

static bool writable(void *at)
{
	return pread(file, at, 1, 0) == 1;
}

START_TEST(slot_is_there_to_read_and_only_meanwhile)
{
	void *at;

	start(1);
	at = hibernate_map_page(&pages[7]);
	ck_assert(readable(at));
	ck_assert(!writable(at));
	hibernate_unmap_page(&pages[7]);
	ck_assert(!readable(at));
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map-page");
	TCase *tcase = tcase_create("pages");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, each_page_is_read_wherever_it_is, 0, 8);
	tcase_add_test(tcase, slot_is_there_to_read_and_only_meanwhile);
	suite_add_tcase(suite, tcase);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
