# SPDX-License-Identifier: GPL-2.0-or-later
# One program per module; each links the library as the programs do.
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
UNIT_LIBS = libhibernate.a $(LIBBLKID_LIBS) $(LIBLZ4_LIBS) $(LIBZSTD_LIBS) $(LIBXXHASH_LIBS) \
	$(LIBSECCOMP_LIBS) $(LIBGCRYPT_LIBS) $(CHECK_LIBS) -lpthread

check_PROGRAMS += test-base
test_base_SOURCES = tests/unit/test-base.c
test_base_CFLAGS = $(UNIT_CFLAGS)
test_base_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-pipeline
test_pipeline_SOURCES = tests/unit/test-pipeline.c
test_pipeline_CFLAGS = $(UNIT_CFLAGS)
test_pipeline_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fdatasync
test_pipeline_LDADD = $(UNIT_LIBS)

# Runs ./hibernate-image --worker.
check_PROGRAMS += test-worker
test_worker_SOURCES = tests/unit/test-worker.c src/cli/worker-sandbox.c src/cli/worker-sandbox.h
test_worker_CFLAGS = $(UNIT_CFLAGS)
test_worker_LDADD = $(UNIT_LIBS)

# Refuses memory where the library may not ask for it.
LINK_REFUSING = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# Sees what becomes of secrets.
LINK_WATCHING = $(AM_LDFLAGS) -Wl,--wrap=mmap,--wrap=munmap

check_PROGRAMS += test-secret
test_secret_SOURCES = tests/unit/test-secret.c tests/unit/secrets.c tests/unit/secrets.h
test_secret_CFLAGS = $(UNIT_CFLAGS)
test_secret_LDFLAGS = $(LINK_WATCHING)
test_secret_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-crypto
test_crypto_SOURCES = tests/unit/test-crypto.c tests/unit/secrets.c tests/unit/secrets.h tests/unit/hex.h tests/unit/low-order.h
test_crypto_CFLAGS = $(UNIT_CFLAGS)
test_crypto_LDFLAGS = $(LINK_WATCHING)
test_crypto_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-seal
test_seal_SOURCES = tests/unit/test-seal.c tests/unit/secrets.c tests/unit/secrets.h tests/unit/hex.h
test_seal_CFLAGS = $(UNIT_CFLAGS)
test_seal_LDFLAGS = $(LINK_WATCHING)
test_seal_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-keys
test_keys_SOURCES = tests/unit/test-keys.c tests/unit/secrets.c tests/unit/secrets.h tests/unit/hex.h
test_keys_CFLAGS = $(UNIT_CFLAGS)
test_keys_LDFLAGS = $(LINK_WATCHING)
test_keys_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-keyfile
test_keyfile_SOURCES = tests/unit/test-keyfile.c tests/unit/secrets.c tests/unit/secrets.h
test_keyfile_CFLAGS = $(UNIT_CFLAGS)
test_keyfile_LDFLAGS = $(LINK_WATCHING) \
	-Wl,--wrap=write,--wrap=fchmod,--wrap=fsync,--wrap=renameat,--wrap=unlinkat
test_keyfile_LDADD = $(UNIT_LIBS) $(LIBGCRYPT_LIBS)

check_PROGRAMS += test-recovery
test_recovery_SOURCES = tests/unit/test-recovery.c tests/unit/secrets.c tests/unit/secrets.h
test_recovery_CFLAGS = $(UNIT_CFLAGS)
test_recovery_LDFLAGS = $(LINK_WATCHING)
test_recovery_LDADD = $(UNIT_LIBS) $(LIBGCRYPT_LIBS)

check_PROGRAMS += test-passphrase
test_passphrase_SOURCES = tests/unit/test-passphrase.c tests/unit/tree.c tests/unit/tree.h
test_passphrase_CFLAGS = $(UNIT_CFLAGS)
test_passphrase_LDADD = $(UNIT_LIBS) $(LIBGCRYPT_LIBS)

