/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time in microseconds. */
#pragma once

#include "base/util.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

/* CLOCK_MONOTONIC: stops while hibernated, restarts from zero in the boot kernel. For durations within one kernel. */
uint64_t clock_monotonic_usec(void);
/* CLOCK_REALTIME: for moments that outlive a kernel. */
uint64_t clock_realtime_usec(void);
/* Sleep, not cut short by signals. */
void clock_sleep_usec(uint64_t usec);
