/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/fingerprint.h"

#include "area/block.h"
#include "area/fingerprint-fs.h"
#include "area/mounts.h"
#include "area/suitable.h"
#include "base/escape.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

const char *fingerprint_kind_name(enum fingerprint_kind kind)
{
	const struct fingerprint_fs *fs = fingerprint_fs_of(kind);

	return fs ? fs->name : NULL;
}

bool fingerprint_only_warns(enum fingerprint_kind kind)
{
	const struct fingerprint_fs *fs = fingerprint_fs_of(kind);

	return fs && fs->only_warns;
}

/* Read as filesystem @kind. Other fields than kind, uuid and value are left alone, and all of them on failure. */
static int read_kind(int fd, enum fingerprint_kind kind, void *buffer, struct fingerprint *print)
{
	const struct fingerprint_fs *fs = fingerprint_fs_of(kind);
	struct fingerprint found = *print;
	int r;

	if (!fs)
		return -EINVAL;
	memset(found.value, 0, sizeof(found.value));
	r = fs->read(fd, buffer, &found);
	if (r < 0)
		return r;
	found.kind = kind;
	*print = found;
	return 0;
}

int fingerprint_read(int fd, void *buffer, struct fingerprint *print)
{
	/* Filesystems with their mark at the beginning of the device first. */
	static const enum fingerprint_kind order[] = {FINGERPRINT_XFS, FINGERPRINT_BTRFS, FINGERPRINT_F2FS, FINGERPRINT_EXT,
						      FINGERPRINT_VFAT};

	for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
		int r = read_kind(fd, order[i], buffer, print);

		if (r != -ENODATA)
			return r;
	}
	return -ENODATA;
}

/* ---- before FREEZE ----------------------------------------------------- */

struct collection {
	const struct sysctx *sys;
	struct fingerprint_set *set;
	void *buffer;
	dev_t seen[4 * FINGERPRINTS_MAX];
	size_t seen_count;
};

static enum fingerprint_kind kind_of(const char *type)
{
	for (int kind = FINGERPRINT_EXT; kind < _FINGERPRINT_KIND_MAX; kind++) {
		const struct fingerprint_fs *fs = fingerprint_fs_of(kind);

		for (size_t i = 0; i < ARRAY_LENGTH(fs->types) && fs->types[i]; i++)
			if (strcmp(fs->types[i], type) == 0)
				return kind;
	}
	return _FINGERPRINT_KIND_INVALID;
}

static bool already_seen(struct collection *c, dev_t devno)
{
	for (size_t i = 0; i < c->seen_count; i++)
		if (c->seen[i] == devno)
			return true;
	if (c->seen_count < ARRAY_LENGTH(c->seen))
		c->seen[c->seen_count++] = devno;
	return false;
}

/* The block device below @mount. False if there is none, or if reading it could hang while the system is frozen. */
static bool device_below(const struct sysctx *sys, const struct mount_entry *mount, struct block *block)
{
	if (block_by_devno(sys, mount->devno, block) < 0 && block_by_path(sys, mount->source, block) < 0)
		return false;
	return block_check_suitable(sys, block, block->path, false, NULL) == 0;
}

static void device_identity(const struct sysctx *sys, const struct block *block, char out[FINGERPRINT_DEVICE_MAX])
{
	char id[IDENTITY_DEVICE_ID_MAX];

	block_device_id(sys, block, id);
	if (id[0] && block->partition)
		snprintf(out, FINGERPRINT_DEVICE_MAX, "%.70s+%llu", id, (unsigned long long)(block->start / 512));
	else
		snprintf(out, FINGERPRINT_DEVICE_MAX, "%s", id);
}

static int add_source(struct collection *c, const struct mount_entry *mount, const struct block *block,
		      enum fingerprint_kind kind)
{
	struct fingerprint_set *set = c->set;
	struct fingerprint_source source = {.fd = block_open(c->sys, block, O_RDONLY | O_DIRECT)};