check_PROGRAMS += test-encrypted
test_encrypted_SOURCES = tests/unit/test-encrypted.c tests/unit/tree.c tests/unit/tree.h
test_encrypted_CFLAGS = $(UNIT_CFLAGS)
test_encrypted_LDADD = $(UNIT_LIBS)

if HAVE_TPM
check_PROGRAMS += test-tpm
endif
test_tpm_SOURCES = tests/unit/test-tpm.c tests/unit/secrets.c tests/unit/secrets.h tests/unit/tree.c tests/unit/tree.h
test_tpm_CFLAGS = $(UNIT_CFLAGS) $(TSS2_CFLAGS)
test_tpm_LDFLAGS = $(LINK_WATCHING)
test_tpm_LDADD = $(UNIT_LIBS) $(LIBGCRYPT_LIBS) $(TSS2_LIBS)

check_PROGRAMS += test-snapshot
test_snapshot_SOURCES = tests/unit/test-snapshot.c tests/unit/allocator.c tests/unit/allocator.h \
	tests/unit/fake-kernel.c tests/unit/fake-kernel.h tests/unit/tree.c tests/unit/tree.h
test_snapshot_CFLAGS = $(UNIT_CFLAGS)
test_snapshot_LDFLAGS = $(LINK_REFUSING)
test_snapshot_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-codec
test_codec_SOURCES = tests/unit/test-codec.c tests/unit/allocator.c tests/unit/allocator.h
test_codec_CFLAGS = $(UNIT_CFLAGS)
test_codec_LDFLAGS = $(LINK_REFUSING)
test_codec_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-image
test_image_SOURCES = tests/unit/test-image.c tests/unit/allocator.c tests/unit/allocator.h \
	tests/data/sample.c tests/data/sample.h
test_image_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/data
test_image_CFLAGS = $(UNIT_CFLAGS)
test_image_LDFLAGS = $(LINK_REFUSING) -Wl,--wrap=fdatasync
test_image_LDADD = $(UNIT_LIBS)

# Sealed images, read as a resume does it.
RESUMER_SOURCES = tests/unit/resumer.c tests/unit/resumer.h tests/data/sample.c tests/data/sample.h \
	src/cli/worker-seal.c src/cli/worker-seal.h

check_PROGRAMS += test-every-bit
test_every_bit_SOURCES = tests/unit/test-every-bit.c $(RESUMER_SOURCES)
test_every_bit_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/data
test_every_bit_CFLAGS = $(UNIT_CFLAGS)
test_every_bit_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-forged
test_forged_SOURCES = tests/unit/test-forged.c tests/unit/hex.h tests/unit/low-order.h $(RESUMER_SOURCES) src/cli/image-data.c src/cli/image-source.c \
	src/cli/image-source.h src/cli/image-commands.h src/cli/ask.c src/cli/ask.h src/cli/json.c src/cli/json.h
test_forged_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/data
test_forged_CFLAGS = $(UNIT_CFLAGS)
test_forged_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-mark
test_mark_SOURCES = tests/unit/test-mark.c tests/unit/allocator.c tests/unit/allocator.h
test_mark_CFLAGS = $(UNIT_CFLAGS)
test_mark_LDFLAGS = $(LINK_REFUSING) -Wl,--wrap=pwrite,--wrap=fdatasync
test_mark_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-system
test_system_SOURCES = tests/unit/test-system.c tests/unit/tree.c tests/unit/tree.h
test_system_CFLAGS = $(UNIT_CFLAGS)
test_system_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-config
test_config_SOURCES = tests/unit/test-config.c tests/unit/allocator.c tests/unit/allocator.h \
	tests/unit/tree.c tests/unit/tree.h
