/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "allocator.h"
#include "fake-kernel.h"
#include "base/fdio.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define DEVICE makedev(8, 2)

static struct fake_kernel kernel;
static struct snapshot session;
static struct failure failure;
static char pages[16][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void setup(void)
{
	fake_kernel_init(&kernel);
	session = SNAPSHOT_INIT;
	failure = (struct failure){0};
}

static void teardown(void)
{
	snapshot_close(&session);
}

static void open_side(enum snapshot_side side)
{
	struct sysctx host = sysctx_host();

	ck_assert_int_eq(snapshot_open(&session, &fake_kernel_ops, &kernel, &host, side, &failure), 0);
}

/* Up to a taken image, with the area named. */
static void take_image(void)
{
	bool in_suspend = false;

	open_side(SNAPSHOT_SAVE);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_set_swap_area(&session, DEVICE, 0, &failure), 0);
	ck_assert_int_eq(snapshot_create_image(&session, &in_suspend, &failure), 0);
	ck_assert(in_suspend);
}

static void unwind(void)
{
	ck_assert_int_eq(snapshot_free_swap_pages(&session, &failure), 0);
	ck_assert_int_eq(snapshot_free_image(&session, &failure), 0);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), 0);
	snapshot_close(&session);
}

static struct iovec *iov_of(struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		iov[i] = (struct iovec){pages[i], PAGE_BYTES};
	return iov;
}

START_TEST(save_in_order)
{
	static const unsigned long expected[] = {
		SNAPSHOT_PLATFORM_SUPPORT, SNAPSHOT_FREEZE, SNAPSHOT_SET_SWAP_AREA, SNAPSHOT_AVAIL_SWAP_SIZE,
		SNAPSHOT_PREF_IMAGE_SIZE, SNAPSHOT_PLATFORM_SUPPORT, SNAPSHOT_CREATE_IMAGE, SNAPSHOT_GET_IMAGE_SIZE,
		SNAPSHOT_ALLOC_SWAP_PAGE, SNAPSHOT_POWER_OFF, SNAPSHOT_FREE_SWAP_PAGES, SNAPSHOT_FREE, SNAPSHOT_UNFREEZE,
	};
	bool in_suspend = false;
	uint64_t value = 0;

	kernel.power_off_returns = true;
	open_side(SNAPSHOT_SAVE);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_set_swap_area(&session, DEVICE, 0, &failure), 0);
	ck_assert_int_eq(snapshot_avail_swap(&session, &value, &failure), 0);
	ck_assert_uint_eq(value, 4096 * PAGE_BYTES);
	ck_assert_int_eq(snapshot_preferred_image_size(&session, 12345678, &failure), 0);
	ck_assert_uint_eq(kernel.preferred_size, 12345678);
	ck_assert_int_eq(snapshot_set_platform(&session, true, &failure), 0);
	ck_assert_int_eq(snapshot_create_image(&session, &in_suspend, &failure), 0);
	ck_assert(in_suspend);
	ck_assert_int_eq(snapshot_image_size(&session, &value, &failure), 0);
	ck_assert_uint_eq(value, 64 * PAGE_BYTES);
	ck_assert_int_eq(snapshot_alloc_swap_page(&session, &value, &failure), 0);
	ck_assert_uint_eq(value, PAGE_BYTES);
	ck_assert(!failed(&failure));
	ck_assert_int_eq(snapshot_power_off(&session, &failure), -ECANCELED);
	ck_assert_int_eq(failure.reason, REASON_LEAVE_REFUSED);
	unwind();
	ck_assert_uint_eq(kernel.logged, ARRAY_LENGTH(expected));
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
		ck_assert_msg(kernel.log[i] == expected[i], "call %zu is %#lx, not %#lx", i, kernel.log[i], expected[i]);
	ck_assert(!kernel.open);
	fake_kernel_check(&kernel);
}
END_TEST

/* Each call in a state where it does not belong: refused, and the kernel was not asked. */
static int call_number(int number)
{
	uint64_t value;
	bool flag;

	switch (number) {
	case 0: return snapshot_unfreeze(&session, &failure);
	case 1: return snapshot_create_image(&session, &flag, &failure);
	case 2: return snapshot_set_swap_area(&session, DEVICE, 0, &failure);
	case 3: return snapshot_alloc_swap_page(&session, &value, &failure);
	case 4: return snapshot_avail_swap(&session, &value, &failure);
	case 5: return snapshot_image_size(&session, &value, &failure);
	case 6: return snapshot_power_off(&session, &failure);
	case 7: return snapshot_suspend_to_ram(&session, &failure);
	case 8: return snapshot_atomic_restore(&session, &failure);
	case 9: return snapshot_freeze(&session, &failure);
	case 10: return snapshot_preferred_image_size(&session, 1, &failure);
	default: abort();
	}
}

