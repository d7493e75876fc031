/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole hibernation on a made-up machine. Whatever fails, wherever: everything is undone, and the report
 * says why. See machine.h for what is checked at every call.
 */
#include "machine.h"

#include "base/fdio.h"
#include "cli/worker-sandbox.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <unistd.h>

static struct machine machine;

static void setup(void)
{
	machine_init(&machine);
}

static void teardown(void)
{
	machine_deinit(&machine);
}

static void check_end(enum machine_end end, enum machine_end expected, const char *what)
{
	char text[1024];

	ck_assert_msg(end == expected, "%s: ended with %d, not %d (%s)", what, (int)end, (int)expected,
		      failure_format(&machine.state->report.failure, text, sizeof(text)));
	fake_kernel_check(machine.kernel);
}

static unsigned int refusals(void)
{
	return machine_count(&machine, SNAPSHOT_POWER_OFF) + machine.state->reboots;
}

/* What the kernel log holds. */
static bool logged(const char *text)
{
	static char log[PAGE_BYTES + 1];
	int fd = open(tree_path(&machine.tree, "/dev/kmsg"), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, log, sizeof(log) - 1);

	fd_close(fd);
	log[n < 0 ? 0 : n] = '\0';
	return strstr(log, text) != NULL;
}

/* ---- leaving ------------------------------------------------------------ */

START_TEST(a_hibernation_ends_with_the_power_off_and_an_armed_mark)
{
	struct mark mark;

	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, "hibernate");
	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark.kind, MARK_ARMED);
	ck_assert_int_eq(mark.boot_id[15], 1);
	ck_assert_uint_eq(mark.save.pages, machine.kernel->image_pages);
	ck_assert(machine.kernel->powered_off);
	ck_assert_int_eq(machine.state->reboot_command, 0);
	ck_assert_uint_gt(machine.kernel->preferred_size, 0);
}
END_TEST

START_TEST(ways_to_leave)
{
	static const struct {
		const char *mode, *modes;
		int command;
		unsigned int platform;
	} rows[] = {
		{"platform", "[platform] shutdown\n", 0, 1},
		{"platform", "[shutdown] reboot\n", RB_POWER_OFF, 0}, /* no ACPI S4 */
		{"shutdown", "[platform] shutdown\n", RB_POWER_OFF, 0},
		{"reboot", "[platform] shutdown\n", RB_AUTOBOOT, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct mark mark;
		char text[128];

		machine_deinit(&machine);
		machine_init(&machine);
		snprintf(text, sizeof(text), "[Hibernate]\nThreads=1\nShutdownMode=%s\n", rows[i].mode);
		tree_write(&machine.tree, "/etc/hibernate.conf", text);
		tree_write(&machine.tree, "/sys/power/disk", rows[i].modes);
		check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, rows[i].mode);
		machine_mark(&machine, &mark);
		ck_assert_int_eq(mark.kind, MARK_ARMED);
		ck_assert_int_eq(machine.state->reboot_command, rows[i].command);
		ck_assert_uint_eq(machine_count(&machine, SNAPSHOT_POWER_OFF), rows[i].platform);
	}
}
END_TEST

/* Power-off that returns is a machine that did not leave: success included, which is what the kernel says then. */
START_TEST(a_power_off_that_comes_back_undoes_everything)
{
	static const struct {
		const char *what, *mode;
		int power_off;   /* what POWER_OFF answers */
		int reboot;      /* what reboot() answers */
		unsigned int ways; /* that were tried */
	} rows[] = {
		{"platform fails, then the plain way", "platform", -EIO, -EPERM, 2},
		{"platform comes back with success", "platform", 0, 1, 2},
		{"a wake-up event", "platform", -EBUSY, 1, 1},
		{"plain comes back", "shutdown", 0, 1, 1},
		{"plain is refused", "shutdown", 0, -EPERM, 1},
		{"reboot is refused", "reboot", 0, -EPERM, 1},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct mark mark;
		char text[128];

		machine_deinit(&machine);
		machine_init(&machine);
		snprintf(text, sizeof(text), "[Hibernate]\nThreads=1\nShutdownMode=%s\n", rows[i].mode);
		tree_write(&machine.tree, "/etc/hibernate.conf", text);
		machine.kernel->faults[0] = (struct fake_fault){SNAPSHOT_POWER_OFF, rows[i].power_off, 0, 1};
		machine.kernel->power_off_returns = rows[i].power_off == 0;
		machine.reboot_error = rows[i].reboot;
		check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, rows[i].what);
		machine_check_undone(&machine, rows[i].what);
		ck_assert_int_eq(machine.state->report.outcome, OUTCOME_FAILED);
		ck_assert_int_eq(machine.state->report.failure.reason, REASON_LEAVE_REFUSED);
		ck_assert_msg(refusals() == rows[i].ways, "%s: %u ways were tried", rows[i].what, refusals());
		machine_mark(&machine, &mark);
		ck_assert_int_eq(mark.kind, MARK_DROPPED);
		ck_assert_int_eq(mark.drop, MARK_DROP_FAILED);
	}
}
END_TEST

