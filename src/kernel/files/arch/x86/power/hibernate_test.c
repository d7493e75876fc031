// SPDX-License-Identifier: GPL-2.0-only
/*
 * Self-test of hibernation, by two files in debugfs/hibernate_test:
 *
 * unmapped: a number of pages written to it, at most 512, takes so many pages
 * of a block of 2 MiB out of the direct map. 262144 pages are a block of 1 GiB.
 * The block is full of a pattern. Reading says how the block is mapped now, what
 * is left of the pattern, and how many pages are mapped one by one that were not
 * right before the latest image was made.
 *
 * break: one of the words below, written before a resume, makes that use page
 * tables with a fault in them.
 */
#define pr_fmt(fmt) "hibernate_test: " fmt

#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <asm/pgtable.h>
#include <asm/set_memory.h>
#include <asm/suspend.h>

#include "hibernate_test.h"

#define BLOCK_PAGES PTRS_PER_PTE
#define GIB_PAGES (PTRS_PER_PMD * PTRS_PER_PTE)
#define BLOCKS_TRIED 100
#define WORDS (PAGE_SIZE / sizeof(u64))

static DEFINE_MUTEX(lock);
static struct page *block;
static unsigned int block_pages;

/*
 * Some pages are all zeros: since 6.6 an image does without the data of such. Of
 * 1 GiB most are, which makes for a small image.
 */
static u64 pattern(unsigned int page, unsigned int word)
{
	if (page % 8 == 7 || page / BLOCK_PAGES % 64)
		return 0;

	return (page * WORDS + word + 1) * 0x9e3779b97f4a7c15ULL;
}

/* How many pages of the block are not what they were. */
static int count_wrong(void)
{
	unsigned int i, k, wrong = 0;
	struct page **pages;
	u64 *data;

	/* Not by the direct map, whatever has become of it. */
	pages = kvcalloc(block_pages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;

	for (i = 0; i < block_pages; i++)
		pages[i] = block + i;
	data = vmap(pages, block_pages, VM_MAP, PAGE_KERNEL_RO);
	kvfree(pages);
	if (!data)
		return -ENOMEM;

	for (i = 0; i < block_pages; i++) {
		for (k = 0; k < WORDS; k++) {
			if (data[i * WORDS + k] != pattern(i, k)) {
				wrong++;
				break;
			}
		}
	}
	vunmap(data);
	return wrong;
}

/* Whether the table that an entry of the block is in is copied after it. */
static bool is_later(pte_t *pte)
{
	return PFN_DOWN(__pa(pte)) > page_to_pfn(block);
}

/*
 * How many pages the direct map has entries of their own for. DirectMap4k in
 * /proc/meminfo also moves when others split something.
 */
static unsigned long count_small(void)
{
	unsigned long at = PAGE_OFFSET, count = 0;
	unsigned long end = (unsigned long)__va(PFN_PHYS(max_pfn));
	unsigned int level;

	while (at < end) {
		count += lookup_address(at, &level) && level == PG_LEVEL_4K;
		at = (at & page_level_mask(level)) + page_level_size(level);
	}
	return count;
}

/* Their difference is -1 as long as there was no image. */
static unsigned long small_before = 1, small_after;

static int before_image(struct device *dev)
{
	small_before = count_small();
	return 0;
}

static int after_image(struct device *dev)
{
	small_after = count_small();
	return 0;
}

/* Nobody else maps anything here: devices sleep, and processes are frozen. */
static const struct dev_pm_ops image_operations = {
	.freeze_noirq = before_image,
	.thaw_noirq = after_image,
	.restore_noirq = after_image,
};

static struct platform_driver image_driver = {
	.driver = {
		.name = "hibernate_test",
		.pm = &image_operations,
	},
};

static int unmapped_show(struct seq_file *m, void *unused)
{
	unsigned int i, level, present = 0, foreign = 0;
	bool later = false;
	int wrong = 0;

	mutex_lock(&lock);
	if (!block) {
		seq_puts(m, "none\n");
		goto out;
	}
	wrong = count_wrong();
	if (wrong < 0)
		goto out;

	for (i = 0; i < block_pages; i++) {
		unsigned long at = (unsigned long)page_address(block + i);
		pte_t *pte = lookup_address(at, &level);

		if (!pte)
			continue;
		present += !!(pte_val(*pte) & _PAGE_PRESENT);
		later = is_later(pte);
		if (level == PG_LEVEL_4K)
			foreign += pte_pfn(*pte) != page_to_pfn(block + i);
	}
	/* The level is that of the last page. */
	seq_printf(m, "level %u present %u foreign %u wrong %d split %ld later %d\n",
		   level, present, foreign, wrong, small_after - small_before,
		   later);
out:
	mutex_unlock(&lock);
	return wrong < 0 ? wrong : 0;
}

static int unmapped_open(struct inode *inode, struct file *file)
{
	return single_open(file, unmapped_show, NULL);
}

/* A block whose table is copied after it, if there is one. */
static void allocate_block(void)
{
	struct page *page, *next;
	unsigned int i, level;
	LIST_HEAD(others);

	for (i = 0; i < BLOCKS_TRIED; i++) {
		page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
				   get_order(PMD_SIZE));
		if (!page)
			break;
		if (block)
			list_add(&block->lru, &others);
		block = page;
		if (is_later(lookup_address((unsigned long)page_address(page),
					    &level)))
			break;
	}
	list_for_each_entry_safe(page, next, &others, lru)
		__free_pages(page, get_order(PMD_SIZE));
}

