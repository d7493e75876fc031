/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One session with /dev/snapshot.
 *
 * The kernel's device is a state machine that mostly keeps silent when it is used in the wrong order:
 * UNFREEZE after a restore does nothing until FREE was called, POWER_OFF without PLATFORM_SUPPORT does
 * nothing and says success, a read into a bad buffer loses a page of the image. So this object knows
 * the state itself and refuses what is out of order before the kernel is asked (-EPERM, REASON_INTERNAL):
 *
 *   save:     open -> freeze -> set_swap_area, set_platform, preferred_image_size -> create_image
 *             -> image_size, allocate_slots, power_off / suspend_to_ram -> free_swap_pages -> free_image
 *             -> unfreeze -> close
 *   restored: create_image says "not in suspend" -> free_image -> unfreeze -> close
 *   restore:  open -> (pages are written) -> set_platform -> freeze -> atomic_restore; it returns only on failure
 *             -> free_image -> unfreeze -> close
 *
 * The thread that freezes must be the one that thaws: the session remembers it and refuses another.
 * Every task started after freeze must be dead and waited for before unfreeze and close.
 *
 * All calls go through an operations table, so that tests can put a fake kernel below. Nothing here
 * allocates memory. The ioctls need CAP_SYS_ADMIN; the page movers at the end need only a
 * descriptor, which is why they work without a session: the worker inherits nothing but that.
 *
 * Kernel facts (6.1 to 7.2): each ioctl tries a lock and says EBUSY while somebody else is in a call
 * on the device. All ioctls here retry that for SNAPSHOT_BUSY_USEC.
 */
#pragma once

#include "base/extent.h"
#include "base/failure.h"
#include "base/sys.h"

#include <sys/types.h>
#include <sys/uio.h>

#define SNAPSHOT_DEVICE "/dev/snapshot"
#define SNAPSHOT_BUSY_USEC (2 * UINT64_C(1000000)) /* how long an EBUSY from the device's lock is retried */
#define SNAPSHOT_IOV_MAX 1024                      /* pages a call of the movers */

struct snapshot_ops {
	int (*open)(void *data, int flags);     /* descriptor or -errno */
	int (*close)(void *data, int fd);       /* 0 or -errno */
	/* @argument is a pointer or a number, as the request has it. 0.. or -errno. */
	int (*ioctl)(void *data, int fd, unsigned long request, unsigned long argument);
	ssize_t (*readv)(void *data, int fd, const struct iovec *iov, int count);  /* bytes or -errno */
	ssize_t (*writev)(void *data, int fd, const struct iovec *iov, int count); /* bytes or -errno */
};

/* The real device; its data is not used. */
extern const struct snapshot_ops snapshot_device_ops;

enum snapshot_side {
	SNAPSHOT_SAVE,
	SNAPSHOT_RESTORE,
	_SNAPSHOT_SIDE_MAX,
	_SNAPSHOT_SIDE_INVALID = -1,
};

enum snapshot_image {
	SNAPSHOT_IMAGE_NONE,
	SNAPSHOT_IMAGE_SPENT,    /* create or restore failed, or S2RAM took it: cannot be read, FREE is due, kernel threads may be frozen */
	SNAPSHOT_IMAGE_TAKEN,    /* CREATE_IMAGE said 1: we are the old world and may write it */
	SNAPSHOT_IMAGE_RESTORED, /* CREATE_IMAGE said 0: we have come back; FREE is due */
	_SNAPSHOT_IMAGE_MAX,
	_SNAPSHOT_IMAGE_INVALID = -1,
};

struct snapshot {
	const struct snapshot_ops *ops; /* borrowed */
	void *data;                     /* borrowed, handed to @ops */
	int fd;                         /* -1 when closed; may be lent to the worker for reading and writing pages */
	enum snapshot_side side;
	bool frozen;
	pid_t freezer;                  /* thread that froze */
	enum snapshot_image image;
	bool area_set;
	uint64_t area_first;            /* device byte offset of the area's first page: never granted as a slot */
	bool platform;
	uint64_t slots;                 /* swap pages allocated and not freed */
};

