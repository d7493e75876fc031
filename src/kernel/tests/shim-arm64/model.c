// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WINDOW (MODEL_FRAMES << PAGE_SHIFT)

unsigned long model_base;
pgd_t *model_pgd;

static struct page *mem_map;
static unsigned long memory, allocated;
static long left = -1;
static u64 state;

static void __attribute__((noreturn)) bug(const char *what, unsigned long value)
{
	fprintf(stderr, "BUG: %s (%#lx)\n", what, value);
	abort();
}

void model_print(const char *format, ...)
{
	(void)format;
}

void model_seed(u64 seed)
{
	state = seed * 2 + 1;
}

/* PCG XSH RR, see pcg-random.org. */
u64 model_random(u64 bound)
{
	uint32_t x, r;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	x = (uint32_t)(((state >> 18) ^ state) >> 27);
	r = (uint32_t)(state >> 59);
	return ((x >> r) | (x << (-r & 31))) % bound;
}

/* The window is aligned to twice its size: its upper half is another one's. */
void model_init(unsigned long memory_pages)
{
	void *window = mmap(NULL, WINDOW * 4, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (window == MAP_FAILED)
		bug("no address space", WINDOW);
	model_base = ((unsigned long)window + WINDOW * 2 - 1) &
		     ~(WINDOW * 2 - 1);
	munmap(window, model_base - (unsigned long)window);
	munmap((void *)(model_base + WINDOW),
	       (unsigned long)window + WINDOW * 3 - model_base);

	mem_map = calloc(MODEL_FRAMES, sizeof(*mem_map));
	if (!mem_map || memory_pages > MODEL_FRAMES)
		bug("no memory", memory_pages);
	memory = memory_pages;
	allocated = 0;
	left = -1;
	for (unsigned long i = 0; i < memory; i++)
		mem_map[i].memory = true;
	model_pgd = model_alloc();
}

void model_deinit(void)
{
	munmap((void *)model_base, WINDOW);
	free(mem_map);
	mem_map = NULL;
}

static struct page *find(phys_addr_t phys)
{
	if (phys < PHYS_OFFSET || phys - PHYS_OFFSET >= WINDOW)
		return NULL;
	return &mem_map[(phys - PHYS_OFFSET) >> PAGE_SHIFT];
}

void model_add_memory(phys_addr_t phys)
{
	find(phys)->memory = true;
}

bool pfn_valid(unsigned long pfn)
{
	struct page *page = find((phys_addr_t)pfn << PAGE_SHIFT);

	return page && page->memory;
}

struct page *phys_to_page(phys_addr_t phys)
{
	struct page *page = find(phys);

	if (!page || !page->memory)
		bug("no page there", phys);
	return page;
}

/* Not checked, as in the kernel: the result may be no memory. */
phys_addr_t virt_to_phys(const volatile void *address)
{
	return (unsigned long)address - model_base + PHYS_OFFSET;
}

void *phys_to_virt(phys_addr_t phys)
{
	return (void *)(phys - PHYS_OFFSET + model_base);
}

void model_refuse(long after)
{
	left = after;
}

unsigned long model_allocated(void)
{
	return allocated;
}

/* From a random place on, the next one that is free. */
void *model_alloc(void)
{
	unsigned long i;

	if (left == 0 || allocated == memory)
		return NULL;
	if (left > 0)
		left--;

	for (i = model_random(memory); mem_map[i].allocated;)
		i = (i + 1) % memory;
	mem_map[i].allocated = true;
	allocated++;
	return model_physical(PHYS_OFFSET + (i << PAGE_SHIFT));
}

void *model_physical(phys_addr_t phys)
{
	struct page *page = find(phys);
	void *address = phys_to_virt(phys & PAGE_MASK);

	if (!page || !page->memory)
		return NULL;
	if (!page->touched && mprotect(address, PAGE_SIZE, PROT_READ | PROT_WRITE))
		bug("mprotect", phys);
	page->touched = true;
	return (uint8_t *)address + (phys & ~PAGE_MASK);
}

void *model_table(u64 entry, unsigned long addr, unsigned int shift)
{
	u64 *table = phys_to_virt(entry & PTE_ADDR_MASK);

	return table + model_index(addr, shift);
}

void model_link(void *entry, const void *table, bool exists)
{
	if (!exists)
		bug("there is no such level", LEVELS);
	if (*(u64 *)entry)
		bug("a table where there is one already", *(u64 *)entry);
	*(u64 *)entry = virt_to_phys(table) | TYPE_MASK;
}
