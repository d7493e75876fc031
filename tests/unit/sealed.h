/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A made-up machine whose images are sealed, and somebody at its console. */
#pragma once

#include "machine.h"

#include "seal/keyfile.h"

#define SEALED_PASSPHRASE "correct horse"

/* What somebody at the console sees, and how many answers they gave. */
struct somebody {
	int master, slave;
	const char *const *answers;
	size_t given;
	char seen[65536];
	size_t length;
	pthread_t thread;
};
extern struct somebody somebody;

/*
 * A key set into @folder of the machine's tree, opened by SEALED_PASSPHRASE. @part: TPM_PART_BYTES for its blob, or NULL. The blob's key
 * is put at @blob_key, if that is not NULL.
 */
void sealed_make_keys(struct machine *m, const char *folder, const void *part, struct key_public *public, uint8_t *blob_key);
/* hibernate.conf: sealing required, the keys of @folder, and @lines. */
void sealed_configure(struct machine *m, const char *folder, const char *lines);
/* Hibernate and switch on again. */
void sealed_hibernate(struct machine *m);
/* Boot with @answers, which NULL ends, given to one question each; it must end with @expected. The passphrase must not be seen. */
void sealed_boot(struct machine *m, enum machine_end expected, const char *const *answers, const char *what);
void sealed_check_mark(struct machine *m, enum mark_kind kind, enum mark_state state, enum mark_drop drop);
/* The image is there, and was not entered. */
void sealed_check_armed(struct machine *m);
