/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_ARM64_LINUX_KEXEC_H
#define SHIM_ARM64_LINUX_KEXEC_H

#include <stddef.h>

#define IND_DESTINATION 0x1
#define IND_INDIRECTION 0x2
#define IND_DONE 0x4
#define IND_SOURCE 0x8

typedef unsigned long kimage_entry_t;

struct kexec_segment {
	unsigned long mem;
	size_t memsz;
};

struct kimage {
	kimage_entry_t head;
	unsigned long nr_segments;
	struct kexec_segment segment[64];
};

#endif /* SHIM_ARM64_LINUX_KEXEC_H */
