/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much Argon2id is to cost, for a passphrase that is tried in an initramfs.
 *
 * The memory must be there when the machine resumes, locked, before a page of the image is loaded: at most an eighth of
 * all memory, and 1 GiB. Within that, as much memory as a given time allows with three passes (RFC 9106 recommends no less
 * where memory is short); more passes where the memory is at its limit. One lane: lanes would be computed one
 * after the other here, and at the same time by who guesses.
 */
#pragma once

#include "base/sys.h"
#include "seal/crypto.h"

#define COST_TARGET_USEC    UINT64_C(1000000)
#define COST_PASSES_MIN     3
#define COST_MEMORY_MIN_KIB (16 * 1024)
#define COST_MEMORY_MAX_KIB (1024 * 1024)

/* The limit from /proc/meminfo, between the two above. 0 or -errno. */
int cost_memory_limit(const struct sysctx *sys, uint32_t *memory_kib);

/* Pure: the cost that takes @target_usec on a machine that fills @kib_per_second, with at most @memory_kib. */
struct argon2_cost cost_fit(uint64_t target_usec, uint64_t kib_per_second, uint32_t memory_kib);

/* Measure this machine, which takes a moment, and fit. 0, or -errno of argon2id(). */
int cost_measure(uint64_t target_usec, uint32_t memory_kib, struct argon2_cost *cost);
