/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mark on an area's first page: is there an image, whose, and where does it begin.
 *
 * The first page of a swap area holds the swap header and, in its last ten bytes, the signature. Arming
 * changes the signature to ULSUSPEND, which keeps swapon and udev away, and writes our record in front of it.
 * Record and signature lie in the last 512 bytes of the page: one sector, so that a power cut leaves either
 * the old or the new mark. In a swap header this space belongs to the list of bad pages, which is empty
 * on any disk of our time; a header whose list reaches it is refused.
 *
 *   SWAPSPACE2 --arm--> ULSUSPEND, armed --begin_resume--> SWAPSPACE2, in progress --(restored)--> resumed
 *                              |    ^-------rearm------------------'
 *                              '--disarm--> SWAPSPACE2, disarmed and why
 *
 * A record with an ordinary swap signature is a note about the past: it never leads to a resume, whatever
 * its state says. swapon may put the signature back over an armed record: that counts as disarmed.
 * Everything but our own is recognized and never touched: S1SUSPEND and LINHIB0001 (the kernel's), S2SUSPEND,
 * TuxOnIce's bytes, and ULSUSPEND without a record of ours (uswsusp's).
 *
 * All functions work on an O_DIRECT descriptor of the block device, write the whole page, flush it to the
 * medium (fdatasync) and read it back. They allocate nothing. Kernel fact: an active swap partition can only
 * be written while a snapshot session has named it with SET_SWAP_AREA; -ETXTBSY otherwise (REASON_BUSY).
 */
#pragma once

#include "area/identity.h"
#include "base/failure.h"
#include "base/util.h"

#define MARK_BUFFER_BYTES (2 * PAGE_BYTES)
#define MARK_SIGNATURE_BYTES 10

/* Of the record; another one is not understood. */
#define MARK_VERSION 1

enum mark_kind {
	MARK_NONE,     /* not a swap area */
	MARK_SWAP,     /* a swap area without a record of ours */
	MARK_ARMED,    /* an image of ours, waiting to be resumed */
	MARK_DROPPED,  /* a swap area with a record of ours that is over; @state and @drop say how */
	MARK_DAMAGED,  /* ULSUSPEND and our magic, but the record is of an unknown version or damaged */
	MARK_KERNEL,   /* the kernel's own image */
	MARK_USWSUSP,  /* ULSUSPEND without a record of ours */
	MARK_OTHER,    /* S2SUSPEND, TuxOnIce */
	_MARK_KIND_MAX,
	_MARK_KIND_INVALID = -1,
};

enum mark_state {
	MARK_STATE_ARMED = 1,
	MARK_STATE_IN_PROGRESS, /* a boot kernel was about to enter the image */
	MARK_STATE_RESUMED,     /* the image came back to life and said so */
	MARK_STATE_DISARMED,    /* dropped, see enum mark_drop */
	_MARK_STATE_MAX,
	_MARK_STATE_INVALID = -1,
};

/* Why an image was dropped. The numbers are on the disk. */
enum mark_drop {
	MARK_DROP_NONE,
	MARK_DROP_FAILED,      /* hibernating failed after the commit point: power-off refused and the like */
	MARK_DROP_SAME_BOOT,   /* found armed by the very boot that wrote it */
	MARK_DROP_BOOTED,      /* an ordinary boot, without a resume step */
	MARK_DROP_REFUSED,     /* the user chose to boot without it */
	MARK_DROP_STALE,       /* a filesystem of the image was written since */
	MARK_DROP_UNREADABLE,  /* damaged, of another version, machine or kernel */
	MARK_DROP_DISCARDED,   /* hibernate-image discard */
	MARK_DROP_TAKEN,       /* swapon put the swap signature back; never written, only reported */
	MARK_DROP_WOKE,        /* hybrid: the system woke up from RAM */
	MARK_DROP_IN_USE,      /* found armed on swap in use, though this boot has not written it */
	_MARK_DROP_MAX,
	_MARK_DROP_INVALID = -1,
};

/* Numbers of the saving half. */
struct mark_save {
	uint64_t created_usec; /* CLOCK_REALTIME at CREATE_IMAGE */
	uint64_t save_usec;    /* from the request to the commit point */
	uint64_t freeze_usec;  /* of that, in FREEZE */
	uint64_t create_usec;  /* in CREATE_IMAGE */
	uint64_t slots_usec;   /* allocating slots */
	uint64_t write_usec;   /* moving pages */
	uint64_t stored_bytes; /* on the disk */
	uint64_t pages;
};