test_config_CFLAGS = $(UNIT_CFLAGS)
test_config_LDFLAGS = $(LINK_REFUSING)
test_config_LDADD = $(UNIT_LIBS)
check_PROGRAMS += test-area
test_area_SOURCES = tests/unit/test-area.c tests/unit/tree.c tests/unit/tree.h
test_area_CFLAGS = $(UNIT_CFLAGS)
test_area_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-daemon
test_daemon_SOURCES = tests/unit/test-daemon.c tests/unit/tree.c tests/unit/tree.h
test_daemon_CFLAGS = $(UNIT_CFLAGS)
test_daemon_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += test-ahead
test_ahead_SOURCES = tests/unit/test-ahead.c tests/unit/tree.c tests/unit/tree.h
test_ahead_CFLAGS = $(UNIT_CFLAGS)
test_ahead_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pread,--wrap=posix_fadvise
test_ahead_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += test-prompt
test_prompt_SOURCES = tests/unit/test-prompt.c tests/unit/tree.c tests/unit/tree.h
test_prompt_CFLAGS = $(UNIT_CFLAGS)
test_prompt_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += test-next-boot
test_next_boot_SOURCES = tests/unit/test-next-boot.c tests/unit/tree.c tests/unit/tree.h
test_next_boot_CFLAGS = $(UNIT_CFLAGS)
test_next_boot_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += test-fingerprint-tools
test_fingerprint_tools_SOURCES = tests/unit/test-fingerprint-tools.c
test_fingerprint_tools_CFLAGS = $(UNIT_CFLAGS)
test_fingerprint_tools_LDADD = $(UNIT_LIBS)

check_PROGRAMS += test-fingerprint
test_fingerprint_SOURCES = tests/unit/test-fingerprint.c tests/unit/allocator.c tests/unit/allocator.h \
	tests/unit/tree.c tests/unit/tree.h
test_fingerprint_CFLAGS = $(UNIT_CFLAGS)
test_fingerprint_LDFLAGS = $(LINK_REFUSING)
test_fingerprint_LDADD = $(UNIT_LIBS)

# Runs ./hibernate-image --worker, too.
check_PROGRAMS += test-supervisor
test_supervisor_SOURCES = tests/unit/test-supervisor.c
test_supervisor_CFLAGS = $(UNIT_CFLAGS)
test_supervisor_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

# The state machines on a made-up machine, with the worker's own code in a child.
MACHINE_SOURCES = tests/unit/machine.c tests/unit/machine.h tests/unit/fake-kernel.c tests/unit/fake-kernel.h \
	tests/unit/tree.c tests/unit/tree.h \
	src/cli/worker.c src/cli/worker.h src/cli/worker-sandbox.c src/cli/worker-sandbox.h \
	src/cli/worker-seal.c src/cli/worker-seal.h
LINK_MACHINE = $(AM_LDFLAGS) -Wl,--wrap=pread,--wrap=pwrite,--wrap=fdatasync,--wrap=readv,--wrap=writev

check_PROGRAMS += test-hibernate
test_hibernate_SOURCES = tests/unit/test-hibernate.c $(MACHINE_SOURCES)
test_hibernate_CFLAGS = $(UNIT_CFLAGS)
test_hibernate_LDFLAGS = $(LINK_MACHINE)
test_hibernate_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += test-sealed
test_sealed_SOURCES = tests/unit/test-sealed.c tests/unit/sealed.c tests/unit/sealed.h $(MACHINE_SOURCES)
test_sealed_CFLAGS = $(UNIT_CFLAGS)
test_sealed_LDFLAGS = $(LINK_MACHINE) -Wl,--wrap=madvise
test_sealed_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += test-tpm-boot
test_tpm_boot_SOURCES = tests/unit/test-tpm-boot.c tests/unit/sealed.c tests/unit/sealed.h $(MACHINE_SOURCES)
test_tpm_boot_CFLAGS = $(UNIT_CFLAGS)
test_tpm_boot_LDFLAGS = $(LINK_MACHINE) -Wl,--wrap=madvise
test_tpm_boot_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += test-resume
test_resume_SOURCES = tests/unit/test-resume.c $(MACHINE_SOURCES)
test_resume_CFLAGS = $(UNIT_CFLAGS)
test_resume_LDFLAGS = $(LINK_MACHINE)
test_resume_LDADD = libdaemon.a $(UNIT_LIBS) $(LIBSYSTEMD_LIBS)

TESTS += $(check_PROGRAMS)
