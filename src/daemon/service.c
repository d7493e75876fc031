/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Privileged requests form one closed table, the vtable at the end; each row says why it is safe.
 * Only root can connect: the socket has mode 0600 and the peer's credentials are checked again.
 */
#include "daemon/service.h"

#include "area/area.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "common/bus.h"
#include "daemon/discard.h"
#include "daemon/hibernate.h"
#include "daemon/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

struct service {
	sd_event *event;
	int listener;
	pid_t session;                 /* 0: none runs */
	int report_fd;
	sd_event_source *report_source;
	struct session_request request; /* of the running session */
	sd_bus_message *waiting;       /* the call that started it */
	bool have_last;
	struct session_report last;
	bool stopping;
};

/* Answer @call with a failure as a D-Bus error. */
static int reply_failure(sd_bus_message *call, const struct failure *f)
{
	char name[96], text[1024];

	snprintf(name, sizeof(name), BUS_ERROR_PREFIX "%s", reason_name(f->reason));
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return sd_bus_reply_method_errorf(call, name, "%s", failure_format(f, text, sizeof(text)));
}

static int append_u64(sd_bus_message *m, const char *key, uint64_t value)
{
	return sd_bus_message_append(m, "{sv}", key, "t", value);
}

static int append_string(sd_bus_message *m, const char *key, const char *value)
{
	return sd_bus_message_append(m, "{sv}", key, "s", value);
}

static int append_report(sd_bus_message *m, const struct session_report *report)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"ImagePages", report->image_pages},
		{"StoredBytes", report->stored_bytes},
		{"SyncUSec", report->times.sync_usec},
		{"FreezeUSec", report->times.freeze_usec},
		{"CreateUSec", report->times.create_usec},
		{"SlotsUSec", report->times.slots_usec},
		{"WriteUSec", report->times.write_usec},
		{"SaveUSec", report->times.save_usec},
		{"LoadUSec", report->times.load_usec},
		{"LoadReadUSec", report->times.load_read_usec},
		{"LoadTries", report->times.load_tries},
		{"EndedUSec", report->ended_usec},
	};
	int r = append_string(m, "Outcome", session_outcome_name(report->outcome));

	if (r >= 0)
		r = append_string(m, "Area", report->area);
	for (size_t i = 0; r >= 0 && i < ARRAY_LENGTH(numbers); i++)
		r = append_u64(m, numbers[i].key, numbers[i].value);
	return r;
}

static int reply_report(sd_bus_message *call, const struct session_report *report)
{
	sd_bus_message *reply = NULL;
	int r;

	if (failed(&report->failure))
		return reply_failure(call, &report->failure);
	r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{sv}");
	if (r >= 0)
		r = append_report(reply, report);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct service *service = data;
	struct session_report report = {.outcome = OUTCOME_FAILED};
	int r = session_read_report(fd, &report);

	(void)source;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		failure_set(&report.failure, REASON_INTERNAL, -r, "hibernated",
			    "The machine runs as before; see the kernel log.",
			    "the session process died before it could report");
	report.ended_usec = clock_realtime_usec();
	service->last = report;
	service->have_last = true;
	service->session = 0;
	service->report_source = sd_event_source_unref(service->report_source);
	service->report_fd = fd_close(service->report_fd);
	if (service->waiting)
		reply_report(service->waiting, &report);
	service->waiting = sd_bus_message_unref(service->waiting);
	if (service->stopping)
		sd_event_exit(service->event, 0);
	return 0;
}

static int start_session(struct service *service, sd_bus_message *call, const struct session_request *request)
{
	struct failure f = {0};
	struct config config;
	struct sysctx host = sysctx_host();
	pid_t pid;
	int r;

	if (service->session || service->stopping) {
		failure_set(&f, REASON_BUSY, EBUSY, "hibernated", "Wait until it is done.",
			    "%s is already under way", session_kind_name(service->request.kind));
		return reply_failure(call, &f);
	}
	r = config_load(&config, &host, &f);
	if (r < 0)
		return reply_failure(call, &f);
	pid = session_spawn(request, &config, &service->report_fd);
	if (pid < 0) {
		failure_set(&f, REASON_INTERNAL, -pid, "hibernated", "Free some memory.", "cannot start a session");
		return reply_failure(call, &f);
	}
	service->session = pid;
	service->request = *request;
	service->waiting = sd_bus_message_ref(call);
	r = sd_event_add_io(service->event, &service->report_source, service->report_fd, EPOLLIN, on_report, service);
	return r < 0 ? r : 1;
}

