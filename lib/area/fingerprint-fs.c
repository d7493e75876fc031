/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each filesystem changes on the disk when it is written, and what that looks like there.
 *
 * All reads are whole sectors into an aligned buffer, so that they work with O_DIRECT; nothing read is believed
 * before it was bounded. A value is plain little-endian fields and checksums (doc/image-format.md).
 *
 * Kernel facts. ext4 sets mount time and count, and s_wtime, with every read-write mount; a replay of the journal clears the flag
 * "needs recovery", which a mounted filesystem has. XFS appends to its log before it changes anything
 * else; the blocks of the log carry the number of their round (cycle), so the head is where it drops. btrfs
 * writes its superblock last with every commit and every fsync. f2fs numbers its two alternating checkpoints. vfat sets a
 * flag in the boot sector while it is mounted.
 */
#include "area/fingerprint-fs.h"

#include "base/cursor.h"
#include "base/fdio.h"
#include "codec/checksum.h"

#include <errno.h>
#include <string.h>

#define BASIC_BLOCK 512u

/* A number of @size bytes, the lowest or the highest first. */
static uint64_t le_at(const char *p, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | (uint8_t)p[size];
	return value;
}

static uint64_t be_at(const char *p, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | (uint8_t)p[i];
	return value;
}

static uint16_t le16_at(const char *p)
{
	return (uint16_t)le_at(p, 2);
}

static uint32_t le32_at(const char *p)
{
	return (uint32_t)le_at(p, 4);
}

static uint64_t le64_at(const char *p)
{
	return le_at(p, 8);
}

static uint16_t be16_at(const char *p)
{
	return (uint16_t)be_at(p, 2);
}

static uint32_t be32_at(const char *p)
{
	return (uint32_t)be_at(p, 4);
}

static uint64_t be64_at(const char *p)
{
	return be_at(p, 8);
}

/* ---- ext2, ext3, ext4 -------------------------------------------------- */

#define EXT_NEEDS_RECOVERY 0x4

static int read_ext(int fd, char *buffer, struct fingerprint *print)
{
	const char *super = buffer + 1024;
	struct writer w;
	int r = fd_pread_full(fd, buffer, PAGE_BYTES, 0);

	if (r < 0)
		return r;
	if (le16_at(super + 56) != 0xef53)
		return -ENODATA;
	if (le32_at(super + 24) > 6) /* log2 of the block size, less 10 */
		return -EUCLEAN;
	memcpy(print->uuid, super + 104, 16);
	writer_init(&w, print->value, sizeof(print->value));
	put_u32(&w, le32_at(super + 48));           /* s_wtime */
	put_u32(&w, (uint8_t)super[0x274]);         /* its high byte */
	put_u32(&w, le32_at(super + 44));           /* s_mtime */
	put_u32(&w, (uint8_t)super[0x275]);
	put_u32(&w, le32_at(super + 64));           /* s_lastcheck */
	put_u32(&w, (uint8_t)super[0x277]);
	put_u32(&w, le16_at(super + 52));           /* s_mnt_count */
	put_u32(&w, le32_at(super + 96) & EXT_NEEDS_RECOVERY);
	return w.overrun ? -EOVERFLOW : 0;
}

/* ---- XFS --------------------------------------------------------------- */

#define XFS_RECORD_MAGIC 0xfeedbabe
#define XFS_WINDOW 64 /* basic blocks of the log before its head */

struct xfs_log {
	int fd;
	char *buffer;
	uint64_t start;  /* bytes */
	uint32_t blocks; /* basic blocks */
};

/* The round in which block @number was written. */
static int xfs_cycle(const struct xfs_log *log, uint32_t number, uint32_t *cycle)
{
	uint32_t first = number / 8 * 8;
	const char *block = log->buffer + (number - first) * BASIC_BLOCK;
	size_t size = MIN(PAGE_BYTES, (log->blocks - first) * BASIC_BLOCK);
	int r = fd_pread_full(log->fd, log->buffer, size, log->start + (uint64_t)first * BASIC_BLOCK);

	if (r < 0)
		return r;
	*cycle = be32_at(block) == XFS_RECORD_MAGIC ? be32_at(block + 4) : be32_at(block);
	return 0;
}

/* The first block that carries the same round as the last one: there the next record will be written. */
static int xfs_find_head(const struct xfs_log *log, uint32_t *first_cycle, uint32_t *head)
{
	uint32_t low = 0, high = log->blocks - 1, last_cycle, cycle;
	int r = xfs_cycle(log, 0, first_cycle);

	if (r == 0)
		r = xfs_cycle(log, high, &last_cycle);
	if (r < 0)
		return r;
	if (*first_cycle == last_cycle) {
		*head = log->blocks;
		return 0;
	}
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		r = xfs_cycle(log, middle, &cycle);
		if (r < 0)
			return r;
		if (cycle == last_cycle)
			high = middle;
		else
			low = middle;
	}
	*head = high;
	return 0;
}