/* Numbers of the boot half, left on the area for the restored system to read. */
struct mark_boot {
	uint64_t started_usec; /* CLOCK_REALTIME at which the resume step began */
	uint64_t start_usec;   /* CLOCK_MONOTONIC of the boot kernel at that moment: time since it started */
	uint64_t load_usec;    /* moving pages */
	uint64_t total_usec;   /* from the beginning of the resume step to ATOMIC_RESTORE */
	uint64_t loaded_bytes; /* from the disk */
	uint32_t tries;        /* begun resumes of this image, this one included */
};

struct mark {
	enum mark_kind kind;
	uint32_t version;            /* of the record, if there is one */
	/* The rest is valid for MARK_ARMED and MARK_DROPPED. */
	enum mark_state state;
	enum mark_drop drop;
	uint8_t boot_id[16];         /* of the hibernated system */
	uint8_t image_id[16];
	uint64_t header_offset;      /* device byte offset of the image's header page */
	struct area_identity identity;
	struct mark_save save;
	struct mark_boot boot;
	char signature[MARK_SIGNATURE_BYTES]; /* the swap signature that was there before */
};

/* Where a mark is read and written. All borrowed. */
struct mark_io {
	int fd;            /* the block device, O_DIRECT; O_RDWR to write */
	uint64_t position; /* device byte offset of the area's first page */
	void *buffer;      /* MARK_BUFFER_BYTES, page-aligned; locked when used under FREEZE */
	const char *name;  /* for messages */
};

/* Look at the page. 0 and *@mark with its kind, or -errno and REASON_IO. */
int mark_read(const struct mark_io *io, struct mark *mark, struct failure *f);

/* The same for a page that is in memory already (PAGE_BYTES at @page). */
void mark_decode(const void *page, struct mark *mark);

/*
 * Arm: only over a swap signature (MARK_SWAP or MARK_DROPPED). @mark gives boot_id, image_id, header_offset,
 * identity and save; the rest is filled in. Returns when the mark is on the medium and reads back the same.
 * REASON_FOREIGN_IMAGE (-EEXIST) over anything else, REASON_AREA_UNSUITABLE (-EFBIG) if the list of bad pages is in the
 * way, REASON_BUSY (-ETXTBSY) without a snapshot session, REASON_IO. After REASON_IO the mark may be armed or not:
 * disarm it.
 */
int mark_arm(const struct mark_io *io, const struct mark *mark, struct failure *f);

/*
 * Put the swap signature back, and note why. On MARK_ARMED and MARK_DAMAGED; on MARK_DROPPED and MARK_SWAP there is
 * nothing to do (0, unless @drop is new information for an image that is in progress). REASON_FOREIGN_IMAGE (-EEXIST) on anything else.
 */
int mark_disarm(const struct mark_io *io, enum mark_drop drop, struct failure *f);

/* What mark_retract() could do. */
enum mark_retraction {
	MARK_RETRACTED,        /* disarmed */
	MARK_HEADER_DESTROYED, /* still armed, perhaps; but it leads nowhere, so that the image is refused as damaged */
};

/*
 * Before the slots of an image are given back: an armed mark must not lead to what swap puts there. Disarm it, more than
 * once if need be; if that fails, destroy the header page at @header_offset, and flush. Returns enum mark_retraction, or
 * -errno if the image can be resumed as before. @f says why it could not be disarmed.
 */
int mark_retract(const struct mark_io *io, uint64_t header_offset, enum mark_drop drop, struct failure *f);

/*
 * Before ATOMIC_RESTORE: put the swap signature back, state in progress, with @boot (tries is counted here). Only
 * from MARK_ARMED (-EEXIST otherwise).
 */
int mark_begin_resume(const struct mark_io *io, const struct mark_boot *boot, struct failure *f);

/* After ATOMIC_RESTORE came back: armed again, or still. Only for the image @image_id in progress (-EEXIST otherwise). */
int mark_rearm(const struct mark_io *io, const uint8_t image_id[16], struct failure *f);

/* The restored system has read the boot's numbers: state resumed. Only for the image @image_id in progress. */
int mark_set_resumed(const struct mark_io *io, const uint8_t image_id[16], struct failure *f);

/* Stable names for messages and JSON ("armed"; "in-progress"; "booted"), NULL outside the enum. */
const char *mark_kind_name(enum mark_kind kind);
const char *mark_state_name(enum mark_state state);
const char *mark_drop_name(enum mark_drop drop);
/* A phrase for people: "an ordinary boot, without a resume step". */
const char *mark_drop_phrase(enum mark_drop drop);
