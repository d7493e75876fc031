# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon starts a copy of hibernate-image under a frozen system: it must need no loader and no libraries.
sbin_PROGRAMS += hibernate-image
hibernate_image_SOURCES = src/cli/hibernate-image.c \
	src/cli/ask.c src/cli/ask.h \
	src/cli/image-commands.h \
	src/cli/image-data.c \
	src/cli/image-discard.c \
	src/cli/image-info.c \
	src/cli/image-source.c src/cli/image-source.h \
	src/cli/json.c src/cli/json.h \
	src/cli/static.c \
	src/cli/worker.c src/cli/worker.h \
	src/cli/worker-sandbox.c src/cli/worker-sandbox.h \
	src/cli/worker-seal.c src/cli/worker-seal.h
hibernate_image_CFLAGS = $(AM_CFLAGS) -fPIE
hibernate_image_LDADD = libhibernate.a $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBXXHASH_LIBS) $(LIBSECCOMP_LIBS) \
	$(LIBGCRYPT_STATIC_LIBS) -lpthread
if SANITIZED
hibernate_image_LDFLAGS = $(AM_LDFLAGS)
else
hibernate_image_LDFLAGS = $(AM_LDFLAGS) -static-pie
endif

bin_PROGRAMS += hibernatectl
hibernatectl_SOURCES = src/cli/hibernatectl.c src/cli/client.c src/cli/client.h \
	src/common/next-boot.c src/common/next-boot.h
hibernatectl_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
hibernatectl_LDADD = libhibernate.a $(LIBSYSTEMD_LIBS) $(LIBBLKID_LIBS) $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBXXHASH_LIBS)

# What hibernatectl becomes for keygen and key.
pkglibexec_PROGRAMS += hibernatectl-key
hibernatectl_key_SOURCES = src/cli/key-main.c \
	src/cli/ask.c src/cli/ask.h \
	src/cli/json.c src/cli/json.h \
	src/cli/key-change.c \
	src/cli/key-commands.h \
	src/cli/key-common.c \
	src/cli/key-make.c \
	src/cli/key-show.c \
	src/cli/key-tpm.c
hibernatectl_key_CFLAGS = $(AM_CFLAGS)
hibernatectl_key_LDADD = libhibernate.a $(LIBBLKID_LIBS) $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBGCRYPT_LIBS) $(TSS2_LIBS)

install-exec-hook:
	cd $(DESTDIR)$(bindir) && $(LN_S) -f hibernatectl s2disk && $(LN_S) -f hibernatectl s2both

uninstall-hook:
	cd $(DESTDIR)$(bindir) && rm -f s2disk s2both
