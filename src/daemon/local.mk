# SPDX-License-Identifier: GPL-2.0-or-later
# All but main.c in a library of its own, so that tests can link it.
noinst_LIBRARIES += libdaemon.a
libdaemon_a_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
libdaemon_a_SOURCES = \
	src/common/bus.h \
	src/common/next-boot.c src/common/next-boot.h \
	src/daemon/ahead.c src/daemon/ahead.h \
	src/daemon/askpass.c src/daemon/askpass.h \
	src/daemon/blockers.c src/daemon/blockers.h \
	src/daemon/choice.c src/daemon/choice.h \
	src/daemon/commit.c \
	src/daemon/compat.c src/daemon/compat.h \
	src/daemon/console.c src/daemon/console.h \
	src/daemon/disarm.c src/daemon/disarm.h \
	src/daemon/discard.c src/daemon/discard.h \
	src/daemon/estimate.c src/daemon/estimate.h \
	src/daemon/find.c src/daemon/find.h \
	src/daemon/guard.c src/daemon/guard.h \
	src/daemon/hibernate.c src/daemon/hibernate.h \
	src/daemon/id.c src/daemon/id.h \
	src/daemon/keys.c src/daemon/keys.h \
	src/daemon/keyslot.c src/daemon/keyslot.h \
	src/daemon/leave.c \
	src/daemon/line.c src/daemon/line.h \
	src/daemon/log.c src/daemon/log.h \
	src/daemon/manager.c src/daemon/manager.h \
	src/daemon/prepare.c \
	src/daemon/program.c src/daemon/program.h \
	src/daemon/prompt.c src/daemon/prompt.h \
	src/daemon/refusers.c src/daemon/refusers.h \
	src/daemon/resume.c src/daemon/resume.h \
	src/daemon/sealing.c src/daemon/sealing.h \
	src/daemon/service.c src/daemon/service.h \
	src/daemon/session.c src/daemon/session.h \
	src/daemon/settings.c src/daemon/settings.h \
	src/daemon/supervisor.c src/daemon/supervisor.h \
	src/daemon/sync.c src/daemon/sync.h \
	src/daemon/terminal.c src/daemon/terminal.h \
	src/daemon/tpm-job.h \
	src/daemon/tpmkey.c src/daemon/tpmkey.h \
	src/daemon/unseal.c src/daemon/unseal.h \
	src/daemon/write.c

# Resuming is a matter of milliseconds in an initramfs: what serves the bus, and the libraries that this takes, are not
# there. The codecs are linked as they are into the worker, because both must know the same sizes of its memory.
sbin_PROGRAMS += hibernated
hibernated_SOURCES = src/daemon/main.c
hibernated_LDADD = libdaemon.a libhibernate.a $(STATIC_CODEC_LIBS) $(LIBBLKID_LIBS) -lpthread

pkglibexec_PROGRAMS += hibernated-serve
hibernated_serve_SOURCES = src/daemon/serve.c
hibernated_serve_LDADD = libdaemon.a libhibernate.a $(STATIC_CODEC_LIBS) $(LIBSYSTEMD_LIBS) $(LIBBLKID_LIBS) \
	$(LIBGCRYPT_LIBS) -lpthread

# Only where a TPM is used does anybody start it. Its library loads the connection to the device by name; linked, so that
# whoever copies the program with its libraries copies that one, too.
if HAVE_TPM
pkglibexec_PROGRAMS += hibernated-tpm
endif
hibernated_tpm_SOURCES = src/daemon/tpm-program.c src/daemon/tpm-job.h
hibernated_tpm_LDFLAGS = $(AM_LDFLAGS) -Wl,--no-as-needed
hibernated_tpm_LDADD = libhibernate.a $(TSS2_LIBS) $(LIBGCRYPT_LIBS)