/*
 * The mark was written, the machine did not leave, and the mark cannot be written any more. It stays armed, but what it
 * points to is gone, so that it never leads to slots that swap uses again.
 */
START_TEST(a_mark_that_cannot_be_undone_leads_nowhere)
{
	struct mark mark;

	machine.kernel->faults[0] = (struct fake_fault){SNAPSHOT_POWER_OFF, -EBUSY, 0, 1};
	machine.write_error = -EIO;
	machine.fault_skip = 1;
	machine.fault_times = 1000;
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, "worn disk");
	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark.kind, MARK_ARMED);
	ck_assert(!machine_has_header(&machine, &mark));
	ck_assert(!machine.kernel->frozen);

	machine.write_error = 0;
	machine_power_on(&machine, 2);
	tree_write(&machine.tree, "/etc/hibernate.conf", "[Hibernate]\nThreads=1\nResumeFailure=boot\n");
	check_end(machine_boot(&machine), MACHINE_RUNS, "next boot");
	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark.drop, MARK_DROP_UNREADABLE);
}
END_TEST

/* Neither the mark nor the header can be written: the session goes, but the slots stay until the disk is back. */
START_TEST(slots_outlive_a_session_that_cannot_disarm)
{
	struct mark mark;

	machine.kernel->faults[0] = (struct fake_fault){SNAPSHOT_POWER_OFF, -EBUSY, 0, 1};
	machine.flush_error = -EIO;
	machine.fault_skip = 1;
	machine.fault_times = 4;
	machine.guard_faults = 2;
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, "dead disk");
	ck_assert_int_eq(machine.state->report.failure.reason, REASON_LEAVE_REFUSED);
	ck_assert(!machine.kernel->frozen);
	ck_assert_uint_eq(machine_count(&machine, SNAPSHOT_FREE_SWAP_PAGES), 0);
	ck_assert_uint_gt(machine.kernel->areas[0].taken, 0);
	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark.drop, MARK_DROP_FAILED);
	ck_assert(logged("boot with noresume, then use mkswap"));
	ck_assert(logged("dropped at last"));
}
END_TEST

START_TEST(hybrid_wakes_up_without_a_mark)
{
	struct mark mark;

	check_end(machine_hibernate(&machine, SESSION_HYBRID), MACHINE_RUNS, "hybrid");
	machine_check_undone(&machine, "hybrid");
	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark.drop, MARK_DROP_WOKE); /* nothing has failed */
	ck_assert(machine.kernel->suspended);
	ck_assert_int_eq(machine.state->report.outcome, OUTCOME_WOKE);
	ck_assert(!failed(&machine.state->report.failure));
	/* And can do it again. */
	check_end(machine_hibernate(&machine, SESSION_HYBRID), MACHINE_RUNS, "again");
	machine_check_undone(&machine, "again");
}
END_TEST

START_TEST(hybrid_that_cannot_sleep_fails)
{
	machine.kernel->faults[0] = (struct fake_fault){SNAPSHOT_S2RAM, -EIO, 0, 1};
	check_end(machine_hibernate(&machine, SESSION_HYBRID), MACHINE_RUNS, "hybrid");
	machine_check_undone(&machine, "hybrid");
	ck_assert_int_eq(machine.state->report.outcome, OUTCOME_FAILED);
	ck_assert_int_eq(machine.state->report.failure.reason, REASON_LEAVE_REFUSED);
}
END_TEST

/* ---- errors ------------------------------------------------------------- */

static void before(unsigned long request, unsigned int skip, void (*action)(struct machine *m))
{
	machine.at = request;
	machine.at_skip = skip;
	machine.action = action;
}

static void no_swap(void)
{
	machine_swapoff(&machine);
}

