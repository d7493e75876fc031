/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking what to do about an image that could not be resumed. */
#pragma once

#include "base/failure.h"
#include "config/config.h"
#include "daemon/console.h"

enum choice {
	CHOICE_RETRY,
	CHOICE_POWEROFF,
	CHOICE_BOOT, /* boot without it; the image is dropped */
};

/*
 * Show @f on the console and ask, for at most @config's ResumeWait=; then ResumeFailure= decides, and
 * "ask" means power off: nobody boots past an image without saying so.
 */
enum choice choice_ask(const struct config *config, struct console *console, const struct failure *f);

/* What @config says when nobody answers: CHOICE_POWEROFF or CHOICE_BOOT. */
enum choice choice_unanswered(const struct config *config);
