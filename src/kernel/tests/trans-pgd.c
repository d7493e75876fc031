// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/arm64/mm/trans_pgd-copy.c and trans_pgd-verify.c against an interpreter
 * of page tables that knows entries and physical addresses only, as the
 * hardware does: each page of the linear map before and after, and copying
 * through the tables what a resume or a kexec would, to see whether tables that
 * are said to be good are. Built for tables of three, four and five levels.
 */
#include "model.h"

#include <asm/trans_pgd.h>
#include <linux/kexec.h>
#include <linux/suspend.h>

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Pages at the start of the linear map in which all allocations are. */
#define MEMORY (LEVELS > 3 ? 2048UL : 512UL)
#define TABLES_MAX 600
#define LEAF (PTE_AF | PTE_UXN | PTE_PXN)

/* ---- the hardware ----------------------------------------------------- */

/* The entry at which the walk for an address ends; *shift: of its level. */
static u64 *walk_from(u64 *table, unsigned long addr, unsigned int *shift)
{
	u64 *entry = table + model_index(addr, *shift);

	while (*shift > PAGE_SHIFT && (*entry & TYPE_MASK) == TYPE_MASK) {
		table = model_physical(*entry & PTE_ADDR_MASK);
		if (!table)
			break;
		*shift -= TABLE_BITS;
		entry = table + model_index(addr, *shift);
	}
	return entry;
}

static u64 *walk(const pgd_t *pgd, unsigned long addr, unsigned int *shift)
{
	*shift = PGDIR_SHIFT;
	return walk_from((u64 *)pgd, addr, shift);
}

static bool translate(const pgd_t *pgd, unsigned long addr, bool write,
		      phys_addr_t *phys)
{
	unsigned int shift;
	u64 entry = *walk(pgd, addr, &shift), offset;
	u64 type = shift == PAGE_SHIFT ? TYPE_MASK : PTE_VALID;

	if ((entry & TYPE_MASK) != type || shift > PUD_SHIFT)
		return false;
	if (write && (entry & (PTE_RDONLY | PTE_WRITE)) != PTE_WRITE)
		return false;
	offset = (1UL << shift) - 1;
	*phys = (entry & PTE_ADDR_MASK & ~offset) | (addr & offset);
	return true;
}

/* ---- a linear map of all sorts ---------------------------------------- */

static unsigned long tables;

/* Read-only or not, dirty or not, valid or not, in all combinations. */
static u64 random_leaf(phys_addr_t phys, unsigned int shift)
{
	u64 entry = phys | LEAF | (shift == PAGE_SHIFT ? PTE_TABLE_BIT : 0);

	if (model_random(4))
		entry |= PTE_VALID;
	if (model_random(4))
		entry |= PTE_WRITE;
	if (!model_random(4))
		entry |= PTE_RDONLY;
	if (model_random(4))
		entry |= PTE_DIRTY;
	if (!model_random(8))
		entry |= PTE_NG;
	return entry;
}

/* Below the first MEMORY pages: pages only, no holes, so that tables fit. */
static void fill(u64 *table, unsigned long addr, unsigned int shift,
		 unsigned long end)
{
	unsigned long size = 1UL << shift;

	for (; addr < end; addr += size) {
		u64 *entry = table + model_index(addr, shift);
		phys_addr_t phys = virt_to_phys((void *)addr);
		bool low = addr - model_base < MEMORY << PAGE_SHIFT;

		if (shift == PAGE_SHIFT) {
			if (!low && !model_random(4))
				continue;
			*entry = random_leaf(phys, shift);
			model_add_memory(phys);
		} else if (low || (tables < TABLES_MAX && !model_random(3))) {
			u64 *lower = model_alloc();

			tables++;
			*entry = virt_to_phys(lower) | TYPE_MASK;
			fill(lower, addr, shift - TABLE_BITS, addr + size);
		} else if (shift <= PUD_SHIFT && model_random(2)) {
			*entry = random_leaf(phys, shift);
			for (u64 at = phys; at < phys + size; at += PAGE_SIZE)
				model_add_memory(at);
		}
	}
}

