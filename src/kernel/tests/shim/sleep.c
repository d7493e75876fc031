// SPDX-License-Identifier: GPL-2.0-only
#include "sleep.h"

#include <stdio.h>
#include <stdlib.h>

static int locks, disabled;

static void expect(int condition, const char *otherwise)
{
	if (condition)
		return;
	fprintf(stderr, "BUG: %s\n", otherwise);
	abort();
}

void spin_lock(spinlock_t *lock)
{
	expect(!lock->held, "locked twice");
	lock->held = 1;
	locks++;
}

void spin_unlock(spinlock_t *lock)
{
	expect(lock->held, "unlocked twice");
	lock->held = 0;
	locks--;
}

void local_irq_disable(void)
{
	disabled++;
}

void local_irq_enable(void)
{
	expect(disabled > 0, "interrupts are on");
	disabled--;
}

void might_sleep(void)
{
	expect(!locks, "sleeping function called under a spin lock");
	expect(!disabled, "sleeping function called with interrupts off");
}

unsigned long get_zeroed_page(unsigned int flags)
{
	if (flags == GFP_KERNEL)
		might_sleep();
	return (unsigned long)calloc(1, 4096);
}

void free_page(unsigned long address)
{
	free((void *)address);
}
