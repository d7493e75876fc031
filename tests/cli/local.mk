# SPDX-License-Identifier: GPL-2.0-or-later
dist_check_SCRIPTS += tests/cli/check-image tests/cli/check-ctl tests/cli/check-keys tests/cli/check-key-tpm
TESTS += tests/cli/check-image tests/cli/check-ctl tests/cli/check-keys tests/cli/check-key-tpm
