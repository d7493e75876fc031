/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"

#include "base/clock.h"
#include "common/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMON_PATH SBINDIR "/hibernated"
#define START_LIMIT_USEC (10 * USEC_PER_SEC)

static int try_connect(sd_bus **bus)
{
	sd_bus *made = NULL;
	int r = sd_bus_new(&made);

	if (r >= 0)
		r = sd_bus_set_address(made, "unix:path=" BUS_SOCKET);
	if (r >= 0)
		r = sd_bus_start(made);
	if (r < 0) {
		sd_bus_unref(made);
		return r;
	}
	*bus = made;
	return 0;
}

static void run_detached(const char *path, char *const argv[])
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	execv(path, argv);
	_exit(127);
}

/* Who was started to bring the daemon up: systemctl, which ends when it is, or the daemon itself. */
struct starting {
	pid_t pid;
	bool by_systemd;
};

/* systemd starts the unit where it is pid 1; elsewhere the daemon is started as it is. */
static int start_daemon(struct starting *starting, struct failure *f)
{
	char *const unit[] = {(char *)"systemctl", (char *)"start", (char *)"hibernated.service", NULL};
	char *const plain[] = {(char *)"hibernated", NULL};

	starting->by_systemd = access("/run/systemd/system", F_OK) == 0;
	if (!starting->by_systemd && access(DAEMON_PATH, X_OK) < 0)
		return failure_set(f, REASON_INTERNAL, errno, DAEMON_PATH, "Install hibernated there.", "it cannot be started");
	starting->pid = fork();
	if (starting->pid < 0)
		return failure_set(f, REASON_INTERNAL, errno, DAEMON_PATH, "Free some memory.", "cannot start it");
	if (starting->pid > 0)
		return 0;
	if (!starting->by_systemd)
		run_detached(DAEMON_PATH, plain);
	execvp("systemctl", unit);
	_exit(127);
}

/* True if it has come to nothing, so that there is nothing to wait for. Forgets a process that has ended. */
static bool start_failed(struct starting *starting)
{
	int status = 0;

	if (starting->pid <= 0 || waitpid(starting->pid, &status, WNOHANG) != starting->pid)
		return false;
	starting->pid = 0;
	return !starting->by_systemd || status != 0;
}

static int cannot_start(const struct starting *starting, struct failure *f)
{
	if (starting->by_systemd)
		return failure_set(f, REASON_INTERNAL, 0, "hibernated.service", "See journalctl -u hibernated.",
				   "systemd could not start it");
	return failure_set(f, REASON_INTERNAL, 0, DAEMON_PATH, "Run it by hand to see why.", "it ended as soon as it was started");
}

int client_connect(sd_bus **bus, struct failure *f)
{
	struct starting starting = {0};
	uint64_t deadline;
	int r = try_connect(bus);

	if (r >= 0)
		return 0;
	if (geteuid() != 0)
		return failure_set(f, REASON_PERMISSION, EPERM, "hibernatectl", "Run it as root, for instance with sudo.",
				   "only root may hibernate this machine");
	r = start_daemon(&starting, f);
	if (r < 0)
		return r;
	deadline = clock_monotonic_usec() + START_LIMIT_USEC;
	while ((r = try_connect(bus)) < 0) {
		/* Somebody else's may have been quicker; then ours has ended, and there is one to talk to. */
		if (start_failed(&starting))
			return try_connect(bus) < 0 ? cannot_start(&starting, f) : 0;
		if (clock_monotonic_usec() > deadline)
			return failure_set(f, REASON_INTERNAL, -r, DAEMON_PATH, "Run it by hand to see why.",
					   "it did not start within %llu s",
					   (unsigned long long)(START_LIMIT_USEC / USEC_PER_SEC));
		clock_sleep_usec(20 * USEC_PER_MSEC);
	}
	return 0;
}

/* The daemon has written the whole message, object and remedy included: keep it as the text. */
static int failure_from_bus(const sd_bus_error *error, int r, struct failure *f)
{
	size_t prefix = strlen(BUS_ERROR_PREFIX);
	enum reason reason = REASON_INTERNAL;
	char name[64], text[FAILURE_TEXT_MAX];
	size_t length;

	if (error->name && strncmp(error->name, BUS_ERROR_PREFIX, prefix) == 0) {
		snprintf(name, sizeof(name), "%s", error->name + prefix);
		for (char *c = name; *c; c++)
			if (*c == '_')
				*c = '-';
		if (reason_from_name(name) != _REASON_INVALID)
			reason = reason_from_name(name);
	}
	if (r == -ECONNRESET || r == -ENOTCONN || sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY)) {
		failure_set(f, REASON_INTERNAL, 0, "hibernated", "See its log; the machine runs as before.",
			    "the daemon went away before it answered");
		return r;
	}
	snprintf(text, sizeof(text), "%s", error->message ? error->message : "no reply");
	length = strlen(text);
	if (length && text[length - 1] == '.')
		text[length - 1] = '\0'; /* failure_format() ends the sentence */
	failure_set(f, reason, 0, NULL, NULL, "%s", text);
	return r;
}

int client_call(sd_bus *bus, const char *method, const char *argument, sd_bus_message **reply, struct failure *f)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = NULL;
	int r = sd_bus_message_new_method_call(bus, &call, NULL, BUS_PATH, BUS_INTERFACE, method);

	if (r >= 0 && argument)
		r = sd_bus_message_append(call, "s", argument);
	if (r >= 0)
		r = sd_bus_call(bus, call, UINT64_MAX, &error, reply);
	if (r < 0)
		r = failure_from_bus(&error, r, f);
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	return r;
}

int client_enter(sd_bus_message *reply)
{
	return sd_bus_message_enter_container(reply, 'a', "{sv}");
}

int client_next(sd_bus_message *reply, struct client_value *value)
{
	struct client_value got = {0};
	const char *contents;
	char type;
	int r = sd_bus_message_enter_container(reply, 'e', "sv");

	if (r <= 0)
		return r;
	r = sd_bus_message_read(reply, "s", &got.key);
	if (r >= 0)
		r = sd_bus_message_peek_type(reply, &type, &contents);
	if (r >= 0 && strcmp(contents, "s") == 0)
		r = sd_bus_message_read(reply, "v", "s", &got.string);
	else if (r >= 0 && strcmp(contents, "t") == 0)
		r = sd_bus_message_read(reply, "v", "t", &got.number);
	else if (r >= 0)
		r = -EBADMSG;
	if (r >= 0)
		r = sd_bus_message_exit_container(reply);
	if (r < 0)
		return r;
	*value = got;
	return 1;
}
