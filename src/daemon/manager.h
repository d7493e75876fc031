/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a peer can ask for: the object on the bus, and the one session that it may have started.
 */
#pragma once

#include "daemon/session.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct manager {
	sd_event *event;                /* borrowed */
	int session;                    /* pidfd, -1: none runs */
	int report_fd;
	sd_event_source *report_source;
	struct session_request request; /* of the running session */
	sd_bus_message *waiting;        /* the call that started it */
	bool have_last;
	struct session_report last;
	bool kernel_encrypts;           /* a session has seen it; only a session may look, since that takes an open device */
	bool stopping;
};

void manager_init(struct manager *manager, sd_event *event);
void manager_deinit(struct manager *manager);

/* Keep what a session that ended has reported. */
void manager_keep(struct manager *manager, const struct session_report *report);
/* What the kernel could do for an image by itself, in words; NULL if nothing is known of that. */
const char *manager_kernel_encryption(const struct manager *manager);

/* Serve the object on @bus. 0 or -errno. */
int manager_add(struct manager *manager, sd_bus *bus);

/*
 * Take no more requests. True if nothing is under way; else the session is told to undo what it did, and the event
 * loop ends when it has.
 */
bool manager_stop(struct manager *manager);
