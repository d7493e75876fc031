/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/area.h"
#include "area/block.h"
#include "area/header.h"
#include "area/mapping.h"
#include "area/mark-disk.h"
#include "area/mark.h"
#include "area/mounts.h"
#include "area/swaps.h"
#include "area/tags.h"
#include "base/fdio.h"
#include "tree.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HEADING "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
#define MOUNTS                                                                     \
	"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"                  \
	"30 21 8:5 / /data rw - xfs /dev/vda5 rw\n"                                \
	"31 21 0:40 /sub /btr\\040fs rw - btrfs /dev/vda6 rw,subvol=/sub\n"         \
	"32 21 0:5 / /run rw - tmpfs tmpfs rw\n"                                   \
	"33 21 8:3 / /boot rw - ext2 /dev/vda3 rw\n"

static struct tree tree;
static struct area area;
static struct failure failure;
static struct extent items[16];

/* ---- a filesystem's answers -------------------------------------------- */

static struct fake_fs {
	struct fiemap_extent extents[300];
	size_t count;
	struct {
		uint64_t logical, length, type, devid, physical;
	} chunks[100];
	size_t chunk_count;
	bool realtime;
	int fiemap_calls;
} fs;

static int fake_fiemap(struct fiemap *map)
{
	uint32_t n = 0;

	fs.fiemap_calls++;
	ck_assert(map->fm_flags & FIEMAP_FLAG_SYNC);
	for (size_t i = 0; i < fs.count && n < map->fm_extent_count; i++)
		if (fs.extents[i].fe_logical + fs.extents[i].fe_length > map->fm_start)
			map->fm_extents[n++] = fs.extents[i];
	map->fm_mapped_extents = n;
	return 0;
}

/* At most two chunks an answer, so that the search has to go on. */
static int fake_tree_search(struct btrfs_ioctl_search_args *args)
{
	size_t at = 0;
	uint32_t n = 0;

	ck_assert_uint_eq(args->key.tree_id, BTRFS_CHUNK_TREE_OBJECTID);
	for (size_t i = 0; i < fs.chunk_count && n < 2; i++) {
		struct btrfs_ioctl_search_header header = {.objectid = BTRFS_FIRST_CHUNK_TREE_OBJECTID,
			.offset = fs.chunks[i].logical, .type = BTRFS_CHUNK_ITEM_KEY, .len = sizeof(struct btrfs_chunk)};
		struct btrfs_chunk chunk = {.length = htole64(fs.chunks[i].length), .type = htole64(fs.chunks[i].type),
			.num_stripes = htole16(1), .stripe.devid = htole64(fs.chunks[i].devid),
			.stripe.offset = htole64(fs.chunks[i].physical)};

		if (header.offset < args->key.min_offset || header.offset > args->key.max_offset)
			continue;
		memcpy(args->buf + at, &header, sizeof(header));
		memcpy(args->buf + at + sizeof(header), &chunk, sizeof(chunk));
		at += sizeof(header) + sizeof(chunk);
		n++;
	}
	args->key.nr_items = n;
	return 0;
}

static int fake_ioctl(void *data, int fd, unsigned long request, void *argument)
{
	(void)data;
	(void)fd;
	switch (request) {
	case FS_IOC_FIEMAP:
		return fake_fiemap(argument);
	case FS_IOC_FSGETXATTR:
		((struct fsxattr *)argument)->fsx_xflags = fs.realtime ? FS_XFLAG_REALTIME : 0;
		return 0;
	case BTRFS_IOC_TREE_SEARCH:
		return fake_tree_search(argument);
	case BTRFS_IOC_DEV_INFO:
		ck_assert_uint_eq(((struct btrfs_ioctl_dev_info_args *)argument)->devid, 1);
		strcpy((char *)((struct btrfs_ioctl_dev_info_args *)argument)->path, "/dev/vda6");
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct sysctx_ops fake_ops = {.ioctl = fake_ioctl};

/* ---- a system ---------------------------------------------------------- */

static void attribute(const char *device, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/block/%s/%s", device, name);
	tree_write(&tree, path, text);
}

static void add_device(const char *name, unsigned int major_number, unsigned int minor_number, uint64_t size)
{
	char text[64], path[128], target[128];

	snprintf(text, sizeof(text), "%u:%u\n", major_number, minor_number);
	attribute(name, "dev", text);
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)(size / 512));
	attribute(name, "size", text);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major_number, minor_number);
	snprintf(target, sizeof(target), "../../devices/x/%s", name);
	tree_link(&tree, path, target);
	snprintf(path, sizeof(path), "/dev/%s", name);
	tree_sparse(&tree, path, size);
}

/* A swap header as mkswap makes it; UUID aa...a<last>, label "swap<last>". */
static void put_header(const char *path, uint32_t pages, int last)
{
	char page[PAGE_BYTES] = {0};
	struct swap_header_disk *header = (void *)page;
	int fd = open(tree_path(&tree, path), O_WRONLY | O_CLOEXEC);

	header->version = htole32(1);
	header->last_page = htole32(pages - 1);
	memset(header->uuid, 0xaa, sizeof(header->uuid));
	header->uuid[15] = (uint8_t)last;
	snprintf((char *)header->label, sizeof(header->label), "swap%d", last);
	memcpy(page + PAGE_BYTES - 10, "SWAPSPACE2", 10);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_pwrite_full(fd, page, sizeof(page), 0), 0);
	fd_close(fd);
}

