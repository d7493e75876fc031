# SPDX-License-Identifier: GPL-2.0-or-later
include tests/checks/local.mk
include tests/data/local.mk
include tests/cli/local.mk
include tests/fuzz/local.mk
include tests/second-reader/local.mk
if HAVE_CHECK
include tests/unit/local.mk
endif
