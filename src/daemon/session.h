/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One piece of privileged work in a process of its own.
 *
 * The daemon's main process serves the bus and is frozen with the rest of user space. The work is done
 * by a session, a child that is forked for it: it alone locks its memory, opens /dev/snapshot and
 * freezes. When it is killed, the main process is still there to be asked, and its guard cleans up.
 * The main process ignores SIGCHLD and is a child subreaper, so that a dead session, guard or worker vanishes
 * at once even while the main process is frozen; the result comes over a socket, as one struct session_report.
 */
#pragma once

#include "base/failure.h"
#include "config/config.h"

enum session_kind {
	SESSION_HIBERNATE, /* image to disk, machine off */
	SESSION_HYBRID,    /* image to disk, then suspend to RAM */
	SESSION_DISCARD,   /* disarm a mark on an active swap area */
	_SESSION_KIND_MAX,
	_SESSION_KIND_INVALID = -1,
};

const char *session_kind_name(enum session_kind kind);
enum session_kind session_kind_from_name(const char *name);

enum session_outcome {
	OUTCOME_FAILED,    /* see the failure; the machine runs as before */
	OUTCOME_RESUMED,   /* back from the disk */
	OUTCOME_WOKE,      /* back from RAM (hybrid) */
	OUTCOME_DISCARDED,
	_OUTCOME_MAX,
};

const char *session_outcome_name(enum session_outcome outcome);

struct session_request {
	enum session_kind kind;
	char device[256]; /* discard: which area; else empty */
};

/* Durations in microseconds; 0 where a phase was not reached. */
struct session_times {
	uint64_t sync_usec;
	uint64_t freeze_usec;
	uint64_t create_usec;
	uint64_t slots_usec;
	uint64_t write_usec;
	uint64_t save_usec; /* FREEZE called to mark on the disk */
	uint64_t load_usec; /* the boot half: resume step started to ATOMIC_RESTORE called */
	uint64_t load_read_usec;
	uint64_t load_tries;
};

struct session_report {
	struct failure failure;
	enum session_outcome outcome;
	struct session_times times;
	uint64_t image_pages;
	uint64_t stored_bytes;
	uint64_t ended_usec; /* CLOCK_REALTIME */
	char area[256];
	bool kernel_encrypts; /* snapshot_kernel_encrypts(); false too where the device was not opened */
};

/*
 * Fork a session for @request. *@report_fd gets the socket on which one struct session_report arrives
 * before end of file. Returns a pidfd of it, or -errno.
 */
int session_spawn(const struct session_request *request, const struct config *config, int *report_fd);

/* Read the report. 0, -EAGAIN if it is not there yet, -EPIPE if the session died without one. */
int session_read_report(int report_fd, struct session_report *report);
