/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon as a process: socket, peers, signals, event loop. What peers can ask for is in manager.c.
 * Only root can connect: the socket has mode 0600 and the peer's credentials are checked again.
 */
#include "daemon/service.h"

#include "base/fdio.h"
#include "common/bus.h"
#include "daemon/discard.h"
#include "daemon/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
	struct manager manager;
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
		r = manager_add(&service->manager, bus);
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
	return manager_stop(&service->manager) ? sd_event_exit(service->event, 0) : 0;
}

static int make_socket(struct failure *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return failure_set(f, REASON_INTERNAL, errno, BUS_SOCKET, NULL, "cannot make a socket");
	return fd;
}

static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = BUS_SOCKET};

/* Marks may be what another daemon is just writing. */
static int check_alone(struct failure *f)
{
	AUTO_CLOSE int fd = make_socket(f);

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return failure_set(f, REASON_BUSY, EADDRINUSE, BUS_SOCKET, "Use hibernatectl.", "hibernated runs already");
	return 0;
}

static int listen_on_socket(struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	int made;

	if (mkdir(RUN_FOLDER, 0700) < 0 && errno != EEXIST)
		return failure_set(f, REASON_INTERNAL, errno, RUN_FOLDER, "Mount /run.", "cannot make it");
	fd = make_socket(f);
	if (fd < 0)
		return fd;
	if (unlink(BUS_SOCKET) < 0 && errno != ENOENT)
		return failure_set(f, REASON_INTERNAL, errno, BUS_SOCKET, NULL, "cannot replace it");
	umask(0177);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
		return failure_set(f, REASON_INTERNAL, errno, BUS_SOCKET, NULL, "cannot listen on it");
	umask(0077);
	made = fd;
	fd = -1;
	return made;
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
	manager_init(&service->manager, service->event);
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

/* In this order: whoever finds the socket finds no mark of this boot any more. */
static int prepare(struct service *service, struct failure *f)
{
	bool given = sd_listen_fds(1) == 1;
	struct failure late = {0};
	char text[1024];
	int r = given ? 0 : check_alone(f);

	if (r < 0)
		return r;
	if (discard_active_marks(&late) < 0)
		fprintf(stderr, "hibernated: %s\n", failure_format(&late, text, sizeof(text)));
	service->listener = given ? SD_LISTEN_FDS_START : listen_on_socket(f);
	return service->listener < 0 ? service->listener : 0;
}

int service_run(struct failure *f)
{
	struct service service = {.listener = -1};
	int r = prepare(&service, f);

	if (r < 0)
		return r;
	r = serve(&service);
	unlink(BUS_SOCKET);
	manager_deinit(&service.manager);
	service.event = sd_event_unref(service.event);
	fd_close(service.listener);
	if (r < 0)
		return failure_set(f, REASON_INTERNAL, -r, "hibernated", NULL, "the event loop failed");
	return 0;
}
