# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/area/area.c lib/area/area.h \
	lib/area/block.c lib/area/block.h \
	lib/area/encrypted.c lib/area/encrypted.h \
	lib/area/fingerprint-fs.c lib/area/fingerprint-fs.h \
	lib/area/fingerprint.c lib/area/fingerprint.h \
	lib/area/header.c lib/area/header.h \
	lib/area/identity.c lib/area/identity.h \
	lib/area/mapping-btrfs.c \
	lib/area/mapping.c lib/area/mapping.h \
	lib/area/mark-disk.c lib/area/mark-disk.h \
	lib/area/mark.c lib/area/mark.h \
	lib/area/mounts.c lib/area/mounts.h \
	lib/area/resume.c \
	lib/area/spec.c lib/area/spec.h \
	lib/area/suitable.c lib/area/suitable.h \
	lib/area/swaps.c lib/area/swaps.h \
	lib/area/tags.c lib/area/tags.h
