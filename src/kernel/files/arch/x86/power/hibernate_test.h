/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_X86_POWER_HIBERNATE_TEST_H
#define ARCH_X86_POWER_HIBERNATE_TEST_H

#ifdef CONFIG_X86_HIBERNATION_TEST
void hibernate_test_break_resume(void);
#else
static inline void hibernate_test_break_resume(void) { }
#endif

#endif /* ARCH_X86_POWER_HIBERNATE_TEST_H */