/* Where the log lies; @super is the superblock. -EOPNOTSUPP if it is on another device. */
static int xfs_place_log(const char *super, struct xfs_log *log)
{
	uint32_t block_size = be32_at(super + 4), group_blocks = be32_at(super + 84), log_blocks = be32_at(super + 96);
	uint64_t start = be64_at(super + 48), blocks = be64_at(super + 8);
	uint8_t group_shift = (uint8_t)super[124];
	uint64_t block;

	if (block_size < 512 || block_size > 65536 || block_size & (block_size - 1) || !group_blocks || group_shift > 31 ||
	    log_blocks < 2 || log_blocks > UINT32_MAX / (block_size / BASIC_BLOCK) || blocks > UINT64_MAX / 65536)
		return -EUCLEAN;
	if (!start)
		return -EOPNOTSUPP;
	block = (start >> group_shift) * group_blocks + (start & ((UINT64_C(1) << group_shift) - 1));
	if (start >> group_shift >= UINT32_MAX || block >= blocks || log_blocks > blocks - block)
		return -EUCLEAN;
	log->start = block * block_size;
	log->blocks = log_blocks * (block_size / BASIC_BLOCK);
	return 0;
}

static int read_xfs(int fd, char *buffer, struct fingerprint *print)
{
	struct xfs_log log = {.fd = fd, .buffer = buffer};
	struct checksum super, around;
	uint32_t cycle, head, begin, end, size;
	uint16_t sector;
	struct writer w;
	int r = fd_pread_full(fd, buffer, PAGE_BYTES, 0);

	if (r < 0)
		return r;
	if (memcmp(buffer, "XFSB", 4) != 0)
		return -ENODATA;
	sector = be16_at(buffer + 102);
	r = xfs_place_log(buffer, &log);
	if (r < 0)
		return r;
	memcpy(print->uuid, buffer + 32, 16);
	super = checksum_of(buffer, MIN(MAX(sector, BASIC_BLOCK), PAGE_BYTES));
	r = xfs_find_head(&log, &cycle, &head);
	if (r < 0)
		return r;
	/* The log is a ring: before its first block lies its last one. */
	end = head ? head : log.blocks;
	begin = end > XFS_WINDOW ? (end - XFS_WINDOW) / 8 * 8 : 0;
	size = (MIN((uint32_t)round_up(end, 8), log.blocks) - begin) * BASIC_BLOCK;
	r = fd_pread_full(fd, buffer, size, log.start + (uint64_t)begin * BASIC_BLOCK);
	if (r < 0)
		return r;
	around = checksum_of(buffer, size);
	writer_init(&w, print->value, sizeof(print->value));
	put_u32(&w, cycle);
	put_u32(&w, head);
	put_bytes(&w, around.bytes, sizeof(around.bytes));
	put_bytes(&w, super.bytes, 8);
	return w.overrun ? -EOVERFLOW : 0;
}

/* ---- btrfs ------------------------------------------------------------- */

static int read_btrfs(int fd, char *buffer, struct fingerprint *print)
{
	struct writer w;
	int r = fd_pread_full(fd, buffer, PAGE_BYTES, 64 * KIB);

	if (r == -EIO)
		return -ENODATA; /* a device that ends before */
	if (r < 0)
		return r;
	if (memcmp(buffer + 64, "_BHRfS_M", 8) != 0)
		return -ENODATA;
	memcpy(print->uuid, buffer + 32, 16);
	writer_init(&w, print->value, sizeof(print->value));
	put_u64(&w, le64_at(buffer + 72)); /* generation */
	put_u64(&w, le64_at(buffer + 80)); /* root */
	put_u64(&w, le64_at(buffer + 96)); /* log root */
	put_bytes(&w, buffer, 8);          /* checksum of the whole superblock */
	return w.overrun ? -EOVERFLOW : 0;
}

/* ---- f2fs -------------------------------------------------------------- */

static int read_f2fs(int fd, char *buffer, struct fingerprint *print)
{
	const char *super = buffer + 1024;
	uint64_t checkpoint, segment;
	uint32_t block_shift;
	struct writer w;
	int r = fd_pread_full(fd, buffer, PAGE_BYTES, 0);

	if (r < 0)
		return r;
	if (le32_at(super) != 0xf2f52010)
		return -ENODATA;
	block_shift = le32_at(super + 16);
	if (block_shift < 12 || block_shift > 16 || le32_at(super + 20) > 20)
		return -EUCLEAN;
	segment = UINT64_C(1) << (le32_at(super + 20) + block_shift);
	checkpoint = (uint64_t)le32_at(super + 76) << block_shift;
	memcpy(print->uuid, super + 108, 16);
	writer_init(&w, print->value, sizeof(print->value));
	for (int i = 0; i < 2; i++) {
		struct checksum sum;

		r = fd_pread_full(fd, buffer, PAGE_BYTES, checkpoint + (uint64_t)i * segment);
		if (r < 0)
			return r;
		sum = checksum_of(buffer, PAGE_BYTES);
		put_u64(&w, le64_at(buffer)); /* version */
		put_bytes(&w, sum.bytes, 8);
	}
	return w.overrun ? -EOVERFLOW : 0;
}

