/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Has a filesystem been written since the image was taken?
 *
 * The image holds the memory of mounted filesystems. If one of them was mounted and written by another
 * system in between, resuming destroys it. So the image records for each block-backed mount a few bytes of the
 * disk that any such writing changes, and that do not change by themselves once the image is taken:
 *
 *   ext2/3/4  time of last write and mount, mount count, time of last check, the "needs recovery" flag
 *   XFS       cycle and block of the log's head, and a checksum of the log around it
 *   btrfs     generation, root and log root, and the checksum of the superblock
 *   f2fs      versions of both checkpoints
 *   vfat      checksum of the first FAT and the root directory, up to 1 MiB each
 *
 * They are read straight from the medium (O_DIRECT), from descriptors that were opened before FREEZE, after
 * CREATE_IMAGE: kernel threads are frozen then and write nothing more. At resume they are read before
 * anything is mounted.
 *
 * struct fingerprint is a fixed-size record without pointers; it is stored in the image.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"
#include "base/util.h"

#define FINGERPRINT_VALUE_BYTES 32
#define FINGERPRINT_DEVICE_MAX 96
#define FINGERPRINT_MOUNT_MAX 64
#define FINGERPRINTS_MAX 32
#define FINGERPRINT_BUFFER_BYTES (64 * KIB)

/* The numbers are on the disk. */
enum fingerprint_kind {
	FINGERPRINT_EXT = 1,
	FINGERPRINT_XFS,
	FINGERPRINT_BTRFS,
	FINGERPRINT_F2FS,
	FINGERPRINT_VFAT,
	_FINGERPRINT_KIND_MAX,
	_FINGERPRINT_KIND_INVALID = -1,
};

struct fingerprint {
	enum fingerprint_kind kind;
	uint8_t uuid[16];                          /* of the filesystem; vfat: its serial number and zeros */
	uint64_t device_size;                      /* bytes */
	char device_id[FINGERPRINT_DEVICE_MAX];    /* as in struct area_identity, with "+START" in sectors for a partition; may be empty */
	char mount[FINGERPRINT_MOUNT_MAX];         /* mount point, cut; only for messages */
	uint8_t value[FINGERPRINT_VALUE_BYTES];
};

/* A mounted filesystem and its open device. */
struct fingerprint_source {
	int fd;
	struct fingerprint print; /* value not yet read */
};

struct fingerprint_set {
	size_t count;
	size_t dropped;           /* filesystems of a known kind beyond FINGERPRINTS_MAX */
	size_t unknown;           /* writable block-backed mounts of a kind that has no fingerprint */
	struct fingerprint_source items[FINGERPRINTS_MAX];
};

/* Stable lower-case name ("ext", "xfs"), NULL outside the enum. */
const char *fingerprint_kind_name(enum fingerprint_kind kind);

/* True if a change only deserves a warning: vfat, which boot loaders write to. */
bool fingerprint_only_warns(enum fingerprint_kind kind);

/*
 * Before FREEZE: one source for each block-backed mount in /proc/self/mountinfo, root first. @buffer: as
 * in fingerprint_read(). Filesystems that cannot be read are left out and counted as unknown. 0 or -errno.
 */
int fingerprint_collect(struct fingerprint_set *set, const struct sysctx *sys, void *buffer, struct failure *f);
void fingerprint_set_deinit(struct fingerprint_set *set);

/*
 * Read the filesystem on @fd (O_DIRECT) into @print: kind, uuid and value; the other fields are left alone. @buffer:
 * FINGERPRINT_BUFFER_BYTES, page-aligned; locked when used under FREEZE. No memory is allocated.
 * -ENODATA if there is no filesystem of a known kind, -EUCLEAN if its superblock makes no sense, or -errno.
 */
int fingerprint_read(int fd, void *buffer, struct fingerprint *print);

/*
 * After CREATE_IMAGE: read all of @set into @prints (room for FINGERPRINTS_MAX) and *@count.
 * -errno and REASON_IO naming the filesystem.
 */
int fingerprint_read_all(const struct fingerprint_set *set, void *buffer, struct fingerprint *prints,
			 uint32_t *count, struct failure *f);

/*
 * 0 if @now has the value of @recorded; -ESTALE and REASON_STALE, naming mount point and device (@device), if
 * it was written; -EXDEV if it is another filesystem altogether.
 */
int fingerprint_compare(const struct fingerprint *recorded, const struct fingerprint *now, const char *device,
			struct failure *f);

/* What fingerprint_check_all() found, apart from a stale filesystem. */
struct fingerprint_result {
	size_t checked;
	size_t absent;         /* recorded, but not on any device here: cannot have been checked */
	size_t warnings;       /* changed, but of a kind that only warns */
	struct failure warning; /* the first of these */
};

/*
 * Resume side: find the device of each of @count @recorded filesystems (same kind and uuid; if several have it, the
 * one with the recorded identity) and compare. -ESTALE and REASON_STALE at the first that changed. *@result
 * is filled in also then.
 */
int fingerprint_check_all(const struct sysctx *sys, const struct fingerprint *recorded, size_t count, void *buffer,
			  struct fingerprint_result *result, struct failure *f);
