/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one error vocabulary.
 *
 * A function returns 0 (or a count) or a negative errno; a positive named condition, an enum in its
 * header, is an expected answer that its direct caller handles. Nothing else. Where a person will
 * read about the error, the function also takes a struct failure, which says what kind of thing went
 * wrong (the reason, which fixes the exit status), which object it was about, what happened, and
 * what the reader can do. The innermost function that knows the object fills it in; callers pass it
 * upward untouched.
 *
 * struct failure holds no pointers, so that it can cross a socket or live in locked memory as it is.
 */
#pragma once

#include "base/util.h"

enum reason {
	REASON_NONE,             /* no failure */
	REASON_INTERNAL,         /* a bug, or a resource such as memory that ran out */
	REASON_USAGE,            /* the command line makes no sense */
	REASON_CONFIG,           /* hibernate.conf or the kernel command line is wrong; names file and line */
	REASON_PERMISSION,       /* the caller may not do this */
	REASON_UNAVAILABLE,      /* this kernel does not let anyone hibernate now, and why */
	REASON_BUSY,             /* another hibernation, or another user of /dev/snapshot */
	REASON_NO_AREA,          /* nothing to write an image to, or nothing where one was expected */
	REASON_AREA_UNSUITABLE,  /* the area exists but cannot carry an image (zram, mounted, clone ...) */
	REASON_TOO_SMALL,        /* the area is too small; names the numbers */
	REASON_BLOCKED,          /* something on the system stands against it (traced process, FUSE root) */
	REASON_FREEZE_REFUSED,   /* tasks would not freeze; names them */
	REASON_SNAPSHOT,         /* the kernel could not create the snapshot */
	REASON_IO,               /* read, write or flush error on the area */
	REASON_WORKER,           /* the worker died, hung or broke the protocol */
	REASON_LEAVE_REFUSED,    /* power-off, suspend or kexec came back */
	REASON_ABORTED,          /* by key or signal, on purpose */
	REASON_NO_IMAGE,         /* there is no image of ours */
	REASON_FOREIGN_IMAGE,    /* there is an image, but somebody else's */
	REASON_IMAGE_VERSION,    /* an image of ours in a version or with flags unknown here */
	REASON_IMAGE_DAMAGED,    /* cut short, or a checksum does not match */
	REASON_WRONG_MACHINE,    /* image of another device, machine or memory layout */
	REASON_WRONG_KERNEL,     /* this kernel cannot read an image of that one */
	REASON_STALE,            /* a filesystem of the image has been written since */
	REASON_RESTORE_REFUSED,  /* the kernel refused the complete image */
	REASON_UNAUTHENTIC,      /* somebody else made it, or changed it */
	REASON_NOT_SEALED,       /* sealed images only, says the configuration, and this one is not */
	REASON_WRONG_SECRET,     /* a passphrase or key that does not open it */
	REASON_CRYPTO,           /* the cryptographic library lacks what is needed */
	REASON_NO_KEYS,          /* there is no key set */
	REASON_KEY_FILE,         /* a key file cannot be used: who may read or change it, damage, a pair that does not fit */
	REASON_KEYS_EXIST,       /* there is a key set already, or already a key of that kind */
	REASON_WEAK_SECRET,      /* a new passphrase or PIN that could be guessed */
	REASON_NO_TPM,           /* there is no TPM 2.0, or this build cannot speak to one */
	REASON_TPM_UNMEASURED,   /* nothing was measured into a PCR that a key would depend on */
	REASON_TPM_LOCKED,       /* the TPM takes no PIN now: too many wrong ones */
	REASON_TPM,              /* the TPM refused, or what it said cannot be used */
	_REASON_MAX,
	_REASON_INVALID = -1,
};

#define FAILURE_OBJECT_MAX 128
#define FAILURE_TEXT_MAX 512

struct failure {
	enum reason reason;
	int error;                       /* positive errno, 0 where none applies */
	char object[FAILURE_OBJECT_MAX]; /* device, path, key or task it is about */
	char text[FAILURE_TEXT_MAX];     /* what happened, with the numbers */
	char remedy[FAILURE_TEXT_MAX];   /* what the reader can do; empty if nothing */
};

/*
 * Fill @f (which may be NULL) and return -@error, or -EINVAL if @error is 0. The text is printf-like; strerror(@error) is
 * added by failure_format(), where it says more, not here. @remedy may be NULL.
 */
int failure_set(struct failure *f, enum reason reason, int error, const char *object, const char *remedy,
	 const char *format, ...) PRINTF_LIKE(6, 7);

/* True if @f carries a failure. */
static inline bool failed(const struct failure *f)
{
	return f->reason != REASON_NONE;
}

/* "object: text: Strerror. Remedy." into @buf, always terminated, through escape_message(). What an image is, or
 * that somebody has aborted, is told without the strerror. Returns @buf. */
char *failure_format(const struct failure *f, char *buf, size_t size);

/* Stable lower-case name ("freeze-refused"), NULL outside the enum; and back, _REASON_INVALID if unknown. */
const char *reason_name(enum reason reason);
enum reason reason_from_name(const char *name);

/* Exit status of a program that ends because of @reason: 0 for REASON_NONE, else distinct, 1 to 63. */
int reason_exit_status(enum reason reason);