static void set_swaps(const char *lines)
{
	char text[2048];

	snprintf(text, sizeof(text), HEADING "%s", lines);
	tree_write(&tree, "/proc/swaps", text);
}

static void setup(void)
{
	tree_init_with(&tree, &fake_ops, NULL);
	memset(&fs, 0, sizeof(fs));
	failure = (struct failure){0};
	add_device("vda1", 8, 1, 16 * MIB);
	add_device("vda2", 8, 2, 2 * MIB);
	add_device("vda3", 8, 3, 1 * MIB);
	add_device("vda4", 8, 4, 2 * MIB);
	add_device("vda5", 8, 5, 16 * MIB);
	add_device("vda6", 8, 6, 16 * MIB);
	put_header("/dev/vda2", 500, 2);
	put_header("/dev/vda4", 500, 4);
	attribute("vda2", "serial", "SER 42 \n");
	attribute("vda2", "uevent", "DEVNAME=vda2\nPARTUUID=ABCD-02\n");
	attribute("vda2", "start", "2048\n");
	attribute("vda2", "queue/logical_block_size", "4096\n");
	attribute("vda2", "queue/rotational", "1\n");
	attribute("vda2", "removable", "1\n");
	tree_write(&tree, "/proc/self/mountinfo", MOUNTS);
	set_swaps("/dev/vda2                               partition\t1996\t\t400\t\t-2\n");
	tree_write(&tree, "/etc/crypttab", "");
}

static void teardown(void)
{
	tree_deinit(&tree);
}

static int find(const char *spec)
{
	memset(&area, 0, sizeof(area));
	return area_find(&area, &tree.sys, spec, items, ARRAY_LENGTH(items), &failure);
}

static void expect_refused(const char *spec, int result, enum reason reason, const char *text)
{
	failure = (struct failure){0};
	ck_assert_int_eq(find(spec), result);
	ck_assert_msg(failure.reason == reason, "%s: %s", reason_name(failure.reason), failure.text);
	ck_assert_msg(strstr(failure.text, text), "\"%s\" does not say \"%s\"", failure.text, text);
}

/* ---- partitions -------------------------------------------------------- */

static const char *const partition_specs[] = {
	"auto", "/dev/vda2", "/dev/disk/by-x/link", "UUID=AAAAAAAA-aaaa-aaaa-aaaa-aaaaaaaaaa02", "LABEL=swap2", "PARTUUID=abcd-02",
};

START_TEST(partition_by_any_name)
{
	tree_link(&tree, "/dev/disk/by-x/link", "../../vda2");
	/* A link to a stand-in resolves to the file, whose name is then unknown; real nodes have numbers. */
	if (strstr(partition_specs[_i], "by-x")) {
		expect_refused(partition_specs[_i], -EINVAL, REASON_AREA_UNSUITABLE, "not active");
		return;
	}
	ck_assert_int_eq(find(partition_specs[_i]), 0);
	ck_assert_int_eq(area.kind, AREA_PARTITION);
	ck_assert_str_eq(area.name, "/dev/vda2");
	ck_assert_str_eq(area.device, "/dev/vda2");
	ck_assert_uint_eq(area.devno, makedev(8, 2));
	ck_assert_uint_eq(area.offset_pages, 0);
	ck_assert_uint_eq(area.size, 1996 * KIB);
	ck_assert_uint_eq(area.used, 400 * KIB);
	ck_assert_int_eq(area.priority, -2);
	ck_assert(area.removable && area.rotational);
	ck_assert_uint_eq(area.sector_size, 4096);
	ck_assert_uint_eq(area.extents.count, 1);
	ck_assert_uint_eq(area.extents.items[0].start, 0);
	ck_assert_uint_eq(area.extents.items[0].length, 500 * PAGE_BYTES);
	ck_assert_uint_eq(area.identity.swap_uuid[15], 2);
	ck_assert_uint_eq(area.identity.device_size, 2 * MIB);
	ck_assert_uint_eq(area.identity.partition_start, 2048 * 512);
	ck_assert_str_eq(area.identity.part_uuid, "abcd-02");
	ck_assert_str_eq(area.identity.device_id, "serial:SER 42");
	ck_assert_uint_eq(area_free_bytes(&area), 1596 * KIB);
}
END_TEST

START_TEST(auto_takes_the_highest_priority)
{
	set_swaps("/dev/vda2 partition 1996 0 -2\n/dev/vda4 partition 1996 0 5\n");
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_str_eq(area.name, "/dev/vda4");
	ck_assert_int_eq(find("/dev/vda2"), 0);
	ck_assert_str_eq(area.name, "/dev/vda2");
}
END_TEST