static void all_refused(const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t logged = kernel.logged;

		failure.reason = REASON_NONE;
		ck_assert_msg(call_number(numbers[i]) == -EPERM, "call %d was not refused", numbers[i]);
		ck_assert_int_eq(failure.reason, REASON_INTERNAL);
		ck_assert_uint_eq(kernel.logged, logged);
	}
}

START_TEST(out_of_order_is_refused_before_the_kernel)
{
	static const int closed[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
	static const int opened[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	static const int frozen[] = {3, 4, 5, 6, 7, 8, 9};
	static const int taken[] = {0, 1, 6, 8, 9}; /* power off: without platform */
	static const int restoring[] = {0, 1, 2, 5, 6, 7, 8, 10};

	all_refused(closed, ARRAY_LENGTH(closed));
	open_side(SNAPSHOT_SAVE);
	all_refused(opened, ARRAY_LENGTH(opened));
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	all_refused(frozen, ARRAY_LENGTH(frozen));
	snapshot_close(&session);
	take_image();
	all_refused(taken, ARRAY_LENGTH(taken));
	unwind();
	open_side(SNAPSHOT_RESTORE);
	all_refused(restoring, ARRAY_LENGTH(restoring));
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(area_is_not_changed_under_slots)
{
	uint64_t offset;

	take_image();
	ck_assert_int_eq(snapshot_alloc_swap_page(&session, &offset, &failure), 0);
	ck_assert_int_eq(snapshot_set_swap_area(&session, DEVICE, 0, &failure), -EPERM);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(restored_system_frees_before_it_thaws)
{
	bool in_suspend = true;

	kernel.restored = true;
	open_side(SNAPSHOT_SAVE);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_create_image(&session, &in_suspend, &failure), 0);
	ck_assert(!in_suspend);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), -EPERM);
	ck_assert_int_eq(snapshot_free_image(&session, &failure), 0);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), 0);
	ck_assert(!kernel.frozen);
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(failed_create_image_still_needs_free)
{
	bool in_suspend = false;

	kernel.faults[0] = (struct fake_fault){SNAPSHOT_CREATE_IMAGE, -EIO, 0, 1};
	open_side(SNAPSHOT_SAVE);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_create_image(&session, &in_suspend, &failure), -EIO);
	ck_assert_int_eq(failure.reason, REASON_SNAPSHOT);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), -EPERM);
	ck_assert_int_eq(snapshot_free_image(&session, &failure), 0);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), 0);
	fake_kernel_check(&kernel);
}
END_TEST

static void *thaw_elsewhere(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)snapshot_unfreeze(&session, &failure);
}

START_TEST(only_the_freezing_thread_thaws)
{
	pthread_t thread;
	void *result;

	open_side(SNAPSHOT_SAVE);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, thaw_elsewhere, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_int_eq((intptr_t)result, -EPERM);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), 0);
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(fake_sees_live_tasks_at_thaw)
{
	open_side(SNAPSHOT_SAVE);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	fake_kernel_task_started(&kernel);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), 0);
	ck_assert_uint_eq(kernel.violations, 1);
}
END_TEST