static void start(u64 seed)
{
	model_seed(seed);
	model_init(MEMORY);
	tables = 0;
	fill((u64 *)model_pgd, model_base, PGDIR_SHIFT, PAGE_END);
	/* Not of the linear map: nobody should look at it, or copy it. */
	if (LEVELS > 3)
		((u64 *)model_pgd)[PTRS_PER_PTE - 1] = 0xdead000 | TYPE_MASK;
}

static void *alloc(void *arg)
{
	ck_assert_ptr_eq(arg, &tables);
	/* For kexec, which has GFP_KERNEL. */
	might_sleep();
	return model_alloc();
}

static struct trans_pgd_info info = {
	.trans_alloc_page = alloc, .trans_alloc_arg = &tables,
};

static pgd_t *make_copy(void)
{
	pgd_t *copy = NULL;

	ck_assert_int_eq(trans_pgd_create_copy(&info, &copy, model_base,
					       PAGE_END), 0);
	ck_assert_ptr_nonnull(copy);
	return copy;
}

/* ---- the copy --------------------------------------------------------- */

static void check_page(const pgd_t *copy, unsigned long addr)
{
	const u64 may_change = PTE_VALID | PTE_WRITE | PTE_RDONLY | PTE_DIRTY;
	unsigned int from_shift, to_shift;
	u64 from = *walk(model_pgd, addr, &from_shift);
	u64 to = *walk(copy, addr, &to_shift);
	phys_addr_t phys;

	if (!from) {
		if (to)
			ck_abort_msg("%#lx: a hole has become %#lx", addr, to);
		return;
	}
	if (from_shift != to_shift || ((from ^ to) & ~may_change))
		ck_abort_msg("%#lx: %#lx has become %#lx", addr, from, to);
	if (!translate(copy, addr, true, &phys))
		ck_abort_msg("%#lx: %#lx cannot be written", addr, to);
	if (phys != virt_to_phys((void *)addr))
		ck_abort_msg("%#lx: is somewhere else, %#lx", addr, phys);
}

START_TEST(each_page_is_there_and_writable)
{
	unsigned long before;
	pgd_t *copy;

	start(_i);
	before = model_allocated();
	copy = make_copy();
	/* One for each table of the linear map, which has nothing but. */
	ck_assert_uint_eq(model_allocated() - before, tables + 1);
	for (unsigned long addr = model_base; addr < PAGE_END; addr += PAGE_SIZE)
		check_page(copy, addr);
	for (unsigned int i = PTRS_PER_PTE / 2; i < PTRS_PER_PTE; i++)
		ck_assert_uint_eq(copy[i].v, 0);
	model_deinit();
}
END_TEST

START_TEST(linear_map_stays_as_it_was)
{
	u64 before = 0, after = 0;

	start(_i);
	for (int round = 0; round < 2; round++) {
		u64 hash = 0;

		for (unsigned long addr = model_base; addr < PAGE_END;
		     addr += PAGE_SIZE) {
			unsigned int shift;

			hash = hash * 31 + *walk(model_pgd, addr, &shift);
		}
		if (round == 0) {
			before = hash;
			make_copy();
		} else {
			after = hash;
		}
	}
	ck_assert_uint_eq(before, after);
	model_deinit();
}
END_TEST

START_TEST(part_of_it_is_copied_and_no_more)
{
	unsigned long end;
	pgd_t *copy = NULL;

	start(_i);
	end = model_base + ((1 + model_random(MODEL_FRAMES)) << PAGE_SHIFT);
	ck_assert_int_eq(trans_pgd_create_copy(&info, &copy, model_base, end), 0);
	for (unsigned long addr = model_base; addr < PAGE_END; addr += PAGE_SIZE) {
		unsigned int shift, from_shift;
		u64 to = *walk(copy, addr, &shift);

		walk(model_pgd, addr, &from_shift);
		if (addr < end)
			check_page(copy, addr);
		else if (to && addr >> from_shift != (end - 1) >> from_shift)
			ck_abort_msg("%#lx is copied, up to %#lx was wanted",
				     addr, end);
	}
	model_deinit();
}
END_TEST