static int method_hibernate(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct session_request request = {0};
	struct failure f = {0};
	const char *kind;
	int r = sd_bus_message_read(call, "s", &kind);

	(void)error;
	if (r < 0)
		return r;
	request.kind = session_kind_from_name(kind);
	if (request.kind != SESSION_HIBERNATE && request.kind != SESSION_HYBRID) {
		failure_set(&f, REASON_USAGE, EINVAL, kind, "Use hibernate or hybrid.", "unknown way to sleep");
		return reply_failure(call, &f);
	}
	return start_session(data, call, &request);
}

static int method_discard(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct session_request request = {.kind = SESSION_DISCARD};
	struct failure f = {0};
	const char *device;
	int r = sd_bus_message_read(call, "s", &device);

	(void)error;
	if (r < 0)
		return r;
	if (strlen(device) >= sizeof(request.device)) {
		failure_set(&f, REASON_USAGE, ENAMETOOLONG, "discard", NULL, "the device's name is too long");
		return reply_failure(call, &f);
	}
	snprintf(request.device, sizeof(request.device), "%s", device);
	return start_session(data, call, &request);
}

/* Area and estimate; fails as a hibernation would. */
static int append_estimate(sd_bus_message *m, struct failure *f)
{
	AUTO_FREE struct extent *extents = calloc(AREA_EXTENTS_MAX, sizeof(*extents));
	struct sysctx host = sysctx_host();
	struct config config;
	struct estimate e;
	struct area area;
	int r = extents ? config_load(&config, &host, f)
			: failure_set(f, REASON_INTERNAL, ENOMEM, "estimate", NULL, "no memory");

	if (r >= 0)
		r = area_find(&area, &host, config.resume_device, extents, AREA_EXTENTS_MAX, f);
	if (r >= 0)
		r = hibernate_estimate(&e, &host, &config, area_free_bytes(&area), f);
	if (r < 0)
		return r;
	append_string(m, "Area", area.name);
	append_string(m, "AreaKind", area_kind_name(area.kind));
	append_u64(m, "AreaBytes", area.size);
	append_u64(m, "AreaFreeBytes", area_free_bytes(&area));
	append_u64(m, "RamBytes", e.ram);
	append_u64(m, "InUseBytes", e.in_use);
	append_u64(m, "DroppableBytes", e.droppable);
	append_u64(m, "PreferredImageBytes", e.image_size);
	append_u64(m, "ExpectedStoredBytes", e.stored);
	append_u64(m, "LeastBytes", e.least);
	return estimate_check(&e, area.name, area_free_bytes(&area), f);
}

