/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine whose page tables are arm64's, for code of arch/arm64/mm that runs
 * in user space. The makefile says how many levels they have (LEVELS). Entries
 * are as in hardware; a table uses 16 entries of its page only, so that all of
 * the linear map can be looked at, page by page.
 *
 * The linear map is the lower half of what the tables can translate. Its
 * addresses are addresses of this process, and physical memory is there, but a
 * page that nobody has allocated cannot be touched.
 */
#ifndef SHIM_ARM64_MODEL_H
#define SHIM_ARM64_MODEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shim/sleep.h"

typedef uint64_t u64;
typedef uint64_t phys_addr_t;

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define IS_ENABLED(option) 0
#define CONFIG_HIBERNATION 1
#define CONFIG_KEXEC_CORE 1

void model_print(const char *format, ...);
#define pr_err(...) model_print(__VA_ARGS__)
#define pr_debug(...) model_print(__VA_ARGS__)

/* ---- geometry --------------------------------------------------------- */

#define TABLE_BITS 4
#define PTRS_PER_PTE (1 << TABLE_BITS)
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PMD_SHIFT (PAGE_SHIFT + TABLE_BITS)
#define PUD_SHIFT (PMD_SHIFT + TABLE_BITS)
#define P4D_SHIFT (PUD_SHIFT + (LEVELS > 3 ? TABLE_BITS : 0))
#define PGDIR_SHIFT (P4D_SHIFT + (LEVELS > 4 ? TABLE_BITS : 0))
#define PMD_MASK (~((1UL << PMD_SHIFT) - 1))
#define PUD_MASK (~((1UL << PUD_SHIFT) - 1))
#define VA_SHIFT (PAGE_SHIFT + LEVELS * TABLE_BITS)
#define ARM64_HW_PGTABLE_LEVEL_SHIFT(n) (PAGE_SHIFT + (3 - (n)) * TABLE_BITS)
#define ARM64_HW_PGTABLE_LEVELS(bits) \
	((int)((bits) - PAGE_SHIFT + TABLE_BITS - 1) / TABLE_BITS)

extern unsigned long model_base;
#define vabits_actual 0
#define _PAGE_OFFSET(bits) (model_base + (bits))
#define PAGE_END (model_base + (1UL << (VA_SHIFT - 1)))
#define MODEL_FRAMES (1UL << (VA_SHIFT - 1 - PAGE_SHIFT))
#define PHYS_OFFSET 0x40000000UL

/* ---- memory ----------------------------------------------------------- */

struct page {
	unsigned long private;
	bool memory;
	bool allocated;
	bool touched;
};

#define PHYS_PFN(phys) ((unsigned long)((phys) >> PAGE_SHIFT))

bool pfn_valid(unsigned long pfn);
struct page *phys_to_page(phys_addr_t phys);
phys_addr_t virt_to_phys(const volatile void *address);
void *phys_to_virt(phys_addr_t phys);
#define __pa(address) virt_to_phys(address)
#define page_private(page) ((page)->private)
#define set_page_private(page, value) ((page)->private = (value))

/* ---- entries ---------------------------------------------------------- */

typedef struct { u64 v; } pte_t;
typedef struct { u64 v; } pmd_t;
typedef struct { u64 v; } pud_t;
typedef struct { u64 v; } p4d_t;
typedef struct { u64 v; } pgd_t;

#define PTE_VALID (1ULL << 0)
#define PTE_TABLE_BIT (1ULL << 1)
#define PTE_RDONLY (1ULL << 7)
#define PTE_AF (1ULL << 10)
#define PTE_NG (1ULL << 11)
#define PTE_WRITE (1ULL << 51)
#define PTE_CONT (1ULL << 52)
#define PTE_PXN (1ULL << 53)
#define PTE_UXN (1ULL << 54)
#define PTE_DIRTY (1ULL << 55)
#define PTE_ADDR_MASK GENMASK_ULL(47, PAGE_SHIFT)
#define TYPE_MASK (PTE_VALID | PTE_TABLE_BIT)

#define __pte(x) ((pte_t) { (x) })
#define pte_val(pte) ((pte).v)
#define pte_none(pte) (!(pte).v)
#define pte_valid(pte) (!!((pte).v & PTE_VALID))
#define pte_write(pte) (!!((pte).v & PTE_WRITE))
#define pte_hw_dirty(pte) (pte_write(pte) && !((pte).v & PTE_RDONLY))
#define __pte_to_phys(pte) ((pte).v & PTE_ADDR_MASK)
#define pte_pfn(pte) PHYS_PFN(__pte_to_phys(pte))
#define pmd_none(pmd) (!(pmd).v)
#define pmd_table(pmd) (((pmd).v & TYPE_MASK) == TYPE_MASK)
#define pmd_pte(pmd) ((pte_t) { (pmd).v })
#define pte_pmd(pte) ((pmd_t) { (pte).v })
#define pud_none(pud) (!(pud).v)
#define pud_table(pud) (((pud).v & TYPE_MASK) == TYPE_MASK)
#define pud_pte(pud) ((pte_t) { (pud).v })
#define pte_pud(pte) ((pud_t) { (pte).v })
#define p4d_none(p4d) (LEVELS > 3 && !(p4d).v)
#define pgd_none(pgd) (LEVELS > 4 && !(pgd).v)