static void hardly_any_swap(void)
{
	machine_set_used(&machine, 16384 - 4);
}

static void no_power_management(void)
{
	tree_remove(&machine.tree, "/sys/power/state");
}

static void traced(void)
{
	tree_write(&machine.tree, "/proc/77/status", "Name:\tvi\nTracerPid:\t42\nVmSize:\t1 kB\n");
	tree_write(&machine.tree, "/proc/77/comm", "vi\n");
}

static void sync_is_interrupted(struct machine *m)
{
	(void)m;
	kill(getppid(), SIGTERM);
	usleep(300000);
}

static void signal_while_syncing(void)
{
	machine.sync = sync_is_interrupted;
}

static void sync_swaps_off(struct machine *m)
{
	machine_swapoff(m);
}

static void area_gone_while_syncing(void)
{
	machine.sync = sync_swaps_off;
}

static void memory_cannot_be_locked(void)
{
	machine.lock_error = -ENOMEM;
}

static void device_busy(void)
{
	machine.kernel->open_error = -EBUSY;
}

static void tasks_refuse(struct machine *m)
{
	int fd = open(tree_path(&m->tree, "/dev/kmsg"), O_WRONLY | O_APPEND | O_CLOEXEC);
	const char record[] = "6,901,4242,-;task:dd              state:D stack:0     pid:123   tgid:123   ppid:1\n";

	if (fd_write_full(fd, record, sizeof(record) - 1) < 0)
		fake_kernel_violate(m->kernel, "cannot write the log");
	fd_close(fd);
}

static void freeze_refused_twice(void)
{
	machine_fault(&machine, SNAPSHOT_FREEZE, -EBUSY, 0, 2);
	before(SNAPSHOT_FREEZE, 0, tasks_refuse);
}

static void freeze_impossible(void)
{
	machine_fault(&machine, SNAPSHOT_FREEZE, -EIO, 0, 2);
}

static void freeze_refused_and_key(void)
{
	machine_fault(&machine, SNAPSHOT_FREEZE, -EBUSY, 0, 1);
	before(SNAPSHOT_FREEZE, 0, machine_press_power);
}

/* One more descriptor can be had, but no pair of them: neither the guard's pipes nor the worker's socket. */
static void use_up_descriptors(struct machine *m)
{
	int lowest = dup(0);
	struct rlimit limit;

	fd_close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)lowest + 1;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fake_kernel_violate(m->kernel, "cannot limit the number of descriptors");
}

static void no_descriptor_for_the_guard(void)
{
	before(SNAPSHOT_FREEZE, 0, use_up_descriptors);
}

static void no_descriptor_for_the_worker(void)
{
	before(SNAPSHOT_SET_SWAP_AREA, 0, use_up_descriptors);
}

static void area_not_set(void)
{
	machine_fault(&machine, SNAPSHOT_SET_SWAP_AREA, -ENODEV, 0, 1);
}

static void area_gone_while_freezing(void)
{
	before(SNAPSHOT_SET_SWAP_AREA, 0, machine_swapoff);
}

static void sign_as_kernel(struct machine *m)
{
	machine_write(m, PAGE_BYTES - 10, "S1SUSPEND\0", 10);
}

static void foreign_image(void)
{
	sign_as_kernel(&machine);
}

static void worker_dies(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	(void)socket;
	(void)job;
	kill(getpid(), SIGKILL);
}

static void worker_never_ready(void)
{
	machine.worker = worker_dies;
}

static void say(int socket, enum worker_message_type type, uint64_t value)
{
	worker_send(socket, type, (uint64_t[4]){value, 600}, -1);
}

static void worker_is_of_another_version(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	(void)job;
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION + 1);
	pause();
}

static void another_version(void)
{
	machine.worker = worker_is_of_another_version;
}

static void size_not_taken(void)
{
	machine_fault(&machine, SNAPSHOT_PREF_IMAGE_SIZE, -EIO, 0, 1);
}

static void platform_not_taken(void)
{
	machine_fault(&machine, SNAPSHOT_PLATFORM_SUPPORT, -EIO, 1, 1); /* the first is the test of the capability at the open */
}

static void no_image(void)
{
	machine_fault(&machine, SNAPSHOT_CREATE_IMAGE, -ENOMEM, 0, 1);
}

static void no_image_size(void)
{
	machine_fault(&machine, SNAPSHOT_GET_IMAGE_SIZE, -EIO, 0, 1);
}