	if (source.fd < 0)
		return source.fd;
	if (read_kind(source.fd, kind, c->buffer, &source.print) < 0) {
		fd_close(source.fd);
		return -ENODATA;
	}
	memset(source.print.value, 0, sizeof(source.print.value));
	source.print.device_size = block->size;
	device_identity(c->sys, block, source.print.device_id);
	snprintf(source.print.mount, sizeof(source.print.mount), "%.63s", mount->target);
	/* Root takes the first place, also when the list is full. */
	if (strcmp(mount->target, "/") == 0 && set->count) {
		struct fingerprint_source first = set->items[0];

		set->items[0] = source;
		source = first;
	}
	if (set->count == FINGERPRINTS_MAX) {
		fd_close(source.fd);
		set->dropped++;
		return 0;
	}
	set->items[set->count++] = source;
	return 0;
}

static int collect_one(void *data, const struct mount_entry *mount)
{
	struct collection *c = data;
	enum fingerprint_kind kind = kind_of(mount->type);
	struct block block;

	/* Without a device number of a driver and without a known type there is no disk behind it. */
	if (kind == _FINGERPRINT_KIND_INVALID && major(mount->devno) == 0)
		return 0;
	if (!device_below(c->sys, mount, &block) || already_seen(c, block.devno))
		return 0;
	if (kind == _FINGERPRINT_KIND_INVALID || add_source(c, mount, &block, kind) < 0)
		c->set->unknown += mount->writable;
	return 0;
}

int fingerprint_collect(struct fingerprint_set *set, const struct sysctx *sys, void *buffer, struct failure *f)
{
	struct collection c = {.sys = sys, .set = set, .buffer = buffer};
	int r;

	set->count = set->dropped = set->unknown = 0;
	r = mounts_each(sys, collect_one, &c);
	if (r < 0) {
		fingerprint_set_deinit(set);
		return failure_set(f, REASON_IO, -r, "/proc/self/mountinfo", NULL, "the mounted filesystems cannot be listed");
	}
	return 0;
}

void fingerprint_set_deinit(struct fingerprint_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		fd_close(set->items[i].fd);
	set->count = 0;
}

int fingerprint_read_all(const struct fingerprint_set *set, void *buffer, struct fingerprint *prints,
			 uint32_t *count, struct failure *f)
{
	for (size_t i = 0; i < set->count; i++) {
		char mount[2 * FINGERPRINT_MOUNT_MAX];
		int r;

		prints[i] = set->items[i].print;
		r = read_kind(set->items[i].fd, set->items[i].print.kind, buffer, &prints[i]);
		if (r == 0 && memcmp(prints[i].uuid, set->items[i].print.uuid, sizeof(prints[i].uuid)) != 0)
			r = -EUCLEAN;
		escape_text(prints[i].mount, sizeof(prints[i].mount), mount, sizeof(mount));
		if (r < 0)
			return failure_set(f, REASON_IO, -r, mount, "Check the disk.",
					   "the state of this filesystem cannot be read from its device");
	}
	*count = (uint32_t)set->count;
	return 0;
}

/* ---- at resume --------------------------------------------------------- */

int fingerprint_compare(const struct fingerprint *recorded, const struct fingerprint *now, const char *device,
			struct failure *f)
{
	char mount[2 * FINGERPRINT_MOUNT_MAX];

	/* An image's words, of an unsealed one without anybody who vouches for them, go to a console. */
	escape_text(recorded->mount, sizeof(recorded->mount), mount, sizeof(mount));
	if (recorded->kind != now->kind || memcmp(recorded->uuid, now->uuid, sizeof(now->uuid)) != 0)
		return failure_set(f, REASON_WRONG_MACHINE, EXDEV, device, NULL,
				   "this is not the filesystem that was mounted on %s", mount);
	if (memcmp(recorded->value, now->value, sizeof(now->value)) != 0)
		return failure_set(f, REASON_STALE, ESTALE, device,
				   "The image cannot be resumed any more without destroying data; boot without it.",
				   "the filesystem mounted on %s (%s) was written after the image was taken", mount,
				   fingerprint_kind_name(recorded->kind));
	return 0;
}

