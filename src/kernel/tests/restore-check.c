// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/power/restore_check.h on page tables that are made at random, with
 * and without a fault in them, against a processor that does what
 * restore_image() does: whatever passes the verification must arrive.
 */
#include "shim/paging.h"
#include "shim/ram.h"

#include "arch/x86/power/restore_check.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define TABLE 0x63UL /* present, writable, accessed, dirty */
#define PAGE 0x163UL
#define HUGE 0x1e3UL
#define PBES_MAX 340
#define PER_PAGE ((PAGE_SIZE - sizeof(void *)) / sizeof(struct pbe))
#define TEXT 0xffffffff80000000UL

static struct restore_plan plan;
static struct restore_report report;
static struct pbe *pbes[PBES_MAX];
static size_t pbe_count, table_count;

static unsigned long random_bits(void)
{
	return ram_random(1UL << 32) << 32 | ram_random(1UL << 32);
}

/* As swsusp_arch_resume() does it. */
static bool verify(void)
{
	bool good;

	local_irq_disable();
	good = restore_check(&plan, &report);
	local_irq_enable();
	return good;
}

/* ---- a plan without a fault -------------------------------------------- */

static unsigned long *new_table(void)
{
	unsigned long *table = paging_alloc();

	if (table) {
		restore_mark_table(&plan, table);
		table_count++;
	}
	return table;
}

/* The entry for an address at a level; tables above it are made. */
static unsigned long *entry_at(unsigned long address, unsigned int level)
{
	unsigned long *table = __va(plan.pgt & PTE_PFN_MASK);

	for (unsigned int at = plan.levels;; at--) {
		unsigned long *entry, *below;

		entry = &table[address >> (3 + 9 * at) & 511];
		if (at == level)
			return entry;
		if (!(*entry & _PAGE_PRESENT)) {
			below = new_table();
			if (!below)
				return NULL;
			*entry = cc_mkenc(__pa((unsigned long)below) | TABLE);
		}
		table = __va(*entry & PTE_PFN_MASK);
	}
}

static bool map_small(unsigned long phys)
{
	for (unsigned long i = 0; i < 512; i++) {
		unsigned long at = phys + (i << 12);
		unsigned long *entry = entry_at((unsigned long)__va(at), 1);

		if (!entry)
			return false;
		*entry = cc_mkenc(at | PAGE);
	}
	return true;
}

static bool map_direct(void)
{
	unsigned long *entry, phys;

	for (phys = 0; phys < PAGING_SPAN; phys += 1UL << 21) {
		unsigned long in_gib = phys & (PAGING_GIB - 1);

		if (!pfn_valid(phys >> PAGE_SHIFT))
			continue;
		if (!in_gib && plan.leaf_max == 3 && ram_random(2)) {
			entry = entry_at((unsigned long)__va(phys), 3);
			if (!entry)
				return false;
			*entry = cc_mkenc(phys | HUGE);
			phys += PAGING_GIB - (1UL << 21);
			continue;
		}
		if (!ram_random(256)) {
			if (!map_small(phys))
				return false;
			continue;
		}
		entry = entry_at((unsigned long)__va(phys), 2);
		if (!entry)
			return false;
		*entry = cc_mkenc(phys | HUGE |
				  (ram_random(8) ? 0 : _PAGE_PAT_LARGE));
	}
	return true;
}

static bool map_jump(void)
{
	unsigned long *entry;

	plan.jump_phys = __pa((unsigned long)paging_alloc());
	plan.jump = TEXT + (ram_random(512) << 21) +
		    (plan.jump_phys & ((1UL << 21) - 1));
	entry = entry_at(plan.jump, 2);
	if (!entry)
		return false;
	*entry = cc_mkenc((plan.jump_phys & ~((1UL << 21) - 1)) | HUGE);
	return true;
}

static void fill(void *page)
{
	unsigned long *words = page;

	for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		words[i] = random_bits();
}