static inline pte_t pte_mkdirty(pte_t pte)
{
	pte.v |= PTE_DIRTY;
	if (pte_write(pte))
		pte.v &= ~PTE_RDONLY;
	return pte;
}

/* Since 6.18 only a dirty entry becomes writable at once. */
static inline pte_t pte_mkwrite_novma(pte_t pte)
{
	pte.v |= PTE_WRITE;
	if (pte.v & PTE_DIRTY)
		pte.v &= ~PTE_RDONLY;
	return pte;
}

static inline pte_t pte_mkpresent(pte_t pte)
{
	pte.v |= PTE_VALID;
	return pte;
}

/* ---- tables ----------------------------------------------------------- */

#define __ptep_get(ptep) READ_ONCE(*(ptep))
#define __set_pte(ptep, pte) (*(ptep) = (pte))
#define set_pmd(pmdp, pmd) (*(pmdp) = (pmd))
#define set_pud(pudp, pud) (*(pudp) = (pud))

/* Address of the entry for @addr in the table that @entry leads to. */
void *model_table(u64 entry, unsigned long addr, unsigned int shift);
void model_link(void *entry, const void *table, bool exists);

static inline unsigned int model_index(unsigned long addr, unsigned int shift)
{
	return (addr >> shift) & (PTRS_PER_PTE - 1);
}

extern pgd_t *model_pgd;
#define pgd_offset_pgd(pgd, addr) ((pgd) + model_index(addr, PGDIR_SHIFT))
#define pgd_offset_k(addr) pgd_offset_pgd(model_pgd, addr)

static inline p4d_t *p4d_offset(pgd_t *pgdp, unsigned long addr)
{
	if (LEVELS > 4)
		return model_table(pgdp->v, addr, P4D_SHIFT);
	return (p4d_t *)pgdp;
}

static inline pud_t *pud_offset(p4d_t *p4dp, unsigned long addr)
{
	if (LEVELS > 3)
		return model_table(p4dp->v, addr, PUD_SHIFT);
	return (pud_t *)p4dp;
}

static inline pmd_t *pmd_offset(pud_t *pudp, unsigned long addr)
{
	return model_table(pudp->v, addr, PMD_SHIFT);
}

static inline pte_t *pte_offset_kernel(pmd_t *pmdp, unsigned long addr)
{
	return model_table(pmdp->v, addr, PAGE_SHIFT);
}

#define pgd_populate(mm, pgdp, p4dp) model_link(pgdp, p4dp, LEVELS > 4)
#define p4d_populate(mm, p4dp, pudp) model_link(p4dp, pudp, LEVELS > 3)
#define pud_populate(mm, pudp, pmdp) model_link(pudp, pmdp, true)
#define pmd_populate_kernel(mm, pmdp, ptep) model_link(pmdp, ptep, true)

static inline unsigned long model_addr_end(unsigned long addr,
					   unsigned long end,
					   unsigned int shift)
{
	unsigned long next = ((addr >> shift) + 1) << shift;

	return next - 1 < end - 1 ? next : end;
}

#define pgd_addr_end(addr, end) model_addr_end(addr, end, PGDIR_SHIFT)
#define p4d_addr_end(addr, end) \
	(LEVELS > 4 ? model_addr_end(addr, end, P4D_SHIFT) : (end))
#define pud_addr_end(addr, end) \
	(LEVELS > 3 ? model_addr_end(addr, end, PUD_SHIFT) : (end))
#define pmd_addr_end(addr, end) model_addr_end(addr, end, PMD_SHIFT)

/* ---- the model's own -------------------------------------------------- */

/* Starts over: @memory_pages of memory at the start of the linear map. */
void model_init(unsigned long memory_pages);
void model_deinit(void);
/* Says that there is memory, too. */
void model_add_memory(phys_addr_t phys);

/* A page of memory, zeroed, or NULL. From below the first @memory_pages. */
void *model_alloc(void);
unsigned long model_allocated(void);
/* Physical access, as by hardware: NULL where there is no memory. */
void *model_physical(phys_addr_t phys);
/* After so many more allocations all are refused; -1: none is. */
void model_refuse(long after);

void model_seed(u64 seed);
u64 model_random(u64 bound);

#endif /* SHIM_ARM64_MODEL_H */
