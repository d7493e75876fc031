// SPDX-License-Identifier: GPL-2.0-only
#include "paging.h"
#include "ram.h"

#include <asm/coco.h>
#include <asm/pgtable_types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES (PAGING_SPAN >> PAGE_SHIFT)
#define GIVEN_MAX 4096

static unsigned char *memory;
static struct page *pages;
static unsigned long given[GIVEN_MAX];
static size_t given_count;
static int left = -1;
static enum paging_encryption encryption;

static void *reserve(size_t size, int protection)
{
	void *p = mmap(NULL, size, protection,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		abort();
	}
	return p;
}

void paging_init(uint64_t seed)
{
	/* As aligned as the largest entry needs it. */
	unsigned char *p = reserve(PAGING_SPAN + PAGING_GIB, PROT_NONE);
	unsigned long before = -(unsigned long)p & (PAGING_GIB - 1);

	if (before)
		munmap(p, before);
	memory = p + before;
	munmap(memory + PAGING_SPAN, PAGING_GIB - before);
	pages = reserve(PAGES * sizeof(*pages), PROT_READ | PROT_WRITE);
	given_count = 0;
	left = -1;
	encryption = PAGING_PLAIN;
	ram_seed(seed);
}

void paging_deinit(void)
{
	munmap(memory, PAGING_SPAN);
	munmap(pages, PAGES * sizeof(*pages));
	memory = NULL;
	pages = NULL;
}

void paging_free_all(void)
{
	for (size_t i = 0; i < given_count; i++) {
		unsigned char *page = memory + (given[i] << PAGE_SHIFT);

		madvise(page, PAGE_SIZE, MADV_DONTNEED);
		mprotect(page, PAGE_SIZE, PROT_NONE);
	}
	given_count = 0;
}

void paging_refuse(int after)
{
	left = after;
}

void paging_encrypt(enum paging_encryption how)
{
	encryption = how;
}

unsigned long paging_encryption(void)
{
	return encryption == PAGING_PLAIN ? 0 : PAGING_ENCRYPTION_BIT;
}

unsigned long cc_mkenc(unsigned long entry)
{
	if (encryption == PAGING_BIT_SET)
		return entry | PAGING_ENCRYPTION_BIT;
	return entry & ~paging_encryption();
}

static bool is_given(unsigned long pfn)
{
	for (size_t i = 0; i < given_count; i++) {
		if (given[i] == pfn)
			return true;
	}
	return false;
}

static unsigned long *give(unsigned long pfn)
{
	unsigned char *page = memory + (pfn << PAGE_SHIFT);

	if (given_count == GIVEN_MAX) {
		fprintf(stderr, "BUG: too many pages are in use\n");
		abort();
	}
	given[given_count++] = pfn;
	if (mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE)) {
		perror("mprotect");
		abort();
	}
	return (unsigned long *)page;
}

void *paging_alloc(void)
{
	unsigned long pfn;

	if (left == 0)
		return NULL;
	if (left > 0)
		left--;
	do {
		pfn = ram_random(PAGES);
	} while (!pfn_valid(pfn) || is_given(pfn));
	return give(pfn);
}

unsigned long *paging_physical(unsigned long phys)
{
	unsigned long pfn = phys >> PAGE_SHIFT;

	if (!pfn_valid(pfn))
		return NULL;
	if (!is_given(pfn))
		give(pfn);
	return (unsigned long *)(memory + (phys & PAGE_MASK));
}

bool pfn_valid(unsigned long pfn)
{
	return pfn < PAGES && (pfn < PAGING_HOLE >> PAGE_SHIFT ||
			       pfn >= PAGING_HOLE_END >> PAGE_SHIFT);
}

struct page *pfn_to_page(unsigned long pfn)
{
	if (!pfn_valid(pfn)) {
		fprintf(stderr, "BUG: no page %#lx\n", pfn);
		abort();
	}
	return &pages[pfn];
}

unsigned long __pa(unsigned long address)
{
	return address - (unsigned long)memory;
}

void *__va(unsigned long phys)
{
	return memory + phys;
}

bool virt_addr_valid(const void *address)
{
	return pfn_valid(__pa((unsigned long)address) >> PAGE_SHIFT);
}

struct page *virt_to_page(const void *address)
{
	return pfn_to_page(__pa((unsigned long)address) >> PAGE_SHIFT);
}

/* What is read past the encryption is noise; the bit is none of the address. */
static bool decrypt(unsigned long *entry)
{
	bool set = *entry >> 47 & 1;

	if (encryption == PAGING_PLAIN)
		return true;
	*entry &= ~(1UL << 47);
	return set == (encryption == PAGING_BIT_SET);
}

/* Intel's manual, volume 3, "4-Level Paging and 5-Level Paging". */
bool paging_translate(const struct paging_processor *processor,
		      unsigned long address, enum paging_access access,
		      unsigned long *phys)
{
	unsigned int bits = processor->levels == 5 ? 57 : 48, bit = bits - 9;
	unsigned long top = address >> (bits - 1), at = processor->pgt;
	bool write = true, user = true, fetch = true;

	if (top != 0 && top != ~0UL >> (bits - 1))
		return false;
	if (!decrypt(&at))
		return false;

	for (unsigned int level = processor->levels; level > 0; level--) {
		unsigned long *table = paging_physical(at), entry;

		/* A table that is not memory reads as ones: reserved bits. */
		if (!table)
			return false;
		entry = table[(address >> bit) & 511];
		if (!(entry & 1) || !decrypt(&entry))
			return false;
		write = write && (entry & 2);
		user = user && (entry & 4);
		fetch = fetch && !(entry >> 63);
		at = entry & 0xffffffffff000;
		if (level > 1 && (entry & 0x80)) {
			unsigned long inside = (1UL << bit) - 1;

			if (level > processor->leaf_max ||
			    (at & inside & ~0x1000UL))
				return false;
			at = (at & ~inside) | (address & inside);
			break;
		}
		if (level == 1)
			at |= address & 0xfff;
		bit -= 9;
	}
	if (user || (access == PAGING_WRITE && !write) ||
	    (access == PAGING_FETCH && !fetch))
		return false;
	*phys = at;
	return true;
}
