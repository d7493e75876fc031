/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The list of pages that kexec leaves to the code which replaces the kernel.
 *
 * An entry is the physical address of a page with a flag in its low bits:
 * where the following pages go (IND_DESTINATION), the next page to go there
 * (IND_SOURCE), where the list continues (IND_INDIRECTION), its end
 * (IND_DONE). The code that replaces the kernel is given the first entry,
 * image->head. All others are in indirection pages, which may be in high
 * memory: nothing keeps a pointer into one, an entry is known by its position.
 *
 * The position of an entry in an indirection page is its physical address.
 * That of image->head is KIMAGE_POS_HEAD, which no entry can have for an
 * address.
 *
 * What always holds:
 *  - image->pos is the position of the first unused entry, and that entry reads
 *    as zero. The list can thus be walked at any time, also after it could not
 *    grow.
 *  - image->head and the last entry of an indirection page are zero, an
 *    IND_INDIRECTION or an IND_DONE.
 *
 * Callers serialize: the list belongs to one image, and that to whoever holds
 * the kexec lock or has not published it yet.
 */
#ifndef LINUX_KEXEC_LIST_H
#define LINUX_KEXEC_LIST_H

#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/kexec.h>

/* Entries are aligned, so that this is the address of none. */
#define KIMAGE_POS_HEAD 1UL

/**
 * kimage_list_init() - Make the list of an image empty.
 * @image:	The image; what the list was before does not matter.
 */
static inline void kimage_list_init(struct kimage *image)
{
	image->head = 0;
	image->pos = KIMAGE_POS_HEAD;
}

/**
 * kimage_read_entry() - Read an entry.
 * @image:	The image.
 * @pos:	Position of the entry.
 *
 * Return: the entry.
 */
static inline kimage_entry_t kimage_read_entry(const struct kimage *image,
					       unsigned long pos)
{
	kimage_entry_t *table, entry;

	if (pos == KIMAGE_POS_HEAD)
		return image->head;

	table = kmap_local_page(boot_pfn_to_page(pos >> PAGE_SHIFT));
	entry = table[(pos & ~PAGE_MASK) / sizeof(entry)];
	kunmap_local(table);
	return entry;
}

/**
 * kimage_write_entry() - Write an entry.
 * @image:	The image.
 * @pos:	Position of the entry.
 * @entry:	What to write there.
 */
static inline void kimage_write_entry(struct kimage *image, unsigned long pos,
				      kimage_entry_t entry)
{
	kimage_entry_t *table;

	if (pos == KIMAGE_POS_HEAD) {
		image->head = entry;
		return;
	}

	table = kmap_local_page(boot_pfn_to_page(pos >> PAGE_SHIFT));
	table[(pos & ~PAGE_MASK) / sizeof(entry)] = entry;
	kunmap_local(table);
}

/**
 * struct kimage_walk - Where a walk of the list is.
 * @pos:	Position of the entry.
 * @entry:	The entry.
 * @next:	Position of the entry to come.
 */
struct kimage_walk {
	unsigned long pos;
	kimage_entry_t entry;
	unsigned long next;
};

/* How to initialize a struct kimage_walk, for a walk from the head. */
#define KIMAGE_WALK_START { .next = KIMAGE_POS_HEAD }

/**
 * kimage_walk_next() - Go on to the next entry.
 * @image:	The image.
 * @walk:	The walk.
 *
 * The caller may free the page that the entry names, unless that is an
 * indirection page: the walk goes on in that one. It may free the indirection
 * page which the walk has left.
 *
 * Return: whether there is one, before the end of the list.
 */
static inline bool kimage_walk_next(const struct kimage *image,
				    struct kimage_walk *walk)
{
	walk->pos = walk->next;
	walk->entry = kimage_read_entry(image, walk->pos);
	if (!walk->entry || (walk->entry & IND_DONE))
		return false;

	if (walk->entry & IND_INDIRECTION)
		walk->next = walk->entry & PAGE_MASK;
	else
		walk->next = walk->pos + sizeof(kimage_entry_t);
	return true;
}

/* Whether only a link to an indirection page, or the end, may be at @pos. */
static inline bool kimage_pos_is_link(unsigned long pos)
{
	return pos == KIMAGE_POS_HEAD ||
	       (pos & ~PAGE_MASK) == PAGE_SIZE - sizeof(kimage_entry_t);
}

/**
 * kimage_list_add() - Add an entry to the end of the list.
 * @image:	The image.
 * @entry:	An IND_DESTINATION or an IND_SOURCE.
 * @alloc:	Gives a page that is no page's destination, or NULL. It may walk
 *		the list and replace sources, but not add to it.
 *
 * Context: May sleep if @alloc does.
 * Return: 0, or -ENOMEM with the list as it was.
 */
static inline int kimage_list_add(struct kimage *image, kimage_entry_t entry,
				  struct page *(*alloc)(struct kimage *image))
{
	if (kimage_pos_is_link(image->pos)) {
		kimage_entry_t table;
		struct page *page;

		page = alloc(image);
		if (!page)
			return -ENOMEM;

		/* All of it is zero before the list leads there. */
		clear_highpage(page);
		table = page_to_boot_pfn(page) << PAGE_SHIFT;
		kimage_write_entry(image, image->pos, table | IND_INDIRECTION);
		image->pos = table;
	}

	kimage_write_entry(image, image->pos, entry);
	image->pos += sizeof(entry);
	return 0;
}

/**
 * kimage_list_end() - Mark the end of the list.
 * @image:	The image.
 *
 * Without this the code that replaces the kernel would not stop. Nothing can
 * be added any more; marking the end again changes nothing.
 */
static inline void kimage_list_end(struct kimage *image)
{
	kimage_write_entry(image, image->pos, IND_DONE);
}

/**
 * kimage_list_find() - Find the source page of a destination.
 * @image:	The image.
 * @dest:	Physical address of the destination page.
 * @found:	Set to the position of the source's entry, if there is one.
 *
 * Return: whether there is one.
 */
static inline bool kimage_list_find(struct kimage *image, unsigned long dest,
				    unsigned long *found)
{
	struct kimage_walk walk = KIMAGE_WALK_START;
	unsigned long next = 0;

	while (kimage_walk_next(image, &walk)) {
		if (walk.entry & IND_DESTINATION) {
			next = walk.entry & PAGE_MASK;
		} else if (walk.entry & IND_SOURCE) {
			if (next == dest) {
				*found = walk.pos;
				return true;
			}
			next += PAGE_SIZE;
		}
	}

	return false;
}

/**
 * kimage_list_replace() - Put another source page in the place of one.
 * @image:	The image.
 * @pos:	Position of the source's entry.
 * @addr:	Physical address of the page to take its place. Copying what is
 *		in the old one is up to the caller.
 *
 * Return: the physical address of the page that was there.
 */
static inline unsigned long kimage_list_replace(struct kimage *image,
						unsigned long pos,
						unsigned long addr)
{
	kimage_entry_t old = kimage_read_entry(image, pos);

	kimage_write_entry(image, pos, addr | (old & ~PAGE_MASK));
	return old & PAGE_MASK;
}

#endif /* LINUX_KEXEC_LIST_H */
