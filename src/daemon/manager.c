/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Privileged requests form one closed table, the vtable at the end; each row says why it is safe.
 */
#include "daemon/manager.h"

#include "area/area.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "common/bus.h"
#include "common/next-boot.h"
#include "daemon/blockers.h"
#include "daemon/hibernate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* @data: struct session_report of a session that did not fail. */
static int append_report(sd_bus_message *m, const void *data, struct failure *f)
{
	const struct session_report *report = data;
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

	(void)f;
	if (r >= 0)
		r = append_string(m, "Area", report->area);
	for (size_t i = 0; r >= 0 && i < ARRAY_LENGTH(numbers); i++)
		r = append_u64(m, numbers[i].key, numbers[i].value);
	return r;
}

/* Writes the entries of an answer. A failure of ours is in @f, one of the bus is only returned. */
typedef int (*append_function)(sd_bus_message *m, const void *data, struct failure *f);

static int reply_with(sd_bus_message *call, append_function append, const void *data)
{
	sd_bus_message *reply = NULL;
	struct failure f = {0};
	int r = sd_bus_message_new_method_return(call, &reply);

	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{sv}");
	if (r >= 0)
		r = append(reply, data, &f);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return failed(&f) ? reply_failure(call, &f) : r;
}

void manager_keep(struct manager *manager, const struct session_report *report)
{
	manager->last = *report;
	manager->have_last = true;
	manager->kernel_encrypts |= report->kernel_encrypts;
}

const char *manager_kernel_encryption(const struct manager *manager)
{
	return manager->kernel_encrypts ? "by requests 21 and 22 of /dev/snapshot; not used" : NULL;
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct manager *manager = data;
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
	manager_keep(manager, &report);
	manager->session = fd_close(manager->session);
	manager->report_source = sd_event_source_unref(manager->report_source);
	manager->report_fd = fd_close(manager->report_fd);
	if (manager->waiting && failed(&report.failure))
		reply_failure(manager->waiting, &report.failure);
	else if (manager->waiting)
		reply_with(manager->waiting, append_report, &report);
	manager->waiting = sd_bus_message_unref(manager->waiting);
	if (manager->stopping)
		sd_event_exit(manager->event, 0);
	return 0;
}

static int start_session(struct manager *manager, sd_bus_message *call, const struct session_request *request)
{
	struct failure f = {0};
	struct config config;
	struct sysctx host = sysctx_host();
	int r;

	if (manager->session >= 0 || manager->stopping) {
		failure_set(&f, REASON_BUSY, EBUSY, "hibernated", "Wait until it is done.",
			    "%s is already under way", session_kind_name(manager->request.kind));
		return reply_failure(call, &f);
	}
	r = config_load(&config, &host, &f);
	if (r < 0)
		return reply_failure(call, &f);
	r = session_spawn(request, &config, &manager->report_fd);
	if (r < 0) {
		failure_set(&f, REASON_INTERNAL, -r, "hibernated", "Free some memory.", "cannot start a session");
		return reply_failure(call, &f);
	}
	manager->session = r;
	manager->request = *request;
	manager->waiting = sd_bus_message_ref(call);
	r = sd_event_add_io(manager->event, &manager->report_source, manager->report_fd, EPOLLIN, on_report, manager);
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

static int append_numbers(sd_bus_message *m, const struct area *area, const struct estimate *e)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"AreaBytes", area->size},
		{"AreaFreeBytes", area_free_bytes(area)},
		{"RamBytes", e->ram},
		{"InUseBytes", e->in_use},
		{"DroppableBytes", e->droppable},
		{"PreferredImageBytes", e->image_size},
		{"ExpectedStoredBytes", e->stored},
		{"LeastBytes", e->least},
	};
	int r = append_string(m, "Area", area->name);

	if (r >= 0)
		r = append_string(m, "AreaKind", area_kind_name(area->kind));
	for (size_t i = 0; r >= 0 && i < ARRAY_LENGTH(numbers); i++)
		r = append_u64(m, numbers[i].key, numbers[i].value);
	return r;
}

static int append_next_boot(sd_bus_message *m, const struct next_boot *next)
{
	int r = append_string(m, "ResumeDevice", next->device);

	if (r >= 0 && next->has_offset)
		r = append_u64(m, "ResumeOffset", next->offset_pages);
	if (r >= 0 && next_boot_warning(next))
		r = append_string(m, "Warning", next_boot_warning(next));
	return r;
}