START_TEST(worker_descriptor_keeps_everything_frozen)
{
	take_image();
	fake_kernel_task_started(&kernel);
	fake_kernel_held(&kernel);
	snapshot_close(&session);
	ck_assert(kernel.frozen);
	fake_kernel_task_reaped(&kernel);
	fake_kernel_let_go(&kernel);
	ck_assert(!kernel.frozen);
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(locked_device_is_retried_but_not_for_ever)
{
	uint64_t offset;

	take_image();
	kernel.busy = 5;
	ck_assert_int_eq(snapshot_alloc_swap_page(&session, &offset, &failure), 0);
	ck_assert_uint_eq(kernel.busy_seen, 5);
	kernel.busy = UINT32_MAX;
	ck_assert_int_eq(snapshot_alloc_swap_page(&session, &offset, &failure), -EBUSY);
	kernel.busy = 0;
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(busy_freeze_is_not_retried)
{
	open_side(SNAPSHOT_SAVE);
	kernel.faults[0] = (struct fake_fault){SNAPSHOT_FREEZE, -EBUSY, 0, 1};
	ck_assert_int_eq(snapshot_freeze(&session, &failure), -EBUSY);
	ck_assert_int_eq(failure.reason, REASON_FREEZE_REFUSED);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_unfreeze(&session, &failure), 0);
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(power_off_needs_platform)
{
	take_image();
	ck_assert_int_eq(snapshot_power_off(&session, &failure), -EPERM);
	ck_assert_int_eq(snapshot_set_platform(&session, true, &failure), 0);
	ck_assert_int_eq(snapshot_power_off(&session, &failure), -ECANCELED);
	ck_assert(kernel.powered_off);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(hybrid_spends_the_image)
{
	uint64_t bytes;

	take_image();
	ck_assert_int_eq(snapshot_suspend_to_ram(&session, &failure), 0);
	ck_assert(kernel.suspended);
	ck_assert_int_eq(snapshot_image_size(&session, &bytes, &failure), -EPERM);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(swap_area_that_is_not_there)
{
	open_side(SNAPSHOT_SAVE);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_set_swap_area(&session, DEVICE, 8, &failure), -ENODEV);
	ck_assert_int_eq(failure.reason, REASON_AREA_UNSUITABLE);
	ck_assert_str_eq(failure.object, "8:2");
	ck_assert(!session.area_set);
	/* A minor above 255 and a major above 15 travel in the kernel's packing. */
	fake_kernel_swapon(&kernel, 1, makedev(259, 0x12345), 77);
	ck_assert_int_eq(snapshot_set_swap_area(&session, makedev(259, 0x12345), 77, &failure), 0);
	ck_assert_int_eq(kernel.swap, 1);
	fake_kernel_check(&kernel);
}
END_TEST

/* ---- slots ------------------------------------------------------------- */

static struct extent whole_area = {0, 4097 * PAGE_BYTES};
static const struct extent_list allowed = {.items = &whole_area, .count = 1, .capacity = 1};

START_TEST(slots_are_sorted_and_merged)
{
	static const uint64_t order[] = {9, 8, 7, 100, 101, 3, 2, 1, 50, 10, 102, 4};
	struct extent items[8];
	struct extent_list granted;

	kernel.areas[0].order = order;
	kernel.areas[0].slots = ARRAY_LENGTH(order);
	extent_list_init(&granted, items, ARRAY_LENGTH(items));
	take_image();
	ck_assert_int_eq(REFUSING(snapshot_allocate_slots(&session, &allowed, UINT64_MAX / 2, &granted, NULL, NULL, &failure)), 0);
	ck_assert_uint_eq(allocator_refused(), 0);
	ck_assert_uint_eq(granted.count, 4);
	ck_assert_uint_eq(granted.items[0].start, PAGE_BYTES);
	ck_assert_uint_eq(granted.items[0].length, 4 * PAGE_BYTES);
	ck_assert_uint_eq(granted.items[1].start, 7 * PAGE_BYTES);
	ck_assert_uint_eq(granted.items[1].length, 4 * PAGE_BYTES);
	ck_assert_uint_eq(granted.items[3].length, 3 * PAGE_BYTES);
	ck_assert_uint_eq(extent_list_total(&granted), 12 * PAGE_BYTES);
	ck_assert_uint_eq(session.slots, 12);
	unwind();
	ck_assert_uint_eq(kernel.areas[0].taken, 0);
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(slots_stop_at_what_is_wanted)
{
	struct extent items[2];
	struct extent_list granted;

	extent_list_init(&granted, items, ARRAY_LENGTH(items));
	take_image();
	ck_assert_int_eq(snapshot_allocate_slots(&session, &allowed, 10 * PAGE_BYTES - 1, &granted, NULL, NULL, &failure), 0);
	ck_assert_uint_eq(extent_list_total(&granted), 10 * PAGE_BYTES);
	ck_assert_uint_eq(kernel.areas[0].taken, 10);
	unwind();
}
END_TEST

START_TEST(full_array_is_normalized_first)
{
	/* Every second page, then the ones between: two entries must do in the end, four on the way. */
	static const uint64_t order[] = {1, 3, 5, 7, 2, 4, 6, 20, 30};
	struct extent items[4];
	struct extent_list granted;

	kernel.areas[0].order = order;
	kernel.areas[0].slots = 9;
	extent_list_init(&granted, items, 4);
	take_image();
	/* 1 3 5 7 fill the array and nothing touches: full for good. */
	ck_assert_int_eq(snapshot_allocate_slots(&session, &allowed, 9 * PAGE_BYTES, &granted, NULL, NULL, &failure), -ENOSPC);
	ck_assert_int_eq(failure.reason, REASON_TOO_SMALL);
	ck_assert_ptr_nonnull(strstr(failure.text, "4 pieces"));
	ck_assert_uint_eq(granted.count, 0);
	ck_assert_uint_eq(kernel.areas[0].taken, 0);

	static const uint64_t merging[] = {1, 3, 5, 2, 4, 6, 20, 30};
	kernel.areas[0].order = merging;
	kernel.areas[0].slots = 8;
	ck_assert_int_eq(snapshot_allocate_slots(&session, &allowed, 8 * PAGE_BYTES, &granted, NULL, NULL, &failure), 0);
	ck_assert_uint_eq(granted.count, 3);
	ck_assert_uint_eq(granted.items[0].length, 6 * PAGE_BYTES);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(descending_slots_are_one_run)
{
	static const uint64_t order[] = {9, 8, 7, 6, 5, 4, 20, 19, 18};
	struct extent items[2];
	struct extent_list granted;

	kernel.areas[0].order = order;
	kernel.areas[0].slots = ARRAY_LENGTH(order);
	extent_list_init(&granted, items, ARRAY_LENGTH(items));
	take_image();
	ck_assert_int_eq(snapshot_allocate_slots(&session, &allowed, UINT64_MAX / 2, &granted, NULL, NULL, &failure), 0);
	ck_assert_uint_eq(granted.count, 2);
	ck_assert_uint_eq(granted.items[1].start, 18 * PAGE_BYTES);
	unwind();
}
END_TEST

START_TEST(wrong_slots_are_refused)
{
	static const uint64_t outside[] = {1, 2, 4097}, header[] = {1, 0}, twice[] = {1, 5, 1};
	static const struct {
		const uint64_t *order;
		size_t count;
	} cases[] = {{outside, 3}, {header, 2}, {twice, 3}};
	struct extent items[8];
	struct extent_list granted;

	take_image();
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		kernel.areas[0].order = cases[i].order;
		kernel.areas[0].slots = cases[i].count;
		extent_list_init(&granted, items, ARRAY_LENGTH(items));
		failure = (struct failure){0};
		ck_assert_int_eq(snapshot_allocate_slots(&session, &allowed, 8 * PAGE_BYTES, &granted, NULL, NULL, &failure), -ERANGE);
		ck_assert_int_eq(failure.reason, REASON_INTERNAL);
		ck_assert_uint_eq(granted.count, 0);
		ck_assert_uint_eq(kernel.areas[0].taken, 0);
	}
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

/* swapoff and swapon in between give the kernel's index to another area, and its slots with it. */
START_TEST(index_that_changed_owner_is_caught)
{
	struct extent items[8];
	struct extent_list granted;

	take_image();
	ck_assert_int_eq(fake_kernel_swapoff(&kernel, 0), 0);
	fake_kernel_swapon(&kernel, 0, makedev(8, 17), 9000);
	extent_list_init(&granted, items, ARRAY_LENGTH(items));
	ck_assert_int_eq(snapshot_allocate_slots(&session, &allowed, 8 * PAGE_BYTES, &granted, NULL, NULL, &failure), -ERANGE);
	unwind();
	kernel.swapoff_busy = true;
	kernel.swap = 0;
	ck_assert_int_eq(fake_kernel_swapoff(&kernel, 0), -EBUSY);
}
END_TEST

static int stop_after(void *data, uint64_t bytes)
{
	return bytes >= *(uint64_t *)data ? -ECANCELED : 0;
}

START_TEST(allocation_can_be_stopped)
{
	uint64_t limit = 2048 * PAGE_BYTES;
	struct extent items[8];
	struct extent_list granted;

	extent_list_init(&granted, items, ARRAY_LENGTH(items));
	take_image();
	ck_assert_int_eq(snapshot_allocate_slots(&session, &allowed, UINT64_MAX / 2, &granted, stop_after, &limit, &failure),
			 -ECANCELED);
	ck_assert_int_eq(failure.reason, REASON_ABORTED);
	ck_assert_uint_eq(kernel.areas[0].taken, 0);
	unwind();
}
END_TEST

/* ---- pages ------------------------------------------------------------- */

START_TEST(pages_are_read_to_the_end)
{
	struct iovec iov[16];
	size_t total = 0;
	ssize_t n;

	kernel.image_pages = 37;
	take_image();
	while ((n = snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov_of(iov, 16), 16)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			uint64_t word;

			memcpy(&word, pages[i] + PAGE_BYTES - 8, 8);
			ck_assert_uint_eq(word, fake_kernel_page_word(total + (size_t)i));
		}
		total += (size_t)n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(total, 37);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(bad_iovecs_never_reach_the_kernel)
{
	struct iovec iov[2];

	take_image();
	iov_of(iov, 2);
	iov[1].iov_len = 2048;
	ck_assert_int_eq(snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov, 2), -EINVAL);
	iov[1].iov_len = 2 * PAGE_BYTES;
	ck_assert_int_eq(snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov, 2), -EINVAL);
	iov[1].iov_len = 0;
	ck_assert_int_eq(snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov, 2), -EINVAL);
	iov_of(iov, 2);
	iov[0].iov_base = pages[0] + 8;
	ck_assert_int_eq(snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov, 2), -EINVAL);
	ck_assert_int_eq(snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov, 0), -EINVAL);
	ck_assert_uint_eq(kernel.position, 0);
	ck_assert(!kernel.inside_page);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

/* A fault in the middle of a batch is a short count and a lost page; it must not look like the end or like nothing. */
START_TEST(lost_page_is_an_error)
{
	struct iovec iov[4];

	take_image();
	kernel.bad_page = pages[2];
	ck_assert_int_eq(snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov_of(iov, 4), 4), -EFAULT);
	ck_assert_uint_eq(kernel.violations, 2);
	/* At the beginning of a batch the error itself comes back. */
	teardown();
	setup();
	take_image();
	kernel.bad_page = pages[0];
	ck_assert_int_eq(snapshot_read_pages(&fake_kernel_ops, &kernel, session.fd, iov_of(iov, 4), 4), -EFAULT);
}
END_TEST

static ssize_t lossy_readv(void *data, int fd, const struct iovec *iov, int count)
{
	/* Two pages, then one is lost as by a fault that is over when the next call comes. */
	ssize_t n = fake_kernel_ops.readv(data, fd, iov, count > 2 ? 2 : count);

	kernel.position++;
	return n;
}

START_TEST(page_lost_between_calls_is_an_error)
{
	const struct snapshot_ops lossy = {.readv = lossy_readv};
	struct iovec iov[4];

	take_image();
	ck_assert_int_eq(snapshot_read_pages(&lossy, &kernel, session.fd, iov_of(iov, 4), 4), -EFAULT);
}
END_TEST

static void write_image(size_t count)
{
	struct iovec iov[16];

	for (size_t done = 0; done < count;) {
		int batch = (int)MIN(count - done, 16);

		for (int i = 0; i < batch; i++) {
			uint64_t word = fake_kernel_page_word(done + (size_t)i);

			memcpy(pages[i], &word, 8);
		}
		ck_assert_int_eq(snapshot_write_pages(&fake_kernel_ops, &kernel, session.fd, iov_of(iov, batch), batch), batch);
		done += (size_t)batch;
	}
}

START_TEST(restore_in_order)
{
	/* The kernel's fix for zero pages at the end: absent, strict, and neither. */
	kernel.zero_tail = true;
	kernel.late_finish = _i == 1;
	kernel.strict_finish = _i == 2;
	open_side(SNAPSHOT_RESTORE);
	write_image(64);
	for (size_t i = 0; i < 64; i++)
		ck_assert_uint_eq(kernel.page_sums[i], fake_kernel_page_word(i));
	ck_assert_int_eq(snapshot_finish_write(&fake_kernel_ops, &kernel, session.fd, pages[0]), 0);
	ck_assert_int_eq(snapshot_set_platform(&session, true, &failure), 0);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_atomic_restore(&session, &failure), -ECANCELED);
	ck_assert(kernel.entered);
	ck_assert(kernel.platform);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(fake_refuses_zero_tail_without_the_extra_write)
{
	kernel.zero_tail = kernel.late_finish = true;
	open_side(SNAPSHOT_RESTORE);
	write_image(64);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_atomic_restore(&session, &failure), -EPERM);
	ck_assert_int_eq(failure.reason, REASON_RESTORE_REFUSED);
	ck_assert(!kernel.entered);
}
END_TEST

