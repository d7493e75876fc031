/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's main process: listens on the private socket, takes one job at a time, tells how it went.
 */
#pragma once

#include "base/failure.h"

/* Serve until SIGTERM or SIGINT. A session that runs then is told to abort and waited for. 0 or the failure. */
int service_run(struct failure *f);