/* Area and estimate; fails as a hibernation would. */
static int append_estimate(sd_bus_message *m, const void *data, struct failure *f)
{
	AUTO_FREE struct extent *extents = calloc(AREA_EXTENTS_MAX, sizeof(*extents));
	struct sysctx host = sysctx_host();
	struct supervisor worker;
	struct config config;
	struct next_boot next;
	struct estimate e;
	struct area area;
	int r = extents ? config_load(&config, &host, f)
			: failure_set(f, REASON_INTERNAL, ENOMEM, "estimate", NULL, "no memory");

	(void)data;
	supervisor_init(&worker);
	if (r >= 0)
		r = area_find(&area, &host, config.resume_device, extents, AREA_EXTENTS_MAX, f);
	if (r >= 0)
		r = hibernate_estimate(&e, &host, &config, area_free_bytes(&area), f);
	if (r < 0)
		return r;
	r = estimate_check(&e, area.name, area_free_bytes(&area), f);
	if (r >= 0)
		r = next_boot_check(&next, &host, &config, &area, f);
	if (r >= 0)
		r = supervisor_possible(&worker, f);
	if (r >= 0)
		r = blockers_check(&host, f);
	if (r >= 0)
		r = sealing_possible(&config, f);
	if (r >= 0)
		r = append_numbers(m, &area, &e);
	return r < 0 ? r : append_next_boot(m, &next);
}

static int method_estimate(sd_bus_message *call, void *data, sd_bus_error *error)
{
	(void)data;
	(void)error;
	return reply_with(call, append_estimate, NULL);
}

/* @data: struct manager. */
static int append_status(sd_bus_message *m, const void *data, struct failure *f)
{
	const struct manager *manager = data;
	char text[1024];
	int r = append_string(m, "Version", PACKAGE_VERSION);

	if (r >= 0)
		r = append_string(m, "State", manager->session >= 0 ? session_kind_name(manager->request.kind) : "idle");
	if (r >= 0 && manager_kernel_encryption(manager))
		r = append_string(m, "KernelEncryption", manager_kernel_encryption(manager));
	if (r < 0 || !manager->have_last)
		return r;
	if (failed(&manager->last.failure)) {
		r = append_string(m, "LastReason", reason_name(manager->last.failure.reason));
		if (r >= 0)
			r = append_string(m, "LastFailure", failure_format(&manager->last.failure, text, sizeof(text)));
	}
	return r < 0 ? r : append_report(m, &manager->last, f);
}

static int method_status(sd_bus_message *call, void *data, sd_bus_error *error)
{
	(void)error;
	return reply_with(call, append_status, data);
}

/* The closed table of what a peer may ask. Every peer is root; still, nothing here takes a path to write to or run. */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	/* Starts a session of a fixed kind; configuration comes from root's files, not from the peer. */
	SD_BUS_METHOD("Hibernate", "s", "a{sv}", method_hibernate, 0),
	/* Writes only the mark of an active swap area, and only if it is ours. */
	SD_BUS_METHOD("Discard", "s", "a{sv}", method_discard, 0),
	/* Reads /proc, the area's header, whether the worker can be started and whether there are keys. */
	SD_BUS_METHOD("Estimate", NULL, "a{sv}", method_estimate, 0),
	/* Reads our own memory. */
	SD_BUS_METHOD("Status", NULL, "a{sv}", method_status, 0),
	SD_BUS_VTABLE_END,
};

int manager_add(struct manager *manager, sd_bus *bus)
{
	return sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_INTERFACE, vtable, manager);
}

bool manager_stop(struct manager *manager)
{
	if (manager->session < 0)
		return true;
	manager->stopping = true;
	/* Dead sessions vanish at once, so a pid could be somebody else's by now. */
	syscall(SYS_pidfd_send_signal, manager->session, SIGTERM, NULL, 0);
	return false;
}

void manager_init(struct manager *manager, sd_event *event)
{
	*manager = (struct manager){.event = event, .session = -1, .report_fd = -1};
}

void manager_deinit(struct manager *manager)
{
	manager->waiting = sd_bus_message_unref(manager->waiting);
	manager->report_source = sd_event_source_unref(manager->report_source);
	manager->session = fd_close(manager->session);
	manager->report_fd = fd_close(manager->report_fd);
}