/* The list as the snapshot builds it: the latest entry first. */
static void make_list(size_t count)
{
	struct pbe *next = NULL, *page = NULL;

	for (pbe_count = 0; pbe_count < count; pbe_count++) {
		size_t slot = pbe_count % PER_PAGE;
		struct pbe *pbe;

		if (!slot)
			page = (void *)((char *)paging_alloc() + sizeof(void *));
		pbe = page + slot;
		pbe->address = paging_alloc();
		fill(pbe->address);
		pbe->orig_address = paging_alloc();
		pbe->next = next;
		next = pbe;
		pbes[pbe_count] = pbe;
	}
	plan.list = next;
}

/* False if there was no page for a table. */
static bool make_tables(void)
{
	unsigned long *top;

	table_count = 0;
	top = new_table();
	if (!top)
		return false;
	plan.pgt = cc_mkenc(__pa((unsigned long)top));
	return map_jump() && map_direct();
}

static void make_rest(size_t count)
{
	plan.code = (unsigned long)paging_alloc();
	fill((void *)plan.code);
	make_list(count);
}

static void make_plan(unsigned long mark)
{
	paging_encrypt((enum paging_encryption)ram_random(3));
	plan = (struct restore_plan){
		.mark = mark,
		.levels = 4 + (unsigned int)ram_random(2),
		.leaf_max = 2 + (unsigned int)ram_random(2),
	};
	ck_assert(make_tables());
	make_rest(1 + ram_random(PBES_MAX));
}

static void start(uint64_t seed)
{
	paging_init(seed);
	make_plan(random_bits() | 1);
}

/* ---- what the processor makes of it ------------------------------------ */

static unsigned long code_copy[512];

static bool fetch_code(const struct paging_processor *cpu)
{
	unsigned long phys;

	return paging_translate(cpu, plan.code, PAGING_FETCH, &phys) &&
	       !memcmp(paging_physical(phys), code_copy, PAGE_SIZE);
}

static bool read_pbe(const struct paging_processor *cpu, unsigned long at,
		     struct pbe *pbe)
{
	unsigned long phys, *page;

	if (!paging_translate(cpu, at, PAGING_READ, &phys))
		return false;
	page = paging_physical(phys);
	memcpy(pbe, (char *)page + (phys & ~PAGE_MASK), sizeof(*pbe));
	return true;
}

/* One page as "rep movsq" copies it. */
static bool copy_page(const struct paging_processor *cpu, const struct pbe *pbe)
{
	unsigned long from = (unsigned long)pbe->address;
	unsigned long to = (unsigned long)pbe->orig_address, source, target;

	if ((from | to) & ~PAGE_MASK)
		return false;
	if (!paging_translate(cpu, from, PAGING_READ, &source) ||
	    !paging_translate(cpu, to, PAGING_WRITE, &target))
		return false;
	if (source != __pa(from) || target != __pa(to) ||
	    !pfn_valid(source >> PAGE_SHIFT) || !pfn_valid(target >> PAGE_SHIFT))
		return false;
	memmove(paging_physical(target), paging_physical(source), PAGE_SIZE);
	return true;
}

/* The list as it is before, and what its copies add up to. */
static size_t expected_count;
static struct {
	unsigned long target, sum;
} expected[PBES_MAX];

static unsigned long checksum(unsigned long phys)
{
	const unsigned long *words = paging_physical(phys);
	unsigned long sum = 0;

	for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		sum = (sum ^ words[i]) * 0x100000001b3UL;
	return sum;
}

static void expect_list(void)
{
	expected_count = 0;
	memcpy(code_copy, (void *)plan.code, PAGE_SIZE);
	for (const struct pbe *pbe = plan.list; pbe; pbe = pbe->next) {
		unsigned long source = __pa((unsigned long)pbe->address);

		ck_assert_uint_lt(expected_count, PBES_MAX);
		expected[expected_count].target =
			__pa((unsigned long)pbe->orig_address);
		expected[expected_count++].sum = checksum(source);
	}
}

static bool arrived(void)
{
	for (size_t i = 0; i < expected_count; i++) {
		bool again = false;

		for (size_t k = i + 1; k < expected_count; k++)
			again |= expected[k].target == expected[i].target;
		if (!again &&
		    checksum(expected[i].target) != expected[i].sum)
			return false;
	}
	return true;
}

