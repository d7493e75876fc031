# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/codec/checksum.c lib/codec/checksum.h \
	lib/codec/codec.c lib/codec/codec.h lib/codec/codec-table.h \
	lib/codec/lz4.c
if HAVE_ZSTD
libhibernate_a_SOURCES += lib/codec/zstd.c
else
libhibernate_a_SOURCES += lib/codec/zstd-missing.c
endif
EXTRA_DIST += lib/codec/zstd.c lib/codec/zstd-missing.c