START_TEST(auto_passes_over_what_is_lost)
{
	add_device("zram0", 252, 0, 2 * MIB);
	put_header("/dev/zram0", 500, 7);
	set_swaps("/dev/zram0 partition 1996 0 100\n/dev/vda2 partition 1996 0 -2\n");
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_str_eq(area.name, "/dev/vda2");
	expect_refused("/dev/zram0", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "zram");
	set_swaps("/dev/zram0 partition 1996 0 100\n");
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "zram");
	set_swaps("/dev/zram0 partition 1996 0 100\n/swapfile\\040(deleted) file 1996 0 -2\n");
	expect_refused("auto", -EOPNOTSUPP, REASON_NO_AREA, "zram");
	ck_assert_ptr_nonnull(strstr(failure.text, "/swapfile: the swap file has been deleted"));
	/* Below a device-mapper device it is no better. */
	add_device("dm-3", 253, 3, 2 * MIB);
	put_header("/dev/dm-3", 500, 8);
	tree_write(&tree, "/sys/class/block/dm-3/slaves/zram0/x", "");
	set_swaps("/dev/dm-3 partition 1996 0 1\n");
	expect_refused("/dev/dm-3", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "zram");
}
END_TEST

static const struct {
	const char *uuid, *crypttab;
	bool by_auto, by_name;
} crypts[] = {
	{"CRYPT-LUKS2-0123-swap", "", true, true},
	{"LVM-abcdef", "", true, true},
	{"CRYPT-PLAIN-swap", "# swap /dev/sda2 /dev/urandom\nswap /dev/sda2 /dev/urandom swap\n", false, false},
	{"CRYPT-PLAIN-swap", "swap\t/dev/sda2\t/dev/random\tplain,swap\n", false, false},
	{"CRYPT-PLAIN-swap", "swap /dev/sda2 /etc/keys/swap plain\n", true, true},
	{"CRYPT-PLAIN-swap", "other /dev/sda2 /dev/urandom swap\n", false, true},
	{"CRYPT-PLAIN-swap", "", false, true},
};

START_TEST(keys_that_die_with_the_boot)
{
	char text[64];

	add_device("dm-0", 253, 0, 2 * MIB);
	put_header("/dev/dm-0", 500, 9);
	snprintf(text, sizeof(text), "%s\n", crypts[_i].uuid);
	attribute("dm-0", "dm/uuid", text);
	attribute("dm-0", "dm/name", "swap\n");
	tree_write(&tree, "/etc/crypttab", crypts[_i].crypttab);
	set_swaps("/dev/dm-0 partition 1996 0 -2\n");
	ck_assert_int_eq(find("auto"), crypts[_i].by_auto ? 0 : -EOPNOTSUPP);
	ck_assert_int_eq(find("/dev/dm-0"), crypts[_i].by_name ? 0 : -EOPNOTSUPP);
	if (crypts[_i].by_name) {
		snprintf(text, sizeof(text), "dm:%s", crypts[_i].uuid);
		ck_assert_str_eq(area.identity.device_id, text);
	} else {
		ck_assert_int_eq(failure.reason, REASON_AREA_UNSUITABLE);
	}
}
END_TEST

START_TEST(what_is_not_active_swap)
{
	set_swaps("");
	expect_refused("auto", -ENODEV, REASON_NO_AREA, "no swap is active");
	expect_refused("/dev/vda4", -EINVAL, REASON_AREA_UNSUITABLE, "not active");
	ck_assert_str_eq(failure.object, "/dev/vda4");
	expect_refused("UUID=aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaa04", -EINVAL, REASON_AREA_UNSUITABLE, "not active");
	expect_refused("/dev/vda3", -EBUSY, REASON_AREA_UNSUITABLE, "mounted on /boot");
	tree_write(&tree, "/proc/self/mountinfo", "");
	expect_refused("/dev/vda3", -EINVAL, REASON_AREA_UNSUITABLE, "not a swap area");
	expect_refused("/dev/nothing", -ENOENT, REASON_NO_AREA, "no such");
	expect_refused("UUID=1234", -ENODEV, REASON_NO_AREA, "no block device");
	expect_refused("vda2", -EINVAL, REASON_CONFIG, "not the name");
	expect_refused("UUID=", -EINVAL, REASON_CONFIG, "not the name");
	tree_write(&tree, "/swapfile", "x");
	expect_refused("/swapfile", -EINVAL, REASON_AREA_UNSUITABLE, "not active swap");
	expect_refused("/proc", -ENOTBLK, REASON_AREA_UNSUITABLE, "neither");
}
END_TEST

START_TEST(header_that_makes_no_sense)
{
	put_header("/dev/vda2", 513, 2);
	expect_refused("/dev/vda2", -EUCLEAN, REASON_AREA_UNSUITABLE, "513 pages");
	put_header("/dev/vda2", 512, 2);
	ck_assert_int_eq(find("/dev/vda2"), 0);
	tree_sparse(&tree, "/dev/vda2", 2 * MIB);
	expect_refused("/dev/vda2", -EUCLEAN, REASON_AREA_UNSUITABLE, "header");
}
END_TEST

START_TEST(room_is_counted)
{
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_int_eq(area_check_room(&area, 1596 * KIB, &failure), 0);
	ck_assert_int_eq(area_check_room(&area, 1596 * KIB + 1, &failure), -ENOSPC);
	ck_assert_int_eq(failure.reason, REASON_TOO_SMALL);
	ck_assert_ptr_nonnull(strstr(failure.text, "2 MiB are needed, but of 1 MiB"));
}
END_TEST

