/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dropping an image by hand. The mark of an area that is not in use is disarmed here; an active swap area
 * can only be written by who holds a snapshot session, which is the daemon.
 */
#include "cli/image-commands.h"

#include "area/swaps.h"
#include "base/fdio.h"
#include "cli/image-source.h"
#include "cli/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* 1 if @path is an active swap area, 0 if not, or -errno with @f. */
static int is_active(const char *path, struct failure *f)
{
	struct sysctx sys = sysctx_host();
	struct swap_entry entries[SWAPS_MAX];
	struct stat st, other;
	int count;

	if (stat(path, &st) < 0)
		return failure_set(f, REASON_NO_AREA, errno, path, NULL, "cannot be looked at");
	count = swaps_read(&sys, entries);
	if (count == -ENOENT) /* a kernel without swap */
		return 0;
	if (count < 0)
		return failure_set(f, REASON_INTERNAL, -count, "/proc/swaps", NULL, "cannot be read");
	for (int i = 0; i < count; i++)
		if (stat(entries[i].name, &other) == 0 && same_file(&st, &other))
			return 1;
	return 0;
}

static int ask_daemon(const char *path, struct failure *f)
{
	execl(BINDIR "/hibernatectl", "hibernatectl", "discard", path, (char *)NULL);
	return failure_set(f, REASON_INTERNAL, errno, BINDIR "/hibernatectl",
			   "Turn the area off with swapoff, then try again.",
			   "needed to discard the image of an active swap area, and cannot be started");
}

/* Is there anything that mark_disarm() would not find its business? */
static int check_ours(const struct image_source *source, struct failure *f)
{
	int r;

	if (source->bare)
		return failure_set(f, REASON_NO_IMAGE, ENODATA, source->path, "Nothing will resume it.",
				   "an image without a mark at byte %llu", (unsigned long long)source->position);
	if (source->mark.kind == MARK_DAMAGED)
		return 0;
	r = image_source_check(source, f);
	return r;
}

static int disarm(const struct image_options *options, bool block, struct failure *f)
{
	AUTO_FREE void *buffer = aligned_alloc(PAGE_BYTES, MARK_BUFFER_BYTES);
	AUTO_CLOSE int fd = open(options->path, O_RDWR | O_CLOEXEC | O_NOCTTY | (block ? O_DIRECT : 0));
	struct mark_io io = {.fd = fd, .position = options->offset, .buffer = buffer, .name = options->path};

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return failure_set(f, REASON_PERMISSION, errno, options->path, "Try as root.", "cannot be written");
	if (fd < 0)
		return failure_set(f, REASON_IO, errno, options->path, NULL, "cannot be written");
	if (!buffer)
		return failure_set(f, REASON_INTERNAL, ENOMEM, options->path, NULL, "no memory");
	return mark_disarm(&io, MARK_DROP_DISCARDED, f);
}

static void print_result(const struct image_options *options, bool discarded)
{
	struct json json = {.out = stdout};

	if (options->json) {
		json_open(&json, NULL);
		json_string(&json, "path", options->path);
		json_bool(&json, "discarded", discarded);
		json_close(&json);
	} else {
		printf("%s: %s\n", options->path,
		       discarded ? "image discarded; the area is ordinary swap again" : "no armed image; nothing to discard");
	}
}

int image_discard(const struct image_options *options, struct failure *f)
{
	struct image_source source = IMAGE_SOURCE_INIT;
	bool armed = false, block = false;
	int r = image_source_open(&source, options->path, options->offset, f);

	if (r >= 0)
		r = check_ours(&source, f);
	if (r >= 0) {
		armed = source.mark.kind == MARK_ARMED || source.mark.kind == MARK_DAMAGED ||
			source.mark.state == MARK_STATE_IN_PROGRESS;
		block = source.block;
	}
	image_source_deinit(&source);
	if (r >= 0 && armed) {
		r = is_active(options->path, f);
		if (r >= 0)
			r = r ? ask_daemon(options->path, f) : disarm(options, block, f);
	}
	if (r >= 0)
		print_result(options, armed);
	return r;
}
