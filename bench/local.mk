# SPDX-License-Identifier: GPL-2.0-or-later
# Not installed, not built by default: make pipeline-drive
EXTRA_PROGRAMS = pipeline-drive
pipeline_drive_SOURCES = bench/pipeline-drive.c
pipeline_drive_LDADD = libhibernate.a $(LIBBLKID_LIBS) $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBXXHASH_LIBS) \
	$(LIBSECCOMP_LIBS) -lpthread

EXTRA_DIST += bench/cycle bench/debian bench/debian-image bench/pipeline bench/pipeline-synthesize
CLEANFILES += pipeline-drive
