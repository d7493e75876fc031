/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session's calls. Each checks its order, asks the kernel, and only then changes the state.
 */
#include "snapshot/snapshot.h"

#include "base/clock.h"
#include "snapshot/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BUSY_PAUSE_USEC 200

static int device_open(void *data, int flags)
{
	int fd = open(SNAPSHOT_DEVICE, flags | O_CLOEXEC);

	(void)data;
	return fd < 0 ? -errno : fd;
}

static int device_close(void *data, int fd)
{
	(void)data;
	return close(fd) < 0 ? -errno : 0;
}

static int device_ioctl(void *data, int fd, unsigned long request, unsigned long argument)
{
	int r = ioctl(fd, request, argument);

	(void)data;
	return r < 0 ? -errno : r;
}

static ssize_t device_readv(void *data, int fd, const struct iovec *iov, int count)
{
	ssize_t n = readv(fd, iov, count);

	(void)data;
	return n < 0 ? -errno : n;
}

static ssize_t device_writev(void *data, int fd, const struct iovec *iov, int count)
{
	ssize_t n = writev(fd, iov, count);

	(void)data;
	return n < 0 ? -errno : n;
}

const struct snapshot_ops snapshot_device_ops = {
	.open = device_open,
	.close = device_close,
	.ioctl = device_ioctl,
	.readv = device_readv,
	.writev = device_writev,
};

/* One ioctl as it is. */
static int call(struct snapshot *s, unsigned long request, unsigned long argument)
{
	return s->ops->ioctl(s->data, s->fd, request, argument);
}

/*
 * One ioctl whose EBUSY can only mean the device's lock: tried again for a while. Not for FREEZE, CREATE_IMAGE,
 * ATOMIC_RESTORE, S2RAM and POWER_OFF, where EBUSY has other meanings and a second go has effects.
 */
static int call_retrying(struct snapshot *s, unsigned long request, unsigned long argument)
{
	uint64_t end = 0;

	for (;;) {
		int r = call(s, request, argument);
		uint64_t now;

		if (r != -EBUSY)
			return r;
		now = clock_monotonic_usec();
		if (!end)
			end = now + SNAPSHOT_BUSY_USEC;
		else if (now >= end)
			return r;
		clock_sleep_usec(BUSY_PAUSE_USEC);
	}
}

static int out_of_order(struct failure *f, const char *what)
{
	return failure_set(f, REASON_INTERNAL, EPERM, SNAPSHOT_DEVICE, NULL, "%s is out of order here", what);
}

static int refused(struct failure *f, enum reason reason, int r, const char *what)
{
	return failure_set(f, reason, -r, SNAPSHOT_DEVICE, NULL, "the kernel refused to %s", what);
}

int snapshot_open(struct snapshot *s, const struct snapshot_ops *ops, void *data, const struct sysctx *sys,
		  enum snapshot_side side, struct failure *f)
{
	struct snapshot opened = {.ops = ops, .data = data, .side = side};
	int r;

	if (s->fd >= 0)
		return out_of_order(f, "opening");
	r = ops->open(data, side == SNAPSHOT_SAVE ? O_RDONLY : O_WRONLY);
	if (r < 0)
		return snapshot_explain_refusal(sys, r, f);
	opened.fd = r;
	/* Harmless, and it needs the capability that all the others need. */
	r = call_retrying(&opened, SNAPSHOT_PLATFORM_SUPPORT, 0);
	if (r < 0) {
		ops->close(data, opened.fd);
		if (r == -EPERM)
			return failure_set(f, REASON_PERMISSION, EPERM, SNAPSHOT_DEVICE, "Run it as root.",
					   "hibernating needs the capability CAP_SYS_ADMIN");
		return refused(f, REASON_SNAPSHOT, r, "use the device");
	}
	*s = opened;
	return 0;
}

bool snapshot_kernel_encrypts(struct snapshot *s)
{
	/* struct uswsusp_user_key, with a key of 32 bytes and, as it was at first, of 16. */
	static const unsigned long sizes[] = {48, 32};

	for (size_t i = 0; s->fd >= 0 && i < ARRAY_LENGTH(sizes); i++) {
		int r = call_retrying(s, _IOC(_IOC_READ | _IOC_WRITE, SNAPSHOT_IOC_MAGIC, 22, sizes[i]), 0);

		if (r == -EINVAL || r == -EFAULT)
			return true;
	}
	return false;
}

