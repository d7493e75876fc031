/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel's side of /dev/snapshot, for tests.
 *
 * It behaves as 6.1 to 7.2 do, traps included, so that code which passes here does not rely on luck:
 * one page per iovec; pages lost by empty and faulting reads; a false end after a partial one; EBUSY while another
 * call is inside; EPERM out of order; UNFREEZE that does nothing before FREE; POWER_OFF that does nothing without
 * PLATFORM_SUPPORT; an index for the swap area that can come to mean another one; ENODATA that eats a
 * slot. What a real kernel would punish with a WARN, a hang or lost data is counted as a violation, with
 * the first one's text: a test ends with fake_kernel_check().
 *
 * The test sets the knobs directly in the structure; everything under "state" is for it to look at.
 */
#pragma once

#include "snapshot/snapshot.h"

#define FAKE_AREAS 4
#define FAKE_LOG 64
#define FAKE_FAULTS 8
#define FAKE_PAGES 1024

/* A swap area as the kernel knows it. */
struct fake_area {
	bool active;
	dev_t device;
	uint64_t offset_pages;   /* where its first page lies on the device */
	/* Slots in the order in which they are handed out, page numbers on the device. NULL: ascending from the page after the first. */
	const uint64_t *order;
	size_t slots;            /* how many there are */
	size_t taken;            /* state */
};

/* The @skip+1st call of @request fails with @error (negative), @times times. */
struct fake_fault {
	unsigned long request;
	int error;
	unsigned int skip;
	unsigned int times;
};

struct fake_kernel {
	/* knobs */
	int open_error;          /* negative errno of every open, or 0 */
	bool no_capability;      /* ioctls say EPERM */
	unsigned int busy;       /* so many calls from now on find the device locked */
	struct fake_area areas[FAKE_AREAS];
	struct fake_fault faults[FAKE_FAULTS];
	bool encrypts;           /* it has requests 21 and 22, which encrypt images */
	size_t image_pages;      /* pages of the image that CREATE_IMAGE makes, or that the restore side expects; at most FAKE_PAGES */
	bool restored;           /* CREATE_IMAGE answers 0: we have come back */
	bool zero_tail;          /* the image ends in zero pages */
	bool late_finish;        /* 6.6 to 7.0-rc6: zero pages at the end need one more write */
	bool strict_finish;      /* with the fix: ATOMIC_RESTORE on an incomplete image is ENODATA and eats a slot */
	bool swapoff_busy;       /* 7.2: swapoff is refused while a session names the area */
	bool power_off_returns;  /* the platform's power off comes back with success */
	const void *bad_page;    /* an iovec that begins here faults */
	size_t reject_page;      /* the kernel does not take this page (from 1), again and again, with... */
	int reject_error;        /* ...this negative errno */

	/* state */
	bool open;
	unsigned int opens;      /* sessions so far */
	int flags;
	int holders;             /* descriptors: the session's own and the worker's */
	bool frozen;
	pid_t freezer;
	int tasks;               /* started after FREEZE, not yet waited for */
	bool ready;
	bool kernel_threads_frozen;
	bool platform;
	int swap;                /* index in @areas, or -1 */
	uint64_t preferred_size;
	size_t position;         /* pages read or written */
	bool inside_page;        /* the file offset is not a multiple of a page */
	bool finished;           /* the write after the last one was seen */
	bool shifted;            /* a slot was eaten: what was written since lies in the wrong place */
	bool entered;            /* ATOMIC_RESTORE went through */
	bool powered_off;
	bool suspended;
	uint64_t page_sums[FAKE_PAGES]; /* restore: first 8 bytes of each page */
	unsigned int busy_seen;  /* how often EBUSY was answered */
	unsigned long log[FAKE_LOG]; /* requests that got past the lock */
	size_t logged;
	unsigned int violations;
	char violation[160];     /* the first one */
};

extern const struct snapshot_ops fake_kernel_ops; /* data: struct fake_kernel */

/* A kernel with one active area (8:2, page 0, 4096 slots ascending) and an image of 64 pages. */
void fake_kernel_init(struct fake_kernel *k);

/* A process or thread is started, or is dead and waited for. */
void fake_kernel_task_started(struct fake_kernel *k);
void fake_kernel_task_reaped(struct fake_kernel *k);

/* The worker gets its descriptor, or has closed it (the session's own is closed through the operations). */
void fake_kernel_held(struct fake_kernel *k);
void fake_kernel_let_go(struct fake_kernel *k);

/* swapoff of the area at @index, and swapon of another one, which gets the index. 0 or -EBUSY. */
int fake_kernel_swapoff(struct fake_kernel *k, int index);
void fake_kernel_swapon(struct fake_kernel *k, int index, dev_t device, uint64_t offset_pages);

/* What the 8-byte words of page @number of an image are. */
uint64_t fake_kernel_page_word(size_t number);

/* Count a violation of a rule that the kernel cannot see by itself. */
void fake_kernel_violate(struct fake_kernel *k, const char *format, ...) PRINTF_LIKE(2, 3);

/* Fails the running Check test if there was a violation. */
void fake_kernel_check(const struct fake_kernel *k);
