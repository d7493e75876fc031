// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/kexec_list.h against a plain array, and against an interpreter of the
 * list that knows physical addresses only, as the code that replaces the kernel
 * does. Built for each size of an entry, and with pages so small that a short
 * list fills many. All memory of the model is high, see shim/ram.h.
 */
#include "shim/ram.h"

#include "kernel/kexec_list.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PER_PAGE (PAGE_SIZE / sizeof(kimage_entry_t) - 1)
/* Several indirection pages, whatever their size. */
#define ENTRIES_MAX (PER_PAGE * 5 + 3)
#define NO_DEST (~0UL)

static struct kimage image;
static kimage_entry_t model[ENTRIES_MAX];
static size_t model_count;

/*
 * Frames for the model's memory: the first of all, whose position is 0, and the
 * last that an entry of 32 bits can name are among them.
 */
static size_t memory(size_t count)
{
	unsigned long *pfns = calloc(count, sizeof(*pfns));
	unsigned long last = 0xffffffffUL >> PAGE_SHIFT;

	ck_assert_ptr_nonnull(pfns);
	for (size_t i = 0; i < count; i++)
		pfns[i] = i < count / 2 ? i : last - (count - 1 - i);
	ram_init(pfns, count);
	free(pfns);
	return count;
}

static void start(size_t pages)
{
	memory(pages);
	kimage_list_init(&image);
	model_count = 0;
}

static struct page *give(struct kimage *asking)
{
	return asking == &image ? ram_alloc() : NULL;
}

/* A source or destination with a random address; none of them is memory. */
static kimage_entry_t random_entry(void)
{
	kimage_entry_t flag = ram_random(8) ? IND_SOURCE : IND_DESTINATION;
	unsigned long pfn = ram_random(0xffffffffUL >> PAGE_SHIFT);

	return (kimage_entry_t)(pfn << PAGE_SHIFT) | flag;
}

static void add(kimage_entry_t entry)
{
	if (kimage_list_add(&image, entry, give))
		ck_abort_msg("entry %zu could not be added", model_count);
	model[model_count++] = entry;
}

/* Indirection pages that a list of so many entries takes. */
static size_t tables_for(size_t entries)
{
	return (entries + PER_PAGE - 1) / PER_PAGE;
}

/* What the list says is what the array says, in as many tables as it needs. */
static void check_against_model(void)
{
	struct kimage_walk walk = KIMAGE_WALK_START;
	size_t i = 0, tables = 0;

	while (kimage_walk_next(&image, &walk)) {
		if (walk.entry & IND_INDIRECTION) {
			tables++;
			continue;
		}
		if (i == model_count || walk.entry != model[i] ||
		    kimage_read_entry(&image, walk.pos) != model[i])
			ck_abort_msg("entry %zu of %zu is wrong", i,
				     model_count);
		i++;
	}
	ck_assert_uint_eq(i, model_count);
	ck_assert_uint_eq(tables, tables_for(model_count));
}

static void free_tables(void)
{
	struct kimage_walk walk = KIMAGE_WALK_START;
	kimage_entry_t left = 0;

	while (kimage_walk_next(&image, &walk)) {
		if (!(walk.entry & IND_INDIRECTION))
			continue;
		if (left)
			ram_free(boot_pfn_to_page(left >> PAGE_SHIFT));
		left = walk.entry;
	}
	if (left)
		ram_free(boot_pfn_to_page(left >> PAGE_SHIFT));
}

START_TEST(empty_list_has_only_a_head)
{
	struct kimage_walk walk = KIMAGE_WALK_START;
	unsigned long pos = 42;

	start(4);
	ck_assert(!kimage_walk_next(&image, &walk));
	ck_assert(!kimage_list_find(&image, 0, &pos));
	ck_assert_uint_eq(pos, 42);
	kimage_list_end(&image);
	ck_assert_uint_eq(image.head, IND_DONE);
	walk = (struct kimage_walk)KIMAGE_WALK_START;
	ck_assert(!kimage_walk_next(&image, &walk));
	ck_assert_uint_eq(ram_allocated(), 0);
	ck_assert(ram_deinit());
}
END_TEST