int snapshot_freeze(struct snapshot *s, struct failure *f)
{
	int r;

	if (s->fd < 0 || s->frozen)
		return out_of_order(f, "freezing");
	r = call(s, SNAPSHOT_FREEZE, 0);
	if (r < 0)
		return failure_set(f, r == -EBUSY ? REASON_FREEZE_REFUSED : REASON_SNAPSHOT, -r, SNAPSHOT_DEVICE,
				   "The kernel log names the tasks that would not stop.",
				   "user space could not be frozen");
	s->frozen = true;
	s->freezer = gettid();
	return 0;
}

int snapshot_unfreeze(struct snapshot *s, struct failure *f)
{
	int r;

	if (s->fd < 0 || !s->frozen || s->image != SNAPSHOT_IMAGE_NONE)
		return out_of_order(f, "thawing");
	if (s->freezer != gettid())
		return out_of_order(f, "thawing by another thread than the one that froze");
	r = call_retrying(s, SNAPSHOT_UNFREEZE, 0);
	if (r < 0)
		return refused(f, REASON_SNAPSHOT, r, "thaw user space");
	s->frozen = false;
	return 0;
}

int snapshot_set_platform(struct snapshot *s, bool platform, struct failure *f)
{
	int r;

	if (s->fd < 0)
		return out_of_order(f, "choosing the platform mode");
	r = call_retrying(s, SNAPSHOT_PLATFORM_SUPPORT, platform);
	if (r < 0)
		return refused(f, REASON_SNAPSHOT, r, "choose the platform mode");
	s->platform = platform;
	return 0;
}

/* The kernel's own packing of a device number, which is not glibc's. */
static uint32_t encode_device(dev_t device)
{
	uint32_t major_number = major(device), minor_number = minor(device);

	return (minor_number & 0xff) | major_number << 8 | (minor_number & ~UINT32_C(0xff)) << 12;
}

int snapshot_set_swap_area(struct snapshot *s, dev_t device, uint64_t offset_pages, struct failure *f)
{
	struct resume_swap_area area = {.offset = (int64_t)offset_pages, .dev = encode_device(device)};
	char name[32];
	int r;

	if (s->fd < 0 || s->side != SNAPSHOT_SAVE || !s->frozen || s->slots)
		return out_of_order(f, "naming the swap area");
	r = call_retrying(s, SNAPSHOT_SET_SWAP_AREA, (unsigned long)&area);
	if (r < 0) {
		snprintf(name, sizeof(name), "%u:%u", major(device), minor(device));
		return failure_set(f, r == -ENODEV || r == -EINVAL ? REASON_AREA_UNSUITABLE : REASON_SNAPSHOT, -r, name,
				   "Check /proc/swaps.", "no active swap area begins at page %llu of this device",
				   (unsigned long long)offset_pages);
	}
	s->area_set = true;
	s->area_first = offset_pages * PAGE_BYTES;
	return 0;
}

int snapshot_avail_swap(struct snapshot *s, uint64_t *bytes, struct failure *f)
{
	__kernel_loff_t size = 0;
	int r;

	if (s->fd < 0 || !s->area_set)
		return out_of_order(f, "asking for free swap");
	r = call_retrying(s, SNAPSHOT_AVAIL_SWAP_SIZE, (unsigned long)&size);
	if (r < 0)
		return refused(f, REASON_SNAPSHOT, r, "tell how much swap is free");
	*bytes = (uint64_t)size;
	return 0;
}

int snapshot_preferred_image_size(struct snapshot *s, uint64_t bytes, struct failure *f)
{
	int r;

	if (s->fd < 0 || s->side != SNAPSHOT_SAVE)
		return out_of_order(f, "setting the image size");
	r = call_retrying(s, SNAPSHOT_PREF_IMAGE_SIZE, (unsigned long)bytes);
	return r < 0 ? refused(f, REASON_SNAPSHOT, r, "set the image size") : 0;
}

int snapshot_create_image(struct snapshot *s, bool *in_suspend, struct failure *f)
{
	int answer = -1;
	int r;

	if (s->fd < 0 || s->side != SNAPSHOT_SAVE || !s->frozen || s->image != SNAPSHOT_IMAGE_NONE)
		return out_of_order(f, "creating the image");
	r = call(s, SNAPSHOT_CREATE_IMAGE, (unsigned long)&answer);
	if (r < 0) {
		s->image = SNAPSHOT_IMAGE_SPENT;
		return failure_set(f, REASON_SNAPSHOT, -r, SNAPSHOT_DEVICE, "The kernel log says which device or why.",
				   "the kernel could not take the snapshot");
	}
	s->image = answer ? SNAPSHOT_IMAGE_TAKEN : SNAPSHOT_IMAGE_RESTORED;
	*in_suspend = answer != 0;
	return 0;
}