static int method_estimate(sd_bus_message *call, void *data, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	struct failure f = {0};
	int r = sd_bus_message_new_method_return(call, &reply);

	(void)data;
	(void)error;
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{sv}");
	if (r >= 0 && append_estimate(reply, &f) < 0)
		r = reply_failure(call, &f);
	else if (r >= 0 && (r = sd_bus_message_close_container(reply)) >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int append_status(sd_bus_message *m, const struct service *service)
{
	char text[1024];
	int r = append_string(m, "Version", PACKAGE_VERSION);

	if (r >= 0)
		r = append_string(m, "State", service->session ? session_kind_name(service->request.kind) : "idle");
	if (r < 0 || !service->have_last)
		return r;
	if (failed(&service->last.failure)) {
		r = append_string(m, "LastReason", reason_name(service->last.failure.reason));
		if (r >= 0)
			r = append_string(m, "LastFailure", failure_format(&service->last.failure, text, sizeof(text)));
	}
	return r < 0 ? r : append_report(m, &service->last);
}

static int method_status(sd_bus_message *call, void *data, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(call, &reply);

	(void)error;
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{sv}");
	if (r >= 0)
		r = append_status(reply, data);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

/* The closed table of what a peer may ask. Every peer is root; still, nothing here takes a path to write to or run. */
static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	/* Starts a session of a fixed kind; configuration comes from root's files, not from the peer. */
	SD_BUS_METHOD("Hibernate", "s", "a{sv}", method_hibernate, 0),
	/* Writes only the mark of an active swap area, and only if it is ours. */
	SD_BUS_METHOD("Discard", "s", "a{sv}", method_discard, 0),
	/* Reads /proc and the area's header. */
	SD_BUS_METHOD("Estimate", NULL, "a{sv}", method_estimate, 0),
	/* Reads our own memory. */
	SD_BUS_METHOD("Status", NULL, "a{sv}", method_status, 0),
	SD_BUS_VTABLE_END,
};

static int on_disconnect(sd_bus_message *m, void *data, sd_bus_error *error)
{
	(void)data;
	(void)error;
	sd_bus_close_unref(sd_bus_message_get_bus(m)); /* the reference of add_peer() */
	return 0;
}

static int add_peer(struct service *service, int fd)
{
	sd_bus *bus = NULL;
	sd_id128_t id;
	int r = sd_bus_new(&bus);

	if (r >= 0)
		r = sd_id128_randomize(&id);
	if (r >= 0)
		r = sd_bus_set_fd(bus, fd, fd);
	if (r < 0) {
		fd_close(fd);
		sd_bus_unref(bus);
		return r;
	}
	r = sd_bus_set_server(bus, true, id);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_INTERFACE, manager_vtable, service);
	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, NULL, "/org/freedesktop/DBus/Local",
					"org.freedesktop.DBus.Local", "Disconnected", on_disconnect, service);
	if (r >= 0)
		r = sd_bus_set_close_on_exit(bus, true);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r >= 0)
		r = sd_bus_attach_event(bus, service->event, SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		sd_bus_close(bus);
	else
		sd_bus_ref(bus); /* given up in on_disconnect() */
	sd_bus_unref(bus);
	return r;
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *data)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || (peer.uid != 0 && peer.uid != geteuid())) {
		fd_close(fd);
		return 0;
	}
	(void)add_peer(data, fd);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct service *service = data;

	(void)source;
	(void)info;
	if (!service->session)
		return sd_event_exit(service->event, 0);
	service->stopping = true; /* let the session undo what it did, then go */
	kill(service->session, SIGTERM);
	return 0;
}

static int listen_on_socket(struct failure *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = BUS_SOCKET};
	AUTO_CLOSE int fd = -1;
	int given;

	if (sd_listen_fds(1) == 1)
		return SD_LISTEN_FDS_START;
	if (mkdir(BUS_SOCKET_DIR, 0700) < 0 && errno != EEXIST)
		return failure_set(f, REASON_INTERNAL, errno, BUS_SOCKET_DIR, "Mount /run.", "cannot make it");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failure_set(f, REASON_INTERNAL, errno, BUS_SOCKET, NULL, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return failure_set(f, REASON_BUSY, EADDRINUSE, BUS_SOCKET, "Use hibernatectl.", "hibernated runs already");
	fd_close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (unlink(BUS_SOCKET) < 0 && errno != ENOENT))
		return failure_set(f, REASON_INTERNAL, errno, BUS_SOCKET, NULL, "cannot replace it");
	umask(0177);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
		return failure_set(f, REASON_INTERNAL, errno, BUS_SOCKET, NULL, "cannot listen on it");
	umask(0077);
	given = fd;
	fd = -1;
	return given;
}

static int serve(struct service *service)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* see session.h */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	r = sd_event_new(&service->event);
	if (r >= 0)
		r = sd_event_add_signal(service->event, NULL, SIGTERM, on_signal, service);
	if (r >= 0)
		r = sd_event_add_signal(service->event, NULL, SIGINT, on_signal, service);
	if (r >= 0)
		r = sd_event_add_io(service->event, NULL, service->listener, EPOLLIN, on_connection, service);
	if (r >= 0) {
		sd_notify(0, "READY=1");
		r = sd_event_loop(service->event);
	}
	sd_notify(0, "STOPPING=1");
	return r;
}

int service_run(struct failure *f)
{
	struct service service = {.listener = -1, .report_fd = -1};
	struct failure late = {0};
	int r;

	service.listener = listen_on_socket(f);
	if (service.listener < 0)
		return service.listener;
	if (discard_active_marks(&late) < 0) {
		char text[1024];

		fprintf(stderr, "hibernated: %s\n", failure_format(&late, text, sizeof(text)));
	}
	r = serve(&service);
	unlink(BUS_SOCKET);
	service.waiting = sd_bus_message_unref(service.waiting);
	service.report_source = sd_event_source_unref(service.report_source);
	service.event = sd_event_unref(service.event);
	fd_close(service.report_fd);
	fd_close(service.listener);
	if (r < 0)
		return failure_set(f, REASON_INTERNAL, -r, "hibernated", NULL, "the event loop failed");
	return 0;
}