START_TEST(area_that_changes_is_noticed)
{
	ck_assert_int_eq(find("auto"), 0);
	set_swaps("/dev/vda2 partition 1996 800 -2\n");
	ck_assert_int_eq(area_check_owner(&area, &tree.sys, &failure), 0);
	ck_assert_int_eq(area_refresh(&area, &tree.sys, &failure), 0);
	ck_assert_uint_eq(area.used, 800 * KIB);
	/* Another header: mkswap and swapon again. */
	put_header("/dev/vda2", 500, 3);
	ck_assert_int_eq(area_refresh(&area, &tree.sys, &failure), -ESTALE);
	put_header("/dev/vda2", 500, 2);
	set_swaps("/dev/vda2 partition 1992 0 -2\n");
	ck_assert_int_eq(area_check_owner(&area, &tree.sys, &failure), -ESTALE);
	ck_assert_int_eq(failure.reason, REASON_AREA_UNSUITABLE);
	set_swaps("/dev/vda4 partition 1996 0 -2\n");
	ck_assert_int_eq(area_check_owner(&area, &tree.sys, &failure), -ESTALE);
	ck_assert_int_eq(area_refresh(&area, &tree.sys, &failure), -ESTALE);
	set_swaps("/dev/vda2 file 1996 0 -2\n");
	ck_assert_int_eq(area_check_owner(&area, &tree.sys, &failure), -ESTALE);
}
END_TEST

START_TEST(area_is_opened)
{
	ck_assert_int_eq(find("auto"), 0);
	int fd = area_open(&area, &tree.sys, O_RDWR, &failure);
	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	tree_remove(&tree, "/dev/vda2");
	ck_assert_int_eq(area_open(&area, &tree.sys, O_RDWR, &failure), -ENOENT);
	ck_assert_int_eq(failure.reason, REASON_IO);
}
END_TEST

/* ---- files ------------------------------------------------------------- */

/* Page numbers: in the file, on the device, length. */
static void add_extent(uint64_t logical, uint64_t physical, uint64_t pages, uint32_t flags)
{
	fs.extents[fs.count++] = (struct fiemap_extent){.fe_logical = logical * PAGE_BYTES, .fe_physical = physical * PAGE_BYTES,
		.fe_length = pages * PAGE_BYTES, .fe_flags = flags};
}

static void make_swap_file(const char *path, uint32_t pages, const char *escaped)
{
	char line[256];

	tree_sparse(&tree, path, pages * PAGE_BYTES);
	put_header(path, pages, 6);
	snprintf(line, sizeof(line), "%s file %u 0 -2\n", escaped, (pages - 1) * 4);
	set_swaps(line);
}

START_TEST(file_in_pieces)
{
	static const char *const specs[] = {"auto", "/swapfile", "/link", "/dev/vda1"};

	make_swap_file("/swapfile", 100, "/swapfile");
	tree_link(&tree, "/link", "swapfile");
	add_extent(0, 1000, 10, 0);
	add_extent(10, 500, 20, FIEMAP_EXTENT_UNWRITTEN);
	add_extent(30, 520, 30, 0);
	add_extent(60, 2000, 60, FIEMAP_EXTENT_LAST); /* longer than the file */
	ck_assert_int_eq(find(specs[_i]), 0);
	ck_assert_int_eq(area.kind, AREA_FILE);
	ck_assert_str_eq(area.name, "/swapfile");
	ck_assert_str_eq(area.device, "/dev/vda1");
	ck_assert_str_eq(area.filesystem, "ext4");
	ck_assert_uint_eq(area.devno, makedev(8, 1));
	ck_assert_uint_eq(area.offset_pages, 1000);
	ck_assert_uint_eq(area.extents.count, 3);
	ck_assert_uint_eq(area.extents.items[0].start, 500 * PAGE_BYTES);
	ck_assert_uint_eq(area.extents.items[0].length, 50 * PAGE_BYTES);
	ck_assert_uint_eq(area.extents.items[2].start, 2000 * PAGE_BYTES);
	ck_assert_uint_eq(area.extents.items[2].length, 40 * PAGE_BYTES);
	ck_assert_uint_eq(extent_list_total(&area.extents), 100 * PAGE_BYTES);
}
END_TEST

START_TEST(file_in_many_pieces)
{
	struct extent many[300];

	make_swap_file("/swapfile", 600, "/swapfile");
	for (uint64_t i = 0; i < 300; i++)
		add_extent(2 * i, 3600 - 4 * i, 2, 0);
	ck_assert_int_eq(area_find(&area, &tree.sys, "auto", many, 300, &failure), 0);
	ck_assert_int_eq(fs.fiemap_calls, 3);
	ck_assert_uint_eq(area.extents.count, 300);
	ck_assert_uint_eq(area.offset_pages, 3600);
	expect_refused("auto", -ENOSPC, REASON_TOO_SMALL, "more than 16 pieces");
}
END_TEST

