/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/find.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ABSENT_MESSAGE_USEC (3 * USEC_PER_SEC)

static int wait_for_device(void *data, uint64_t waited_usec)
{
	struct resume *r = data;

	if (waited_usec >= ABSENT_MESSAGE_USEC && !r->said_absent) {
		r->said_absent = true;
		keys_open(&r->keys, &r->sys, r->config.abort_esc, r->config.abort_power);
		console_say(&r->console, "hibernated: waiting for %s, which may hold an image (Esc: go on without)",
			    r->config.resume_device);
	}
	return keys_aborted(&r->keys) ? -ECANCELED : 0;
}

/* With "auto" no device is expected, so there is none to wait for; unless somebody says how long. */
static uint64_t patience(const struct config *config)
{
	bool expected = strcmp(config->resume_device, AREA_AUTO) != 0 || config->origins[CONFIG_RESUME_WAIT].file[0];

	return expected ? config->resume_wait_usec : 0;
}

/* Read the mark and judge it. True if there is an image to resume. */
bool find_image(struct resume *r, struct failure *f)
{
	uint64_t offset = r->config.resume_offset;
	int fd, result = area_find_resume(&r->place, &r->sys, r->config.resume_device, offset,
					  patience(&r->config), wait_for_device, r, f);

	if (result < 0) {
		if (f->reason == REASON_NO_IMAGE)
			*f = (struct failure){0};
		return false;
	}
	fd = area_place_open(&r->place, &r->sys, O_RDONLY, f);
	if (fd < 0)
		return false;
	r->mark_io.fd = fd;
	r->mark_io.position = r->place.first_page;
	r->mark_io.name = r->place.device;
	if (mark_read(&r->mark_io, &r->mark, f) < 0)
		return false;
	switch (r->mark.kind) {
	case MARK_ARMED:
	case MARK_DAMAGED: /* armed, as far as one can know: not to be passed either */
		return true;
	case MARK_NONE:
	case MARK_SWAP:
	case MARK_DROPPED:
		return false;
	case MARK_KERNEL:
	case MARK_USWSUSP:
	case MARK_OTHER:
		log_line(&r->log, LOG_LEVEL_NOTICE, "%s: somebody else's image (%s), left alone", r->place.device,
			 mark_kind_name(r->mark.kind));
		return false;
	case _MARK_KIND_MAX:
	case _MARK_KIND_INVALID:
		break;
	}
	return false;
}

int find_check(const struct resume *r, struct failure *f)
{
	if (r->mark.kind == MARK_ARMED)
		return 0;
	if (r->mark.version != MARK_VERSION)
		return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, r->place.device,
				   "Boot the hibernated that wrote it, or without the image.",
				   "the mark of the image has version %u, this program knows %d", r->mark.version, MARK_VERSION);
	return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, r->place.device, "Boot without it.",
			   "the mark of the image is damaged");
}

/*
 * Before anything is loaded: an image on a device that cannot be written can be neither entered, since its mark must
 * change first, nor dropped.
 */
int find_writable(struct resume *r, struct failure *f)
{
	int fd;

	if (r->writable)
		return 0;
	fd = area_place_open(&r->place, &r->sys, O_RDWR, f);
	if (fd < 0)
		return fd;
	fd_close(r->mark_io.fd);
	r->mark_io.fd = fd;
	r->writable = true;
	return 0;
}

static enum mark_drop drop_of(enum reason reason)
{
	if (reason == REASON_STALE)
		return MARK_DROP_STALE;
	if (reason == REASON_IMAGE_DAMAGED || reason == REASON_IMAGE_VERSION || reason == REASON_WRONG_MACHINE ||
	    reason == REASON_WRONG_KERNEL || reason == REASON_UNAUTHENTIC)
		return MARK_DROP_UNREADABLE;
	return MARK_DROP_REFUSED;
}

/* Boot without it: nothing may find an armed image later. */
int find_drop(struct resume *r, const struct failure *why)
{
	struct failure f = {0};
	int result = find_writable(r, &f);

	if (result >= 0)
		result = mark_disarm(&r->mark_io, drop_of(why->reason), &f);
	if (result < 0) {
		log_failure(&r->log, &f);
		console_say(&r->console, "hibernated: the image cannot be dropped: powering off; noresume boots past it");
		return result;
	}
	log_line(&r->log, LOG_LEVEL_NOTICE, "%s: image dropped: %s", r->place.device,
		 mark_drop_phrase(drop_of(why->reason)));
	console_say(&r->console, "hibernated: image dropped; hibernate-image extract can still read it");
	return 0;
}
