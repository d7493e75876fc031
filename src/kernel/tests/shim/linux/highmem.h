/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kernel/kexec_list.h needs of <linux/highmem.h>, in user space: all
 * memory is high, and can only be read while it is mapped.
 */
#ifndef SHIM_LINUX_HIGHMEM_H
#define SHIM_LINUX_HIGHMEM_H

struct page;

void *kmap_local_page(struct page *page);
void kunmap_local(const void *address);
void clear_highpage(struct page *page);

#endif /* SHIM_LINUX_HIGHMEM_H */
