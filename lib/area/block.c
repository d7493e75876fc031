/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/block.h"

#include "base/fdio.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define ATTRIBUTE_MAX 256
#define SECTOR 512u

ssize_t block_attribute(const struct sysctx *sys, const struct block *block, const char *name, char *buf, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/block/%s/%s", block->name, name);
	return sys_read(sys, path, buf, size);
}

/* The directory of a partition lies in that of its disk; "NAME/.." resolves behind the link. */
ssize_t block_disk_attribute(const struct sysctx *sys, const struct block *block, const char *name, char *buf, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", block->partition ? "../" : "", name);
	return block_attribute(sys, block, path, buf, size);
}

static uint64_t number_of(const char *text)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	return errno || end == text ? 0 : value;
}

static uint64_t number_attribute(const struct sysctx *sys, const struct block *block, bool disk, const char *name)
{
	char text[ATTRIBUTE_MAX];
	ssize_t n = disk ? block_disk_attribute(sys, block, name, text, sizeof(text))
			 : block_attribute(sys, block, name, text, sizeof(text));

	return n > 0 ? number_of(text) : 0;
}

int block_by_name(const struct sysctx *sys, const char *name, struct block *block)
{
	struct block found = {0};
	unsigned int major_number, minor_number;
	char text[ATTRIBUTE_MAX];
	uint64_t size, sector;

	if (strlen(name) >= sizeof(found.name) || strchr(name, '/') || name[0] == '.')
		return -ENODEV;
	snprintf(found.name, sizeof(found.name), "%s", name);
	snprintf(found.path, sizeof(found.path), "/dev/%s", name);
	for (char *c = found.path; *c; c++)
		if (*c == '!') /* sysfs for a slash */
			*c = '/';
	if (block_attribute(sys, &found, "dev", text, sizeof(text)) <= 0)
		return -ENODEV;
	if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
		return -ENODEV;
	found.devno = makedev(major_number, minor_number);
	found.partition = block_attribute(sys, &found, "partition", text, sizeof(text)) > 0;
	size = number_attribute(sys, &found, false, "size");
	if (size > UINT64_MAX / SECTOR)
		return -ENODEV;
	found.size = size * SECTOR;
	found.start = number_attribute(sys, &found, false, "start") * SECTOR;
	sector = number_attribute(sys, &found, true, "queue/logical_block_size");
	found.sector_size = sector >= SECTOR && sector <= PAGE_BYTES ? (uint32_t)sector : SECTOR;
	found.removable = number_attribute(sys, &found, true, "removable") != 0;
	found.rotational = number_attribute(sys, &found, true, "queue/rotational") != 0;
	*block = found;
	return 0;
}

int block_by_devno(const struct sysctx *sys, dev_t devno, struct block *block)
{
	char path[64], target[512];
	const char *name;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(devno), minor(devno));
	if (sys_readlink(sys, path, target, sizeof(target)) <= 0)
		return -ENODEV;
	name = strrchr(target, '/');
	return block_by_name(sys, name ? name + 1 : target, block);
}

int block_by_path(const struct sysctx *sys, const char *path, struct block *block)
{
	unsigned int major_number, minor_number;
	struct stat st;
	int r, n = 0;

	/* udev makes these links; where it does not run the numbers say as much. */
	if (sscanf(path, "/dev/block/%u:%u%n", &major_number, &minor_number, &n) == 2 && n && !path[n])
		return block_by_devno(sys, makedev(major_number, minor_number), block);
	r = sys_stat(sys, path, &st);
	if (r < 0)
		return r;
	if (S_ISBLK(st.st_mode))
		return block_by_devno(sys, st.st_rdev, block);
	if (sys->root >= 0 && S_ISREG(st.st_mode) && strncmp(path, "/dev/", 5) == 0)
		return block_by_name(sys, path + 5, block) < 0 ? -ENOTBLK : 0;
	return -ENOTBLK;
}

int block_each(const struct sysctx *sys, int (*each)(void *data, const struct block *block), void *data)
{
	int fd = sys_open(sys, "/sys/class/block", O_RDONLY | O_DIRECTORY);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (fd < 0)
		return fd;
	if (!dir) {
		fd_close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		struct block block;
		int r;

		if (entry->d_name[0] == '.' || block_by_name(sys, entry->d_name, &block) < 0)
			continue;
		r = each(data, &block);
		if (r != 0)
			return r;
	}
	return 0;
}

