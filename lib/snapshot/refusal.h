/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why /dev/snapshot cannot be opened: the kernel gives one EPERM for four different reasons. */
#pragma once

#include "base/failure.h"
#include "base/sys.h"

/*
 * @error: negative errno of the open. Looks at the command line, lockdown, the processes that hold secret memory and
 * CXL memory devices; fills in @f and returns @error.
 */
int snapshot_explain_refusal(const struct sysctx *sys, int error, struct failure *f);
