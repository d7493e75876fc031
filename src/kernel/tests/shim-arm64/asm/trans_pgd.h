/* SPDX-License-Identifier: GPL-2.0-only */
/* <asm/trans_pgd.h> with the series, as far as the code in user space needs it. */
#ifndef SHIM_ARM64_ASM_TRANS_PGD_H
#define SHIM_ARM64_ASM_TRANS_PGD_H

#include "model.h"

struct trans_pgd_info {
	void * (*trans_alloc_page)(void *arg);
	void *trans_alloc_arg;
};

struct trans_pgd_maps {
	pgd_t *copy;
	phys_addr_t ttbr0;
	unsigned long t0sz;
	void *code;
	void *zero_page;
	phys_addr_t el2_vectors;
};

struct kimage;
struct pbe;

int trans_pgd_create_copy(struct trans_pgd_info *info, pgd_t **trans_pgd,
			  unsigned long start, unsigned long end);
int trans_pgd_verify_resume(const struct trans_pgd_maps *maps,
			    const struct pbe *list);
int trans_pgd_verify_kexec(const struct trans_pgd_maps *maps,
			   const struct kimage *image);

#endif /* SHIM_ARM64_ASM_TRANS_PGD_H */
