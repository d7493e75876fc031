// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verification of transitional page tables
 *
 * Once they are in use nothing can be reported any more: a hole in them, or a
 * table that is overwritten, is an exception that nobody handles. So look at
 * them before, as the hardware and the code that runs on them will:
 *
 * - each page that is read or written is mapped in the copy of the linear map,
 *   where it belongs, and may be written;
 * - no page that is written is needed until the end: the tables, the code, and
 *   the list of what is to be copied, with its sources;
 * - the identity map has exactly one page, the code, which may be executed.
 *
 * There are two users, and each has a list of its own kind.
 */

#define pr_fmt(fmt) "trans_pgd: " fmt

#include <asm/trans_pgd.h>
#include <asm/pgtable.h>
#include <linux/errno.h>
#include <linux/kexec.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/suspend.h>

/**
 * struct verification - What a verification is about.
 * @maps:	The tables, and what else is needed until the end.
 * @image:	For kexec: has the destinations; for resume: NULL.
 * @mark:	For resume: page->private of a page that is needed.
 * @pages:	How many pages are copied.
 *
 * Destinations are a few ranges for kexec, and any number of single pages for
 * resume. There it is the needed pages that are marked: they are from
 * get_safe_page(), and nobody uses their page->private. The mark is never the
 * same twice, as pages may keep it when an attempt has failed.
 */
struct verification {
	const struct trans_pgd_maps *maps;
	const struct kimage *image;
	unsigned long mark;
	unsigned long pages;
};

#ifdef CONFIG_KEXEC_CORE
static bool in_segments(const struct kimage *image, phys_addr_t phys)
{
	unsigned long i;

	for (i = 0; i < image->nr_segments; i++) {
		const struct kexec_segment *segment = &image->segment[i];

		if (phys >= segment->mem && phys - segment->mem < segment->memsz)
			return true;
	}
	return false;
}
#else
static bool in_segments(const struct kimage *image, phys_addr_t phys)
{
	return false;
}
#endif

/* A page is needed until the end. */
static int needed(const struct verification *v, phys_addr_t phys)
{
	if (!pfn_valid(PHYS_PFN(phys)))
		return -EFAULT;

	if (!v->image)
		set_page_private(phys_to_page(phys), v->mark);
	else if (in_segments(v->image, phys))
		return -EFAULT;
	return 0;
}

/* Find the leaf that translates an address, as an entry of the last level. */
static bool find_leaf(pgd_t *pgdp, unsigned long addr, pte_t *leaf,
		      unsigned long *mask)
{
	p4d_t *p4dp;
	pud_t *pudp, pud;
	pmd_t *pmdp, pmd;

	pgdp = pgd_offset_pgd(pgdp, addr);
	if (pgd_none(READ_ONCE(*pgdp)))
		return false;

	p4dp = p4d_offset(pgdp, addr);
	if (p4d_none(READ_ONCE(*p4dp)))
		return false;

	pudp = pud_offset(p4dp, addr);
	pud = READ_ONCE(*pudp);
	if (pud_none(pud))
		return false;
	if (!pud_table(pud)) {
		*leaf = pud_pte(pud);
		*mask = PUD_MASK;
		return true;
	}

	pmdp = pmd_offset(pudp, addr);
	pmd = READ_ONCE(*pmdp);
	if (!pmd_table(pmd)) {
		*leaf = pmd_pte(pmd);
		*mask = PMD_MASK;
		return true;
	}

	*leaf = __ptep_get(pte_offset_kernel(pmdp, addr));
	*mask = PAGE_MASK;
	return true;
}

/* The copy of the linear map has the page, at its place, and it may be written. */
static bool is_mapped(const struct verification *v, phys_addr_t phys)
{
	unsigned long addr = (unsigned long)phys_to_virt(phys);
	unsigned long mask;
	pte_t leaf;

	/* An address that the linear map does not have leads to another page. */
	return find_leaf(v->maps->copy, addr, &leaf, &mask) &&
	       pte_valid(leaf) && pte_hw_dirty(leaf) &&
	       __pte_to_phys(leaf) + (addr & ~mask) == phys;
}

