/* SPDX-License-Identifier: GPL-2.0-only */
/* What the page-table code needs of <linux/suspend.h>, in user space. */
#ifndef SHIM_LINUX_SUSPEND_H
#define SHIM_LINUX_SUSPEND_H

struct pbe {
	void *address;
	void *orig_address;
	struct pbe *next;
};

#endif /* SHIM_LINUX_SUSPEND_H */
