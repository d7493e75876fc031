/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "allocator.h"

#include <stddef.h>

/* The linker's names: the wrapped function and the real one. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);

static bool refusing;
static unsigned int refused;

void allocator_refuse(bool refuse)
{
	refusing = refuse;
}

unsigned int allocator_refused(void)
{
	return refused;
}

static bool refuse_now(void)
{
	if (refusing)
		refused++;
	return refusing;
}

void *__wrap_malloc(size_t size)
{
	return refuse_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return refuse_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
	return refuse_now() ? NULL : __real_realloc(pointer, size);
}