static void no_slot(void)
{
	machine_fault(&machine, SNAPSHOT_ALLOC_SWAP_PAGE, -EIO, 20, 1);
}

static void slot_outside(void)
{
	static const uint64_t order[] = {7, 8, 9, 100000};

	machine.kernel->areas[0].order = order;
	machine.kernel->areas[0].slots = ARRAY_LENGTH(order);
}

static void key_before_slots(void)
{
	before(SNAPSHOT_GET_IMAGE_SIZE, 0, machine_press_power);
}

static void too_few_slots(void)
{
	tree_write(&machine.tree, "/etc/hibernate.conf", "[Hibernate]\nThreads=1\nConsoleLogLevel=7\nCompression=none\n");
	machine.kernel->areas[0].slots = 100;
}

static void worker_says_no(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	failure_set(&job->failure, REASON_IO, EREMOTEIO, "/dev/vda2", NULL, "the medium is gone");
	say(socket, WORKER_FAILED, 0);
	_exit(1);
}

static void worker_fails(void)
{
	machine.worker = worker_says_no;
}

/* What it says about its failure makes no sense, and has no end. */
static void worker_babbles(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	memset(&job->failure, 'x', sizeof(job->failure));
	say(socket, WORKER_FAILED, 0);
	_exit(1);
}

static void worker_fails_wildly(void)
{
	machine.worker = worker_babbles;
}

static void worker_dies_at_work(struct machine *m, int socket, struct worker_job *job)
{
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	say(socket, WORKER_PROGRESS, 10);
	worker_dies(m, socket, job);
}

static void worker_killed(void)
{
	machine.worker = worker_dies_at_work;
}

static void worker_says_ready_again(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	(void)job;
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	pause();
}

static void protocol_broken(void)
{
	machine.worker = worker_says_ready_again;
}

static void report(int socket, uint64_t pages, uint64_t total, uint64_t bytes)
{
	worker_send(socket, WORKER_PROGRESS, (uint64_t[4]){pages, total, bytes}, -1);
}

static const struct {
	const char *what;
	uint64_t reports[2][3];
} nonsense[] = {
	{"pages fall", {{11, 600, 0}, {10, 600, 0}}},
	{"bytes fall", {{10, 600, 8192}, {11, 600, 4096}}},
	{"more pages than there are", {{10, 600, 0}, {601, 600, 0}}},
	{"more bytes than there are", {{10, 600, 0}, {11, 600, 1ULL << 40}}},
	{"another total", {{10, 600, 0}, {11, 601, 0}}},
};
static size_t nonsense_now;

static void worker_reports_nonsense(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	(void)job;
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	for (size_t i = 0; i < 2; i++)
		report(socket, nonsense[nonsense_now].reports[i][0], nonsense[nonsense_now].reports[i][1],
		       nonsense[nonsense_now].reports[i][2]);
	pause();
}

static void finish(int socket, struct worker_job *job, uint64_t pages, uint64_t header_offset)
{
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	job->result = (struct worker_result){.pages = pages, .header_offset = header_offset, .stored_bytes = 4096};
	say(socket, WORKER_DONE, 0);
	pause();
}

static void too_few_pages(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	finish(socket, job, 599, 2 * PAGE_BYTES);
}

static void header_on_the_mark(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	finish(socket, job, 600, 0);
}

static void header_outside(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	finish(socket, job, 600, UINT64_MAX - PAGE_BYTES + 1);
}

static void lie_about_pages(void)
{
	machine.worker = too_few_pages;
}

static void lie_about_the_header(void)
{
	machine.worker = header_on_the_mark;
}

static void lie_about_the_area(void)
{
	machine.worker = header_outside;
}

static void key_at_work(struct machine *m, int socket, struct worker_job *job)
{
	(void)job;
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	say(socket, WORKER_PROGRESS, 10);
	machine_press_power(m);
	pause();
}

static void key_while_writing(void)
{
	machine.worker = key_at_work;
}

static void key_at_the_end(struct machine *m, int socket, struct worker_job *job)
{
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	machine_hear(socket, WORKER_GRANT);
	machine_press_power(m);
	job->result = (struct worker_result){.pages = 600, .header_offset = 2 * PAGE_BYTES, .stored_bytes = 4096};
	say(socket, WORKER_DONE, 0);
	pause();
}

