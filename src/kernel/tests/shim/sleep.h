/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where code of the kernel may sleep: neither under a spin lock nor with
 * interrupts off. An allocation that may sleep there ends the test, as the
 * kernel complains with CONFIG_DEBUG_ATOMIC_SLEEP, whether it would have had to
 * wait or not.
 */
#ifndef SHIM_SLEEP_H
#define SHIM_SLEEP_H

#define GFP_ATOMIC 0u
#define GFP_KERNEL 1u

typedef struct { int held; } spinlock_t;

void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
void local_irq_disable(void);
void local_irq_enable(void);

/* Says that what is done now may sleep. */
void might_sleep(void);

unsigned long get_zeroed_page(unsigned int flags);
void free_page(unsigned long address);

#endif /* SHIM_SLEEP_H */
