/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/failure.h"

#include "base/escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The exit statuses are part of the interface (hibernatectl(1)): never renumber a row. */
static const struct {
	const char *name;
	int exit_status;
	bool told; /* its texts say it all: "Bad message" or "Stale file handle" from the C library would only confuse */
} reasons[] = {
	[REASON_NONE] = {"none", 0},
	[REASON_INTERNAL] = {"internal", 1},
	[REASON_USAGE] = {"usage", 2},
	[REASON_CONFIG] = {"config", 3},
	[REASON_PERMISSION] = {"permission", 4},
	[REASON_UNAVAILABLE] = {"unavailable", 5},
	[REASON_BUSY] = {"busy", 6},
	[REASON_NO_AREA] = {"no-area", 7},
	[REASON_AREA_UNSUITABLE] = {"area-unsuitable", 8},
	[REASON_TOO_SMALL] = {"too-small", 9},
	[REASON_BLOCKED] = {"blocked", 10},
	[REASON_FREEZE_REFUSED] = {"freeze-refused", 11},
	[REASON_SNAPSHOT] = {"snapshot", 12},
	[REASON_IO] = {"io", 13},
	[REASON_WORKER] = {"worker", 14},
	[REASON_LEAVE_REFUSED] = {"leave-refused", 15},
	[REASON_ABORTED] = {"aborted", 16, true},
	[REASON_NO_IMAGE] = {"no-image", 17, true},
	[REASON_FOREIGN_IMAGE] = {"foreign-image", 18, true},
	[REASON_IMAGE_VERSION] = {"image-version", 19, true},
	[REASON_IMAGE_DAMAGED] = {"image-damaged", 20, true},
	[REASON_WRONG_MACHINE] = {"wrong-machine", 21, true},
	[REASON_WRONG_KERNEL] = {"wrong-kernel", 22, true},
	[REASON_STALE] = {"stale", 23, true},
	[REASON_RESTORE_REFUSED] = {"restore-refused", 24},
	[REASON_UNAUTHENTIC] = {"unauthentic", 25, true},
	[REASON_NOT_SEALED] = {"not-sealed", 26, true},
	[REASON_WRONG_SECRET] = {"wrong-secret", 27, true},
	[REASON_CRYPTO] = {"crypto", 28},
	[REASON_NO_KEYS] = {"no-keys", 29},
	[REASON_KEY_FILE] = {"key-file", 30},
	[REASON_KEYS_EXIST] = {"keys-exist", 31},
	[REASON_WEAK_SECRET] = {"weak-secret", 32},
	[REASON_NO_TPM] = {"no-tpm", 33},
	[REASON_TPM_UNMEASURED] = {"tpm-unmeasured", 34},
	[REASON_TPM_LOCKED] = {"tpm-locked", 35},
	[REASON_TPM] = {"tpm", 36},
};
_Static_assert(ARRAY_LENGTH(reasons) == _REASON_MAX, "each reason has a row");

int failure_set(struct failure *f, enum reason reason, int error, const char *object, const char *remedy,
	 const char *format, ...)
{
	va_list args;

	if (f) {
		f->reason = reason;
		f->error = error;
		snprintf(f->object, sizeof(f->object), "%s", object ? object : "");
		snprintf(f->remedy, sizeof(f->remedy), "%s", remedy ? remedy : "");
		va_start(args, format);
		vsnprintf(f->text, sizeof(f->text), format, args);
		va_end(args);
	}
	return error > 0 ? -error : -EINVAL;
}

char *failure_format(const struct failure *f, char *buf, size_t size)
{
	bool told = f->reason >= 0 && f->reason < _REASON_MAX && reasons[f->reason].told;
	const char *error = f->error > 0 && !told ? strerrordesc_np(f->error) : NULL;

	snprintf(buf, size, "%s%s%s%s%s.%s%s", f->object, f->object[0] ? ": " : "", f->text,
		 error ? ": " : "", error ? error : "", f->remedy[0] ? " " : "", f->remedy);
	return size ? escape_message(buf) : buf;
}

const char *reason_name(enum reason reason)
{
	if (reason < 0 || reason >= _REASON_MAX)
		return NULL;
	return reasons[reason].name;
}

enum reason reason_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++)
		if (strcmp(reasons[i].name, name) == 0)
			return (enum reason)i;
	return _REASON_INVALID;
}

int reason_exit_status(enum reason reason)
{
	if (reason < 0 || reason >= _REASON_MAX)
		return reasons[REASON_INTERNAL].exit_status;
	return reasons[reason].exit_status;
}
