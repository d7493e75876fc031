# SPDX-License-Identifier: GPL-2.0-only
# The companion series for the kernel. Nothing of it is built here but the tests of its algorithms in user space,
# always with the sanitizers, once for each width of an entry and each size of a page that matters.
EXTRA_DIST += src/kernel/README.md src/kernel/apply.sh src/kernel/build.sh src/kernel/patches.sh src/kernel/series \
	src/kernel/configs src/kernel/files src/kernel/hooks src/kernel/messages src/kernel/tests/check-sources \
	src/kernel/tests/record src/kernel/tests/RESULT

# The series for each kernel, as mails for "git am": kernel-patches/VERSION/0001-....patch
kernel-patches:
	$(srcdir)/src/kernel/patches.sh kernel-patches
.PHONY: kernel-patches
clean-local: clean-kernel-patches
clean-kernel-patches:
	rm -rf kernel-patches
.PHONY: clean-kernel-patches

KERNEL_CHECKS = src/kernel/tests/check-apply src/kernel/tests/check-series
dist_check_SCRIPTS += $(KERNEL_CHECKS)
TESTS += $(KERNEL_CHECKS)

if HAVE_CHECK
KERNEL_TEST_SOURCES = src/kernel/tests/kexec-list.c src/kernel/tests/shim/ram.c src/kernel/tests/shim/ram.h \
	src/kernel/tests/shim/sleep.c src/kernel/tests/shim/sleep.h src/kernel/tests/shim/linux/highmem.h src/kernel/tests/shim/linux/kexec.h src/kernel/files/kernel/kexec_list.h
KERNEL_TEST_INCLUDES = -D_GNU_SOURCE -I$(srcdir)/src/kernel/tests -I$(srcdir)/src/kernel/tests/shim \
	-I$(srcdir)/src/kernel/files
KERNEL_TEST_SANITIZERS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
KERNEL_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(KERNEL_TEST_SANITIZERS)

check_PROGRAMS += test-kexec-list-32
test_kexec_list_32_SOURCES = $(KERNEL_TEST_SOURCES)
test_kexec_list_32_CPPFLAGS = $(KERNEL_TEST_INCLUDES) -DENTRY_BITS=32 -DPAGE_SHIFT=12
test_kexec_list_32_CFLAGS = $(KERNEL_TEST_CFLAGS)
test_kexec_list_32_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_kexec_list_32_LDADD = $(CHECK_LIBS)

check_PROGRAMS += test-kexec-list-64
test_kexec_list_64_SOURCES = $(KERNEL_TEST_SOURCES)
test_kexec_list_64_CPPFLAGS = $(KERNEL_TEST_INCLUDES) -DENTRY_BITS=64 -DPAGE_SHIFT=12
test_kexec_list_64_CFLAGS = $(KERNEL_TEST_CFLAGS)
test_kexec_list_64_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_kexec_list_64_LDADD = $(CHECK_LIBS)

check_PROGRAMS += test-kexec-list-32-small
test_kexec_list_32_small_SOURCES = $(KERNEL_TEST_SOURCES)
test_kexec_list_32_small_CPPFLAGS = $(KERNEL_TEST_INCLUDES) -DENTRY_BITS=32 -DPAGE_SHIFT=5
test_kexec_list_32_small_CFLAGS = $(KERNEL_TEST_CFLAGS)
test_kexec_list_32_small_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_kexec_list_32_small_LDADD = $(CHECK_LIBS)

check_PROGRAMS += test-kexec-list-64-small
test_kexec_list_64_small_SOURCES = $(KERNEL_TEST_SOURCES)
test_kexec_list_64_small_CPPFLAGS = $(KERNEL_TEST_INCLUDES) -DENTRY_BITS=64 -DPAGE_SHIFT=5
test_kexec_list_64_small_CFLAGS = $(KERNEL_TEST_CFLAGS)
test_kexec_list_64_small_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_kexec_list_64_small_LDADD = $(CHECK_LIBS)

check_PROGRAMS += test-restore-check
test_restore_check_SOURCES = src/kernel/tests/restore-check.c src/kernel/tests/shim/paging.c \
	src/kernel/tests/shim/paging.h src/kernel/tests/shim/ram.c src/kernel/tests/shim/ram.h \
	src/kernel/tests/shim/sleep.c src/kernel/tests/shim/sleep.h \
	src/kernel/tests/shim/asm/coco.h src/kernel/tests/shim/asm/pgtable_types.h \
	src/kernel/tests/shim/linux/log2.h src/kernel/tests/shim/linux/mm.h \
	src/kernel/tests/shim/linux/suspend.h src/kernel/files/arch/x86/power/restore_check.h