/* False: a triple fault, or other data than was meant, or another place. */
static bool restore_image(void)
{
	const struct paging_processor cpu = {
		.pgt = plan.pgt, .levels = plan.levels,
		.leaf_max = plan.leaf_max,
	};
	unsigned long at = (unsigned long)plan.list, phys;
	size_t count = 0;
	struct pbe pbe;

	for (; at; at = (unsigned long)pbe.next) {
		if (!fetch_code(&cpu) || !read_pbe(&cpu, at, &pbe) ||
		    !copy_page(&cpu, &pbe) || ++count > expected_count)
			return false;
	}
	return fetch_code(&cpu) &&
	       paging_translate(&cpu, plan.jump, PAGING_FETCH, &phys) &&
	       phys == plan.jump_phys && arrived();
}

START_TEST(what_is_right_passes_and_arrives)
{
	size_t tables;

	start((uint64_t)_i);
	tables = table_count;
	if (!verify())
		ck_abort_msg("%s: %#lx", report.fault, report.address);
	ck_assert_uint_eq(report.tables, tables);
	ck_assert_uint_eq(report.pages, pbe_count);
	expect_list();
	ck_assert(restore_image());
	paging_deinit();
}
END_TEST

/* ---- one fault ---------------------------------------------------------- */

/* The entry that an address is found by at a level or, if it ends above, there. */
static unsigned long *path(unsigned long address, unsigned int level)
{
	unsigned long *table = __va(plan.pgt & PTE_PFN_MASK), *entry;

	for (unsigned int at = plan.levels;; at--) {
		entry = &table[address >> (3 + 9 * at) & 511];
		if (at <= level || (*entry & _PAGE_PSE))
			return entry;
		table = __va(*entry & PTE_PFN_MASK);
	}
}

static unsigned int random_level(void)
{
	return 1 + (unsigned int)ram_random(plan.levels);
}

static struct pbe *some_pbe(void)
{
	return pbes[ram_random(pbe_count)];
}

/* An address that is needed: of a copy, a destination, the list, the code. */
static unsigned long some_address(void)
{
	switch (ram_random(4)) {
	case 0: return (unsigned long)some_pbe()->address;
	case 1: return (unsigned long)some_pbe()->orig_address;
	case 2: return (unsigned long)some_pbe();
	}
	return plan.code;
}

static void break_hole(void)
{
	*path(some_address(), random_level()) &= ~_PAGE_PRESENT;
}

static void break_frame(void)
{
	unsigned long *entry = path(some_address(), 1);

	*entry ^= *entry & _PAGE_PSE ? 1UL << 30 : 1UL << 12;
}

static void break_read_only(void)
{
	*path((unsigned long)some_pbe()->orig_address, random_level()) &= ~_PAGE_RW;
}

static void break_user(void)
{
	unsigned long address = some_address();

	for (unsigned int level = 1; level <= plan.levels; level++)
		*path(address, level) |= _PAGE_USER;
}

static void break_code(void)
{
	*path(plan.code, random_level()) |= _PAGE_NX;
}

static void break_jump(void)
{
	*path(plan.jump, random_level()) |= _PAGE_NX;
}

static void break_jump_hole(void)
{
	*path(plan.jump, random_level()) &= ~_PAGE_PRESENT;
}

static void break_jump_place(void)
{
	plan.jump_phys += PAGE_SIZE;
}

static void break_jump_canonical(void)
{
	plan.jump &= (1UL << 62) - 1;
}

static void break_list_end(void)
{
	pbes[0]->next = some_pbe();
}

static void break_source(void)
{
	some_pbe()->address = (char *)some_pbe()->address + 8;
}

static void break_source_hole(void)
{
	some_pbe()->address = __va(PAGING_HOLE + PAGE_SIZE);
}

static void break_source_twice(void)
{
	if (pbe_count > 1)
		pbes[0]->address = pbes[1]->address;
	else
		pbes[0]->address = (void *)plan.code;
}

static void break_destination(void)
{
	some_pbe()->orig_address = (char *)some_pbe()->orig_address + 8;
}