/* A closed session; snapshot_close() on it does nothing. */
#define SNAPSHOT_INIT ((struct snapshot){.fd = -1})

/*
 * Open the device for @side. @s must be closed. @sys is used only after a failure, to find out
 * why. The reason in @f:
 *   REASON_UNAVAILABLE  not built into this kernel (-ENOENT, -ENODEV, -ENXIO), or the kernel does not allow
 *                       it (-EPERM): nohibernate on its command line, lockdown, a live memfd_secret, or
 *                       CXL memory; the text says which
 *   REASON_PERMISSION   not root, or without CAP_SYS_ADMIN (-EPERM, -EACCES)
 *   REASON_BUSY         somebody else has the device open (-EBUSY)
 * Kernel fact: opening runs the power management notifiers and blocks any other sleep until the close.
 */
int snapshot_open(struct snapshot *s, const struct snapshot_ops *ops, void *data, const struct sysctx *sys,
		  enum snapshot_side side, struct failure *f);

/*
 * Whether this kernel could encrypt the image itself: some distributions' kernels carry two more requests, 21 (take or set
 * the image's key) and 22 (add the user's); elsewhere both are ENOTTY, whatever their argument. Only 22 is made, without an
 * argument, which has no effect on any kernel; 21 would turn the encryption on. False when the answer means nothing.
 */
bool snapshot_kernel_encrypts(struct snapshot *s);

/*
 * Freeze user space, all but the calling thread and what it will start. The kernel syncs first. A refusal
 * (-EBUSY) is REASON_FREEZE_REFUSED; the kernel has thawed everything again and its log names the tasks.
 * No retry here: EBUSY means the tasks as well as the lock.
 */
int snapshot_freeze(struct snapshot *s, struct failure *f);

/* Thaw. After a create_image or atomic_restore, free_image must come first. */
int snapshot_unfreeze(struct snapshot *s, struct failure *f);

/*
 * For a process that was forked after FREEZE, with its copy of @s, when the one that froze is gone: forget the image and
 * thaw. The slots stay allocated until the device is closed.
 */
int snapshot_take_over(struct snapshot *s, struct failure *f);

/* ACPI S4 (or what the platform has) for create_image, power_off and atomic_restore; else the plain way. */
int snapshot_set_platform(struct snapshot *s, bool platform, struct failure *f);

/*
 * Name the active swap area that slots are taken from: the device that carries it and, in pages of that device,
 * where its first page lies (0 for a partition). Only while frozen, and not while slots are allocated.
 * REASON_AREA_UNSUITABLE with -ENODEV: no active area begins there.
 * Kernel fact (6.1, 6.12): the kernel keeps an index, which swapoff and swapon can give to another area: check
 * /proc/swaps afterwards (area_check_owner()).
 */
int snapshot_set_swap_area(struct snapshot *s, dev_t device, uint64_t offset_pages, struct failure *f);

/* Free bytes in the area that was set. */
int snapshot_avail_swap(struct snapshot *s, uint64_t *bytes, struct failure *f);

/* What size, in bytes, the kernel shrinks memory to before the snapshot; 0 = as small as it can. */
int snapshot_preferred_image_size(struct snapshot *s, uint64_t bytes, struct failure *f);

/*
 * Take the snapshot. *@in_suspend true: the image can be read. False: this is the restored system.
 * From here until free_image, also after a failure: no filesystem, no open, no exec, no page fault on a file.
 */
int snapshot_create_image(struct snapshot *s, bool *in_suspend, struct failure *f);

/* Bytes of the image stream; -ENODATA if the kernel has none (REASON_SNAPSHOT). */
int snapshot_image_size(struct snapshot *s, uint64_t *bytes, struct failure *f);

/* One page of swap. *@offset: bytes on the area's device. -ENOSPC (no failure set): none left. */
int snapshot_alloc_swap_page(struct snapshot *s, uint64_t *offset, struct failure *f);

