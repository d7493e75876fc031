/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the page-table code needs of <linux/mm.h>, in user space: a direct map of
 * the model's memory, see shim/paging.h.
 */
#ifndef SHIM_LINUX_MM_H
#define SHIM_LINUX_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../sleep.h"

#define BITS_PER_LONG 64
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGNED(address) (!((unsigned long)(address) & ~PAGE_MASK))

struct page {
	unsigned long private;
};

bool pfn_valid(unsigned long pfn);
struct page *pfn_to_page(unsigned long pfn);
bool virt_addr_valid(const void *address);
struct page *virt_to_page(const void *address);
void *__va(unsigned long phys);
unsigned long __pa(unsigned long address);

static inline unsigned long page_private(const struct page *page)
{
	return page->private;
}

static inline void set_page_private(struct page *page, unsigned long private)
{
	page->private = private;
}

#endif /* SHIM_LINUX_MM_H */
