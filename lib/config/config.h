/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernate.conf, as hibernate.conf(5) describes it for users.
 *
 * The main file is the first found of /etc, /run, /usr/local/lib and /usr/lib, called hibernate.conf.
 * Then come the drop-ins hibernate.conf.d/NAME.conf of all these places, in the order of their names; of
 * two with the same name only the one from the place named first above counts. A later
 * file overrides an earlier one key by key. All of it is optional. What is there must be right: an unknown
 * section, key or value, a key twice in one file, or a line that is neither is an error (REASON_CONFIG)
 * that names file and line and says what is allowed. A name that is a link to /dev/null counts as an
 * empty file, which is how a file of a lower place is masked.
 *
 * struct config is plain memory: one typed field a key, and where each value came from.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"
#include "base/util.h"
#include "codec/codec.h"

#include <stdio.h>

#define CONFIG_FILE_NAME "hibernate.conf"
#define CONFIG_FILE_BYTES_MAX (64 * KIB)
#define CONFIG_DROPINS_MAX 128
#define CONFIG_DEVICE_MAX 256
#define CONFIG_PATH_MAX 320
#define CONFIG_VALUE_MAX CONFIG_DEVICE_MAX    /* room for any formatted value */
#define CONFIG_THREADS_MAX 64
#define CONFIG_KEY_SET_BYTES 16
#define CONFIG_FOREVER (UINT64_MAX / 2)       /* ResumeWait=infinity; a clock can be added to it */
#define CONFIG_OFFSET_AUTO UINT64_MAX         /* the same as AREA_OFFSET_UNKNOWN */

/* One a row of the key table, in the order that they are printed. */
enum config_key {
	CONFIG_RESUME_DEVICE,
	CONFIG_RESUME_OFFSET,
	CONFIG_IMAGE_SIZE,
	CONFIG_COMPRESSION,
	CONFIG_COMPRESSION_LEVEL,
	CONFIG_THREADS,
	CONFIG_SHUTDOWN_MODE,
	CONFIG_RESUME_WAIT,
	CONFIG_RESUME_FAILURE,
	CONFIG_PROGRESS,
	CONFIG_ABORT_KEY,
	CONFIG_CONSOLE_LOG_LEVEL,
	CONFIG_SEALING,
	CONFIG_KEY_DIRECTORY,
	CONFIG_TPM_KEY_SET,
	_CONFIG_KEY_MAX,
	_CONFIG_KEY_INVALID = -1,
};

enum shutdown_mode {
	SHUTDOWN_PLATFORM, /* ACPI S4 or what the platform has */
	SHUTDOWN_POWEROFF, /* "shutdown": an ordinary power-off */
	SHUTDOWN_REBOOT,
	_SHUTDOWN_MAX,
	_SHUTDOWN_INVALID = -1,
};

/* What becomes of an image that cannot be resumed when nobody answers. */
enum resume_failure {
	RESUME_FAILURE_ASK,      /* ask at the console; without an answer power off */
	RESUME_FAILURE_POWEROFF, /* power off at once; the image stays */
	RESUME_FAILURE_BOOT,     /* drop the image and boot */
	_RESUME_FAILURE_MAX,
	_RESUME_FAILURE_INVALID = -1,
};

/* Sealing=: of images that are written, and of those that are resumed. */
enum sealing_mode {
	SEALING_OFF,      /* images are written unsealed; sealed ones are resumed too */
	SEALING_REQUIRED, /* neither written nor resumed unless they are sealed */
	_SEALING_MODE_MAX,
	_SEALING_MODE_INVALID = -1,
};

/* ImageSize=: one of the three. */
struct image_size_wish {
	bool automatic;       /* what the kernel is set to */
	unsigned int percent; /* of memory, 1 to 100; 0: not given as a percentage */
	uint64_t bytes;       /* 0: as small as the kernel can */
};

