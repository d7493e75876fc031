# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/base/clock.c lib/base/clock.h \
	lib/base/cursor.c lib/base/cursor.h \
	lib/base/escape.c lib/base/escape.h \
	lib/base/extent.c lib/base/extent.h \
	lib/base/failpoint.c lib/base/failpoint.h \
	lib/base/failure.c lib/base/failure.h \
	lib/base/fdio.c lib/base/fdio.h \
	lib/base/secret.c lib/base/secret.h \
	lib/base/sys.c lib/base/sys.h \
	lib/base/util.h
