/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_ARM64_LINUX_SUSPEND_H
#define SHIM_ARM64_LINUX_SUSPEND_H

struct pbe {
	void *address;
	void *orig_address;
	struct pbe *next;
};

#endif /* SHIM_ARM64_LINUX_SUSPEND_H */