static void key_before_commit(void)
{
	machine.worker = key_at_the_end;
}

static void mark_not_written(void)
{
	machine.write_error = -EIO;
	machine.fault_times = 1;
}

static void mark_not_flushed(void)
{
	machine.flush_error = -EIO;
	machine.fault_times = 1;
}

static void key_before_freeze(void)
{
	before(SNAPSHOT_PLATFORM_SUPPORT, 0, machine_press_power); /* at the open */
}

/* One a way of failing. After each the machine is as it was, and can hibernate. */
static const struct {
	const char *what;
	void (*arrange)(void);
	enum reason reason;
	int error;          /* 0: not looked at */
	bool untouched;     /* /dev/snapshot was not even opened */
	bool lasting;       /* hibernating again cannot work either */
} failures[] = {
	{"no swap", no_swap, REASON_NO_AREA, 0, true, true},
	{"hardly any swap", hardly_any_swap, REASON_TOO_SMALL, ENOSPC, true, true},
	{"no power management", no_power_management, REASON_UNAVAILABLE, 0, true, true},
	{"a traced process", traced, REASON_BLOCKED, 0, true, true},
	{"signal while syncing", signal_while_syncing, REASON_ABORTED, ECANCELED, true, false},
	{"area gone while syncing", area_gone_while_syncing, REASON_AREA_UNSUITABLE, ESTALE, true, true},
	{"memory cannot be locked", memory_cannot_be_locked, REASON_INTERNAL, ENOMEM, true, false},
	{"device busy", device_busy, REASON_BUSY, 0, true, true},
	{"key before FREEZE", key_before_freeze, REASON_ABORTED, ECANCELED, false, false},
	{"freeze refused twice", freeze_refused_twice, REASON_FREEZE_REFUSED, EBUSY, false, false},
	{"freeze impossible", freeze_impossible, REASON_SNAPSHOT, EIO, false, false},
	{"freeze refused by a key", freeze_refused_and_key, REASON_ABORTED, ECANCELED, false, false},
	{"no guard", no_descriptor_for_the_guard, REASON_INTERNAL, EMFILE, false, false},
	{"area not set", area_not_set, REASON_AREA_UNSUITABLE, ENODEV, false, false},
	{"area gone while freezing", area_gone_while_freezing, REASON_AREA_UNSUITABLE, ESTALE, false, true},
	{"worker cannot be started", no_descriptor_for_the_worker, REASON_WORKER, EMFILE, false, false},
	{"worker never ready", worker_never_ready, REASON_WORKER, EPIPE, false, false},
	{"worker of another version", another_version, REASON_WORKER, EPROTO, false, false},
	{"size not taken", size_not_taken, REASON_SNAPSHOT, EIO, false, false},
	{"platform not taken", platform_not_taken, REASON_SNAPSHOT, EIO, false, false},
	{"no image", no_image, REASON_SNAPSHOT, ENOMEM, false, false},
	{"no image size", no_image_size, REASON_SNAPSHOT, EIO, false, false},
	{"no slot", no_slot, REASON_SNAPSHOT, EIO, false, false},
	{"slot outside", slot_outside, REASON_INTERNAL, ERANGE, false, true},
	{"key before slots", key_before_slots, REASON_ABORTED, ECANCELED, false, false},
	{"too few slots", too_few_slots, REASON_TOO_SMALL, ENOSPC, false, true},
	{"worker fails", worker_fails, REASON_IO, EREMOTEIO, false, false},
	{"worker fails wildly", worker_fails_wildly, REASON_WORKER, 0, false, false},
	{"worker killed", worker_killed, REASON_WORKER, EPIPE, false, false},
	{"protocol broken", protocol_broken, REASON_WORKER, EPROTO, false, false},
	{"lie about pages", lie_about_pages, REASON_WORKER, EPROTO, false, false},
	{"lie about the header", lie_about_the_header, REASON_WORKER, EPROTO, false, false},
	{"lie about the area", lie_about_the_area, REASON_WORKER, EPROTO, false, false},
	{"key while writing", key_while_writing, REASON_ABORTED, ECANCELED, false, false},
	{"key before commit", key_before_commit, REASON_ABORTED, ECANCELED, false, false},
	{"mark not written", mark_not_written, REASON_IO, EIO, false, false},
	{"mark not flushed", mark_not_flushed, REASON_IO, EIO, false, false},
};

