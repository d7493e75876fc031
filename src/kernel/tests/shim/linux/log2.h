/* SPDX-License-Identifier: GPL-2.0-only */
/* What the page-table code needs of <linux/log2.h>, in user space. */
#ifndef SHIM_LINUX_LOG2_H
#define SHIM_LINUX_LOG2_H

#define ilog2(n) ((unsigned int)(63 - __builtin_clzl(n)))

#endif /* SHIM_LINUX_LOG2_H */
