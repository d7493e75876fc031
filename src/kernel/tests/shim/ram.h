/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a machine that has nothing but high memory, for algorithms of
 * the kernel that run in user space.
 *
 * A page can only be touched while it is mapped: otherwise AddressSanitizer
 * reports it. Mappings nest. Pages come in random order, full of junk, and
 * none may be mapped by whoever asks for one, who may have to sleep, see
 * shim/sleep.h. The allocator can refuse.
 */
#ifndef SHIM_RAM_H
#define SHIM_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page;

/* Starts over with @count pages at these frame numbers, all of them free. */
void ram_init(const unsigned long *pfns, size_t count);
/* Ends it; false if something is still mapped or allocated. */
bool ram_deinit(void);

/* A free page or NULL; and giving it back. */
struct page *ram_alloc(void);
void ram_free(struct page *page);
size_t ram_allocated(void);

/* From now on @after requests succeed, then all are refused; -1: none is. */
void ram_refuse(int after);
size_t ram_refused(void);

/*
 * Physical access, as by code that runs without paging: NULL where there is no
 * memory. Only ram_physical_end() makes the memory unreachable again.
 */
void *ram_physical(unsigned long address);
void ram_physical_end(void);

/* A number below @bound, the same sequence after the same seed. */
void ram_seed(uint64_t seed);
uint64_t ram_random(uint64_t bound);

#endif /* SHIM_RAM_H */
