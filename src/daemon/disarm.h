/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ordinary boot's side: no image may stay armed once a filesystem of it can be written. */
#pragma once

#include "base/failure.h"
#include "base/sys.h"

#define DROPPED_NOTICE "/run/hibernated/dropped"

/*
 * Disarm every image of ours on this machine's devices and say what was dropped, on the console, in the kernel log
 * and in DROPPED_NOTICE. Before root goes read-write and before swapon. An image whose recorded device is another
 * one (a clone) is left alone. One that cannot be dropped is said, too, and fails. With @device, which may be
 * NULL, only what that one begins with: it has appeared later.
 */
int disarm_run(const struct sysctx *s, const char *device, struct failure *f);
