# SPDX-License-Identifier: GPL-2.0-or-later
libhibernate_a_SOURCES += \
	lib/seal/blob.c lib/seal/blob.h \
	lib/seal/cost.c lib/seal/cost.h \
	lib/seal/crypto.c lib/seal/crypto.h lib/seal/crypto-gcrypt.h \
	lib/seal/crypto-aead.c \
	lib/seal/crypto-curves.c \
	lib/seal/disk.h \
	lib/seal/hkdf.c lib/seal/hkdf.h \
	lib/seal/keyfile.c lib/seal/keyfile.h lib/seal/keyfile-disk.h \
	lib/seal/keyfile-place.c lib/seal/keyfile-place.h \
	lib/seal/keyfile-store.c \
	lib/seal/keys.c lib/seal/keys.h \
	lib/seal/quality.c lib/seal/quality.h \
	lib/seal/recovery.c lib/seal/recovery.h \
	lib/seal/open.c lib/seal/open.h \
	lib/seal/slot.c lib/seal/slot.h \
	lib/seal/suite.c \
	lib/seal/stream.c lib/seal/stream.h \
	lib/seal/tpm-part.c lib/seal/tpm.h lib/seal/tpm-tss.h \
	lib/seal/unlock.c lib/seal/unlock.h \
	lib/seal/wrap.c lib/seal/wrap.h
if HAVE_TPM
libhibernate_a_SOURCES += lib/seal/tpm.c lib/seal/tpm-object.c lib/seal/tpm-pcr.c
libhibernate_a_CFLAGS += $(TSS2_CFLAGS)
else
libhibernate_a_SOURCES += lib/seal/tpm-missing.c
endif
EXTRA_DIST += lib/seal/tpm.c lib/seal/tpm-object.c lib/seal/tpm-pcr.c lib/seal/tpm-missing.c
