/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for keys, passphrases and whatever they can be computed from.
 *
 * Every secret has pages of its own, which are locked (never in swap), left out of core dumps (MADV_DONTDUMP, Linux
 * 3.4) and zeros in a forked child (MADV_WIPEONFORK, Linux 4.14). All three hold, or there is no memory at all. Freeing
 * wipes; with AUTO_SECRET that is so on every way out of a function. The allocator has no state, so it needs no
 * setting up and may be used from any thread; the price is a few system calls and at least a page for each secret.
 */
#pragma once

#include "base/failure.h"

/*
 * @size bytes of zeros, aligned to 64. NULL and errno: ENOMEM or EAGAIN when RLIMIT_MEMLOCK does not allow it, EINVAL
 * for no size or one that cannot be.
 */
void *secret_new(size_t size);

/* What to say of NULL: REASON_CRYPTO (-ENOMEM). @object is what the secret was for. */
int secret_refused(const char *object, struct failure *f);

/* Wipe and return to the system. Returns NULL. NULL is fine, and so is a secret of the parent in a forked child. */
void *secret_free(void *secret);
void secret_cleanup(void *pointer);
#define AUTO_SECRET CLEANUP(secret_cleanup)

/* Bytes that fit into @secret: what was asked for, or a little more. */
size_t secret_size(const void *secret);

/* Zeros that the compiler does not leave out. */
void secret_wipe(void *data, size_t size);

/* True if @size bytes are equal; the time does not tell where they differ. */
bool secret_equal(const void *a, const void *b, size_t size);

/*
 * @size bytes from the kernel's generator, and from nowhere else: a generator in this process would have its state
 * inside the image. 0 or -errno.
 */
int secret_random(void *out, size_t size);
