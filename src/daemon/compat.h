/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which boot kernel can read which image. */
#pragma once

#include "base/failure.h"

/*
 * 0 if a kernel of release @boot on @boot_machine can read the image of one of release @image on
 * @image_machine; else REASON_WRONG_KERNEL or REASON_WRONG_MACHINE, naming the kernel needed.
 *
 * Kernel facts: on x86_64 and arm64 boot kernel and image kernel may differ. From 6.6 on zero pages are
 * left out of the stream and marked in its page list; an older kernel takes that for a damaged list.
 * Elsewhere both must be of the same release.
 */
int compat_check(const char *image, const char *image_machine, const char *boot, const char *boot_machine,
		 struct failure *f);
