# SPDX-License-Identifier: GPL-2.0-or-later
# Not installed, not built by default: make pipeline-drive bench/aead
EXTRA_PROGRAMS = pipeline-drive bench/aead
pipeline_drive_SOURCES = bench/pipeline-drive.c
pipeline_drive_LDADD = libhibernate.a $(LIBBLKID_LIBS) $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBXXHASH_LIBS) \
	$(LIBSECCOMP_LIBS) $(LIBGCRYPT_LIBS) -lpthread

bench_aead_SOURCES = bench/aead.c
bench_aead_LDADD = libhibernate.a $(LIBGCRYPT_LIBS)

EXTRA_DIST += bench/cycle bench/debian bench/debian-image bench/pipeline bench/pipeline-synthesize
CLEANFILES += pipeline-drive bench/aead
