/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verification of what restore_image() is about to work with, on 64 bit.
 *
 * From the moment it switches to the temporary page tables until the image
 * kernel has its own, nothing can be handled and nothing reported: an address
 * that is not mapped, a page table that is overwritten by the page it helped
 * to copy, a jump to a page that may not be executed, all of that is a triple
 * fault. Before that moment it is an error like any other.
 *
 * What is still needed after the switch is marked: the page tables, the page
 * of the relocated code, the list of pages to copy, and the copies. Then
 *
 *  - every page table is in a page that was allocated for one, and in one place
 *    of the tree;
 *  - where memory is encrypted, so is what every entry leads to, as it was when
 *    it was written;
 *  - nothing is needed for two purposes;
 *  - everything needed, and every destination, is translated to where it is,
 *    with the rights that are needed;
 *  - no destination is marked.
 *
 * The tables are walked as the processor walks them, level by level, and not by
 * the helpers that built them.
 *
 * The mark is in page->private. All marked pages belong to the snapshot, which
 * has no other use for it. Marks are not taken away: a page that was freed
 * after an attempt that failed may be a destination of the next one, so each
 * attempt has marks of its own.
 *
 * What cannot be seen from here: whether a page was taken for safe that holds
 * data of the image already, in its final place.
 *
 * Callers serialize: there is one resume, on one processor.
 */
#ifndef ARCH_X86_POWER_RESTORE_CHECK_H
#define ARCH_X86_POWER_RESTORE_CHECK_H

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/suspend.h>

#include <asm/coco.h>
#include <asm/pgtable_types.h>

/**
 * struct restore_plan - What restore_image() works with.
 * @mark:	Marks pages that were allocated for page tables. @mark + 1, which
 *		must be nobody else's either, marks pages that are needed.
 * @pgt:	Physical address of the top page table, as CR3 will have it.
 * @levels:	How many levels of page tables there are, 4 or 5.
 * @leaf_max:	Highest level at which an entry may map memory, 2 or 3.
 * @code:	Address of the page that the code was relocated to.
 * @jump:	Address at which that enters the image kernel,
 * @jump_phys:	and the physical address which that must have.
 * @list:	Pages to copy.
 */
struct restore_plan {
	unsigned long mark;
	unsigned long pgt;
	unsigned int levels;
	unsigned int leaf_max;
	unsigned long code;
	unsigned long jump;
	unsigned long jump_phys;
	const struct pbe *list;
};

/**
 * struct restore_report - What the verification has found.
 * @fault:	What is wrong with @address, or NULL.
 * @address:	The address at fault; a physical one of page tables.
 * @tables:	How many page tables there are.
 * @pages:	How many pages there are to copy.
 */
struct restore_report {
	const char *fault;
	unsigned long address;
	unsigned long tables;
	unsigned long pages;
};

/*
 * What one entry maps, kept while the addresses that are looked at go on inside
 * of it; most of them do.
 */
struct restore_window {
	unsigned long start;
	unsigned long size;
	unsigned long phys;
	bool write;
	bool exec;
};

static inline bool restore_fault(struct restore_report *report,
				 const char *fault, unsigned long address)
{
	report->fault = fault;
	report->address = address;
	return false;
}

static inline unsigned int restore_shift(unsigned int level)
{
	return PAGE_SHIFT + (level - 1) * ilog2(PTRS_PER_PTE);
}

/**
 * restore_mark_table() - Say that a page was allocated for a page table.
 * @plan:	The plan; only its mark is looked at.
 * @table:	The page's address in the direct map.
 */
static inline void restore_mark_table(const struct restore_plan *plan,
				      const void *table)
{
	set_page_private(virt_to_page(table), plan->mark);
}

/* Whether a page is needed after the switch, or will be. */
static inline bool restore_is_marked(const struct restore_plan *plan,
				     struct page *page)
{
	return page_private(page) - plan->mark <= 1;
}

/* Check a table and all below it, and mark them. Goes @level calls deep. */
static bool restore_check_tables(const struct restore_plan *plan,
				 struct restore_report *report,
				 unsigned long phys, unsigned int level)
{
	unsigned long size = 1UL << restore_shift(level);
	const unsigned long *table;
	struct page *page;
	unsigned int i;

	if (!pfn_valid(phys >> PAGE_SHIFT))
		return restore_fault(report, "no page for a page table", phys);

	page = pfn_to_page(phys >> PAGE_SHIFT);
	if (page_private(page) != plan->mark)
		return restore_fault(report, restore_is_marked(plan, page) ?
				     "page table in two places" :
				     "page table in a page not meant for one",
				     phys);

	set_page_private(page, plan->mark + 1);
	report->tables++;
	table = __va(phys);
	for (i = 0; i < PTRS_PER_PTE; i++) {
		unsigned long entry = table[i], next = entry & PTE_PFN_MASK;

		if (!(entry & _PAGE_PRESENT))
			continue;
		if (cc_mkenc(entry) != entry)
			return restore_fault(report, "page table without memory encryption",
					     phys);
		if (level == 1)
			continue;

		if (!(entry & _PAGE_PSE)) {
			if (!restore_check_tables(plan, report, next,
						  level - 1))
				return false;
		} else if (level > plan->leaf_max ||
			   (next & (size - 1) & ~_PAGE_PAT_LARGE)) {
			return restore_fault(report, "reserved bits in an entry of the page table",
					     phys);
		}
	}

	return true;
}

