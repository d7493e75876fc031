# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/image/body.c \
	lib/image/check.c lib/image/check.h \
	lib/image/format.h \
	lib/image/header.c \
	lib/image/image.h \
	lib/image/read.c \
	lib/image/size.c \
	lib/image/write.c
EXTRA_DIST += doc/image-format.md