/* Blocks of 1 KiB: parts of pages at either end of a piece do not count, as in the kernel. */
START_TEST(file_with_ragged_pieces)
{
	make_swap_file("/swapfile", 100, "/swapfile");
	add_extent(0, 1000, 10, 0);
	fs.extents[fs.count++] = (struct fiemap_extent){.fe_logical = 10 * PAGE_BYTES, .fe_physical = 500 * PAGE_BYTES + 1024,
		.fe_length = 50 * PAGE_BYTES};
	fs.extents[fs.count++] = (struct fiemap_extent){.fe_logical = 60 * PAGE_BYTES, .fe_physical = 550 * PAGE_BYTES + 1024,
		.fe_length = 2048 + 39 * PAGE_BYTES};
	fs.extents[fs.count++] = (struct fiemap_extent){.fe_logical = 99 * PAGE_BYTES + 2048, .fe_physical = 700 * PAGE_BYTES + 1024,
		.fe_length = 2048};
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_uint_eq(area.extents.count, 2);
	ck_assert_uint_eq(area.extents.items[0].start, 501 * PAGE_BYTES);
	ck_assert_uint_eq(area.extents.items[0].length, 88 * PAGE_BYTES);
	fs.extents[0].fe_physical += 1024;
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "does not begin on a page of the device, but 1024 bytes into one");
	fs.extents[0] = (struct fiemap_extent){.fe_physical = 1000 * PAGE_BYTES, .fe_length = 1024};
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "does not lie in one piece");
}
END_TEST

static const struct {
	uint32_t flags;
	uint64_t logical;
	const char *text;
} bad_extents[] = {
	{FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED, 10, "inside its inode"},
	{FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN, 10, "no place"},
	{FIEMAP_EXTENT_UNKNOWN, 10, "no known place"},
	{FIEMAP_EXTENT_ENCODED, 10, "compressed"},
	{FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED, 10, "is encrypted"},
	{FIEMAP_EXTENT_SHARED, 10, "shares extents"},
	{FIEMAP_EXTENT_DATA_TAIL, 10, "shares a block"},
	{FIEMAP_EXTENT_NOT_ALIGNED, 10, "not aligned"},
	{0, 11, "holes"},
};

START_TEST(files_that_the_kernel_would_refuse)
{
	make_swap_file("/swapfile", 100, "/swapfile");
	add_extent(0, 1000, 10, 0);
	add_extent(bad_extents[_i].logical, 2000, 100, bad_extents[_i].flags);
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, bad_extents[_i].text);
}
END_TEST

START_TEST(files_that_end_early_or_lie_twice)
{
	make_swap_file("/swapfile", 100, "/swapfile");
	add_extent(0, 1000, 90, FIEMAP_EXTENT_LAST);
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "holes");
	add_extent(90, 1005, 10, FIEMAP_EXTENT_LAST);
	expect_refused("auto", -EUCLEAN, REASON_AREA_UNSUITABLE, "two places");
	fs.extents[1].fe_physical = 16 * MIB - 5 * PAGE_BYTES;
	expect_refused("auto", -EUCLEAN, REASON_AREA_UNSUITABLE, "beyond the end of /dev/vda1");
}
END_TEST

START_TEST(deleted_file)
{
	set_swaps("/swapfile\\040(deleted) file 396 0 -2\n");
	expect_refused("auto", -ENOENT, REASON_AREA_UNSUITABLE, "deleted");
	ck_assert_str_eq(failure.object, "/swapfile");
	expect_refused("/swapfile", -ENOENT, REASON_AREA_UNSUITABLE, "deleted");
	/* A file that is really called so is alive. */
	make_swap_file("/swap (deleted)", 100, "/swap\\040(deleted)");
	add_extent(0, 1000, 100, 0);
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_str_eq(area.name, "/swap (deleted)");
}
END_TEST

START_TEST(file_on_xfs_and_elsewhere)
{
	make_swap_file("/data/swap", 100, "/data/swap");
	add_extent(0, 1000, 100, 0);
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_str_eq(area.device, "/dev/vda5");
	ck_assert_str_eq(area.filesystem, "xfs");
	fs.realtime = true;
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "realtime");
	make_swap_file("/run/swap", 100, "/run/swap");
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "tmpfs");
}
END_TEST

static void add_chunk(uint64_t logical, uint64_t pages, uint64_t type, uint64_t devid, uint64_t physical)
{
	size_t n = fs.chunk_count++;

	fs.chunks[n].logical = logical * PAGE_BYTES;
	fs.chunks[n].length = pages * PAGE_BYTES;
	fs.chunks[n].type = type;
	fs.chunks[n].devid = devid;
	fs.chunks[n].physical = physical * PAGE_BYTES;
}