int snapshot_image_size(struct snapshot *s, uint64_t *bytes, struct failure *f)
{
	__kernel_loff_t size = 0;
	int r;

	if (s->fd < 0 || s->image != SNAPSHOT_IMAGE_TAKEN)
		return out_of_order(f, "asking for the image size");
	r = call_retrying(s, SNAPSHOT_GET_IMAGE_SIZE, (unsigned long)&size);
	if (r < 0)
		return refused(f, REASON_SNAPSHOT, r, "tell the image size");
	*bytes = (uint64_t)size;
	return 0;
}

int snapshot_alloc_swap_page(struct snapshot *s, uint64_t *offset, struct failure *f)
{
	__kernel_loff_t place = 0;
	int r;

	if (s->fd < 0 || !s->area_set)
		return out_of_order(f, "allocating swap");
	r = call_retrying(s, SNAPSHOT_ALLOC_SWAP_PAGE, (unsigned long)&place);
	if (r == -ENOSPC)
		return r;
	if (r < 0)
		return refused(f, REASON_SNAPSHOT, r, "allocate a swap page");
	s->slots++;
	*offset = (uint64_t)place;
	return 0;
}

int snapshot_free_swap_pages(struct snapshot *s, struct failure *f)
{
	int r;

	if (s->fd < 0)
		return out_of_order(f, "freeing swap");
	if (!s->slots)
		return 0;
	r = call_retrying(s, SNAPSHOT_FREE_SWAP_PAGES, 0);
	if (r < 0)
		return refused(f, REASON_SNAPSHOT, r, "free the swap pages");
	s->slots = 0;
	return 0;
}

int snapshot_free_image(struct snapshot *s, struct failure *f)
{
	int r;

	if (s->fd < 0)
		return out_of_order(f, "freeing the image");
	if (s->image == SNAPSHOT_IMAGE_NONE)
		return 0;
	r = call_retrying(s, SNAPSHOT_FREE, 0);
	if (r < 0)
		return refused(f, REASON_SNAPSHOT, r, "free the image");
	s->image = SNAPSHOT_IMAGE_NONE;
	return 0;
}

int snapshot_take_over(struct snapshot *s, struct failure *f)
{
	int r;

	s->freezer = gettid();
	s->image = SNAPSHOT_IMAGE_SPENT; /* whatever has happened since the fork */
	r = snapshot_free_image(s, f);
	return r < 0 ? r : snapshot_unfreeze(s, f);
}

int snapshot_power_off(struct snapshot *s, struct failure *f)
{
	int r;

	if (s->fd < 0 || s->image != SNAPSHOT_IMAGE_TAKEN || !s->platform)
		return out_of_order(f, "powering off through the platform");
	r = call(s, SNAPSHOT_POWER_OFF, 0);
	return failure_set(f, REASON_LEAVE_REFUSED, r < 0 ? -r : ECANCELED, SNAPSHOT_DEVICE,
			   "Set ShutdownMode=shutdown.", "the platform did not power off");
}

int snapshot_suspend_to_ram(struct snapshot *s, struct failure *f)
{
	int r;

	if (s->fd < 0 || s->image != SNAPSHOT_IMAGE_TAKEN)
		return out_of_order(f, "suspending to RAM");
	r = call(s, SNAPSHOT_S2RAM, 0);
	s->image = SNAPSHOT_IMAGE_SPENT;
	return r < 0 ? refused(f, REASON_LEAVE_REFUSED, r, "suspend to RAM") : 0;
}

int snapshot_atomic_restore(struct snapshot *s, struct failure *f)
{
	int r;

	if (s->fd < 0 || s->side != SNAPSHOT_RESTORE || !s->frozen || s->image != SNAPSHOT_IMAGE_NONE)
		return out_of_order(f, "entering the image");
	r = call(s, SNAPSHOT_ATOMIC_RESTORE, 0);
	s->image = SNAPSHOT_IMAGE_SPENT;
	if (r == -EFAULT)
		return failure_set(f, REASON_RESTORE_REFUSED, EFAULT, SNAPSHOT_DEVICE, "The kernel log says what is wrong.",
				   "the kernel found a fault in its page tables for entering the image");
	return failure_set(f, REASON_RESTORE_REFUSED, r < 0 ? -r : ECANCELED, SNAPSHOT_DEVICE,
			   "The kernel log says which device or why.", "the kernel did not enter the image");
}

void snapshot_close(struct snapshot *s)
{
	if (s->fd >= 0)
		s->ops->close(s->data, s->fd);
	*s = SNAPSHOT_INIT;
}