START_TEST(random_adds_are_what_the_array_says)
{
	ram_seed(_i);
	/* As many pages as it takes: each of them becomes a table. */
	start(tables_for(ENTRIES_MAX));
	while (model_count < ENTRIES_MAX) {
		add(random_entry());
		if (PER_PAGE < 64 || !ram_random(64))
			check_against_model();
	}
	check_against_model();
	free_tables();
	ck_assert(ram_deinit());
}
END_TEST

/* The end goes to every place of a page, with the head as one of them. */
START_TEST(end_is_at_the_end_wherever_that_is)
{
	ram_seed(_i);
	start(64);
	for (;;) {
		kimage_list_end(&image);
		check_against_model();
		ck_assert_uint_eq(kimage_read_entry(&image, image.pos),
				  IND_DONE);
		kimage_list_end(&image);
		check_against_model();

		/* Not for kexec, but for the next round. */
		kimage_write_entry(&image, image.pos, 0);
		if (model_count == ENTRIES_MAX)
			break;
		add(random_entry());
		if (kimage_read_entry(&image, image.pos))
			ck_abort_msg("the first unused entry is not zero");
	}
	free_tables();
	ck_assert(ram_deinit());
}
END_TEST

static bool find_in_model(unsigned long dest, size_t *found)
{
	unsigned long next = 0;

	for (size_t i = 0; i < model_count; i++) {
		if (model[i] & IND_DESTINATION) {
			next = model[i] & PAGE_MASK;
			continue;
		}
		if (next == dest) {
			*found = i;
			return true;
		}
		next += PAGE_SIZE;
	}
	return false;
}

/* Destinations are few and near each other, so that most searches succeed. */
START_TEST(random_replacements_are_what_the_array_says)
{
	unsigned int hits = 0;

	ram_seed(_i);
	start(64);
	add(IND_DESTINATION);
	while (model_count < ENTRIES_MAX - 1) {
		if (model_count > 8 && !ram_random(32))
			add(ram_random(64) << PAGE_SHIFT | IND_DESTINATION);
		else
			add((random_entry() & PAGE_MASK) | IND_SOURCE);
	}
	for (unsigned int round = 0; round < 400; round++) {
		unsigned long dest = ram_random(ENTRIES_MAX) << PAGE_SHIFT;
		unsigned long addr = random_entry() & PAGE_MASK;
		unsigned long pos = KIMAGE_POS_HEAD;
		size_t i = 0;
		bool there = find_in_model(dest, &i);

		if (kimage_list_find(&image, dest, &pos) != there)
			ck_abort_msg("destination %#lx", dest);
		if (!there) {
			ck_assert_uint_eq(pos, KIMAGE_POS_HEAD);
			continue;
		}
		hits++;
		ck_assert_uint_eq(kimage_list_replace(&image, pos, addr),
				  model[i] & PAGE_MASK);
		model[i] = addr | IND_SOURCE;
		if (!(round % 16))
			check_against_model();
	}
	ck_assert_uint_gt(hits, 10);
	check_against_model();
	free_tables();
	ck_assert(ram_deinit());
}
END_TEST

/* Each time a page is asked for, none is given at first. */
START_TEST(refused_page_leaves_the_list_as_it_was)
{
	size_t refused = 0;

	ram_seed(_i);
	start(64);
	while (model_count < ENTRIES_MAX) {
		kimage_entry_t entry = random_entry();
		struct kimage before = image;

		ram_refuse(0);
		if (kimage_list_add(&image, entry, give)) {
			refused++;
			ck_assert_uint_eq(image.head, before.head);
			ck_assert_uint_eq(image.pos, before.pos);
			check_against_model();
			ram_refuse(-1);
			add(entry);
		} else {
			ram_refuse(-1);
			model[model_count++] = entry;
		}
	}
	ck_assert_uint_eq(refused, tables_for(model_count));
	ck_assert_uint_eq(refused, ram_refused());
	check_against_model();
	free_tables();
	ck_assert(ram_deinit());
}
END_TEST

/* ---- a whole load, and its replay ------------------------------------- */

#define SEGMENTS 3
#define PARKED_MAX 512

static struct {
	unsigned long mem, pages;
} segments[SEGMENTS];
static struct page *parked[PARKED_MAX];
static size_t parked_count;

static bool is_destination(unsigned long addr)
{
	for (size_t i = 0; i < SEGMENTS; i++) {
		if (addr >= segments[i].mem &&
		    addr - segments[i].mem < segments[i].pages << PAGE_SHIFT)
			return true;
	}
	return false;
}