static void break_destination_hole(void)
{
	some_pbe()->orig_address = __va(PAGING_HOLE + PAGE_SIZE);
}

/* A table, but not the one at the end that nobody needs for this address. */
static void *some_table(void)
{
	unsigned int level = 2 + (unsigned int)ram_random(plan.levels - 1);
	unsigned long *entry = path(some_address(), level);

	return (void *)((unsigned long)entry & PAGE_MASK);
}

static void break_overwritten(void)
{
	struct pbe *pbe = some_pbe();

	switch (ram_random(4)) {
	case 0: pbe->orig_address = some_table(); break;
	case 1: pbe->orig_address = (void *)plan.code; break;
	case 2: pbe->orig_address = some_pbe()->address; break;
	case 3:
		pbe->orig_address = (void *)((unsigned long)some_pbe() & PAGE_MASK);
		break;
	}
}

static void break_table_page(void)
{
	set_page_private(virt_to_page(some_table()), 0);
}

static void break_table_place(void)
{
	unsigned long *entry = path(plan.code, plan.levels);

	*entry = (*entry & ~PTE_PFN_MASK) |
		 (PAGING_HOLE + (ram_random(64) << PAGE_SHIFT));
}

/* As if it were a table higher up, or itself, so that the tree has no end. */
static void break_loop(void)
{
	unsigned long *entry = path(plan.code, 2 + ram_random(plan.levels - 1));
	unsigned long *table = path(plan.code, plan.levels);

	*entry = cc_mkenc(__pa((unsigned long)table & PAGE_MASK) | TABLE);
}

static void break_reserved(void)
{
	*path(plan.jump, 2) |= 1UL << (13 + ram_random(8));
}

static void break_huge(void)
{
	unsigned int level = plan.leaf_max + 1, shift = 3 + 9 * level;

	*path(plan.code, level) =
		cc_mkenc(__pa(plan.code) >> shift << shift | HUGE);
}

/* As if the tables had been made for a machine without it. */
static void break_encryption(void)
{
	if (!paging_encryption()) {
		paging_encrypt(PAGING_BIT_SET);
		return;
	}
	*path(some_address(), random_level()) ^= PAGING_ENCRYPTION_BIT;
}

static void break_encryption_top(void)
{
	paging_encrypt(PAGING_BIT_SET);
	plan.pgt &= ~PAGING_ENCRYPTION_BIT;
}

static const struct {
	const char *name;
	void (*inject)(void);
	const char *words;
} faults[] = {
	{ "hole", break_hole, "mapped" },
	{ "frame", break_frame, "mapped" },
	{ "read-only", break_read_only, "destination not writable" },
	{ "user", break_user, "mapped" },
	{ "code", break_code, "relocated code not executable" },
	{ "jump", break_jump, "image kernel not executable" },
	{ "jump hole", break_jump_hole, "mapped" },
	{ "jump place", break_jump_place, "image kernel not mapped" },
	{ "jump canonical", break_jump_canonical, "image kernel not mapped" },
	{ "list end", break_list_end, "page used twice" },
	{ "source", break_source, "no page" },
	{ "source hole", break_source_hole, "no page" },
	{ "source twice", break_source_twice, "page used twice" },
	{ "destination", break_destination, "no page to copy to" },
	{ "destination hole", break_destination_hole, "no page to copy to" },
	{ "overwritten", break_overwritten, "overwritten while it is needed" },
	{ "table page", break_table_page, "page not meant for one" },
	{ "table place", break_table_place, "no page for a page table" },
	{ "loop", break_loop, "page table in two places" },
	{ "reserved", break_reserved, "reserved bits" },
	{ "huge", break_huge, "reserved bits" },
	{ "encryption", break_encryption, "memory encryption" },
	{ "encryption of the top", break_encryption_top, "memory encryption" },
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))
#define SEEDS 12

START_TEST(each_fault_is_found)
{
	size_t fault = (size_t)_i % FAULTS;

	start((uint64_t)_i);
	faults[fault].inject();
	if (verify())
		ck_abort_msg("%s is not noticed", faults[fault].name);
	if (!strstr(report.fault, faults[fault].words))
		ck_abort_msg("%s: %s, not %s", faults[fault].name, report.fault,
			     faults[fault].words);
	paging_deinit();
}
END_TEST

