# SPDX-License-Identifier: GPL-2.0-or-later
dist_check_SCRIPTS += tests/second-reader/check
EXTRA_DIST += tests/second-reader/read_image.py tests/second-reader/check_golden.py tests/second-reader/unseal.py \
	tests/second-reader/argon2id.py
TESTS += tests/second-reader/check
