# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/pipeline/load.c \
	lib/pipeline/pipeline.c lib/pipeline/pipeline.h \
	lib/pipeline/save.c \
	lib/pipeline/size.c \
	lib/pipeline/stage.h \
	lib/pipeline/transfer.c lib/pipeline/transfer.h \
	lib/pipeline/worker.c lib/pipeline/worker.h
