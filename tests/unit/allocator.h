/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allocator that can refuse, for code that must not ask for memory. Programs that use it are linked with
 * -Wl,--wrap for malloc, calloc and realloc, which catches the calls of the library under test.
 */
#pragma once

#include <stdbool.h>

/* From now on every allocation returns NULL and is counted; or works again. */
void allocator_refuse(bool refuse);
/* Allocations refused so far. */
unsigned int allocator_refused(void);

/* The value of @call, with every allocation refused meanwhile. Check itself allocates, so only around the call. */
#define REFUSING(call)                        \
	({                                    \
		allocator_refuse(true);       \
		__typeof__(call) r_ = (call); \
		allocator_refuse(false);      \
		r_;                           \
	})
