# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/seal/crypto.c lib/seal/crypto.h \
	lib/seal/disk.h \
	lib/seal/hkdf.c lib/seal/hkdf.h \
	lib/seal/stream.c lib/seal/stream.h