/* Where a value came from: an empty file means the built-in default, line 0 a file without lines (the kernel command line). */
struct config_origin {
	char file[CONFIG_PATH_MAX];
	unsigned int line;
};

struct config {
	char resume_device[CONFIG_DEVICE_MAX]; /* "auto", /path, UUID=, LABEL= or PARTUUID= */
	uint64_t resume_offset;                /* bytes, or CONFIG_OFFSET_AUTO */
	struct image_size_wish image_size;
	enum codec_id compression;
	int compression_level;                 /* 0: the codec's own default */
	unsigned int threads;                  /* 0: as many as processors */
	enum shutdown_mode shutdown_mode;
	uint64_t resume_wait_usec;             /* up to CONFIG_FOREVER */
	enum resume_failure resume_failure;
	bool progress;
	bool abort_esc;
	bool abort_power;
	int console_log_level;                 /* 0 to 7; -1: leave it */
	enum sealing_mode sealing;
	char key_directory[CONFIG_DEVICE_MAX]; /* absolute */
	bool tpm;                              /* a TPM may open images of this key set, and no others are resumed: */
	uint8_t tpm_key_set[CONFIG_KEY_SET_BYTES];
	struct config_origin origins[_CONFIG_KEY_MAX];
};

/* Every key at its default. */
void config_init(struct config *c);

/*
 * Read all files below @s into *@c, defaults where nothing is said. 0; -EINVAL and REASON_CONFIG naming
 * file and line; or another -errno and REASON_CONFIG for a file that is there and cannot be read.
 */
int config_load(struct config *c, const struct sysctx *s, struct failure *f);

/* The defaults, then the one file @path, which must exist. Errors as config_load(). */
int config_load_file(struct config *c, const struct sysctx *s, const char *path, struct failure *f);

/*
 * For the resume side: what /proc/cmdline says overrides @c.
 *
 *   resume=DEVICE       ResumeDevice=; the kernel's MAJOR:MINOR too. Empty: as noresume
 *   resume_offset=N     ResumeOffset=
 *   resumewait          ResumeWait=infinity
 *   hibernated.KEY=V    any key of hibernate.conf; Sealing=off does not undo Sealing=required, and TPMKeySet=
 *                       changes nothing
 *   noresume, hibernate=noresume, nohibernate, hibernate=no
 *                       set *@noresume: the user wants no resume in this boot
 *
 * Everything else belongs to others. 0; or -errno and REASON_CONFIG naming the parameter, @c and *@noresume
 * untouched.
 */
int config_apply_cmdline(struct config *c, const struct sysctx *s, bool *noresume, struct failure *f);

/* Threads= in numbers: as many as processors that this process may use, but no more than CONFIG_THREADS_MAX, for auto. */
unsigned int config_thread_count(const struct config *c);

/* Name of a key as it is written in the file, and what may stand behind it; NULL outside the enum. */
const char *config_key_name(enum config_key key);
const char *config_key_allowed(enum config_key key);
/* _CONFIG_KEY_INVALID if there is no such key. */
enum config_key config_key_from_name(const char *name);

/* The value of @key as it would be written in the file, into @buf (CONFIG_VALUE_MAX is enough). Returns @buf. */
char *config_format_key(const struct config *c, enum config_key key, char *buf, size_t size);
/* "/etc/hibernate.conf:3", "/proc/cmdline" or "default" into @buf. Returns @buf. */
char *config_format_origin(const struct config *c, enum config_key key, char *buf, size_t size);
/* A line for each key on @out: Key=Value, then its origin. 0 or -errno. */
int config_print(const struct config *c, FILE *out);

/* The words of the file for these enums, NULL outside; and back. */
const char *shutdown_mode_name(enum shutdown_mode mode);
enum shutdown_mode shutdown_mode_from_name(const char *name);
const char *resume_failure_name(enum resume_failure what);
enum resume_failure resume_failure_from_name(const char *name);
const char *sealing_mode_name(enum sealing_mode mode);
enum sealing_mode sealing_mode_from_name(const char *name);