/* The tables of the copy, from one level to the next. */
static int verify_pmds(const struct verification *v, pud_t *pudp,
		       unsigned long addr, unsigned long end)
{
	pmd_t *pmdp = pmd_offset(pudp, addr);
	unsigned long next;
	int rc;

	do {
		pmd_t pmd = READ_ONCE(*pmdp);

		next = pmd_addr_end(addr, end);
		if (pmd_none(pmd) || !pmd_table(pmd))
			continue;
		rc = needed(v, __pa(pte_offset_kernel(pmdp, addr)));
		if (rc)
			return rc;
	} while (pmdp++, addr = next, addr != end);

	return 0;
}

static int verify_puds(const struct verification *v, p4d_t *p4dp,
		       unsigned long addr, unsigned long end)
{
	pud_t *pudp = pud_offset(p4dp, addr);
	unsigned long next;
	int rc;

	do {
		pud_t pud = READ_ONCE(*pudp);

		next = pud_addr_end(addr, end);
		if (pud_none(pud) || !pud_table(pud))
			continue;
		rc = needed(v, __pa(pmd_offset(pudp, addr)));
		if (!rc)
			rc = verify_pmds(v, pudp, addr, next);
		if (rc)
			return rc;
	} while (pudp++, addr = next, addr != end);

	return 0;
}

static int verify_p4ds(const struct verification *v, pgd_t *pgdp,
		       unsigned long addr, unsigned long end)
{
	p4d_t *p4dp = p4d_offset(pgdp, addr);
	unsigned long next;
	int rc;

	do {
		next = p4d_addr_end(addr, end);
		if (p4d_none(READ_ONCE(*p4dp)))
			continue;
		rc = needed(v, __pa(pud_offset(p4dp, addr)));
		if (!rc)
			rc = verify_puds(v, p4dp, addr, next);
		if (rc)
			return rc;
	} while (p4dp++, addr = next, addr != end);

	return 0;
}

static int verify_copy(const struct verification *v)
{
	unsigned long addr = _PAGE_OFFSET(vabits_actual);
	pgd_t *pgdp = pgd_offset_pgd(v->maps->copy, addr);
	unsigned long next;
	int rc;

	rc = needed(v, __pa(v->maps->copy));
	if (rc)
		return rc;

	do {
		next = pgd_addr_end(addr, PAGE_END);
		if (pgd_none(READ_ONCE(*pgdp)))
			continue;
		rc = needed(v, __pa(p4d_offset(pgdp, addr)));
		if (!rc)
			rc = verify_p4ds(v, pgdp, addr, next);
		if (rc)
			return rc;
	} while (pgdp++, addr = next, addr != PAGE_END);

	return 0;
}

static phys_addr_t ttbr_to_phys(u64 ttbr)
{
	phys_addr_t phys = ttbr & GENMASK_ULL(47, PAGE_SHIFT);

	if (IS_ENABLED(CONFIG_ARM64_PA_BITS_52))
		phys |= (ttbr & GENMASK_ULL(5, 2)) << 46;
	return phys;
}

/*
 * The identity map, which trans_pgd_idmap_page() has built for a number of
 * address bits that need not be the kernel's: hence no helpers but those for
 * entries. Its tables have one entry each.
 */
static int verify_idmap(const struct verification *v)
{
	phys_addr_t code = virt_to_phys(v->maps->code);
	phys_addr_t phys = ttbr_to_phys(v->maps->ttbr0);
	/* T0SZ is the lowest field of TCR_EL1. */
	int level = 4 - ARM64_HW_PGTABLE_LEVELS(64 - v->maps->t0sz);
	pte_t pte = __pte(0);
	unsigned int index, i;
	pte_t *table;
	int rc;

	for (; level < 4; level++) {
		rc = needed(v, phys);
		if (rc)
			return rc;

		table = phys_to_virt(phys);
		index = (code >> ARM64_HW_PGTABLE_LEVEL_SHIFT(level)) &
			(PTRS_PER_PTE - 1);
		for (i = 0; i < PTRS_PER_PTE; i++) {
			if (i != index && !pte_none(table[i]))
				return -EFAULT;
		}
		pte = table[index];
		if (!pmd_table(pte_pmd(pte)))
			return -EFAULT;
		phys = __pte_to_phys(pte);
	}

	if (phys != code || (pte_val(pte) & PTE_PXN))
		return -EFAULT;
	return 0;
}