test_restore_check_CPPFLAGS = $(KERNEL_TEST_INCLUDES) -DENTRY_BITS=64 -DPAGE_SHIFT=12
test_restore_check_CFLAGS = $(KERNEL_TEST_CFLAGS)
test_restore_check_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_restore_check_LDADD = $(CHECK_LIBS)

# The functions of two patches, as they are there.
check_PROGRAMS += test-map-page
test_map_page_SOURCES = src/kernel/tests/map-page.c src/kernel/tests/shim/ram.c src/kernel/tests/shim/ram.h \
	src/kernel/tests/shim/sleep.c src/kernel/tests/shim/sleep.h src/kernel/tests/shim/linux/highmem.h \
	src/kernel/tests/shim/linux/kexec.h
nodist_test_map_page_SOURCES = src/kernel/tests/map-page.inc src/kernel/tests/safe-copy-page.inc
test_map_page_CPPFLAGS = $(KERNEL_TEST_INCLUDES) -Isrc/kernel/tests -DENTRY_BITS=64 -DPAGE_SHIFT=12
test_map_page_CFLAGS = $(KERNEL_TEST_CFLAGS)
test_map_page_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_map_page_LDADD = $(CHECK_LIBS)

src/kernel/tests/test_map_page-map-page.$(OBJEXT): $(nodist_test_map_page_SOURCES)
CLEANFILES += $(nodist_test_map_page_SOURCES)
src/kernel/tests/map-page.inc: src/kernel/hooks/6.12/x86-hibernation-fixmap.patch
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -n -e '/^+void \*hibernate_map_page/,/^+}/s/^+//p' \
		-e '/^+void hibernate_unmap_page/,/^+}/s/^+//p' $(srcdir)/src/kernel/hooks/6.12/x86-hibernation-fixmap.patch >$@
src/kernel/tests/safe-copy-page.inc: src/kernel/hooks/6.12/hibernation-map-page.patch
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -n '/^@@.*safe_copy_page/,$$s/^[+ ]//p' \
		$(srcdir)/src/kernel/hooks/6.12/hibernation-map-page.patch >$@

# Page tables are what they are on arm64; the kernel's sources are built as they are, without strict aliasing.
TRANS_PGD_SOURCES = src/kernel/tests/trans-pgd.c src/kernel/tests/shim-arm64/model.c \
	src/kernel/tests/shim-arm64/model.h src/kernel/tests/shim-arm64/asm/pgalloc.h \
	src/kernel/tests/shim-arm64/asm/pgtable.h src/kernel/tests/shim-arm64/asm/trans_pgd.h \
	src/kernel/tests/shim-arm64/linux/kexec.h src/kernel/tests/shim-arm64/linux/mm.h \
	src/kernel/tests/shim-arm64/linux/mmzone.h src/kernel/tests/shim-arm64/linux/printk.h \
	src/kernel/tests/shim-arm64/linux/suspend.h src/kernel/tests/shim-arm64/copy.c \
	src/kernel/tests/shim-arm64/verify.c src/kernel/tests/shim/sleep.c src/kernel/tests/shim/sleep.h
TRANS_PGD_INCLUDES = -D_GNU_SOURCE -I$(srcdir)/src/kernel/tests/shim-arm64
TRANS_PGD_CFLAGS = $(KERNEL_TEST_CFLAGS) -fno-strict-aliasing

check_PROGRAMS += test-trans-pgd-3
test_trans_pgd_3_SOURCES = $(TRANS_PGD_SOURCES)
test_trans_pgd_3_CPPFLAGS = $(TRANS_PGD_INCLUDES) -DLEVELS=3
test_trans_pgd_3_CFLAGS = $(TRANS_PGD_CFLAGS)
test_trans_pgd_3_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_trans_pgd_3_LDADD = $(CHECK_LIBS)

check_PROGRAMS += test-trans-pgd-4
test_trans_pgd_4_SOURCES = $(TRANS_PGD_SOURCES)
test_trans_pgd_4_CPPFLAGS = $(TRANS_PGD_INCLUDES) -DLEVELS=4
test_trans_pgd_4_CFLAGS = $(TRANS_PGD_CFLAGS)
test_trans_pgd_4_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_trans_pgd_4_LDADD = $(CHECK_LIBS)

check_PROGRAMS += test-trans-pgd-5
test_trans_pgd_5_SOURCES = $(TRANS_PGD_SOURCES)
test_trans_pgd_5_CPPFLAGS = $(TRANS_PGD_INCLUDES) -DLEVELS=5
test_trans_pgd_5_CFLAGS = $(TRANS_PGD_CFLAGS)
test_trans_pgd_5_LDFLAGS = $(KERNEL_TEST_SANITIZERS)
test_trans_pgd_5_LDADD = $(CHECK_LIBS)
endif