/* ---- anything at all ----------------------------------------------------- */

static void corrupt_entry(void)
{
	unsigned long *entry = ram_random(8) ?
		path(some_address(), random_level()) :
		path(plan.jump, random_level());

	/* Most entries of a table are nobody's way. */
	if (ram_random(2))
		entry = (void *)(((unsigned long)entry & PAGE_MASK) +
				 8 * ram_random(512));
	switch (ram_random(4)) {
	case 0: *entry ^= 1UL << ram_random(64); break;
	case 1: *entry = random_bits(); break;
	case 2: *entry = 0; break;
	case 3: *entry = *path(some_address(), random_level()); break;
	}
}

static void corrupt_list(void)
{
	void *page = (void *)(some_address() & PAGE_MASK);
	struct pbe *pbe = some_pbe();

	switch (ram_random(3)) {
	case 0: pbe->address = page; break;
	case 1: pbe->orig_address = page; break;
	case 2: pbe->next = some_pbe(); break;
	}
}

START_TEST(whatever_passes_arrives)
{
	unsigned int passed = 0, refused = 0;

	paging_init((uint64_t)_i);
	for (unsigned int round = 0; round < 60; round++) {
		make_plan(2 * round + 2);
		if (ram_random(3))
			corrupt_entry();
		else
			corrupt_list();
		if (!verify()) {
			refused++;
		} else {
			passed++;
			expect_list();
			if (!restore_image())
				ck_abort_msg("round %u passes, and faults", round);
		}
		paging_free_all();
	}
	ck_assert_uint_gt(passed, 5);
	ck_assert_uint_gt(refused, 20);
	paging_deinit();
}
END_TEST

START_TEST(tables_that_were_not_finished_do_not_pass)
{
	paging_init((uint64_t)_i);
	plan = (struct restore_plan){ .mark = 8, .levels = 5, .leaf_max = 2 };
	/* The page of the jump comes first; without any table there is no plan. */
	paging_refuse(2 + _i);
	ck_assert(!make_tables());
	paging_refuse(-1);
	make_rest(PBES_MAX);
	ck_assert(!verify());
	ck_assert(strstr(report.fault, "mapped"));
	paging_deinit();
}
END_TEST

/* What the attempt before has marked may be anywhere now. */
START_TEST(marks_of_an_attempt_that_failed_do_not_matter)
{
	paging_init((uint64_t)_i);
	for (unsigned int round = 0; round < 8; round++) {
		make_plan(0x1000 + 2 * round);
		if (round) {
			for (size_t i = 0; i < pbe_count; i++) {
				struct page *page =
					virt_to_page(pbes[i]->orig_address);

				set_page_private(page, plan.mark - 1 - i % 2);
			}
		}
		if (!verify())
			ck_abort_msg("%s: %#lx", report.fault, report.address);
		paging_free_all();
	}
	paging_deinit();
}
END_TEST

START_TEST(sleeping_where_it_must_not_is_noticed)
{
	local_irq_disable();
	free_page(get_zeroed_page(GFP_ATOMIC));
	if (!_i)
		local_irq_enable();
	free_page(get_zeroed_page(GFP_KERNEL));
	if (!_i)
		abort();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("restore-check");
	TCase *tcase = tcase_create("plans");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, what_is_right_passes_and_arrives, 0, 20);
	tcase_add_loop_test(tcase, each_fault_is_found, 0, SEEDS * (int)FAULTS);
	tcase_add_loop_test(tcase, whatever_passes_arrives, 0, 20);
	tcase_add_loop_test(tcase, tables_that_were_not_finished_do_not_pass,
			    0, 6);
	tcase_add_loop_test(tcase, marks_of_an_attempt_that_failed_do_not_matter,
			    0, 4);
	tcase_add_loop_test_raise_signal(tcase,
					 sleeping_where_it_must_not_is_noticed,
					 SIGABRT, 0, 2);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