START_TEST(file_on_btrfs)
{
	make_swap_file("/btr fs/swap", 100, "/btr\\040fs/swap");
	for (uint64_t i = 0; i < 9; i++)
		add_chunk(100 * i, 100, BTRFS_BLOCK_GROUP_METADATA | BTRFS_BLOCK_GROUP_DUP, 1, 8000);
	add_chunk(100000, 50, BTRFS_BLOCK_GROUP_DATA, 1, 1000);
	add_chunk(100050, 50, BTRFS_BLOCK_GROUP_DATA, 1, 3000);
	/* One extent runs over both chunks; the file begins in the second. */
	add_extent(0, 100070, 10, 0);
	add_extent(10, 100020, 50, 0);
	add_extent(60, 100000, 20, 0);
	add_extent(80, 100080, 20, 0);
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_str_eq(area.device, "/dev/vda6");
	ck_assert_str_eq(area.filesystem, "btrfs");
	ck_assert_uint_eq(area.offset_pages, 3020);
	ck_assert_uint_eq(area.extents.count, 2);
	ck_assert_uint_eq(area.extents.items[0].start, 1000 * PAGE_BYTES);
	ck_assert_uint_eq(area.extents.items[0].length, 50 * PAGE_BYTES);
	ck_assert_uint_eq(area.extents.items[1].start, 3000 * PAGE_BYTES);
	ck_assert_uint_eq(area.extents.items[1].length, 50 * PAGE_BYTES);
	ck_assert_int_eq(find("/dev/vda6"), 0);

	fs.chunks[10].type |= BTRFS_BLOCK_GROUP_RAID1;
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "profile");
	fs.chunks[10].type = BTRFS_BLOCK_GROUP_DATA;
	fs.chunks[10].devid = 2;
	expect_refused("auto", -EOPNOTSUPP, REASON_AREA_UNSUITABLE, "more than one device");
	fs.chunk_count = 10;
	expect_refused("auto", -EUCLEAN, REASON_AREA_UNSUITABLE, "no chunk");
}
END_TEST

START_TEST(file_that_moved_is_noticed)
{
	make_swap_file("/swapfile", 100, "/swapfile");
	add_extent(0, 1000, 100, 0);
	ck_assert_int_eq(find("auto"), 0);
	ck_assert_int_eq(area_refresh(&area, &tree.sys, &failure), 0);
	set_swaps("/swapfile\\040(deleted) file 396 0 -2\n");
	ck_assert_int_eq(area_check_owner(&area, &tree.sys, &failure), -ESTALE);
	set_swaps("/swapfile file 396 0 -2\n");
	ck_assert_int_eq(area_check_owner(&area, &tree.sys, &failure), 0);
	fs.extents[0].fe_physical = 1200 * PAGE_BYTES;
	ck_assert_int_eq(area_refresh(&area, &tree.sys, &failure), -ESTALE);
}
END_TEST

/* ---- tables of the kernel ---------------------------------------------- */

START_TEST(swaps_are_parsed)
{
	struct swap_entry entries[SWAPS_MAX];

	set_swaps("/a\\040b\\011c\\134d file 8 4 -3\n/dev/sda1 partition 16 0 10\n");
	ck_assert_int_eq(swaps_read(&tree.sys, entries), 2);
	ck_assert_str_eq(entries[0].name, "/a b\tc\\d");
	ck_assert(entries[0].file && !entries[1].file);
	ck_assert_uint_eq(entries[1].size, 16 * KIB);
	ck_assert_int_eq(entries[1].priority, 10);
	set_swaps("/dev/sda1 partition x 0 10\n");
	ck_assert_int_eq(swaps_read(&tree.sys, entries), -EUCLEAN);
	set_swaps("/dev/sda1 partition 8 16 10\n");
	ck_assert_int_eq(swaps_read(&tree.sys, entries), -EUCLEAN);
	tree_remove(&tree, "/proc/swaps");
	ck_assert_int_eq(swaps_read(&tree.sys, entries), 0);
}
END_TEST

START_TEST(mounts_are_found)
{
	struct mount_entry mount;

	ck_assert_int_eq(mounts_of_path(&tree.sys, "/btr fs/x/y", &mount), 0);
	ck_assert_str_eq(mount.type, "btrfs");
	ck_assert_str_eq(mount.target, "/btr fs");
	ck_assert_int_eq(mounts_of_path(&tree.sys, "/database", &mount), 0);
	ck_assert_str_eq(mount.target, "/");
	tree_write(&tree, "/proc/self/mountinfo", MOUNTS "40 21 8:9 / /data ro a:1 b:2 - vfat /dev/vda9 ro\njunk\n");
	ck_assert_int_eq(mounts_of_path(&tree.sys, "/data/x", &mount), 0);
	ck_assert_str_eq(mount.type, "vfat");
	ck_assert(!mount.writable);
	ck_assert_int_eq(mounts_of_device(&tree.sys, makedev(8, 77), NULL, &mount), -ENOENT);
	ck_assert_int_eq(mounts_of_device(&tree.sys, makedev(8, 77), "/dev/vda6", &mount), 0);
	ck_assert_str_eq(mount.type, "btrfs");
}
END_TEST

static const struct {
	const char *attribute, *text, *link, *id;
} ids[] = {
	{"wwid", "naa.5000c500\n", NULL, "wwid:naa.5000c500"},
	{"device/wwid", "t10.ATA     QEMU   QM00001 \n", NULL, "wwid:t10.ATA     QEMU   QM00001"},
	{"device/serial", "0x1234\n", NULL, "serial:0x1234"},
	{"device/cid", "15010030\n", NULL, "serial:15010030"},
	{"md/uuid", "11:22\n", NULL, "md:11:22"},
	{"serial", "bad\x01" "byte\n", NULL, "serial:bad?byte"},
	{"serial", "  \n", "../../devices/pci0000:00/0000:00:04.0/virtio1/block/vdz", "path:pci-0000:00:04.0"},
	{NULL, NULL, "../../devices/pci0000:00/0000:00:1f.2/ata1/host3/target3:0:0/3:0:0:0/block/sdz", "path:pci-0000:00:1f.2-scsi-0:0:0"},
	{NULL, NULL, "../../devices/virtual/block/md0", ""},
};