static void copy_page(struct page *to, struct page *from)
{
	void *source = kmap_local_page(from);
	void *target = kmap_local_page(to);

	memcpy(target, source, PAGE_SIZE);
	kunmap_local(target);
	kunmap_local(source);
}

/* As kimage_alloc_page() does it. */
static struct page *alloc_page_for(unsigned long dest)
{
	for (size_t i = 0; i < parked_count; i++) {
		struct page *page = parked[i];

		if (page_to_boot_pfn(page) << PAGE_SHIFT == dest) {
			parked[i] = parked[--parked_count];
			return page;
		}
	}
	for (;;) {
		struct page *page = ram_alloc();
		unsigned long addr, pos;

		if (!page)
			return NULL;
		addr = page_to_boot_pfn(page) << PAGE_SHIFT;
		if (addr == dest || !is_destination(addr))
			return page;
		if (kimage_list_find(&image, addr, &pos)) {
			unsigned long old;

			old = kimage_list_replace(&image, pos, addr);
			copy_page(page, boot_pfn_to_page(old >> PAGE_SHIFT));
			return boot_pfn_to_page(old >> PAGE_SHIFT);
		}
		if (parked_count == PARKED_MAX)
			ck_abort_msg("too many parked pages");
		parked[parked_count++] = page;
	}
}

static struct page *alloc_table(struct kimage *asking)
{
	return asking == &image ? alloc_page_for(NO_DEST) : NULL;
}

/* The byte that each place of each segment shall have in the end. */
static uint8_t payload(size_t segment, size_t page, size_t offset)
{
	return (uint8_t)(segment * 101 + page * 31 + offset * 7 + (page >> 8));
}

static int load_page(size_t segment, size_t number)
{
	struct page *page;
	uint8_t *data;

	page = alloc_page_for(segments[segment].mem + (number << PAGE_SHIFT));
	if (!page)
		return -ENOMEM;
	if (kimage_list_add(&image, (page_to_boot_pfn(page) << PAGE_SHIFT) |
			    IND_SOURCE, alloc_table)) {
		ram_free(page);
		return -ENOMEM;
	}
	data = kmap_local_page(page);
	for (size_t i = 0; i < PAGE_SIZE; i++)
		data[i] = payload(segment, number, i);
	kunmap_local(data);
	return 0;
}

static int load(void)
{
	for (size_t s = 0; s < SEGMENTS; s++) {
		int error = kimage_list_add(&image, segments[s].mem |
					    IND_DESTINATION, alloc_table);

		for (size_t n = 0; !error && n < segments[s].pages; n++)
			error = load_page(s, n);
		if (error)
			return error;
	}
	kimage_list_end(&image);
	return 0;
}

/* As kimage_free() does it. */
static void unload(void)
{
	struct kimage_walk walk = KIMAGE_WALK_START;
	kimage_entry_t left = 0;

	while (parked_count)
		ram_free(parked[--parked_count]);
	while (kimage_walk_next(&image, &walk)) {
		if (walk.entry & IND_INDIRECTION) {
			if (left)
				ram_free(boot_pfn_to_page(left >> PAGE_SHIFT));
			left = walk.entry;
		} else if (walk.entry & IND_SOURCE) {
			ram_free(boot_pfn_to_page(walk.entry >> PAGE_SHIFT));
		}
	}
	if (left)
		ram_free(boot_pfn_to_page(left >> PAGE_SHIFT));
}

/* As relocate_kernel() does it, with nothing but the head and its memory. */
static size_t replay(kimage_entry_t head)
{
	kimage_entry_t entry = head;
	unsigned long destination = NO_DEST;
	kimage_entry_t *next = NULL;
	size_t tables = 0;

	while (!(entry & IND_DONE)) {
		unsigned long addr = entry & PAGE_MASK;

		if (entry & IND_DESTINATION) {
			destination = addr;
		} else if (entry & IND_INDIRECTION) {
			next = ram_physical(addr);
			tables++;
		} else if (entry & IND_SOURCE) {
			void *to = ram_physical(destination);

			if (!to)
				ck_abort_msg("a page goes nowhere");
			memmove(to, ram_physical(addr), PAGE_SIZE);
			destination += PAGE_SIZE;
		} else {
			ck_abort_msg("an entry that says nothing");
		}
		if (!next)
			ck_abort_msg("the head does not lead to a table");
		entry = *next++;
	}
	return tables;
}