/* The same machine in good health: only what a failure could have left behind can keep it from leaving. */
static void heal(void)
{
	memset(machine.kernel->faults, 0, sizeof(machine.kernel->faults));
	machine.action = NULL;
	machine.sync = NULL;
	machine.worker = NULL;
	machine.overstep = NULL;
	machine.lock_error = machine.write_error = machine.flush_error = 0;
}

START_TEST(a_failure_leaves_the_machine_as_it_was)
{
	const struct failure *f = &machine.state->report.failure;
	const char *what = failures[_i].what;

	failures[_i].arrange();
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, what);
	machine_check_undone(&machine, what);
	ck_assert_int_eq(machine.state->report.outcome, OUTCOME_FAILED);
	ck_assert_msg(f->reason == failures[_i].reason, "%s: %s, %s", what, reason_name(f->reason), f->text);
	ck_assert_msg(!failures[_i].error || f->error == failures[_i].error, "%s: error %d", what, f->error);
	ck_assert_msg(f->text[0] && f->object[0], "%s: the failure says nothing", what);
	ck_assert_msg(memchr(f->text, '\0', sizeof(f->text)) && memchr(f->object, '\0', sizeof(f->object)),
		      "%s: a string without end", what);
	ck_assert_msg((machine.kernel->opens == 0) == failures[_i].untouched, "%s: opened %u times", what,
		      machine.kernel->opens);
	ck_assert_msg(refusals() == 0, "%s: it tried to leave", what);
	if (failures[_i].lasting)
		return;
	heal();
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, "again");
}
END_TEST

/* The sandbox kills it, whatever it tries and from whichever thread; the machine does not notice. */
START_TEST(a_worker_that_oversteps_is_killed)
{
	const struct failure *f = &machine.state->report.failure;
	const char *what = machine_oversteps[_i].what;

	machine_let_overstep(&machine, &machine_oversteps[_i]);
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, what);
	machine_check_undone(&machine, what);
	ck_assert_msg(f->reason == REASON_WORKER, "%s: %s, %s", what, reason_name(f->reason), f->text);
	ck_assert_msg(strstr(f->text, "outside its sandbox"), "%s: %s", what, f->text);
	ck_assert_msg(refusals() == 0, "%s: it tried to leave", what);
	heal();
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, "again");
}
END_TEST

/* Progress is only for show, but a worker that reports for ever would hold the frozen machine for ever. */
START_TEST(progress_that_makes_no_sense_ends_the_worker)
{
	const struct failure *f = &machine.state->report.failure;

	nonsense_now = (size_t)_i;
	machine.worker = worker_reports_nonsense;
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, nonsense[_i].what);
	machine_check_undone(&machine, nonsense[_i].what);
	ck_assert_msg(f->reason == REASON_WORKER && f->error == EPROTO && strstr(f->text, "progress"), "%s: %s", nonsense[_i].what,
		      f->text);
	heal();
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, "again");
}
END_TEST

/* Learned while the device is open anyway, from a hibernation that fails as well. */
START_TEST(a_kernel_that_encrypts_is_noticed)
{
	machine.kernel->encrypts = _i;
	machine_fault(&machine, SNAPSHOT_FREEZE, -EIO, 0, 2);
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, "hibernate");
	machine_check_undone(&machine, "hibernate");
	ck_assert_int_eq(machine.state->report.kernel_encrypts, _i);
	heal();
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, "again");
}
END_TEST

START_TEST(somebody_elses_image_is_left_alone)
{
	char before_page[PAGE_BYTES], after_page[PAGE_BYTES];

	foreign_image();
	machine_read(&machine, 0, before_page, sizeof(before_page));
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, "foreign");
	ck_assert_int_eq(machine.state->report.failure.reason, REASON_FOREIGN_IMAGE);
	machine_read(&machine, 0, after_page, sizeof(after_page));
	ck_assert_int_eq(memcmp(before_page, after_page, sizeof(after_page)), 0);
	ck_assert(!machine.kernel->frozen);
	ck_assert(!machine.kernel->open);
}
END_TEST

START_TEST(refusing_tasks_are_named)
{
	freeze_refused_twice();
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, "refused");
	ck_assert_uint_eq(machine_count(&machine, SNAPSHOT_FREEZE), 2);
	ck_assert_ptr_nonnull(strstr(machine.state->report.failure.text, "dd (123)"));
}
END_TEST

