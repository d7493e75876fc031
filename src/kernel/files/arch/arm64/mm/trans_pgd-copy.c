// SPDX-License-Identifier: GPL-2.0-only
/*
 * The copy of the linear map in transitional page tables
 *
 * Derived from: arch/arm64/mm/trans_pgd.c
 * Copyright (c) 2021, Microsoft Corporation.
 * Pasha Tatashin <pasha.tatashin@soleen.com>
 *
 * Each entry of the linear map is decided on by itself, whatever its level:
 * there is nothing to configure, and the two users, resume from hibernation
 * and kexec, get the same. It is in a file of its own, which needs nothing but
 * the page table helpers, so that it can be tested in user space.
 */

#include <asm/trans_pgd.h>
#include <asm/pgalloc.h>
#include <asm/pgtable.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/printk.h>

static void *trans_alloc(struct trans_pgd_info *info)
{
	return info->trans_alloc_page(info->trans_alloc_arg);
}

/*
 * Make a leaf of the linear map, of whatever level, one of the copy. All of
 * memory may be overwritten through the copy, so what is read-only (code,
 * rodata) becomes writable, and what is invalid becomes valid.
 *
 * Entries are invalid where the running kernel has no business, or not now:
 * pages that are free (debug_pagealloc), around objects (KFENCE), of
 * memfd_secret(), and of executable memory that is just being freed. They keep
 * their address, which sets them apart from holes. The next user of the memory
 * has no such reservations. But if there is no memory at that address, the
 * entry is none that could be made valid, and it is better to say so now.
 *
 * pte_mkwrite_novma() leaves an entry read-only unless it is dirty.
 */
static int trans_leaf(pte_t *ptep)
{
	pte_t pte = *ptep;

	if (!pte_valid(pte) && !pfn_valid(pte_pfn(pte)))
		return -ENXIO;

	*ptep = pte_mkpresent(pte_mkwrite_novma(pte_mkdirty(pte)));
	return 0;
}

static int copy_pte_leaf(pte_t *dst_ptep, pte_t pte)
{
	int rc = trans_leaf(&pte);

	if (!rc)
		__set_pte(dst_ptep, pte);
	return rc;
}

static int copy_pmd_leaf(pmd_t *dst_pmdp, pmd_t pmd)
{
	pte_t pte = pmd_pte(pmd);
	int rc = trans_leaf(&pte);

	/* An invalid table would come back to life, with the live entries. */
	if (!rc && pmd_table(pte_pmd(pte)))
		rc = -ENXIO;
	if (!rc)
		set_pmd(dst_pmdp, pte_pmd(pte));
	return rc;
}

static int copy_pud_leaf(pud_t *dst_pudp, pud_t pud)
{
	pte_t pte = pud_pte(pud);
	int rc = trans_leaf(&pte);

	if (!rc && pud_table(pte_pud(pte)))
		rc = -ENXIO;
	if (!rc)
		set_pud(dst_pudp, pte_pud(pte));
	return rc;
}

static int copy_pte(struct trans_pgd_info *info, pmd_t *dst_pmdp,
		    pmd_t *src_pmdp, unsigned long start, unsigned long end)
{
	pte_t *src_ptep;
	pte_t *dst_ptep;
	unsigned long addr = start;
	int rc = 0;

	dst_ptep = trans_alloc(info);
	if (!dst_ptep)
		return -ENOMEM;
	pmd_populate_kernel(NULL, dst_pmdp, dst_ptep);
	dst_ptep = pte_offset_kernel(dst_pmdp, start);

	src_ptep = pte_offset_kernel(src_pmdp, start);
	do {
		pte_t pte = __ptep_get(src_ptep);

		if (pte_none(pte))
			continue;
		rc = copy_pte_leaf(dst_ptep, pte);
		if (rc)
			break;
	} while (dst_ptep++, src_ptep++, addr += PAGE_SIZE, addr != end);

	return rc;
}

static int copy_pmd(struct trans_pgd_info *info, pud_t *dst_pudp,
		    pud_t *src_pudp, unsigned long start, unsigned long end)
{
	pmd_t *src_pmdp;
	pmd_t *dst_pmdp;
	unsigned long next;
	unsigned long addr = start;
	int rc = 0;

	if (pud_none(READ_ONCE(*dst_pudp))) {
		dst_pmdp = trans_alloc(info);
		if (!dst_pmdp)
			return -ENOMEM;
		pud_populate(NULL, dst_pudp, dst_pmdp);
	}
	dst_pmdp = pmd_offset(dst_pudp, start);

	src_pmdp = pmd_offset(src_pudp, start);
	do {
		pmd_t pmd = READ_ONCE(*src_pmdp);

		next = pmd_addr_end(addr, end);
		if (pmd_none(pmd))
			continue;
		if (pmd_table(pmd))
			rc = copy_pte(info, dst_pmdp, src_pmdp, addr, next);
		else
			rc = copy_pmd_leaf(dst_pmdp, pmd);
		if (rc)
			break;
	} while (dst_pmdp++, src_pmdp++, addr = next, addr != end);

	return rc;
}

