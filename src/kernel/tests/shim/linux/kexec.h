/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kernel/kexec_list.h needs of <linux/kexec.h>, in user space. The width
 * of an entry and the size of a page are chosen by the makefile.
 */
#ifndef SHIM_LINUX_KEXEC_H
#define SHIM_LINUX_KEXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "../sleep.h"

#if ENTRY_BITS == 32
typedef uint32_t kimage_entry_t;
#else
typedef uint64_t kimage_entry_t;
#endif

#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define IND_DESTINATION 0x1
#define IND_INDIRECTION 0x2
#define IND_DONE 0x4
#define IND_SOURCE 0x8

struct page;

struct kimage {
	kimage_entry_t head;
	unsigned long pos;
};

unsigned long page_to_boot_pfn(const struct page *page);
struct page *boot_pfn_to_page(unsigned long pfn);

#endif /* SHIM_LINUX_KEXEC_H */