/* Tasks that refuse are often just busy; the log need not be readable for that. A refusal that is over is no failure. */
START_TEST(freezing_is_tried_twice)
{
	machine_fault(&machine, SNAPSHOT_FREEZE, -EBUSY, 0, 1);
	check_end(machine_hibernate(&machine, SESSION_HYBRID), MACHINE_RUNS, "second try");
	ck_assert_uint_eq(machine_count(&machine, SNAPSHOT_FREEZE), 2);
	ck_assert_int_eq(machine.state->report.outcome, OUTCOME_WOKE);
	ck_assert(!failed(&machine.state->report.failure));
}
END_TEST

static void arm_as_this_boot(struct machine *m)
{
	char page[2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	const struct mark_io io = {.fd = m->disk, .buffer = page, .name = "disk"};
	struct mark mark = {.boot_id = {[15] = 1}, .header_offset = 5 * PAGE_BYTES};

	if (mark_arm(&io, &mark, NULL) < 0)
		fake_kernel_violate(m->kernel, "cannot arm");
}

/* This boot is alive, so whatever it left armed is wrong: disarmed, and the hibernation goes on. */
START_TEST(a_mark_of_the_running_boot_does_not_stand_in_the_way)
{
	struct mark mark;

	before(SNAPSHOT_FREEZE, 0, arm_as_this_boot);
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, "again");
	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark.kind, MARK_ARMED);
	ck_assert_uint_ne(mark.header_offset, 5 * PAGE_BYTES);
}
END_TEST

/* ---- killed ------------------------------------------------------------- */

/*
 * Whenever the session is killed, the guard sees to it that no armed mark outlives the slots, and nothing of what was
 * started is left.
 */
START_TEST(a_killed_session_leaves_no_armed_mark)
{
	static const struct {
		const char *what;
		unsigned long request;
		unsigned int skip;
	} rows[] = {
		{"at FREEZE", SNAPSHOT_FREEZE, 0},
		{"at SET_SWAP_AREA", SNAPSHOT_SET_SWAP_AREA, 0},
		{"at CREATE_IMAGE", SNAPSHOT_CREATE_IMAGE, 0},
		{"while allocating", SNAPSHOT_ALLOC_SWAP_PAGE, 100},
		{"after the commit point", SNAPSHOT_POWER_OFF, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct mark mark;

		machine_deinit(&machine);
		machine_init(&machine);
		before(rows[i].request, rows[i].skip, machine_kill_session);
		check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_KILLED, rows[i].what);
		machine_mark(&machine, &mark);
		ck_assert_msg(mark.kind == (rows[i].request == SNAPSHOT_POWER_OFF ? MARK_DROPPED : MARK_SWAP), "%s: the mark is %s",
			      rows[i].what, mark_kind_name(mark.kind));
	}
}
END_TEST

static void worker_stays(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	(void)job;
	prctl(PR_SET_PDEATHSIG, 0);
	close_range(STDERR_FILENO + 1, (unsigned int)socket - 1, 0); /* what the guard hears of the session's death by is here, too */
	close_range((unsigned int)socket + 1, ~0U, 0);
	say(socket, WORKER_READY, WORKER_PROTOCOL_VERSION);
	for (;;)
		pause();
}

/* Closing the last descriptor thaws, and a task from after FREEZE could never be frozen again: the guard sees to it first. */
START_TEST(a_worker_that_would_stay_is_killed_by_the_guard)
{
	machine.worker = worker_stays;
	before(SNAPSHOT_GET_IMAGE_SIZE, 0, machine_kill_session);
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_KILLED, "worker stays");
}
END_TEST

/*
 * The guard disarmed once and believed that it had: with a disk that refused, it closed the device under an armed mark.
 * Now it tries again; then destroys what the mark leads to; then keeps the slots and goes on trying while user space runs.
 */
