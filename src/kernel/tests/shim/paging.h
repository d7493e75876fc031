/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a 64-bit PC and what its processor does with page tables, for
 * code of the kernel that runs in user space.
 *
 * Memory is 7 GiB with a hole below 4 GiB. The direct map is where this process
 * can reach it; a page that nobody has asked for cannot be touched.
 */
#ifndef SHIM_PAGING_H
#define SHIM_PAGING_H

#include <linux/mm.h>

#define PAGING_GIB (1UL << 30)
#define PAGING_SPAN (8 * PAGING_GIB)
#define PAGING_HOLE (3 * PAGING_GIB)
#define PAGING_HOLE_END (4 * PAGING_GIB)

/* How the processor looks at an address. */
enum paging_access { PAGING_READ, PAGING_WRITE, PAGING_FETCH };

struct paging_processor {
	unsigned long pgt;
	unsigned int levels;
	unsigned int leaf_max;
};

/* Starts over: all pages free and full of zeros, the same after the same seed. */
void paging_init(uint64_t seed);
void paging_deinit(void);
/* All pages free again, but struct page as it is. */
void paging_free_all(void);

/* The address of a page that nobody has, anywhere; NULL once it refuses. */
void *paging_alloc(void);
/* From now on @after requests succeed, then all are refused; -1: none is. */
void paging_refuse(int after);

/*
 * How entries of page tables say that memory is encrypted, as all of it is: the
 * bit is set (AMD), clear (Intel), or there is no such bit (0).
 */
enum paging_encryption { PAGING_PLAIN, PAGING_BIT_SET, PAGING_BIT_CLEAR };
#define PAGING_ENCRYPTION_BIT (1UL << 47)
void paging_encrypt(enum paging_encryption how);

/* A page by its physical address, whether somebody has asked for it or not. */
unsigned long *paging_physical(unsigned long phys);

/* Translates by walking the tables as they are now; false: it faults. */
bool paging_translate(const struct paging_processor *processor,
		      unsigned long address, enum paging_access access,
		      unsigned long *phys);

#endif /* SHIM_PAGING_H */