static int copy_pud(struct trans_pgd_info *info, p4d_t *dst_p4dp,
		    p4d_t *src_p4dp, unsigned long start,
		    unsigned long end)
{
	pud_t *dst_pudp;
	pud_t *src_pudp;
	unsigned long next;
	unsigned long addr = start;
	int rc = 0;

	if (p4d_none(READ_ONCE(*dst_p4dp))) {
		dst_pudp = trans_alloc(info);
		if (!dst_pudp)
			return -ENOMEM;
		p4d_populate(NULL, dst_p4dp, dst_pudp);
	}
	dst_pudp = pud_offset(dst_p4dp, start);

	src_pudp = pud_offset(src_p4dp, start);
	do {
		pud_t pud = READ_ONCE(*src_pudp);

		next = pud_addr_end(addr, end);
		if (pud_none(pud))
			continue;
		if (pud_table(pud))
			rc = copy_pmd(info, dst_pudp, src_pudp, addr, next);
		else
			rc = copy_pud_leaf(dst_pudp, pud);
		if (rc)
			break;
	} while (dst_pudp++, src_pudp++, addr = next, addr != end);

	return rc;
}

static int copy_p4d(struct trans_pgd_info *info, pgd_t *dst_pgdp,
		    pgd_t *src_pgdp, unsigned long start,
		    unsigned long end)
{
	p4d_t *dst_p4dp;
	p4d_t *src_p4dp;
	unsigned long next;
	unsigned long addr = start;
	int rc = 0;

	if (pgd_none(READ_ONCE(*dst_pgdp))) {
		dst_p4dp = trans_alloc(info);
		if (!dst_p4dp)
			return -ENOMEM;
		pgd_populate(NULL, dst_pgdp, dst_p4dp);
	}
	dst_p4dp = p4d_offset(dst_pgdp, start);

	src_p4dp = p4d_offset(src_pgdp, start);
	do {
		next = p4d_addr_end(addr, end);
		if (p4d_none(READ_ONCE(*src_p4dp)))
			continue;
		rc = copy_pud(info, dst_p4dp, src_p4dp, addr, next);
		if (rc)
			break;
	} while (dst_p4dp++, src_p4dp++, addr = next, addr != end);

	return rc;
}

static int copy_page_tables(struct trans_pgd_info *info, pgd_t *dst_pgdp,
			    unsigned long start, unsigned long end)
{
	unsigned long next;
	unsigned long addr = start;
	pgd_t *src_pgdp = pgd_offset_k(start);
	int rc = 0;

	dst_pgdp = pgd_offset_pgd(dst_pgdp, start);
	do {
		next = pgd_addr_end(addr, end);
		if (pgd_none(READ_ONCE(*src_pgdp)))
			continue;
		rc = copy_p4d(info, dst_pgdp, src_pgdp, addr, next);
		if (rc)
			break;
	} while (dst_pgdp++, src_pgdp++, addr = next, addr != end);

	return rc;
}

/**
 * trans_pgd_create_copy() - Create a copy of the linear map.
 * @info:	The allocator, which gives zeroed pages, and its argument.
 * @dst_pgdp:	Set to the copy, if there is one.
 * @start:	Start of the interval to copy (inclusive).
 * @end:	End of the interval to copy (exclusive).
 *
 * All that is mapped in the interval, or was until somebody made it invalid, is
 * mapped and writable in the copy. What has been allocated when this fails is
 * for the allocator's owner to free.
 *
 * Return: 0, -ENOMEM, or -ENXIO if there is an entry that maps no memory.
 */
int trans_pgd_create_copy(struct trans_pgd_info *info, pgd_t **dst_pgdp,
			  unsigned long start, unsigned long end)
{
	int rc;
	pgd_t *trans_pgd = trans_alloc(info);

	if (!trans_pgd) {
		pr_err("Failed to allocate memory for temporary page tables.\n");
		return -ENOMEM;
	}

	rc = copy_page_tables(info, trans_pgd, start, end);
	if (!rc)
		*dst_pgdp = trans_pgd;

	return rc;
}
