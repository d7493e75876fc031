/* SPDX-License-Identifier: GPL-2.0-only */
/* What the page-table code needs of x86's <asm/coco.h>, in user space. */
#ifndef SHIM_ASM_COCO_H
#define SHIM_ASM_COCO_H

/* An entry as it is where memory is encrypted; see paging_encrypt(). */
unsigned long cc_mkenc(unsigned long entry);

#endif /* SHIM_ASM_COCO_H */