bool block_worth_reading(const struct block *block)
{
	static const char *const prefixes[] = {"ram", "zram", "fd", "sr", "loop"};

	for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++)
		if (strncmp(block->name, prefixes[i], strlen(prefixes[i])) == 0)
			return false;
	return block->size >= 2 * PAGE_BYTES;
}

/* ---- who it is --------------------------------------------------------- */

/* "PREFIX:text", without blanks at either end, unprintable bytes as '?'. False if there is no text. */
static bool make_id(char *out, const char *prefix, const char *text)
{
	size_t length;

	while (isspace((unsigned char)*text))
		text++;
	length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	if (!length)
		return false;
	snprintf(out, IDENTITY_DEVICE_ID_MAX, "%s:%.*s", prefix, (int)length, text);
	for (char *c = out; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	return true;
}

static bool is_pci_address(const char *text, size_t length)
{
	static const char pattern[] = "xxxx:xx:xx.x";

	if (length != sizeof(pattern) - 1)
		return false;
	for (size_t i = 0; i < length; i++)
		if (pattern[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != pattern[i])
			return false;
	return true;
}

/* "host:channel:target:lun"; *@rest gets what follows the host, whose number is not stable. */
static bool is_scsi_address(const char *text, size_t length, const char **rest)
{
	size_t colons = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == ':' && colons++ == 0)
			*rest = text + i + 1;
		if (text[i] != ':' && !isdigit((unsigned char)text[i]))
			return false;
	}
	return colons == 3;
}

/* The PCI address of the last controller on the way to the device, and the place behind it. */
static bool id_from_path(const struct sysctx *sys, const struct block *block, char *out)
{
	char link[128], target[512], place[64] = "";
	size_t length;

	snprintf(link, sizeof(link), "/sys/class/block/%s", block->name);
	if (sys_readlink(sys, link, target, sizeof(target)) <= 0)
		return false;
	for (const char *at = target; *at; at += length) {
		const char *rest = NULL;

		at += strspn(at, "/");
		length = strcspn(at, "/");
		if (is_pci_address(at, length))
			snprintf(place, sizeof(place), "pci-%.*s", (int)length, at);
		else if (place[0] && is_scsi_address(at, length, &rest))
			snprintf(place + strlen(place), sizeof(place) - strlen(place), "-scsi-%.*s",
				 (int)(at + length - rest), rest);
	}
	return make_id(out, "path", place);
}

void block_device_id(const struct sysctx *sys, const struct block *block, char out[IDENTITY_DEVICE_ID_MAX])
{
	/* The best name first. Attributes "disk" are those of a partition's disk. */
	static const struct {
		const char *attribute, *prefix;
		bool disk;
	} sources[] = {
		{"dm/uuid", "dm", false},       {"md/uuid", "md", true},       {"wwid", "wwid", true},
		{"device/wwid", "wwid", true},  {"serial", "serial", true},    {"device/serial", "serial", true},
		{"device/cid", "serial", true},
	};
	char text[ATTRIBUTE_MAX];

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
		ssize_t n = sources[i].disk ? block_disk_attribute(sys, block, sources[i].attribute, text, sizeof(text))
					    : block_attribute(sys, block, sources[i].attribute, text, sizeof(text));

		if (n > 0 && make_id(out, sources[i].prefix, text))
			return;
	}
	if (!id_from_path(sys, block, out))
		out[0] = '\0';
}

int block_open(const struct sysctx *sys, const struct block *block, int flags)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	int result;

	/* Some drivers let a read-only device be opened for writing, and refuse the writes. */
	if ((flags & O_ACCMODE) != O_RDONLY && number_attribute(sys, block, false, "ro") != 0)
		return -EROFS;
	fd = sys_open(sys, block->path, flags | O_NONBLOCK);

	/* A stand-in may lie on a filesystem without O_DIRECT. */
	if (fd == -EINVAL && sys->root >= 0)
		fd = sys_open(sys, block->path, (flags & ~O_DIRECT) | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode) ? st.st_rdev != block->devno : sys->root < 0)
		return -ESTALE;
	result = fd;
	fd = -1;
	return result;
}