START_TEST(no_memory_is_an_error_wherever_it_is_asked_for)
{
	start(_i);
	for (unsigned long i = 0; i <= tables; i += 1 + model_random(7)) {
		pgd_t *copy = (pgd_t *)&info;

		model_refuse((long)i);
		ck_assert_int_eq(trans_pgd_create_copy(&info, &copy, model_base,
						       PAGE_END), -ENOMEM);
		ck_assert_ptr_eq(copy, (pgd_t *)&info);
		/* What it had taken is the allocator's: start over. */
		model_deinit();
		start(_i);
	}
	model_deinit();
}
END_TEST

/* An entry of this level, in the middle of the others; false: there is none. */
static bool break_entry(unsigned int level_shift, u64 value)
{
	for (unsigned int tries = 0; tries < 10000; tries++) {
		unsigned long frame = model_random(MODEL_FRAMES);
		unsigned int shift;
		u64 *entry = walk(model_pgd, model_base + (frame << PAGE_SHIFT),
				  &shift);

		if (shift == level_shift) {
			*entry = value;
			return true;
		}
	}
	return false;
}

START_TEST(invalid_entry_without_memory_is_an_error)
{
	static const unsigned int shifts[] = { PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT };
	unsigned int found[3] = { 0 };

	for (unsigned int i = 0; i < 24; i++) {
		u64 type = i % 3 == 0 ? PTE_TABLE_BIT : 0;
		pgd_t *copy = NULL;
		int rc;

		start(i);
		if (break_entry(shifts[i % 3], 0x10000000 | LEAF | type)) {
			rc = trans_pgd_create_copy(&info, &copy, model_base,
						   PAGE_END);
			ck_assert_int_eq(rc, -ENXIO);
			ck_assert_ptr_null(copy);
			found[i % 3]++;
		}
		model_deinit();
	}
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_gt(found[i], 0);
}
END_TEST

START_TEST(invalid_table_is_an_error)
{
	static const unsigned int shifts[] = { PMD_SHIFT, PUD_SHIFT };
	unsigned int found[2] = { 0 };

	for (unsigned int i = 0; i < 16; i++) {
		pgd_t *copy = NULL;
		int rc;

		start(i);
		if (break_entry(shifts[i % 2], virt_to_phys(model_alloc()) |
					       PTE_TABLE_BIT)) {
			rc = trans_pgd_create_copy(&info, &copy, model_base,
						   PAGE_END);
			ck_assert_int_eq(rc, -ENXIO);
			found[i % 2]++;
		}
		model_deinit();
	}
	ck_assert_uint_gt(found[0], 0);
	ck_assert_uint_gt(found[1], 0);
}
END_TEST

/* ---- what a transition copies ----------------------------------------- */

#define SOURCES 40
#define LIST_PAGES 2
#define PER_PAGE (SOURCES / LIST_PAGES)

static struct {
	struct trans_pgd_maps maps;
	u64 *idmap[LEVELS + 1];
	unsigned int idmap_levels;
	void *source[SOURCES];
	phys_addr_t dest[SOURCES];
	struct pbe *pbes[LIST_PAGES];
	kimage_entry_t *entries[LIST_PAGES];
	struct kimage image;
	bool kexec;
} t;