/* Find what an address is translated to. Only after the tables were checked. */
static inline bool restore_walk(const struct restore_plan *plan,
				unsigned long address,
				struct restore_window *window)
{
	unsigned long phys = plan->pgt & PTE_PFN_MASK, all = ~0UL, any = 0;
	unsigned int unused = BITS_PER_LONG - restore_shift(plan->levels + 1);
	unsigned int level = plan->levels;
	unsigned long entry, size;

	if ((unsigned long)((long)(address << unused) >> unused) != address)
		return false;

	for (;; level--) {
		const unsigned long *table = __va(phys);

		entry = table[(address >> restore_shift(level)) % PTRS_PER_PTE];
		if (!(entry & _PAGE_PRESENT))
			return false;
		all &= entry;
		any |= entry;
		phys = entry & PTE_PFN_MASK;
		if (level == 1 || (entry & _PAGE_PSE))
			break;
	}

	/* The kernel may not touch pages of user space in this state. */
	if (all & _PAGE_USER)
		return false;

	size = 1UL << restore_shift(level);
	window->start = address & ~(size - 1);
	window->size = size;
	window->phys = phys & ~(size - 1);
	window->write = all & _PAGE_RW;
	window->exec = !(any & _PAGE_NX);
	return true;
}

/* Whether an address is translated to this physical one. */
static inline bool restore_maps(const struct restore_plan *plan,
				unsigned long address, unsigned long phys,
				struct restore_window *window)
{
	if (address - window->start >= window->size &&
	    !restore_walk(plan, address, window)) {
		window->size = 0;
		return false;
	}

	return window->phys + (address - window->start) == phys;
}

/* Check a page that is read after the switch, and mark it. */
static inline bool restore_check_needed(const struct restore_plan *plan,
					struct restore_report *report,
					unsigned long address,
					struct restore_window *window)
{
	struct page *page;

	if (!PAGE_ALIGNED(address) || !virt_addr_valid((void *)address))
		return restore_fault(report, "no page", address);
	if (!restore_maps(plan, address, __pa(address), window))
		return restore_fault(report, "page not mapped", address);

	page = virt_to_page((void *)address);
	if (restore_is_marked(plan, page))
		return restore_fault(report, "page used twice", address);

	set_page_private(page, plan->mark + 1);
	return true;
}

static inline bool restore_check_code(const struct restore_plan *plan,
				      struct restore_report *report)
{
	struct restore_window window = { 0 };

	if (!restore_check_needed(plan, report, plan->code, &window))
		return false;
	if (!window.exec)
		return restore_fault(report, "relocated code not executable",
				     plan->code);

	window = (struct restore_window){ 0 };
	if (!restore_maps(plan, plan->jump, plan->jump_phys, &window))
		return restore_fault(report, "image kernel not mapped",
				     plan->jump);
	if (!window.exec)
		return restore_fault(report, "image kernel not executable",
				     plan->jump);

	return true;
}

/* The list itself and the copies. A list without an end uses a page twice. */
static inline bool restore_check_sources(const struct restore_plan *plan,
					 struct restore_report *report)
{
	struct restore_window list = { 0 }, source = { 0 };
	unsigned long last = 0;
	const struct pbe *pbe;

	for (pbe = plan->list; pbe; pbe = pbe->next) {
		unsigned long at = (unsigned long)pbe & PAGE_MASK;

		if (at != last &&
		    !restore_check_needed(plan, report, at, &list))
			return false;
		last = at;
		if (!restore_check_needed(plan, report,
					  (unsigned long)pbe->address, &source))
			return false;
	}

	return true;
}

static inline bool restore_check_destinations(const struct restore_plan *plan,
					      struct restore_report *report)
{
	struct restore_window window = { 0 };
	const struct pbe *pbe;

	for (pbe = plan->list; pbe; pbe = pbe->next) {
		unsigned long at = (unsigned long)pbe->orig_address;

		if (!PAGE_ALIGNED(at) || !virt_addr_valid((void *)at))
			return restore_fault(report, "no page to copy to", at);
		if (!restore_maps(plan, at, __pa(at), &window))
			return restore_fault(report, "destination not mapped",
					     at);
		if (!window.write)
			return restore_fault(report, "destination not writable",
					     at);
		if (restore_is_marked(plan, virt_to_page((void *)at)))
			return restore_fault(report, "page overwritten while it is needed",
					     at);
		report->pages++;
	}

	return true;
}

/**
 * restore_check() - Verify what restore_image() is about to work with.
 * @plan:	The plan. All pages that are to be page tables have been marked
 *		by restore_mark_table(), with marks that were never used before.
 * @report:	Filled in.
 *
 * Takes a few memory accesses for each page to copy. Allocates nothing.
 *
 * Context: Any; nothing else may touch the pages meanwhile.
 * Return: whether nothing was found to be wrong. If not, @report says what is.
 */
static inline bool restore_check(const struct restore_plan *plan,
				 struct restore_report *report)
{
	*report = (struct restore_report){ 0 };
	if (cc_mkenc(plan->pgt) != plan->pgt)
		return restore_fault(report, "page table without memory encryption",
				     plan->pgt);

	return restore_check_tables(plan, report, plan->pgt & PTE_PFN_MASK,
				    plan->levels) &&
	       restore_check_code(plan, report) &&
	       restore_check_sources(plan, report) &&
	       restore_check_destinations(plan, report);
}

#endif /* ARCH_X86_POWER_RESTORE_CHECK_H */
