/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resume step of the initramfs. */
#pragma once

#include "base/failure.h"

/*
 * Resume if there is an image of ours. Returns when there is none (0, in milliseconds), or when the user
 * chose to boot without it (0, the image is then dropped). Must run before any filesystem of the image
 * is mounted, checked or replayed, and before the kernel's and systemd's own resume steps. Failures: only what
 * kept it from looking (configuration).
 */
int resume_run(struct failure *f);