/* So much is not to be had in one piece: out of all that is free. */
static void allocate_gib(void)
{
	unsigned int order = get_order(PMD_SIZE), level;
	struct page *page, *next;
	unsigned int *found;
	LIST_HEAD(all);

	found = kcalloc(max_pfn / GIB_PAGES + 1, sizeof(*found), GFP_KERNEL);
	if (!found)
		return;

	while ((page = alloc_pages(__GFP_NOWARN, order))) {
		unsigned long pfn = page_to_pfn(page);

		list_add(&page->lru, &all);
		lookup_address((unsigned long)page_address(page), &level);
		if (++found[pfn / GIB_PAGES] == PTRS_PER_PMD &&
		    level == PG_LEVEL_1G) {
			block = pfn_to_page(round_down(pfn, GIB_PAGES));
			break;
		}
	}
	kfree(found);

	list_for_each_entry_safe(page, next, &all, lru) {
		if (!block ||
		    page_to_pfn(page) - page_to_pfn(block) >= GIB_PAGES)
			__free_pages(page, order);
	}
}

static ssize_t unmapped_write(struct file *file, const char __user *from,
			      size_t size, loff_t *pos)
{
	unsigned int count, i, k;
	u64 *data;
	int error;

	error = kstrtouint_from_user(from, size, 0, &count);
	if (error)
		return error;
	if (!count || (count > BLOCK_PAGES && count != GIB_PAGES))
		return -EINVAL;

	mutex_lock(&lock);
	error = -EBUSY;
	if (block)
		goto out;

	error = -ENOMEM;
	if (count == GIB_PAGES)
		allocate_gib();
	else
		allocate_block();
	if (!block)
		goto out;

	block_pages = max_t(unsigned int, count, BLOCK_PAGES);
	data = page_address(block);
	for (i = 0; i < block_pages; i++) {
		for (k = 0; k < WORDS; k++)
			data[i * WORDS + k] = pattern(i, k);
	}
	error = set_memory_np((unsigned long)data, count);
out:
	mutex_unlock(&lock);
	return error ?: size;
}

static const struct file_operations unmapped_operations = {
	.open		= unmapped_open,
	.read		= seq_read,
	.write		= unmapped_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static const char * const breaks[] = {
	"none",		/* all is well */
	"hole",		/* the first destination is not mapped */
	"table",	/* the table of the first copy is overwritten by it */
	"noexec",	/* the relocated code may not be executed */
	"jump",		/* the image kernel is not mapped */
};

static unsigned int broken;

/* The lowest entry that an address has in the temporary page tables. */
static pte_t *entry_of(unsigned long address)
{
	pgd_t *pgd = (pgd_t *)__va(temp_pgt) + pgd_index(address);
	unsigned int level;

	return lookup_address_in_pgd(pgd, address, &level);
}

/**
 * hibernate_test_break_resume() - Put a fault into what a resume works with.
 *
 * To be called right before restore_image(), or its verification if there is
 * one.
 */
void hibernate_test_break_resume(void)
{
	unsigned long address;
	pte_t *entry;

	if (!broken)
		return;
	if (!restore_pblist) {
		pr_err("all pages are in place, nothing is broken\n");
		return;
	}

	pr_info("breaking the resume: %s\n", breaks[broken]);
	switch (broken) {
	case 1:
		address = (unsigned long)restore_pblist->orig_address;
		*entry_of(address) = __pte(0);
		break;
	case 2:
		entry = entry_of((unsigned long)restore_pblist->address);
		address = (unsigned long)entry & PAGE_MASK;
		restore_pblist->orig_address = (void *)address;
		break;
	case 3:
		entry = entry_of(relocated_restore_code);
		*entry = __pte(pte_val(*entry) | _PAGE_NX);
		break;
	case 4:
		*entry_of(restore_jump_address) = __pte(0);
		break;
	}
}

static int break_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(breaks); i++)
		seq_printf(m, i == broken ? "[%s]\n" : "%s\n", breaks[i]);
	return 0;
}

static int break_open(struct inode *inode, struct file *file)
{
	return single_open(file, break_show, NULL);
}

static ssize_t break_write(struct file *file, const char __user *from,
			   size_t size, loff_t *pos)
{
	char word[16] = "";
	int found;

	if (size >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, from, size))
		return -EFAULT;

	found = sysfs_match_string(breaks, word);
	if (found < 0)
		return found;

	broken = found;
	return size;
}

static const struct file_operations break_operations = {
	.open		= break_open,
	.read		= seq_read,
	.write		= break_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init hibernate_test_init(void)
{
	struct dentry *top = debugfs_create_dir("hibernate_test", NULL);

	debugfs_create_file("unmapped", 0600, top, NULL, &unmapped_operations);
	debugfs_create_file("break", 0600, top, NULL, &break_operations);

	if (platform_driver_register(&image_driver))
		return 0;
	platform_device_register_simple("hibernate_test", -1, NULL, 0);
	return 0;
}
late_initcall(hibernate_test_init);
