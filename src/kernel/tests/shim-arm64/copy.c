/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own file, built from here so that nothing of the build lies among the sources of the series. */
#include "../../files/arch/arm64/mm/trans_pgd-copy.c"