/* As trans_pgd_idmap_page() does it: bottom up, one entry each. */
static void make_idmap(void)
{
	phys_addr_t code = virt_to_phys(t.maps.code);
	u64 entry = code | PTE_AF | PTE_UXN | PTE_RDONLY | TYPE_MASK;

	for (unsigned int i = 0; i < t.idmap_levels; i++) {
		unsigned int shift = PAGE_SHIFT + i * TABLE_BITS;

		t.idmap[i] = model_alloc();
		t.idmap[i][model_index(code, shift)] = entry;
		entry = virt_to_phys(t.idmap[i]) | TYPE_MASK;
	}
	t.maps.ttbr0 = entry & PTE_ADDR_MASK;
	t.maps.t0sz = 64 - (PAGE_SHIFT + t.idmap_levels * TABLE_BITS);
}

/* A page of memory that is nobody's, and nobody's destination. */
static phys_addr_t random_dest(unsigned int count)
{
	for (;;) {
		phys_addr_t phys = PHYS_OFFSET +
				   (model_random(MODEL_FRAMES) << PAGE_SHIFT);
		bool taken = !pfn_valid(PHYS_PFN(phys)) ||
			     phys_to_page(phys)->allocated;

		for (unsigned int i = 0; i < count; i++)
			taken |= t.dest[i] == phys;
		if (!taken)
			return phys;
	}
}

static void make_lists(void)
{
	for (unsigned int i = 0; i < SOURCES; i++) {
		struct pbe *pbe = &t.pbes[i / PER_PAGE][i % PER_PAGE];
		kimage_entry_t *entry = t.entries[i / PER_PAGE];
		unsigned int next = i + 1;

		*pbe = (struct pbe){ t.source[i], phys_to_virt(t.dest[i]), NULL };
		if (next < SOURCES)
			pbe->next = &t.pbes[next / PER_PAGE][next % PER_PAGE];
		entry += 2 * (i % PER_PAGE);
		entry[0] = t.dest[i] | IND_DESTINATION;
		entry[1] = virt_to_phys(t.source[i]) | IND_SOURCE;
		entry[2] = IND_DONE;
		if (next < SOURCES && next % PER_PAGE == 0)
			entry[2] = virt_to_phys(t.entries[next / PER_PAGE]) |
				   IND_INDIRECTION;
		t.image.segment[i] = (struct kexec_segment){ t.dest[i], PAGE_SIZE };
	}
	t.image.nr_segments = SOURCES;
	t.image.head = virt_to_phys(t.entries[0]) | IND_INDIRECTION;
}

static void make_transition(u64 seed, bool kexec)
{
	start(seed);
	memset(&t, 0, sizeof(t));
	t.kexec = kexec;
	t.maps.copy = make_copy();
	t.maps.code = model_alloc();
	t.maps.zero_page = model_alloc();
	t.maps.el2_vectors = virt_to_phys(model_alloc());
	t.idmap_levels = LEVELS + (seed & 1);
	make_idmap();
	for (unsigned int i = 0; i < LIST_PAGES; i++) {
		t.pbes[i] = model_alloc();
		t.entries[i] = model_alloc();
	}
	for (unsigned int i = 0; i < SOURCES; i++) {
		t.source[i] = model_alloc();
		memset(t.source[i], (int)i + 1, PAGE_SIZE);
	}
	for (unsigned int i = 0; i < SOURCES; i++) {
		/* kexec's sources may be in place. */
		if (kexec && !model_random(8))
			t.dest[i] = virt_to_phys(t.source[i]);
		else
			t.dest[i] = random_dest(i);
	}
	make_lists();
}

static int verify(void)
{
	int rc;

	if (t.kexec)
		return trans_pgd_verify_kexec(&t.maps, &t.image);
	local_irq_disable();
	rc = trans_pgd_verify_resume(&t.maps, t.pbes[0]);
	local_irq_enable();
	return rc;
}