static void check_memory(void)
{
	for (size_t s = 0; s < SEGMENTS; s++) {
		for (size_t n = 0; n < segments[s].pages; n++) {
			unsigned long at = segments[s].mem + (n << PAGE_SHIFT);
			const uint8_t *data = ram_physical(at);

			for (size_t i = 0; i < PAGE_SIZE; i++) {
				if (data[i] != payload(s, n, i))
					ck_abort_msg("page %zu of segment %zu",
						     n, s);
			}
		}
	}
}

/*
 * Segments that lie in free memory, so that many of the pages that are given
 * are somebody's destination.
 */
static void choose_segments(size_t pages)
{
	unsigned long half = pages / 2, size = half / 4;
	unsigned long last = 0xffffffffUL >> PAGE_SHIFT;

	segments[0].mem = ram_random(half / 8) << PAGE_SHIFT;
	segments[0].pages = size + ram_random(half / 8);
	segments[1].mem = (half / 2 + ram_random(half / 8)) << PAGE_SHIFT;
	segments[1].pages = size + ram_random(half / 8);
	segments[2].mem = (last - half / 2 + 1) << PAGE_SHIFT;
	segments[2].pages = size;
	parked_count = 0;
}

START_TEST(whole_load_arrives_where_it_belongs)
{
	size_t pages = PER_PAGE < 256 ? 512 : 6144, tables;

	ram_seed(_i);
	start(pages);
	choose_segments(pages);
	ck_assert_int_eq(load(), 0);
	tables = replay(image.head);
	ck_assert_uint_gt(tables, 2);
	check_memory();
	ram_physical_end();
	ck_assert(!ram_deinit());
}
END_TEST

START_TEST(load_gives_back_all_it_took)
{
	size_t pages = PER_PAGE < 256 ? 512 : 6144;

	ram_seed(_i);
	start(pages);
	choose_segments(pages);
	ck_assert_int_eq(load(), 0);
	unload();
	ck_assert_uint_eq(ram_allocated(), 0);
	ck_assert(ram_deinit());
}
END_TEST

START_TEST(refused_load_gives_back_all_it_took)
{
	size_t pages = PER_PAGE < 256 ? 512 : 6144;

	ram_seed(_i);
	start(pages);
	choose_segments(pages);
	/* The smallest load takes a quarter of the memory and more. */
	ram_refuse(_i < 20 && PER_PAGE < 256 ? _i : (int)ram_random(pages / 4));
	ck_assert_int_eq(load(), -ENOMEM);
	unload();
	ck_assert_uint_eq(ram_allocated(), 0);
	ck_assert(ram_deinit());
}
END_TEST

START_TEST(sleeping_where_it_must_not_is_noticed)
{
	static spinlock_t lock;

	start(4);
	if (!_i)
		spin_lock(&lock);
	else
		local_irq_disable();
	add(IND_DESTINATION);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kexec-list");
	TCase *entries = tcase_create("entries");
	TCase *loads = tcase_create("loads");
	int rounds = PER_PAGE < 256 ? 8 : 1;
	SRunner *runner;
	int failed;

	tcase_add_test(entries, empty_list_has_only_a_head);
	tcase_add_loop_test(entries, random_adds_are_what_the_array_says,
			    0, rounds);
	tcase_add_loop_test(entries, end_is_at_the_end_wherever_that_is,
			    0, PER_PAGE < 256 ? rounds : 0);
	tcase_add_loop_test(entries,
			    random_replacements_are_what_the_array_says,
			    0, rounds);
	tcase_add_loop_test(entries, refused_page_leaves_the_list_as_it_was,
			    0, rounds);
	tcase_add_loop_test_raise_signal(entries,
					 sleeping_where_it_must_not_is_noticed,
					 SIGABRT, 0, 2);
	tcase_set_timeout(entries, 120);
	suite_add_tcase(suite, entries);
	tcase_add_loop_test(loads, whole_load_arrives_where_it_belongs,
			    0, rounds);
	tcase_add_loop_test(loads, load_gives_back_all_it_took, 0, rounds);
	tcase_add_loop_test(loads, refused_load_gives_back_all_it_took,
			    0, PER_PAGE < 256 ? 24 : 2);
	tcase_set_timeout(loads, 120);
	suite_add_tcase(suite, loads);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
