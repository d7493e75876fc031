# SPDX-License-Identifier: GPL-2.0-or-later
# The golden images, and what made them: "make make-golden", for a new format version only.
EXTRA_PROGRAMS += make-golden
make_golden_SOURCES = tests/data/make-golden.c tests/data/sample.c tests/data/sample.h
make_golden_CFLAGS = $(AM_CFLAGS)
make_golden_LDADD = libhibernate.a $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBXXHASH_LIBS) $(LIBGCRYPT_LIBS)
dist_check_SCRIPTS += tests/data/check-golden
TESTS += tests/data/check-golden
EXTRA_DIST += tests/data/manifest tests/data/v1-lz4.img tests/data/v1-lz4-extents.img tests/data/v1-zstd.img \
	tests/data/v1-none.img tests/data/v1-dropped.img \
	tests/data/manifest-sealed tests/data/keys tests/data/v1-sealed-gcm.img tests/data/v1-sealed-ocb.img \
	tests/data/v1-sealed-chacha20.img tests/data/v1-sealed-recovery.img