START_TEST(a_guard_does_not_give_up)
{
	static const struct {
		const char *what;
		unsigned int faults;
		enum mark_kind kind;
		bool kept;          /* user space runs, but the slots are not given back */
		const char *says;
	} rows[] = {
		{"a moment", 1, MARK_DROPPED, false, ""},
		{"only the mark cannot be written", 3, MARK_ARMED, false, "its image is destroyed; mkswap"},
		{"nothing can be written for a while", 6, MARK_DROPPED, true, "boot with noresume, then use mkswap"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct mark mark;

		machine_deinit(&machine);
		machine_init(&machine);
		machine.guard_faults = rows[i].faults;
		before(SNAPSHOT_POWER_OFF, 0, machine_kill_session);
		check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_KILLED, rows[i].what);
		machine_mark(&machine, &mark);
		ck_assert_msg(mark.kind == rows[i].kind, "%s: the mark is %s", rows[i].what, mark_kind_name(mark.kind));
		if (mark.kind == MARK_DROPPED)
			ck_assert_int_eq(mark.drop, MARK_DROP_FAILED);
		else
			ck_assert(!machine_has_header(&machine, &mark));
		ck_assert_msg(machine_count(&machine, SNAPSHOT_UNFREEZE) == (rows[i].kept ? 1 : 0), "%s: thawed", rows[i].what);
		ck_assert_msg(logged(rows[i].says), "%s: the log does not say so", rows[i].what);
		ck_assert_uint_eq(machine_count(&machine, SNAPSHOT_FREE_SWAP_PAGES), 0);
	}
}
END_TEST

/* What a failed flush has left in the disk's memory reads back as if it were done. */
START_TEST(a_disarm_that_was_not_flushed_is_flushed)
{
	struct mark mark;

	machine.kernel->faults[0] = (struct fake_fault){SNAPSHOT_POWER_OFF, -EBUSY, 0, 1};
	machine.flush_error = -EIO;
	machine.fault_skip = 1;
	machine.fault_times = 2;
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, "flush");
	machine_check_undone(&machine, "flush");
	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark.drop, MARK_DROP_FAILED);
	ck_assert(machine_has_header(&machine, &mark));
	ck_assert_uint_eq(machine.state->flushes, 2);
}
END_TEST

/* ---- failpoints --------------------------------------------------------- */

#if ENABLE_FAILPOINTS
START_TEST(each_step_can_fail)
{
	static const char *const names[] = {"decide", "sync", "prepare", "freeze", "guard", "set-area",
					    "start-worker", "create-image", "slots", "write", "commit", "leave"};
	char text[64];

	snprintf(text, sizeof(text), "%s error:5\n", names[_i]);
	tree_write(&machine.tree, FAILPOINTS_PATH, text);
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS, names[_i]);
	machine_check_undone(&machine, names[_i]);
	ck_assert_int_eq(machine.state->report.failure.error, 5);
	ck_assert_str_eq(machine.state->report.failure.object, names[_i]);
	tree_remove(&machine.tree, FAILPOINTS_PATH);
	check_end(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF, "again");
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("hibernate");
	TCase *cases = tcase_create("steps");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 20);
	tcase_add_test(cases, a_hibernation_ends_with_the_power_off_and_an_armed_mark);
	tcase_add_test(cases, ways_to_leave);
	tcase_add_test(cases, a_power_off_that_comes_back_undoes_everything);
	tcase_add_test(cases, a_mark_that_cannot_be_undone_leads_nowhere);
	tcase_add_test(cases, slots_outlive_a_session_that_cannot_disarm);
	tcase_add_test(cases, hybrid_wakes_up_without_a_mark);
	tcase_add_test(cases, hybrid_that_cannot_sleep_fails);
	tcase_add_loop_test(cases, a_failure_leaves_the_machine_as_it_was, 0, (int)ARRAY_LENGTH(failures));
	if (WORKER_SANDBOX)
		tcase_add_loop_test(cases, a_worker_that_oversteps_is_killed, 0, MACHINE_OVERSTEPS);
	tcase_add_loop_test(cases, progress_that_makes_no_sense_ends_the_worker, 0, (int)ARRAY_LENGTH(nonsense));
	tcase_add_loop_test(cases, a_kernel_that_encrypts_is_noticed, 0, 2);
	tcase_add_test(cases, somebody_elses_image_is_left_alone);
	tcase_add_test(cases, refusing_tasks_are_named);
	tcase_add_test(cases, freezing_is_tried_twice);
	tcase_add_test(cases, a_mark_of_the_running_boot_does_not_stand_in_the_way);
	tcase_add_test(cases, a_killed_session_leaves_no_armed_mark);
	tcase_add_test(cases, a_worker_that_would_stay_is_killed_by_the_guard);
	tcase_add_test(cases, a_guard_does_not_give_up);
	tcase_add_test(cases, a_disarm_that_was_not_flushed_is_flushed);
#if ENABLE_FAILPOINTS
	tcase_add_loop_test(cases, each_step_can_fail, 0, 12);
#endif
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