/* What both users need, but for their lists. */
static int verify_maps(const struct verification *v)
{
	const struct trans_pgd_maps *maps = v->maps;
	int rc;

	rc = verify_copy(v);
	if (!rc)
		rc = verify_idmap(v);
	if (!rc)
		rc = needed(v, virt_to_phys(maps->code));
	if (!rc && maps->zero_page)
		rc = needed(v, virt_to_phys(maps->zero_page));
	if (!rc && maps->el2_vectors)
		rc = needed(v, maps->el2_vectors);
	if (rc)
		pr_err("a table, or the code, is not where it would survive\n");
	return rc;
}

static int unmapped(const char *what, phys_addr_t phys, int rc)
{
	pr_err("the %s at %pa is not mapped, or is in the way\n", what, &phys);
	return rc;
}

#ifdef CONFIG_HIBERNATION
static bool is_needed(const struct verification *v, phys_addr_t phys)
{
	return page_private(phys_to_page(phys)) == v->mark;
}

/**
 * trans_pgd_verify_resume() - Verify what restores a hibernation image.
 * @maps:	The tables, not loaded yet.
 * @list:	What is to be copied, all of it in pages from get_safe_page().
 *
 * Context: May be called with interrupts off, allocates nothing.
 * Return: 0, or -EFAULT if the resume would not survive.
 */
int trans_pgd_verify_resume(const struct trans_pgd_maps *maps,
			    const struct pbe *list)
{
	static unsigned long attempts;
	struct verification v = { .maps = maps, .mark = ~attempts++ };
	const struct pbe *pbe;
	phys_addr_t phys;
	int rc;

	rc = verify_maps(&v);
	if (rc)
		return rc;

	for (pbe = list; pbe; pbe = pbe->next) {
		phys = virt_to_phys(pbe) & PAGE_MASK;
		if (!is_mapped(&v, phys) || needed(&v, phys))
			return unmapped("list", phys, -EFAULT);

		phys = virt_to_phys(pbe->address);
		if (!is_mapped(&v, phys) || needed(&v, phys))
			return unmapped("source", phys, -EFAULT);
	}

	for (pbe = list; pbe; pbe = pbe->next) {
		phys = virt_to_phys(pbe->orig_address);
		if (!is_mapped(&v, phys) || is_needed(&v, phys))
			return unmapped("destination", phys, -EFAULT);
		v.pages++;
	}

	pr_debug("verified a resume of %lu pages\n", v.pages);
	return 0;
}
#endif

#ifdef CONFIG_KEXEC_CORE
/**
 * trans_pgd_verify_kexec() - Verify what relocates a kernel.
 * @maps:	The tables, not loaded yet.
 * @image:	The image, complete but for what this is called from.
 *
 * Return: 0, -EADDRNOTAVAIL if a destination is not in the linear map, or
 * -EFAULT if the relocation would not survive.
 */
int trans_pgd_verify_kexec(const struct trans_pgd_maps *maps,
			   const struct kimage *image)
{
	struct verification v = { .maps = maps, .image = image };
	const kimage_entry_t *next = &image->head;
	phys_addr_t dest = 0;
	kimage_entry_t entry;
	int rc;

	rc = verify_maps(&v);
	if (rc)
		return rc;

	while (!((entry = *next++) & IND_DONE)) {
		phys_addr_t phys = entry & PAGE_MASK;

		if (entry & IND_DESTINATION) {
			dest = phys;
		} else if (entry & IND_INDIRECTION) {
			if (!is_mapped(&v, phys) || needed(&v, phys))
				return unmapped("list", phys, -EFAULT);
			next = phys_to_virt(phys);
		} else if (entry & IND_SOURCE) {
			/* A page may be where it is going to. */
			if (!is_mapped(&v, phys) ||
			    (phys != dest && needed(&v, phys)))
				return unmapped("source", phys, -EFAULT);
			if (!is_mapped(&v, dest))
				return unmapped("destination", dest,
						-EADDRNOTAVAIL);
			dest += PAGE_SIZE;
			v.pages++;
		}
	}

	pr_debug("verified a kexec of %lu pages\n", v.pages);
	return 0;
}
#endif