START_TEST(incomplete_image_is_found_by_the_extra_write)
{
	open_side(SNAPSHOT_RESTORE);
	write_image(63);
	ck_assert_int_eq(snapshot_finish_write(&fake_kernel_ops, &kernel, session.fd, pages[0]), -ENODATA);
}
END_TEST

START_TEST(early_restore_eats_a_slot)
{
	kernel.strict_finish = true;
	open_side(SNAPSHOT_RESTORE);
	write_image(10);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	ck_assert_int_eq(snapshot_atomic_restore(&session, &failure), -ENODATA);
	ck_assert(kernel.shifted);
	/* The session allows no second go with the same image: close and start over. */
	ck_assert_int_eq(snapshot_atomic_restore(&session, &failure), -EPERM);
	unwind();
	open_side(SNAPSHOT_RESTORE);
	ck_assert(!kernel.shifted);
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(fault_in_the_page_tables_is_named)
{
	open_side(SNAPSHOT_RESTORE);
	write_image(64);
	ck_assert_int_eq(snapshot_finish_write(&fake_kernel_ops, &kernel, session.fd, pages[0]), 0);
	ck_assert_int_eq(snapshot_freeze(&session, &failure), 0);
	kernel.faults[0] = (struct fake_fault){SNAPSHOT_ATOMIC_RESTORE, -EFAULT, 0, 1};
	ck_assert_int_eq(snapshot_atomic_restore(&session, &failure), -EFAULT);
	ck_assert_int_eq(failure.reason, REASON_RESTORE_REFUSED);
	ck_assert_ptr_nonnull(strstr(failure.text, "page tables"));
	ck_assert(!kernel.entered);
	unwind();
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(more_pages_than_the_image_has)
{
	struct iovec iov[8];

	kernel.image_pages = 20;
	open_side(SNAPSHOT_RESTORE);
	write_image(16);
	ck_assert_int_eq(snapshot_write_pages(&fake_kernel_ops, &kernel, session.fd, iov_of(iov, 8), 8), 4);
	ck_assert_int_eq(snapshot_write_pages(&fake_kernel_ops, &kernel, session.fd, iov_of(iov, 8), 8), 0);
}
END_TEST

/* The check of the image's header comes in the middle of a batch: its error must not be taken for the end. */
START_TEST(page_that_the_kernel_rejects)
{
	struct iovec iov[8];

	kernel.reject_page = 2;
	kernel.reject_error = -EPERM;
	open_side(SNAPSHOT_RESTORE);
	ck_assert_int_eq(snapshot_write_pages(&fake_kernel_ops, &kernel, session.fd, iov_of(iov, 8), 8), -EPERM);
}
END_TEST

/* ---- why it cannot be opened ------------------------------------------- */

static const struct refusal_case {
	int error;
	const char *path, *contents; /* what the tree holds besides a plain command line */
	enum reason reason;
	const char *text;
} refusals[] = {
	{-ENOENT, NULL, NULL, REASON_UNAVAILABLE, "no snapshot device"},
	{-ENODEV, NULL, NULL, REASON_UNAVAILABLE, "no snapshot device"},
	{-EACCES, NULL, NULL, REASON_PERMISSION, "root"},
	{-EBUSY, NULL, NULL, REASON_BUSY, "another hibernation"},
	{-EPERM, "/proc/cmdline", "quiet nohibernate ro\n", REASON_UNAVAILABLE, "nohibernate"},
	{-EPERM, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n", REASON_UNAVAILABLE, "(integrity)"},
	{-EPERM, "/proc/77/maps", "7f00-7f01 rw-s 00000000 00:0f 5 /secretmem (deleted)\n", REASON_UNAVAILABLE, "77 (keeper)"},
	{-EPERM, "/sys/bus/cxl/devices/mem0", "", REASON_UNAVAILABLE, "CXL"},
	{-EPERM, "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n", REASON_UNAVAILABLE, "none of the known"},
	{-EPERM, "/proc/cmdline", "xnohibernate nohibernate=\n", REASON_UNAVAILABLE, "none of the known"},
	{-EIO, NULL, NULL, REASON_SNAPSHOT, "refused to open"},
};

START_TEST(refusal_says_which)
{
	const struct refusal_case *c = &refusals[_i];
	struct tree tree;

	tree_init(&tree);
	tree_write(&tree, "/proc/cmdline", "quiet ro\n");
	tree_write(&tree, "/proc/77/comm", "keeper\n");
	tree_write(&tree, "/proc/78/maps", "7f00-7f01 rw-s 00000000 00:0f 5 /usr/bin/other\n");
	if (c->path)
		tree_write(&tree, c->path, c->contents);
	kernel.open_error = c->error;
	ck_assert_int_eq(snapshot_open(&session, &fake_kernel_ops, &kernel, &tree.sys, SNAPSHOT_SAVE, &failure), c->error);
	ck_assert_int_eq(failure.reason, c->reason);
	ck_assert_msg(strstr(failure.text, c->text), "\"%s\" does not say \"%s\"", failure.text, c->text);
	ck_assert_int_eq(session.fd, -1);
	tree_deinit(&tree);
}
END_TEST

START_TEST(encryption_by_the_kernel_is_found_and_not_touched)
{
	kernel.encrypts = _i;
	ck_assert(!snapshot_kernel_encrypts(&session)); /* no device, no answer */
	open_side(SNAPSHOT_SAVE);
	kernel.busy = 3;
	ck_assert_int_eq(snapshot_kernel_encrypts(&session), _i);
	snapshot_close(&session);
	fake_kernel_check(&kernel);
}
END_TEST

START_TEST(no_capability_is_found_at_open)
{
	struct sysctx host = sysctx_host();

	kernel.no_capability = true;
	ck_assert_int_eq(snapshot_open(&session, &fake_kernel_ops, &kernel, &host, SNAPSHOT_SAVE, &failure), -EPERM);
	ck_assert_int_eq(failure.reason, REASON_PERMISSION);
	ck_assert(!kernel.open);
	ck_assert_int_eq(session.fd, -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *cases = tcase_create("snapshot");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, save_in_order);
	tcase_add_test(cases, out_of_order_is_refused_before_the_kernel);
	tcase_add_test(cases, area_is_not_changed_under_slots);
	tcase_add_test(cases, restored_system_frees_before_it_thaws);
	tcase_add_test(cases, failed_create_image_still_needs_free);
	tcase_add_test(cases, only_the_freezing_thread_thaws);
	tcase_add_test(cases, fake_sees_live_tasks_at_thaw);
	tcase_add_test(cases, worker_descriptor_keeps_everything_frozen);
	tcase_add_test(cases, locked_device_is_retried_but_not_for_ever);
	tcase_add_test(cases, busy_freeze_is_not_retried);
	tcase_add_test(cases, power_off_needs_platform);
	tcase_add_test(cases, hybrid_spends_the_image);
	tcase_add_test(cases, swap_area_that_is_not_there);
	tcase_add_test(cases, slots_are_sorted_and_merged);
	tcase_add_test(cases, slots_stop_at_what_is_wanted);
	tcase_add_test(cases, full_array_is_normalized_first);
	tcase_add_test(cases, descending_slots_are_one_run);
	tcase_add_test(cases, wrong_slots_are_refused);
	tcase_add_test(cases, index_that_changed_owner_is_caught);
	tcase_add_test(cases, allocation_can_be_stopped);
	tcase_add_test(cases, pages_are_read_to_the_end);
	tcase_add_test(cases, bad_iovecs_never_reach_the_kernel);
	tcase_add_test(cases, lost_page_is_an_error);
	tcase_add_test(cases, page_lost_between_calls_is_an_error);
	tcase_add_loop_test(cases, restore_in_order, 0, 3);
	tcase_add_test(cases, fake_refuses_zero_tail_without_the_extra_write);
	tcase_add_test(cases, incomplete_image_is_found_by_the_extra_write);
	tcase_add_test(cases, early_restore_eats_a_slot);
	tcase_add_test(cases, fault_in_the_page_tables_is_named);
	tcase_add_test(cases, more_pages_than_the_image_has);
	tcase_add_test(cases, page_that_the_kernel_rejects);
	tcase_add_loop_test(cases, refusal_says_which, 0, ARRAY_LENGTH(refusals));
	tcase_add_loop_test(cases, encryption_by_the_kernel_is_found_and_not_touched, 0, 2);
	tcase_add_test(cases, no_capability_is_found_at_open);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
