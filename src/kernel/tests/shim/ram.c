// SPDX-License-Identifier: GPL-2.0-only
#include "ram.h"

#include <linux/highmem.h>
#include <linux/kexec.h>

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 8192
#define MAPPED_MAX 16

struct page {
	unsigned long pfn;
	uint8_t *data;
	unsigned int mapped;
	bool allocated;
};

static struct page pages[PAGES_MAX];
static struct page *free_pages[PAGES_MAX];
static struct page *mapped[MAPPED_MAX];
static size_t page_count, free_count, mapped_count, refused;
static int left = -1;
static uint64_t state;

static void __attribute__((noreturn)) bug(const char *what, unsigned long pfn)
{
	fprintf(stderr, "BUG: %s (page %#lx)\n", what, pfn);
	abort();
}

void ram_seed(uint64_t seed)
{
	state = seed * 2 + 1;
}

/* PCG XSH RR, see pcg-random.org. */
uint64_t ram_random(uint64_t bound)
{
	uint32_t x, r;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	x = (uint32_t)(((state >> 18) ^ state) >> 27);
	r = (uint32_t)(state >> 59);
	return ((x >> r) | (x << (-r & 31))) % bound;
}

static void junk(struct page *page)
{
	for (size_t i = 0; i < PAGE_SIZE; i++)
		page->data[i] = (uint8_t)ram_random(256);
}

static int compare(const void *a, const void *b)
{
	unsigned long x = ((const struct page *)a)->pfn;
	unsigned long y = ((const struct page *)b)->pfn;

	return (x > y) - (x < y);
}

void ram_init(const unsigned long *pfns, size_t count)
{
	if (count > PAGES_MAX)
		bug("too many pages", count);

	page_count = count;
	free_count = count;
	mapped_count = 0;
	refused = 0;
	left = -1;
	for (size_t i = 0; i < count; i++) {
		pages[i] = (struct page){ .pfn = pfns[i] };
		pages[i].data = malloc(PAGE_SIZE);
		if (!pages[i].data)
			bug("out of memory", i);
		junk(&pages[i]);
		ASAN_POISON_MEMORY_REGION(pages[i].data, PAGE_SIZE);
		free_pages[i] = &pages[i];
	}
	qsort(pages, count, sizeof(*pages), compare);
}

bool ram_deinit(void)
{
	bool clean = !mapped_count && free_count == page_count;

	for (size_t i = 0; i < page_count; i++) {
		ASAN_UNPOISON_MEMORY_REGION(pages[i].data, PAGE_SIZE);
		free(pages[i].data);
	}
	page_count = 0;
	return clean;
}

void ram_refuse(int after)
{
	left = after;
}

size_t ram_refused(void)
{
	return refused;
}

size_t ram_allocated(void)
{
	return page_count - free_count;
}

struct page *ram_alloc(void)
{
	struct page *page;
	size_t i;

	/* GFP_HIGHUSER, and should not keep a mapping from others meanwhile. */
	might_sleep();
	if (mapped_count)
		bug("allocation while a page is mapped", mapped[0]->pfn);
	if (left == 0 || !free_count) {
		refused++;
		return NULL;
	}
	if (left > 0)
		left--;

	i = ram_random(free_count);
	page = free_pages[i];
	free_pages[i] = free_pages[--free_count];
	page->allocated = true;
	return page;
}

void ram_free(struct page *page)
{
	if (!page->allocated)
		bug("freed twice", page->pfn);
	if (page->mapped)
		bug("freed while mapped", page->pfn);

	page->allocated = false;
	ASAN_UNPOISON_MEMORY_REGION(page->data, PAGE_SIZE);
	junk(page);
	ASAN_POISON_MEMORY_REGION(page->data, PAGE_SIZE);
	free_pages[free_count++] = page;
}

unsigned long page_to_boot_pfn(const struct page *page)
{
	return page->pfn;
}

static struct page *find(unsigned long pfn)
{
	const struct page key = { .pfn = pfn };

	return bsearch(&key, pages, page_count, sizeof(*pages), compare);
}

struct page *boot_pfn_to_page(unsigned long pfn)
{
	struct page *page = find(pfn);

	if (!page)
		bug("no such page", pfn);
	return page;
}

void *kmap_local_page(struct page *page)
{
	if (!page->allocated)
		bug("mapped while free", page->pfn);
	if (mapped_count == MAPPED_MAX)
		bug("too many mappings", page->pfn);

	mapped[mapped_count++] = page;
	page->mapped++;
	ASAN_UNPOISON_MEMORY_REGION(page->data, PAGE_SIZE);
	return page->data;
}

void kunmap_local(const void *address)
{
	struct page *page;

	if (!mapped_count)
		bug("nothing is mapped", 0);
	page = mapped[--mapped_count];
	if (page->data != address)
		bug("not the latest mapping", page->pfn);
	if (!--page->mapped)
		ASAN_POISON_MEMORY_REGION(page->data, PAGE_SIZE);
}

void clear_highpage(struct page *page)
{
	void *data = kmap_local_page(page);

	memset(data, 0, PAGE_SIZE);
	kunmap_local(data);
}

void *ram_physical(unsigned long address)
{
	struct page *page = find(address >> PAGE_SHIFT);

	if (!page)
		return NULL;
	ASAN_UNPOISON_MEMORY_REGION(page->data, PAGE_SIZE);
	return page->data + (address & ~PAGE_MASK);
}

void ram_physical_end(void)
{
	for (size_t i = 0; i < page_count; i++) {
		if (!pages[i].mapped)
			ASAN_POISON_MEMORY_REGION(pages[i].data, PAGE_SIZE);
	}
}