START_TEST(devices_have_names_of_their_own)
{
	struct block block = {.name = "sdz"};
	char id[IDENTITY_DEVICE_ID_MAX];
	char path[256] = "/sys/class/block/sdz";

	if (ids[_i].link) {
		tree_link(&tree, path, ids[_i].link);
		snprintf(path, sizeof(path), "/sys/%s", ids[_i].link + strlen("../../"));
	}
	if (ids[_i].attribute) {
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", ids[_i].attribute);
		tree_write(&tree, path, ids[_i].text);
	}
	block_device_id(&tree.sys, &block, id);
	ck_assert_str_eq(id, ids[_i].id);
}
END_TEST

START_TEST(partition_takes_its_disks_facts)
{
	struct block block;

	/* As in the real sysfs: the partition's directory lies in its disk's, and the class holds links. */
	tree_write(&tree, "/sys/devices/pci0000:00/0000:00:05.0/block/sdy/sdy1/dev", "8:241\n");
	tree_write(&tree, "/sys/devices/pci0000:00/0000:00:05.0/block/sdy/sdy1/partition", "1\n");
	tree_write(&tree, "/sys/devices/pci0000:00/0000:00:05.0/block/sdy/sdy1/size", "64\n");
	tree_write(&tree, "/sys/devices/pci0000:00/0000:00:05.0/block/sdy/sdy1/start", "8\n");
	tree_write(&tree, "/sys/devices/pci0000:00/0000:00:05.0/block/sdy/wwid", "eui.77\n");
	tree_write(&tree, "/sys/devices/pci0000:00/0000:00:05.0/block/sdy/queue/rotational", "1\n");
	tree_link(&tree, "/sys/class/block/sdy1", "../../devices/pci0000:00/0000:00:05.0/block/sdy/sdy1");
	ck_assert_int_eq(block_by_name(&tree.sys, "sdy1", &block), 0);
	ck_assert(block.partition && block.rotational);
	ck_assert_uint_eq(block.size, 64 * 512);
	ck_assert_uint_eq(block.start, 8 * 512);
	char id[IDENTITY_DEVICE_ID_MAX];
	block_device_id(&tree.sys, &block, id);
	ck_assert_str_eq(id, "wwid:eui.77");
	ck_assert_int_eq(block_by_name(&tree.sys, "../sdy1", &block), -ENODEV);
}
END_TEST

START_TEST(uuids_become_bytes)
{
	uint8_t bytes[16];

	ck_assert(tags_uuid_bytes("01234567-89ab-CDEF-0011-223344556677", bytes));
	ck_assert_uint_eq(bytes[0], 0x01);
	ck_assert_uint_eq(bytes[7], 0xef);
	ck_assert_uint_eq(bytes[15], 0x77);
	ck_assert(!tags_uuid_bytes("ABCD-1234", bytes));
	ck_assert_uint_eq(bytes[0], 0);
	ck_assert(!tags_uuid_bytes("01234567-89ab-CDEF-0011-22334455667788", bytes));
	ck_assert(!tags_uuid_bytes("not hex at all", bytes));
}
END_TEST

/* ---- resume ------------------------------------------------------------ */

static void arm(const char *device, const struct area_identity *identity)
{
	static char buffer[MARK_BUFFER_BYTES] __attribute__((aligned(PAGE_BYTES)));
	struct mark mark = {.image_id = {1}, .identity = *identity};
	int fd = open(tree_path(&tree, device), O_RDWR | O_CLOEXEC);
	struct mark_io io = {.fd = fd, .buffer = buffer, .name = device};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(mark_arm(&io, &mark, &failure), 0);
	fd_close(fd);
}

static int find_resume(struct area_place *place, const char *spec, uint64_t wait_usec, area_wait wait, void *data)
{
	failure = (struct failure){0};
	return area_find_resume(place, &tree.sys, spec, AREA_OFFSET_UNKNOWN, wait_usec, wait, data, &failure);
}

START_TEST(image_is_found_among_all_devices)
{
	struct area_place place;

	ck_assert_int_eq(find_resume(&place, "auto", 0, NULL, NULL), -ENODEV);
	ck_assert_int_eq(failure.reason, REASON_NO_IMAGE);
	ck_assert_int_eq(find("auto"), 0);
	arm("/dev/vda2", &area.identity);
	ck_assert_int_eq(find_resume(&place, "auto", 0, NULL, NULL), 0);
	ck_assert_str_eq(place.device, "/dev/vda2");
	ck_assert_uint_eq(place.devno, makedev(8, 2));
	ck_assert_uint_eq(place.first_page, 0);
	ck_assert_mem_eq(&place.identity, &area.identity, sizeof(place.identity));
	int fd = area_place_open(&place, &tree.sys, O_RDONLY, &failure);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}
END_TEST