enum rank {
	RANK_ABSENT,
	RANK_CHANGED,  /* the same UUID on another device, with another value */
	RANK_SAME,     /* the same UUID on another device, with the recorded value */
	RANK_IDENTITY, /* the recorded device */
};

struct check {
	const struct sysctx *sys;
	const struct fingerprint *recorded;
	size_t count;
	void *buffer;
	struct candidate {
		enum rank rank;
		char device[BLOCK_PATH_MAX];
		struct fingerprint now;
	} best[FINGERPRINTS_MAX];
};

static void offer(struct check *check, size_t i, const struct block *block, const struct fingerprint *now, const char *id)
{
	const struct fingerprint *recorded = &check->recorded[i];
	struct candidate *best = &check->best[i];
	enum rank rank = RANK_CHANGED;

	if (memcmp(recorded->uuid, now->uuid, sizeof(now->uuid)) != 0)
		return;
	if (memcmp(recorded->value, now->value, sizeof(now->value)) == 0)
		rank = RANK_SAME;
	if (recorded->device_id[0] && strcmp(recorded->device_id, id) == 0)
		rank = RANK_IDENTITY;
	if (rank <= best->rank)
		return;
	best->rank = rank;
	best->now = *now;
	snprintf(best->device, sizeof(best->device), "%s", block->path);
}

static int check_device(void *data, const struct block *block)
{
	struct check *check = data;
	AUTO_CLOSE int fd = -1;
	char id[FINGERPRINT_DEVICE_MAX];

	if (!block_worth_reading(block))
		return 0;
	fd = block_open(check->sys, block, O_RDONLY | O_DIRECT);
	if (fd < 0)
		return 0;
	device_identity(check->sys, block, id);
	for (int kind = FINGERPRINT_EXT; kind < _FINGERPRINT_KIND_MAX; kind++) {
		struct fingerprint now = {0};
		bool wanted = false;

		for (size_t i = 0; i < check->count; i++)
			wanted |= check->recorded[i].kind == (enum fingerprint_kind)kind;
		if (!wanted || read_kind(fd, kind, check->buffer, &now) < 0)
			continue;
		for (size_t i = 0; i < check->count; i++)
			if (check->recorded[i].kind == now.kind)
				offer(check, i, block, &now, id);
	}
	return 0;
}

int fingerprint_check_all(const struct sysctx *sys, const struct fingerprint *recorded, size_t count, void *buffer,
			  struct fingerprint_result *result, struct failure *f)
{
	struct check check = {.sys = sys, .recorded = recorded, .count = count, .buffer = buffer};
	struct fingerprint_result found = {0};
	int r, worst = 0;

	if (count > FINGERPRINTS_MAX)
		return failure_set(f, REASON_IMAGE_DAMAGED, E2BIG, NULL, NULL, "the image lists %zu filesystems, more than %d", count,
				   FINGERPRINTS_MAX);
	r = block_each(sys, check_device, &check);
	if (r < 0)
		return failure_set(f, REASON_IO, -r, "/sys/class/block", NULL, "the block devices cannot be listed");
	for (size_t i = 0; i < count; i++) {
		struct failure why;

		if (check.best[i].rank == RANK_ABSENT) {
			found.absent++;
			continue;
		}
		found.checked++;
		r = fingerprint_compare(&recorded[i], &check.best[i].now, check.best[i].device, &why);
		if (r < 0 && fingerprint_only_warns(recorded[i].kind)) {
			if (!found.warnings++)
				found.warning = why;
		} else if (r < 0 && !worst) {
			worst = r;
			if (f)
				*f = why;
		}
	}
	*result = found;
	return worst;
}