/* Whether the code is still what runs, and where it runs. */
static bool fetch(void)
{
	unsigned int shift = 64 - (unsigned int)t.maps.t0sz - TABLE_BITS;
	phys_addr_t code = virt_to_phys(t.maps.code);
	u64 entry = *walk_from(model_physical(t.maps.ttbr0), code, &shift);

	return shift == PAGE_SHIFT && (entry & TYPE_MASK) == TYPE_MASK &&
	       !(entry & PTE_PXN) && (entry & PTE_ADDR_MASK) == code &&
	       *(uint8_t *)t.maps.code == 0;
}

/* A load from, or a store to, the linear map by what runs there. */
static void *touch(const void *address, bool write)
{
	phys_addr_t phys;

	if ((unsigned long)address < model_base ||
	    (unsigned long)address >= PAGE_END ||
	    !translate(t.maps.copy, (unsigned long)address, write, &phys))
		return NULL;
	return model_physical(phys);
}

static bool copy_through(const void *source, const void *dest)
{
	void *from = touch(source, false), *to = touch(dest, true);

	if (!from || !to || !fetch())
		return false;
	if (from != to)
		memcpy(to, from, PAGE_SIZE);
	return true;
}

static bool replay_resume(void)
{
	const struct pbe *at = t.pbes[0];

	while (at) {
		const struct pbe *pbe = touch(at, false);

		if (!pbe || !copy_through(pbe->address, pbe->orig_address))
			return false;
		pbe = touch(at, false);
		if (!pbe)
			return false;
		at = pbe->next;
	}
	return true;
}

static bool replay_kexec(void)
{
	kimage_entry_t entry = t.image.head;
	const kimage_entry_t *next = NULL;
	void *dest = NULL;

	while (!(entry & IND_DONE)) {
		void *page = phys_to_virt(entry & PAGE_MASK);

		if (entry & IND_INDIRECTION) {
			next = page;
		} else if (entry & IND_DESTINATION) {
			dest = page;
		} else if (!copy_through(page, dest)) {
			return false;
		}
		next = next ? touch(next, false) : NULL;
		if (!next)
			return false;
		entry = *next;
		next = (const kimage_entry_t *)phys_to_virt(virt_to_phys(next)) + 1;
	}
	return true;
}

/* Everything is copied to where it belongs, and what had to survive has. */
static bool replay(void)
{
	bool good = t.kexec ? replay_kexec() : replay_resume();

	for (unsigned int i = 0; good && i < SOURCES; i++) {
		const uint8_t *page = model_physical(t.dest[i]);

		good = page && page[0] == i + 1 && page[PAGE_SIZE - 1] == i + 1;
	}
	return good && fetch() && *(uint8_t *)t.maps.zero_page == 0;
}

START_TEST(good_tables_are_good)
{
	for (int kexec = 0; kexec < 2; kexec++) {
		make_transition(_i, kexec);
		ck_assert_int_eq(verify(), 0);
		/* Also a second time, after whatever the first one left. */
		ck_assert_int_eq(verify(), 0);
		ck_assert(replay());
		model_deinit();
	}
}
END_TEST

/* What an attempt that came to nothing needed may be a destination of the next. */
START_TEST(nothing_is_left_of_an_attempt)
{
	void *source;

	make_transition(_i, false);
	source = t.source[0];
	t.dest[1] = virt_to_phys(source);
	make_lists();
	ck_assert_int_eq(verify(), -EFAULT);
	t.source[0] = model_alloc();
	memcpy(t.source[0], source, PAGE_SIZE);
	make_lists();
	ck_assert_int_eq(verify(), 0);
	ck_assert(replay());
	model_deinit();
}
END_TEST

static bool is_used(unsigned long addr, unsigned int shift)
{
	phys_addr_t page = virt_to_phys((void *)addr);
	bool used = false;

	for (unsigned int i = 0; i < SOURCES; i++) {
		used |= virt_to_phys(t.source[i]) >> shift == page >> shift;
		used |= t.dest[i] >> shift == page >> shift;
	}
	for (unsigned int i = 0; i < LIST_PAGES; i++) {
		void *list = t.kexec ? (void *)t.entries[i] : (void *)t.pbes[i];

		used |= virt_to_phys(list) >> shift == page >> shift;
	}
	return used;
}