/* The three carry the same image; whichever it speaks of is the one, in any order of looking. */
START_TEST(copies_come_after_the_original)
{
	static const char *const devices[] = {"/dev/vda2", "/dev/vda0", "/dev/vda9"};
	struct area_place place, original;

	add_device("vda0", 8, 20, 2 * MIB);
	add_device("vda9", 8, 21, 2 * MIB);
	ck_assert_int_eq(find_resume(&original, devices[_i], 0, NULL, NULL), 0);
	attribute("vda0", "serial", "0\n");
	attribute("vda9", "serial", "9\n");
	for (size_t i = 0; i < ARRAY_LENGTH(devices); i++)
		put_header(devices[i], 500, 2);
	ck_assert_int_eq(find_resume(&original, devices[_i], 0, NULL, NULL), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(devices); i++)
		if (i != (size_t)_i)
			arm(devices[i], &original.identity);
	ck_assert_int_eq(find_resume(&place, "auto", 0, NULL, NULL), 0);
	ck_assert_int_eq(area_identity_compare(&original.identity, &place.identity, place.device, &failure), -EXDEV);
	arm(devices[_i], &original.identity);
	ck_assert_int_eq(find_resume(&place, "auto", 0, NULL, NULL), 0);
	ck_assert_str_eq(place.device, devices[_i]);
}
END_TEST

START_TEST(resume_device_by_name)
{
	struct area_place place;

	for (size_t i = 1; i < ARRAY_LENGTH(partition_specs); i++) {
		if (strstr(partition_specs[i], "by-x"))
			continue;
		ck_assert_int_eq(find_resume(&place, partition_specs[i], 0, NULL, NULL), 0);
		ck_assert_str_eq(place.device, "/dev/vda2");
		ck_assert_uint_eq(place.identity.swap_uuid[15], 2);
	}
	/* A swap file: the filesystem's device and an offset. */
	ck_assert_int_eq(area_find_resume(&place, &tree.sys, "/dev/vda1", 1000 * PAGE_BYTES, 0, NULL, NULL, &failure), 0);
	ck_assert_uint_eq(place.first_page, 1000 * PAGE_BYTES);
	ck_assert_int_eq(find_resume(&place, "UUID=no", 0, NULL, NULL), -ENODEV);
	ck_assert_int_eq(failure.reason, REASON_NO_AREA);
	ck_assert_int_eq(find_resume(&place, "nonsense", 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(failure.reason, REASON_CONFIG);
}
END_TEST

static int appear(void *data, uint64_t waited)
{
	int *calls = data;

	(void)waited;
	if (++*calls == 2)
		add_device("vdb", 8, 40, 2 * MIB);
	return *calls == 9 ? -EINTR : 0;
}

START_TEST(device_that_comes_late)
{
	struct area_place place;
	int calls = 0;

	ck_assert_int_eq(find_resume(&place, "/dev/vdb", 5000000, appear, &calls), 0);
	ck_assert_int_eq(calls, 2);
	calls = 7;
	ck_assert_int_eq(find_resume(&place, "/dev/vdc", 5000000, appear, &calls), -EINTR);
	ck_assert_int_eq(failure.reason, REASON_ABORTED);
	calls = 20;
	ck_assert_int_eq(find_resume(&place, "/dev/vdc", 150000, appear, &calls), -ENODEV);
	ck_assert_int_eq(calls, 22);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("area");
	TCase *cases = tcase_create("area");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, partition_by_any_name, 0, ARRAY_LENGTH(partition_specs));
	tcase_add_test(cases, auto_takes_the_highest_priority);
	tcase_add_test(cases, auto_passes_over_what_is_lost);
	tcase_add_loop_test(cases, keys_that_die_with_the_boot, 0, ARRAY_LENGTH(crypts));
	tcase_add_test(cases, what_is_not_active_swap);
	tcase_add_test(cases, header_that_makes_no_sense);
	tcase_add_test(cases, room_is_counted);
	tcase_add_test(cases, area_that_changes_is_noticed);
	tcase_add_test(cases, area_is_opened);
	tcase_add_loop_test(cases, file_in_pieces, 0, 4);
	tcase_add_test(cases, file_in_many_pieces);
	tcase_add_test(cases, file_with_ragged_pieces);
	tcase_add_loop_test(cases, files_that_the_kernel_would_refuse, 0, ARRAY_LENGTH(bad_extents));
	tcase_add_test(cases, files_that_end_early_or_lie_twice);
	tcase_add_test(cases, deleted_file);
	tcase_add_test(cases, file_on_xfs_and_elsewhere);
	tcase_add_test(cases, file_on_btrfs);
	tcase_add_test(cases, file_that_moved_is_noticed);
	tcase_add_test(cases, swaps_are_parsed);
	tcase_add_test(cases, mounts_are_found);
	tcase_add_loop_test(cases, devices_have_names_of_their_own, 0, ARRAY_LENGTH(ids));
	tcase_add_test(cases, partition_takes_its_disks_facts);
	tcase_add_test(cases, uuids_become_bytes);
	tcase_add_test(cases, image_is_found_among_all_devices);
	tcase_add_loop_test(cases, copies_come_after_the_original, 0, 3);
	tcase_add_test(cases, resume_device_by_name);
	tcase_add_test(cases, device_that_comes_late);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
