# SPDX-License-Identifier: GPL-2.0-or-later
# Each target with a main that replays its corpus; tests/fuzz/run builds them with libFuzzer instead.
check_PROGRAMS += fuzz-image
fuzz_image_SOURCES = tests/fuzz/fuzz-image.c tests/fuzz/replay.c
fuzz_image_CFLAGS = $(AM_CFLAGS)
fuzz_image_LDADD = libhibernate.a $(LIBBLKID_LIBS) $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBXXHASH_LIBS) $(LIBGCRYPT_LIBS)
check_PROGRAMS += fuzz-keys
fuzz_keys_SOURCES = tests/fuzz/fuzz-keys.c tests/fuzz/replay.c tests/fuzz/scratch.c tests/fuzz/scratch.h
fuzz_keys_CFLAGS = $(AM_CFLAGS)
fuzz_keys_LDADD = libhibernate.a $(LIBXXHASH_LIBS) $(LIBGCRYPT_LIBS)
check_PROGRAMS += fuzz-config
fuzz_config_SOURCES = tests/fuzz/fuzz-config.c tests/fuzz/replay.c tests/fuzz/scratch.c tests/fuzz/scratch.h
fuzz_config_CFLAGS = $(AM_CFLAGS)
fuzz_config_LDADD = libhibernate.a $(LIBLZ4_LIBS) $(LIBZSTD_LIBS)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run
