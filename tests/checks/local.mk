# SPDX-License-Identifier: GPL-2.0-or-later
# Rules of the house that a machine can check.
CHECKS = tests/checks/includes tests/checks/spdx tests/checks/state tests/checks/failpoints tests/checks/manuals
dist_check_SCRIPTS = $(CHECKS)
TESTS += $(CHECKS)
AM_TESTS_ENVIRONMENT = CFLAGS='$(CFLAGS)'; export CFLAGS;