/* Give all slots back. Nothing to do (0) if there are none. */
int snapshot_free_swap_pages(struct snapshot *s, struct failure *f);

/* Forget the image and thaw kernel threads. Due after every create_image and atomic_restore, failed ones too. */
int snapshot_free_image(struct snapshot *s, struct failure *f);

/*
 * Power off through the platform. Every return is a failure (REASON_LEAVE_REFUSED), -ECANCELED if the kernel said
 * success and yet we are here. Refused (-EPERM) unless set_platform(true) was called: the kernel would do nothing.
 */
int snapshot_power_off(struct snapshot *s, struct failure *f);

/* Suspend to RAM with the image on the disk; 0 after waking up. The image can not be read any more: free it. */
int snapshot_suspend_to_ram(struct snapshot *s, struct failure *f);

/*
 * Enter the image that was written to the device. Returns only on failure (REASON_RESTORE_REFUSED).
 * Kernel facts: after -ENODATA a page has been lost and the session is of no use any more: close and start over. -EFAULT is the
 * answer of kernels that verify their page tables first (src/kernel); other tables are made the next time.
 */
int snapshot_atomic_restore(struct snapshot *s, struct failure *f);

/*
 * Close the device and forget the session; idempotent. It undoes nothing itself. The kernel does: with
 * the last close of this open (the worker's descriptor counts) it frees image and slots, thaws user space and
 * lets others sleep again. So a mark that is still armed then points to slots that will be used for
 * something else: disarm before.
 */
void snapshot_close(struct snapshot *s);

/* Called now and then while slots are allocated, with the bytes so far. A negative errno ends it (REASON_ABORTED). */
typedef int (*snapshot_tick)(void *data, uint64_t bytes);

/*
 * Allocate slots until @wanted bytes (rounded up to pages) are granted or the area is full, into the
 * empty list @granted: device byte offsets, sorted and merged. Each one is checked against @allowed, the
 * area's own extents (normalized), and must not be the area's first page: if the kernel hands out anything else, or
 * the same page twice, this fails with REASON_INTERNAL and -ERANGE. If @granted is full, it is
 * sorted and merged in place; still full is REASON_TOO_SMALL with -ENOSPC and the numbers. After any failure
 * all slots have been given back and @granted is empty. Fewer bytes than @wanted is not a failure.
 * @tick may be NULL; it is called every 1024 pages. No memory is allocated.
 */
int snapshot_allocate_slots(struct snapshot *s, const struct extent_list *allowed, uint64_t wanted,
			    struct extent_list *granted, snapshot_tick tick, void *tick_data,
			    struct failure *f);

/*
 * Page movers, for the worker. Each iovec must be one page: PAGE_BYTES long, page-aligned and resident
 * (-EINVAL before the kernel is asked otherwise); @count at most SNAPSHOT_IOV_MAX.
 *
 * Kernel fact: readv() and writev() hide an error behind a short count, and a page that faults is lost without an
 * error at the next call. So after a short count the next iovec is tried alone: nothing more is the true end,
 * an error is returned, and a page that comes through is one after a lost one: -EFAULT.
 */

/* Pages read, less than @count only at the end of the image, 0 = end; or -errno. */
ssize_t snapshot_read_pages(const struct snapshot_ops *ops, void *data, int fd, const struct iovec *iov, int count);

/* Pages taken; less than @count means that the kernel has the whole image and wants no more; or -errno. */
ssize_t snapshot_write_pages(const struct snapshot_ops *ops, void *data, int fd, const struct iovec *iov, int count);

/*
 * The extra write after the last page, always due: some kernels (6.6 to 7.0-rc6) set the zero pages at the
 * end of an image only when one more page is offered. @page: any resident, aligned page. 0; -ENODATA if the
 * kernel took it, which means that the image was not complete; or -errno.
 */
int snapshot_finish_write(const struct snapshot_ops *ops, void *data, int fd, void *page);
