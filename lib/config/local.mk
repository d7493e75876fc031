# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/config/cmdline.c \
	lib/config/config.c lib/config/config.h \
	lib/config/ini.c lib/config/ini.h \
	lib/config/key.c lib/config/key.h \
	lib/config/row.c lib/config/row.h
