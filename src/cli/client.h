/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hibernatectl's side of the private bus; starts the daemon when none runs. */
#pragma once

#include "base/failure.h"

#include <systemd/sd-bus.h>

/* Connect to hibernated, starting it first if need be. *@bus is owned by the caller. 0 or the failure. */
int client_connect(sd_bus **bus, struct failure *f);

/* Call @method with at most one string and wait without limit. *@reply is owned by the caller. */
int client_call(sd_bus *bus, const char *method, const char *argument, sd_bus_message **reply, struct failure *f);

/* One entry of a reply of type a{sv}; only strings and unsigned 64-bit numbers occur. */
struct client_value {
	const char *key;
	const char *string; /* NULL if it is a number */
	uint64_t number;
};

/* Enter a reply, then next entry: 1 and *@value, 0 at the end, or -errno. Strings live as long as @reply. */
int client_enter(sd_bus_message *reply);
int client_next(sd_bus_message *reply, struct client_value *value);
