# SPDX-License-Identifier: GPL-2.0-or-later
# Rules of the house that a machine can check.
CHECKS = tests/checks/includes tests/checks/spdx tests/checks/state tests/checks/failpoints tests/checks/manuals \
	tests/checks/manuals-form
dist_check_SCRIPTS = $(CHECKS)
TESTS += $(CHECKS)
# A test that hangs ends after five minutes: Check's four seconds are short for a machine with other work.
AM_TESTS_ENVIRONMENT = CFLAGS='$(CFLAGS)'; export CFLAGS; \
	CK_DEFAULT_TIMEOUT=$${CK_DEFAULT_TIMEOUT:-300}; export CK_DEFAULT_TIMEOUT;
