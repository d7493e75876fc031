/* SPDX-License-Identifier: GPL-2.0-only */
/* What the page-table code needs of x86's <asm/pgtable_types.h>, in user space. */
#ifndef SHIM_ASM_PGTABLE_TYPES_H
#define SHIM_ASM_PGTABLE_TYPES_H

unsigned long paging_encryption(void);

#define PTRS_PER_PTE 512
/* Without the bit that says how memory is encrypted. */
#define PTE_PFN_MASK (0x000ffffffffff000UL & ~paging_encryption())

#define _PAGE_PRESENT 0x001UL
#define _PAGE_RW 0x002UL
#define _PAGE_USER 0x004UL
#define _PAGE_PSE 0x080UL
#define _PAGE_PAT_LARGE 0x1000UL
#define _PAGE_NX 0x8000000000000000UL

#endif /* SHIM_ASM_PGTABLE_TYPES_H */
