/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking through systemd's password agents (systemd.io/PASSWORD_AGENTS).
 *
 * A question is a file in /run/systemd/ask-password; the agents of the console and of Plymouth see it and send the answer to
 * the socket that it names, a datagram "+secret" or "-". That protocol is spoken here and not by systemd-ask-password: it
 * takes two files, needs no program in the initramfs, and the secret is received into the caller's memory and into no
 * other process of ours. The directory being there is the sign that there are agents: the units that start them make it.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"
#include "daemon/keys.h"
#include "daemon/line.h"

#define ASKPASS_DIRECTORY "/run/systemd/ask-password"

struct askpass_question {
	const char *message; /* one line, fit to be shown */
	const char *id;      /* tells agents what for; one line */
	unsigned int serial; /* different for each question of a process */
	uint64_t wait_usec;
};

/*
 * Ask @q and wait for the answer, which goes into @text of @room bytes. Returns an enum reply: REPLY_LINE, REPLY_OTHER (empty, or the agent
 * declines), REPLY_TOO_LONG, REPLY_SILENCE, REPLY_NOBODY when there is no such directory or it cannot be used; @declined
 * tells whether it was "-". -ECANCELED when a signal came. The question is withdrawn in any case, and @text is wiped unless REPLY_LINE.
 */
int askpass_ask(const struct sysctx *s, struct keys *keys, const struct askpass_question *q, uint8_t *text, size_t room,
		size_t *length, bool *declined);
