/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-kernel.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void fake_kernel_violate(struct fake_kernel *k, const char *format, ...)
{
	va_list args;

	if (k->violations++)
		return;
	va_start(args, format);
	vsnprintf(k->violation, sizeof(k->violation), format, args);
	va_end(args);
}

uint64_t fake_kernel_page_word(size_t number)
{
	return (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

void fake_kernel_init(struct fake_kernel *k)
{
	*k = (struct fake_kernel){.image_pages = 64, .swap = -1};
	k->areas[0] = (struct fake_area){.active = true, .device = makedev(8, 2), .slots = 4096};
}

void fake_kernel_check(const struct fake_kernel *k)
{
	ck_assert_msg(!k->violations, "%u violations of the kernel's rules, the first: %s", k->violations, k->violation);
}

void fake_kernel_task_started(struct fake_kernel *k)
{
	if (k->frozen)
		k->tasks++;
}

void fake_kernel_task_reaped(struct fake_kernel *k)
{
	if (k->tasks)
		k->tasks--;
}

void fake_kernel_held(struct fake_kernel *k)
{
	k->holders++;
}

int fake_kernel_swapoff(struct fake_kernel *k, int index)
{
	if (k->swapoff_busy && k->swap == index)
		return -EBUSY;
	k->areas[index].active = false;
	return 0;
}

void fake_kernel_swapon(struct fake_kernel *k, int index, dev_t device, uint64_t offset_pages)
{
	k->areas[index] = (struct fake_area){.active = true, .device = device, .offset_pages = offset_pages, .slots = 4096};
}

static bool slots_in_use(const struct fake_kernel *k)
{
	for (size_t i = 0; i < FAKE_AREAS; i++)
		if (k->areas[i].taken)
			return true;
	return false;
}

static void free_slots(struct fake_kernel *k)
{
	for (size_t i = 0; i < FAKE_AREAS; i++)
		k->areas[i].taken = 0;
}

static void thaw(struct fake_kernel *k, const char *how)
{
	if (k->tasks)
		fake_kernel_violate(k, "%s: %d tasks started after FREEZE are still alive", how, k->tasks);
	k->frozen = false;
}

static void release(struct fake_kernel *k)
{
	free_slots(k);
	k->kernel_threads_frozen = false;
	k->ready = false;
	k->swap = -1;
	k->open = false;
	if (k->frozen)
		thaw(k, "last close");
}

void fake_kernel_let_go(struct fake_kernel *k)
{
	k->holders--;
	if (k->holders == 0)
		release(k);
}

static int fake_open(void *data, int flags)
{
	struct fake_kernel *k = data;
	int fd;

	if (k->open_error)
		return k->open_error;
	if (k->open)
		return -EBUSY;
	if ((flags & O_ACCMODE) == O_RDWR)
		return -ENOSYS;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	k->open = true;
	k->opens++;
	k->holders = 1;
	k->flags = flags & O_ACCMODE;
	k->position = 0;
	k->inside_page = k->finished = k->shifted = k->platform = false;
	memset(k->page_sums, 0, sizeof(k->page_sums));
	return fd;
}

static int fake_close(void *data, int fd)
{
	close(fd);
	fake_kernel_let_go(data);
	return 0;
}

static int set_swap_area(struct fake_kernel *k, const struct resume_swap_area *wanted)
{
	dev_t device = makedev((wanted->dev & 0xfff00) >> 8, (wanted->dev & 0xff) | (wanted->dev >> 12 & 0xfff00));

	if (slots_in_use(k))
		return -EPERM;
	k->swap = -1;
	if (!device)
		return -EINVAL;
	for (int i = 0; i < FAKE_AREAS; i++)
		if (k->areas[i].active && k->areas[i].device == device &&
		    k->areas[i].offset_pages == (uint64_t)wanted->offset)
			k->swap = i;
	return k->swap < 0 ? -ENODEV : 0;
}

static int alloc_swap_page(struct fake_kernel *k, __kernel_loff_t *offset)
{
	struct fake_area *area;
	uint64_t page;

	if (k->swap < 0)
		return -ENODEV;
	area = &k->areas[k->swap];
	if (!area->active || area->taken == area->slots)
		return -ENOSPC;
	page = area->order ? area->order[area->taken] : area->offset_pages + 1 + area->taken;
	area->taken++;
	*offset = (__kernel_loff_t)(page * PAGE_BYTES);
	return 0;
}

static int unfreeze(struct fake_kernel *k)
{
	if (!k->frozen)
		return 0;
	if (k->ready) {
		fake_kernel_violate(k, "UNFREEZE before FREE does nothing");
		return 0;
	}
	if (k->freezer != gettid() && kill(k->freezer, 0) == 0)
		fake_kernel_violate(k, "UNFREEZE by another thread than FREEZE");
	if (k->kernel_threads_frozen)
		fake_kernel_violate(k, "UNFREEZE with kernel threads frozen");
	thaw(k, "UNFREEZE");
	return 0;
}

static int create_image(struct fake_kernel *k, int *in_suspend)
{
	if (k->flags != O_RDONLY || !k->frozen || k->ready)
		return -EPERM;
	k->kernel_threads_frozen = true;
	k->ready = true;
	k->position = 0;
	*in_suspend = !k->restored;
	return 0;
}

static int atomic_restore(struct fake_kernel *k)
{
	bool complete = k->position >= k->image_pages && (!k->late_finish || !k->zero_tail || k->finished);

	if (k->strict_finish && !complete) {
		k->position++;
		k->shifted = true;
		return -ENODATA;
	}
	if (k->flags != O_WRONLY || !k->frozen || !complete)
		return -EPERM;
	if (k->shifted)
		fake_kernel_violate(k, "ATOMIC_RESTORE of an image with pages in the wrong place");
	k->kernel_threads_frozen = true;
	k->entered = true;
	return 0;
}

/* Of a kernel that can encrypt: the numbers count, and the sizes. To be asked is harmless for 22 only, without a key. */
static int encryption(struct fake_kernel *k, unsigned long request, unsigned long argument)
{
	if (_IOC_TYPE(request) != SNAPSHOT_IOC_MAGIC || _IOC_DIR(request) != (_IOC_READ | _IOC_WRITE))
		return -ENOTTY;
	if (_IOC_NR(request) == 22 && _IOC_SIZE(request) == 48 && !argument)
		return -EINVAL;
	if ((_IOC_NR(request) == 22 && _IOC_SIZE(request) == 48) || (_IOC_NR(request) == 21 && _IOC_SIZE(request) == 532))
		fake_kernel_violate(k, "encryption by the kernel is turned on");
	return -ENOTTY;
}

static int dispatch(struct fake_kernel *k, unsigned long request, unsigned long argument)
{
	switch (request) {
	case SNAPSHOT_FREEZE:
		if (!k->frozen)
			k->freezer = gettid();
		k->frozen = true;
		return 0;
	case SNAPSHOT_UNFREEZE:
		return unfreeze(k);
	case SNAPSHOT_CREATE_IMAGE:
		return create_image(k, (int *)argument);
	case SNAPSHOT_ATOMIC_RESTORE:
		return atomic_restore(k);
	case SNAPSHOT_FREE:
		k->ready = k->kernel_threads_frozen = false;
		return 0;
	case SNAPSHOT_PREF_IMAGE_SIZE:
		k->preferred_size = argument;
		return 0;
	case SNAPSHOT_GET_IMAGE_SIZE:
		if (!k->ready)
			return -ENODATA;
		*(__kernel_loff_t *)argument = (__kernel_loff_t)(k->image_pages * PAGE_BYTES);
		return 0;
	case SNAPSHOT_AVAIL_SWAP_SIZE:
		if (k->swap < 0)
			return -ENODEV;
		*(__kernel_loff_t *)argument =
			(__kernel_loff_t)((k->areas[k->swap].slots - k->areas[k->swap].taken) * PAGE_BYTES);
		return 0;
	case SNAPSHOT_ALLOC_SWAP_PAGE:
		return alloc_swap_page(k, (__kernel_loff_t *)argument);
	case SNAPSHOT_FREE_SWAP_PAGES:
		if (k->swap < 0)
			return -ENODEV;
		free_slots(k);
		return 0;
	case SNAPSHOT_S2RAM:
		if (!k->frozen)
			return -EPERM;
		k->suspended = true;
		k->ready = false;
		return 0;
	case SNAPSHOT_PLATFORM_SUPPORT:
		k->platform = argument != 0;
		return 0;
	case SNAPSHOT_POWER_OFF:
		if (!k->platform)
			fake_kernel_violate(k, "POWER_OFF without PLATFORM_SUPPORT does nothing");
		else
			k->powered_off = !k->power_off_returns;
		return 0;
	case SNAPSHOT_SET_SWAP_AREA:
		return set_swap_area(k, (const struct resume_swap_area *)argument);
	default:
		return k->encrypts ? encryption(k, request, argument) : -ENOTTY;
	}
}

/* EBUSY while somebody is inside; else the request is logged. */
static bool locked(struct fake_kernel *k)
{
	if (!k->busy)
		return false;
	k->busy--;
	k->busy_seen++;
	return true;
}

static int injected(struct fake_kernel *k, unsigned long request)
{
	for (size_t i = 0; i < FAKE_FAULTS; i++) {
		struct fake_fault *fault = &k->faults[i];

		if (fault->request != request || !fault->times)
			continue;
		if (fault->skip) {
			fault->skip--;
			continue;
		}
		fault->times--;
		return fault->error;
	}
	return 0;
}

static int fake_ioctl(void *data, int fd, unsigned long request, unsigned long argument)
{
	struct fake_kernel *k = data;
	int r;

	(void)fd;
	if (k->no_capability)
		return -EPERM;
	if (locked(k))
		return -EBUSY;
	if (k->logged < FAKE_LOG)
		k->log[k->logged++] = request;
	r = injected(k, request);
	if (r < 0) {
		/* A device that fails leaves kernel threads frozen until FREE. */
		if (request == SNAPSHOT_CREATE_IMAGE || request == SNAPSHOT_ATOMIC_RESTORE)
			k->kernel_threads_frozen = true;
		return r;
	}
	return dispatch(k, request, argument);
}

/* One read(): bytes or -errno. */
static ssize_t read_one(struct fake_kernel *k, const struct iovec *iov)
{
	uint64_t word;

	if (k->inside_page)
		return 0;
	if (k->position == k->image_pages)
		return 0;
	word = fake_kernel_page_word(k->position++);
	if (!iov->iov_len || !iov->iov_base || iov->iov_base == k->bad_page) {
		fake_kernel_violate(k, "page %zu was lost by an empty or faulting read", k->position - 1);
		return iov->iov_len ? -EFAULT : 0;
	}
	for (size_t at = 0; at + 8 <= MIN(iov->iov_len, PAGE_BYTES); at += 8)
		memcpy((char *)iov->iov_base + at, &word, 8);
	if (iov->iov_len < PAGE_BYTES)
		k->inside_page = true;
	return (ssize_t)MIN(iov->iov_len, PAGE_BYTES);
}

/* One write(): bytes or -errno. */
static ssize_t write_one(struct fake_kernel *k, const struct iovec *iov)
{
	if (k->inside_page)
		return -EINVAL;
	if (k->position >= k->image_pages) {
		k->finished = true;
		return 0;
	}
	if (k->reject_page && k->position + 1 == k->reject_page)
		return k->reject_error;
	k->position++;
	if (!iov->iov_len || !iov->iov_base || iov->iov_base == k->bad_page) {
		k->shifted = true;
		return iov->iov_len ? -EFAULT : 0;
	}
	memcpy(&k->page_sums[k->position - 1], iov->iov_base, MIN(iov->iov_len, 8));
	if (iov->iov_len < PAGE_BYTES)
		k->inside_page = true;
	return (ssize_t)MIN(iov->iov_len, PAGE_BYTES);
}

static ssize_t move(struct fake_kernel *k, const struct iovec *iov, int count,
		    ssize_t (*one)(struct fake_kernel *, const struct iovec *))
{
	ssize_t total = 0;

	for (int i = 0; i < count; i++) {
		ssize_t n = one(k, &iov[i]);

		if (n < 0)
			return total ? total : n;
		total += n;
		if ((size_t)n != iov[i].iov_len)
			break;
	}
	return total;
}

static ssize_t fake_readv(void *data, int fd, const struct iovec *iov, int count)
{
	struct fake_kernel *k = data;

	(void)fd;
	if (!k->open || k->flags != O_RDONLY)
		return -EBADF;
	if (!k->ready)
		return -ENODATA;
	return move(k, iov, count, read_one);
}

static ssize_t fake_writev(void *data, int fd, const struct iovec *iov, int count)
{
	struct fake_kernel *k = data;

	(void)fd;
	if (!k->open || k->flags != O_WRONLY)
		return -EBADF;
	return move(k, iov, count, write_one);
}

const struct snapshot_ops fake_kernel_ops = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.readv = fake_readv,
	.writev = fake_writev,
};
