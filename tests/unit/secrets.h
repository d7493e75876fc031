/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to secrets, seen from outside. Programs that use it are linked with -Wl,--wrap for mmap and munmap, which
 * catches the calls of the library under test, and through its allocation handlers those of libgcrypt.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* AddressSanitizer makes mlock() do nothing. */
#if defined(__SANITIZE_ADDRESS__)
#define SECRETS_CAN_LOCK false
#else
#define SECRETS_CAN_LOCK true
#endif

/* From now on every mmap() fails and is counted; or works again. */
void secrets_refuse(bool refuse);
unsigned int secrets_refused(void);

/* Mappings made and not removed again; those removed; and of these, those that held anything but zeros by then. */
size_t secrets_live(void);
size_t secrets_removed(void);
size_t secrets_dirty(void);

/*
 * How often the @size bytes (at most 64) lie in the writable memory of this process, the caller's own copy among them.
 */
size_t secrets_copies(const void *secret, size_t size);