static unsigned long random_used(void)
{
	unsigned int i = (unsigned int)model_random(SOURCES);

	switch (model_random(3)) {
	case 0:
		return (unsigned long)t.source[i];
	case 1:
		return (unsigned long)phys_to_virt(t.dest[i]);
	}
	i %= LIST_PAGES;
	return (unsigned long)(t.kexec ? (void *)t.entries[i] : t.pbes[i]);
}

/* One wrong leaf: what is used has to be reported, and fails in the replay. */
START_TEST(wrong_leaf_is_noticed_if_it_matters)
{
	unsigned int used = 0, unused = 0;

	for (u64 round = 0; round < 24; round++) {
		unsigned long addr;
		unsigned int shift;
		u64 *entry;
		bool matters;

		make_transition((u64)_i * 100 + round, round & 1);
		addr = round & 2 ? random_used() : model_base +
			(model_random(MEMORY) << PAGE_SHIFT);
		entry = walk(t.maps.copy, addr, &shift);
		if (*entry) {
			u64 wrong[] = { 0, *entry & ~PTE_VALID,
					*entry | PTE_RDONLY,
					*entry ^ 1UL << shift };

			*entry = wrong[model_random(4)];
			matters = is_used(addr, shift);
			used += matters;
			unused += !matters;
			if (matters)
				ck_assert_int_ne(verify(), 0);
			else
				ck_assert_int_eq(verify(), 0);
			/* A source that cannot be written can be read. */
			if (!matters)
				ck_assert(replay());
			else if (!(*entry & PTE_VALID))
				ck_assert(!replay());
		}
		model_deinit();
	}
	ck_assert_uint_gt(used, 3);
	ck_assert_uint_gt(unused, 0);
}
END_TEST

/* A table of the copy, some way down. */
static phys_addr_t random_table(void)
{
	unsigned int shift = PGDIR_SHIFT;
	unsigned int down = (unsigned int)model_random(LEVELS);
	unsigned long addr = model_base + (model_random(MEMORY) << PAGE_SHIFT);
	u64 *table = (u64 *)t.maps.copy;

	for (; down; down--, shift -= TABLE_BITS)
		table = model_physical(table[model_index(addr, shift)] &
				       PTE_ADDR_MASK);
	return virt_to_phys(table);
}

enum in_the_way {
	TABLE, IDMAP, CODE, LIST, SOURCE, ZERO, VECTORS, HOLE, BELOW, BEYOND,
	IN_THE_WAY
};

static phys_addr_t bad_dest(enum in_the_way what, unsigned int i)
{
	phys_addr_t phys = PHYS_OFFSET;
	unsigned int shift, other = i;

	switch (what) {
	case TABLE:
		return random_table();
	case IDMAP:
		return virt_to_phys(t.idmap[model_random(t.idmap_levels)]);
	case CODE:
		return virt_to_phys(t.maps.code);
	case LIST:
		return virt_to_phys(t.kexec ? (void *)t.entries[i % LIST_PAGES] :
				    t.pbes[i % LIST_PAGES]);
	case SOURCE:
		/* Not one that is in place: that is two for one destination. */
		do {
			other = (other + 1) % SOURCES;
		} while (virt_to_phys(t.source[other]) == t.dest[other]);
		return virt_to_phys(t.source[other]);
	case ZERO:
		return virt_to_phys(t.maps.zero_page);
	case VECTORS:
		return t.maps.el2_vectors;
	case HOLE:
		while (*walk(t.maps.copy, (unsigned long)phys_to_virt(phys),
			     &shift))
			phys = PHYS_OFFSET +
			       (model_random(MODEL_FRAMES) << PAGE_SHIFT);
		return phys;
	case BELOW:
		return PHYS_OFFSET - PAGE_SIZE;
	case BEYOND:
		return PHYS_OFFSET + (MODEL_FRAMES << PAGE_SHIFT);
	case IN_THE_WAY:
		break;
	}
	return 0;
}