/* ---- vfat -------------------------------------------------------------- */

#define VFAT_PART_MAX (1 * MIB)

struct vfat {
	uint64_t fat, fat_size;   /* bytes */
	uint64_t root, root_size; /* bytes */
	uint8_t mounted;          /* the flag */
};

static int vfat_decode(const char *boot, struct vfat *v, uint8_t serial[4])
{
	uint32_t sector = le16_at(boot + 11), cluster = (uint8_t)boot[13], reserved = le16_at(boot + 14);
	uint32_t fats = (uint8_t)boot[16], entries = le16_at(boot + 17), fat_sectors = le16_at(boot + 22);
	bool wide = memcmp(boot + 82, "FAT32   ", 8) == 0;
	uint64_t data;

	if (le16_at(boot + 510) != 0xaa55)
		return -ENODATA;
	if (!wide && memcmp(boot + 54, "FAT16   ", 8) != 0 && memcmp(boot + 54, "FAT12   ", 8) != 0)
		return -ENODATA;
	if (wide)
		fat_sectors = le32_at(boot + 36);
	if (sector < 512 || sector > 4096 || sector & (sector - 1) || !cluster || cluster & (cluster - 1) || !reserved ||
	    !fats || !fat_sectors || (wide && le32_at(boot + 44) < 2))
		return -EUCLEAN;
	v->fat = (uint64_t)reserved * sector;
	v->fat_size = (uint64_t)fat_sectors * sector;
	data = v->fat + fats * v->fat_size;
	v->root = wide ? data + (uint64_t)(le32_at(boot + 44) - 2) * cluster * sector : data;
	v->root_size = wide ? (uint64_t)cluster * sector : round_up((uint64_t)entries * 32, sector);
	v->mounted = (uint8_t)boot[wide ? 65 : 37];
	memcpy(serial, boot + (wide ? 67 : 39), 4);
	return 0;
}

/* Checksum of up to VFAT_PART_MAX bytes at @at: each piece is summed together with the sum before. */
static int vfat_sum(int fd, char *buffer, uint64_t at, uint64_t size, struct checksum *sum)
{
	char *piece = buffer + PAGE_BYTES, *before = piece - CHECKSUM_BYTES;

	*sum = (struct checksum){0};
	for (size = MIN(size, VFAT_PART_MAX); size;) {
		size_t n = MIN(size, FINGERPRINT_BUFFER_BYTES - PAGE_BYTES);
		int r = fd_pread_full(fd, piece, n, at);

		if (r < 0)
			return r;
		memcpy(before, sum->bytes, CHECKSUM_BYTES);
		*sum = checksum_of(before, CHECKSUM_BYTES + n);
		at += n;
		size -= n;
	}
	return 0;
}

static int read_vfat(int fd, char *buffer, struct fingerprint *print)
{
	uint8_t serial[4] = {0};
	struct checksum fat, root;
	struct vfat v = {0};
	struct writer w;
	int r = fd_pread_full(fd, buffer, PAGE_BYTES, 0);

	if (r == 0)
		r = vfat_decode(buffer, &v, serial);
	if (r == 0)
		r = vfat_sum(fd, buffer, v.fat, v.fat_size, &fat);
	if (r == 0)
		r = vfat_sum(fd, buffer, v.root, v.root_size, &root);
	if (r < 0)
		return r;
	memset(print->uuid, 0, sizeof(print->uuid));
	memcpy(print->uuid, serial, sizeof(serial));
	writer_init(&w, print->value, sizeof(print->value));
	put_bytes(&w, fat.bytes, sizeof(fat.bytes));
	put_bytes(&w, root.bytes, sizeof(root.bytes) - 1);
	put_u8(&w, v.mounted);
	return w.overrun ? -EOVERFLOW : 0;
}

static const struct fingerprint_fs filesystems[] = {
	[FINGERPRINT_EXT] = {"ext", false, {"ext4", "ext3", "ext2"}, read_ext},
	[FINGERPRINT_XFS] = {"xfs", false, {"xfs"}, read_xfs},
	[FINGERPRINT_BTRFS] = {"btrfs", false, {"btrfs"}, read_btrfs},
	[FINGERPRINT_F2FS] = {"f2fs", false, {"f2fs"}, read_f2fs},
	[FINGERPRINT_VFAT] = {"vfat", true, {"vfat", "msdos"}, read_vfat},
};
_Static_assert(ARRAY_LENGTH(filesystems) == _FINGERPRINT_KIND_MAX, "each kind has a row");

const struct fingerprint_fs *fingerprint_fs_of(enum fingerprint_kind kind)
{
	return kind >= FINGERPRINT_EXT && kind < _FINGERPRINT_KIND_MAX ? &filesystems[kind] : NULL;
}
