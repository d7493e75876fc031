# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/snapshot/pages.c \
	lib/snapshot/refusal.c lib/snapshot/refusal.h \
	lib/snapshot/slots.c \
	lib/snapshot/snapshot.c lib/snapshot/snapshot.h