START_TEST(destination_in_the_way_is_noticed)
{
	for (int kexec = 0; kexec < 2; kexec++) {
		for (enum in_the_way what = 0; what < IN_THE_WAY; what++) {
			unsigned int i;
			int expected = -EFAULT;

			make_transition(_i, kexec);
			i = (unsigned int)model_random(SOURCES);
			t.dest[i] = bad_dest(what, i);
			make_lists();
			if (kexec && what >= HOLE)
				expected = -EADDRNOTAVAIL;
			if (verify() != expected)
				ck_abort_msg("%s: %d is not noticed",
					     kexec ? "kexec" : "resume", what);
			model_deinit();
		}
	}
}
END_TEST

START_TEST(identity_map_has_its_page_and_nothing_else)
{
	for (unsigned int what = 0; what < 6; what++) {
		phys_addr_t code;
		unsigned int level;
		u64 *entry, *other;

		make_transition(_i, what & 1);
		code = virt_to_phys(t.maps.code);
		level = (unsigned int)model_random(t.idmap_levels);
		entry = t.idmap[level] +
			model_index(code, PAGE_SHIFT + level * TABLE_BITS);
		other = t.idmap[level] + ((entry - t.idmap[level]) ^
					  (1 + model_random(PTRS_PER_PTE - 1)));
		switch (what) {
		case 0:
			*entry = 0;
			break;
		case 1:
			*entry &= ~PTE_VALID;
			break;
		case 2:
			*other = *entry;
			break;
		case 3:
			*entry = (*entry & ~PTE_ADDR_MASK) |
				 virt_to_phys(model_alloc());
			break;
		case 4:
			t.idmap[0][model_index(code, PAGE_SHIFT)] |= PTE_PXN;
			break;
		case 5:
			/* Another number of levels than there are. */
			t.maps.t0sz += TABLE_BITS;
			break;
		}
		if (verify() != -EFAULT)
			ck_abort_msg("%u at level %u is not noticed", what, level);
		model_deinit();
	}
}
END_TEST

START_TEST(sleeping_where_it_must_not_is_noticed)
{
	static spinlock_t lock;

	model_init(MEMORY);
	spin_lock(&lock);
	alloc(&tables);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trans-pgd");
	TCase *copy = tcase_create("copy"), *check = tcase_create("verify");
	SRunner *runner;
	int failed;

	tcase_set_timeout(copy, 120);
	tcase_add_loop_test(copy, each_page_is_there_and_writable, 0, 8);
	tcase_add_loop_test(copy, linear_map_stays_as_it_was, 0, 2);
	tcase_add_loop_test(copy, part_of_it_is_copied_and_no_more, 0, 8);
	tcase_add_loop_test(copy, no_memory_is_an_error_wherever_it_is_asked_for,
			    0, 2);
	tcase_add_test(copy, invalid_entry_without_memory_is_an_error);
	tcase_add_test(copy, invalid_table_is_an_error);
	suite_add_tcase(suite, copy);

	tcase_set_timeout(check, 120);
	tcase_add_loop_test(check, good_tables_are_good, 0, 8);
	tcase_add_loop_test(check, nothing_is_left_of_an_attempt, 0, 4);
	tcase_add_loop_test(check, wrong_leaf_is_noticed_if_it_matters, 0, 4);
	tcase_add_loop_test(check, destination_in_the_way_is_noticed, 0, 8);
	tcase_add_loop_test(check, identity_map_has_its_page_and_nothing_else,
			    0, 8);
	tcase_add_test_raise_signal(check, sleeping_where_it_must_not_is_noticed,
				    SIGABRT);
	suite_add_tcase(suite, check);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
