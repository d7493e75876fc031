/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole resume on a made-up machine, from an image that a whole hibernation on it has written. Whatever fails:
 * the image stays armed until somebody decides, and nobody boots past it in silence.
 */
#include "machine.h"

#include "area/fingerprint.h"
#include "cli/worker-sandbox.h"
#include "common/next-boot.h"
#include "daemon/disarm.h"

#include <check.h>
#include <errno.h>
#include <linux/suspend_ioctls.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct machine machine;

/* A machine that was hibernated and is being booted again. */
static void setup(void)
{
	machine_init(&machine);
	ck_assert_int_eq(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_OFF);
	fake_kernel_check(machine.kernel);
	memset(machine.state->calls, 0, sizeof(machine.state->calls));
	machine.state->workers = 0;
	machine_power_on(&machine, 2);
}

static void teardown(void)
{
	machine_deinit(&machine);
}

static void configure(const char *lines)
{
	char text[256];

	snprintf(text, sizeof(text), "[Hibernate]\nThreads=1\n%s\n", lines);
	tree_write(&machine.tree, "/etc/hibernate.conf", text);
}

static void type(const char *keys)
{
	ck_assert_int_eq(write(machine.console, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static void check_boot(enum machine_end expected, const char *what)
{
	enum machine_end end = machine_boot(&machine);

	ck_assert_msg(end == expected, "%s: ended with %d, not %d", what, (int)end, (int)expected);
	fake_kernel_check(machine.kernel);
}

static void check_mark(enum mark_kind kind, enum mark_state state, enum mark_drop drop)
{
	struct mark mark;

	machine_mark(&machine, &mark);
	ck_assert_msg(mark.kind == kind && mark.state == state && mark.drop == drop, "the mark is %s, %s, %s",
		      mark_kind_name(mark.kind), mark_state_name(mark.state), mark_drop_name(mark.drop));
}

static void check_armed(void)
{
	check_mark(MARK_ARMED, MARK_STATE_ARMED, MARK_DROP_NONE);
}

static void check_entered(unsigned int tries)
{
	struct mark mark;

	check_mark(MARK_DROPPED, MARK_STATE_IN_PROGRESS, MARK_DROP_NONE);
	machine_mark(&machine, &mark);
	ck_assert_uint_eq(mark.boot.tries, tries);
	ck_assert(machine.kernel->entered);
	for (size_t i = 0; i < machine.kernel->image_pages; i++)
		ck_assert_uint_eq(machine.kernel->page_sums[i], fake_kernel_page_word(i));
}

/* ---- there and back ----------------------------------------------------- */

START_TEST(a_machine_comes_back)
{
	const struct session_report *report = &machine.state->report;

	check_boot(MACHINE_ENTERED, "boot");
	check_entered(1);
	ck_assert(machine.kernel->platform);
	ck_assert_uint_eq(machine.kernel->opens, 1);

	/* And on the other side CREATE_IMAGE says 0. */
	machine_power_on(&machine, 1);
	machine.kernel->restored = true;
	machine_fault(&machine, SNAPSHOT_FREEZE, -EBUSY, 0, 1); /* what went wrong on the way there is no failure now */
	ck_assert_int_eq(machine_hibernate(&machine, SESSION_HIBERNATE), MACHINE_RUNS);
	machine_check_undone(&machine, "restored");
	ck_assert_int_eq(report->outcome, OUTCOME_RESUMED);
	ck_assert(!failed(&report->failure));
	ck_assert_uint_eq(report->image_pages, 600);
	ck_assert_uint_eq(report->times.load_tries, 1);
	ck_assert_uint_gt(report->stored_bytes, 0);
	ck_assert_uint_gt(report->times.save_usec, 0);
	ck_assert_uint_gt(report->times.load_usec, 0);
	check_mark(MARK_DROPPED, MARK_STATE_RESUMED, MARK_DROP_NONE);

	/* What has come back is no image any more. */
	machine_power_on(&machine, 3);
	check_boot(MACHINE_RUNS, "third boot");
	ck_assert_uint_eq(machine.kernel->opens, 0);
}
END_TEST

/* Zero pages at the end, on kernels that need one more write, and on those that answer ENODATA. */
START_TEST(zero_pages_at_the_end)
{
	machine.kernel->zero_tail = machine.kernel->late_finish = true;
	machine.kernel->strict_finish = _i;
	check_boot(MACHINE_ENTERED, "late finish");
	check_entered(1);
}
END_TEST

static void sign(const char *signature)
{
	machine_write(&machine, PAGE_BYTES - 10, signature, 10);
}

START_TEST(what_is_no_image_of_ours_is_left_alone)
{
	static const char *const signatures[] = {"SWAPSPACE2", "S1SUSPEND\0", "LINHIB0001", "S2SUSPEND\0", "nothing at"};
	char before[PAGE_BYTES], after[PAGE_BYTES];

	sign(signatures[_i]);
	machine_read(&machine, 0, before, sizeof(before));
	check_boot(MACHINE_RUNS, signatures[_i]);
	machine_read(&machine, 0, after, sizeof(after));
	ck_assert_int_eq(memcmp(before, after, sizeof(after)), 0);
	ck_assert_uint_eq(machine.kernel->opens, 0);
	ck_assert_uint_eq(machine.state->workers, 0);
	ck_assert(!failed(&machine.state->failure));
}
END_TEST

START_TEST(noresume_looks_at_nothing)
{
	tree_write(&machine.tree, "/proc/cmdline", "quiet noresume\n");
	check_boot(MACHINE_RUNS, "noresume");
	ck_assert_uint_eq(machine.kernel->opens, 0);
	check_armed(); /* hibernated --disarm comes later */
}
END_TEST

/* ---- faults of the moment ----------------------------------------------- */

static void freeze_refused(void)
{
	machine_fault(&machine, SNAPSHOT_FREEZE, -EBUSY, 0, 1);
}

static void restore_refused(void)
{
	machine_fault(&machine, SNAPSHOT_ATOMIC_RESTORE, -EIO, 0, 1);
}

static void platform_refused(void)
{
	machine_fault(&machine, SNAPSHOT_PLATFORM_SUPPORT, -EIO, 1, 1);
}

/* A page goes missing: the kernel says so, and eats a slot, so that this session can never be used again. */
static void session_spoilt(void)
{
	machine_fault(&machine, SNAPSHOT_ATOMIC_RESTORE, -ENODATA, 0, 1);
	machine.kernel->strict_finish = true;
}

static void worker_dies(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	(void)socket;
	(void)job;
	kill(getpid(), SIGKILL);
}

static void worker_killed(void)
{
	machine.worker = worker_dies;
	machine.worker_times = 1;
}

/* Reads nothing, and says that the disk is gone. */
static void worker_cannot_read(struct machine *m, int socket, struct worker_job *job)
{
	(void)m;
	worker_send(socket, WORKER_READY, (uint64_t[4]){WORKER_PROTOCOL_VERSION}, -1);
	machine_hear(socket, WORKER_OPEN);
	failure_set(&job->failure, REASON_IO, EIO, "/dev/vda2", NULL, "cannot read the header page");
	worker_send(socket, WORKER_FAILED, NULL, -1);
	_exit(1);
}

static void read_error(void)
{
	machine.worker = worker_cannot_read;
	machine.worker_times = 1;
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

static const struct {
	const char *what;
	void (*arrange)(void);
	unsigned int tries;  /* what the mark counts in the end */
	unsigned int opens;  /* sessions with the kernel */
} moments[] = {
	{"freeze refused", freeze_refused, 1, 2},
	{"restore refused", restore_refused, 2, 2},
	{"platform refused", platform_refused, 1, 2},
	{"session spoilt", session_spoilt, 2, 2},
	{"worker killed", worker_killed, 1, 1},
	{"read error", read_error, 1, 1},
	{"mark not written", mark_not_written, 1, 2},
	{"mark not flushed", mark_not_flushed, 2, 2},
};

START_TEST(a_fault_of_the_moment_is_tried_again)
{
	moments[_i].arrange();
	check_boot(MACHINE_ENTERED, moments[_i].what);
	check_entered(moments[_i].tries);
	ck_assert_msg(machine.kernel->opens == moments[_i].opens, "%s: %u sessions", moments[_i].what, machine.kernel->opens);
	ck_assert_uint_eq(machine.state->reboots, 0);
}
END_TEST

/* ---- faults that stay --------------------------------------------------- */

static void restore_always_refused(void)
{
	machine_fault(&machine, SNAPSHOT_ATOMIC_RESTORE, -EIO, 0, 1000);
}

static void damage(uint64_t position)
{
	char byte;

	machine_read(&machine, position, &byte, 1);
	byte = (char)(byte ^ 0x10);
	machine_write(&machine, position, &byte, 1);
}

static void header_damaged(void)
{
	struct mark mark;

	machine_mark(&machine, &mark);
	damage(mark.header_offset + 100);
}

/* The first chunk follows the header page. */
static void chunk_damaged(void)
{
	struct mark mark;

	machine_mark(&machine, &mark);
	damage(mark.header_offset + PAGE_BYTES + 300);
}

static void a_copy_of_the_disk(void)
{
	tree_write(&machine.tree, "/sys/class/block/vda2/serial", "another\n");
}

static void device_busy(void)
{
	machine.kernel->open_error = -EBUSY;
}

static void the_header_of_another_image(void)
{
	char page[2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	const struct mark_io io = {.fd = machine.disk, .buffer = page, .name = "disk"};
	struct mark mark;

	machine_mark(&machine, &mark);
	ck_assert_int_eq(mark_disarm(&io, MARK_DROP_DISCARDED, NULL), 0);
	mark.image_id[3] ^= 1;
	ck_assert_int_eq(mark_arm(&io, &mark, NULL), 0);
}

/* A worker that has gone over to the other side: endless strings, and more fingerprints than there are. */
static void worker_lies_about_meta(struct machine *m, int socket, struct worker_job *job)
{
	struct utsname name;
	struct mark mark;

	worker_send(socket, WORKER_READY, (uint64_t[4]){WORKER_PROTOCOL_VERSION}, -1);
	machine_hear(socket, WORKER_OPEN);
	machine_mark(m, &mark);
	uname(&name);
	memset(&job->meta, 'x', sizeof(job->meta));
	snprintf(job->meta.kernel_release, sizeof(job->meta.kernel_release), "%s", name.release);
	snprintf(job->meta.architecture, sizeof(job->meta.architecture), "%.15s", name.machine);
	memcpy(job->meta.id.bytes, mark.image_id, sizeof(mark.image_id));
	worker_send(socket, WORKER_META, NULL, -1);
	pause();
}

static void meta_is_nonsense(void)
{
	machine.worker = worker_lies_about_meta;
}

static void worker_is_of_a_vax(struct machine *m, int socket, struct worker_job *job)
{
	struct mark mark;

	worker_send(socket, WORKER_READY, (uint64_t[4]){WORKER_PROTOCOL_VERSION}, -1);
	machine_hear(socket, WORKER_OPEN);
	machine_mark(m, &mark);
	job->meta = (struct image_meta){.kernel_release = "9.9.9", .architecture = "vax"};
	memcpy(job->meta.id.bytes, mark.image_id, sizeof(mark.image_id));
	worker_send(socket, WORKER_META, NULL, -1);
	pause();
}

static void another_architecture(void)
{
	machine.worker = worker_is_of_a_vax;
}

static const struct {
	const char *what;
	void (*arrange)(void);
	unsigned int tries; /* that the worker was started */
	enum mark_drop drop; /* what the mark says when it is dropped for it */
} stays[] = {
	{"restore always refused", restore_always_refused, 3, MARK_DROP_REFUSED},
	{"worker always dies", worker_killed, 3, MARK_DROP_REFUSED},
	{"header damaged", header_damaged, 1, MARK_DROP_UNREADABLE},
	{"chunk damaged", chunk_damaged, 1, MARK_DROP_UNREADABLE},
	{"a copy of the disk", a_copy_of_the_disk, 1, MARK_DROP_UNREADABLE},
	{"device busy", device_busy, 1, MARK_DROP_REFUSED},
	{"the header of another image", the_header_of_another_image, 1, MARK_DROP_UNREADABLE},
	{"meta is nonsense", meta_is_nonsense, 1, MARK_DROP_UNREADABLE},
	{"another architecture", another_architecture, 1, MARK_DROP_UNREADABLE},
};

static void arrange_stay(int i)
{
	stays[i].arrange();
	machine.worker_times = 0;
}

START_TEST(a_fault_that_stays_powers_off_with_the_image_kept)
{
	configure("ResumeFailure=poweroff");
	arrange_stay(_i);
	check_boot(MACHINE_OFF, stays[_i].what);
	ck_assert_int_eq(machine.state->reboot_command, RB_POWER_OFF);
	ck_assert_msg(machine.state->workers == stays[_i].tries, "%s: %u tries", stays[_i].what, machine.state->workers);
	check_armed();
	ck_assert(!machine.kernel->open);
	ck_assert(!machine.kernel->frozen);
	ck_assert(!machine.kernel->entered);
}
END_TEST

START_TEST(a_worker_that_oversteps_is_killed_and_the_image_is_kept)
{
	const char *what = machine_oversteps[_i].what;

	configure("ResumeFailure=poweroff");
	machine_let_overstep(&machine, &machine_oversteps[_i]);
	check_boot(MACHINE_OFF, what);
	ck_assert_msg(machine_said(&machine, "outside its sandbox"), "%s: nothing of it is logged", what);
	ck_assert_msg(machine.state->workers == 3, "%s: %u tries", what, machine.state->workers);
	check_armed();
	ck_assert(!machine.kernel->open);
	ck_assert(!machine.kernel->frozen);
	ck_assert(!machine.kernel->entered);
	machine.overstep = NULL;
	machine_power_on(&machine, 3);
	check_boot(MACHINE_ENTERED, "without it");
}
END_TEST

START_TEST(a_fault_that_stays_boots_with_the_image_dropped)
{
	configure("ResumeFailure=boot");
	arrange_stay(_i);
	check_boot(MACHINE_RUNS, stays[_i].what);
	ck_assert_uint_eq(machine.state->reboots, 0);
	check_mark(MARK_DROPPED, MARK_STATE_DISARMED, stays[_i].drop);
	ck_assert(!machine.kernel->open);
	ck_assert(!machine.kernel->frozen);
}
END_TEST

START_TEST(a_written_filesystem_drops_the_image_without_a_question)
{
	char super[1024];
	FILE *file = fopen(tree_path(&machine.tree, "/dev/vda1"), "r+");

	ck_assert_int_eq(fseek(file, 1024, SEEK_SET), 0);
	ck_assert_uint_eq(fread(super, 1, sizeof(super), file), sizeof(super));
	super[48]++; /* s_wtime */
	ck_assert_int_eq(fseek(file, 1024, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(super, 1, sizeof(super), file), sizeof(super));
	fclose(file);
	check_boot(MACHINE_RUNS, "stale");
	check_mark(MARK_DROPPED, MARK_STATE_DISARMED, MARK_DROP_STALE);
	ck_assert_uint_eq(machine.kernel->opens, 0);
}
END_TEST

/* ---- a device that cannot be written --------------------------------------- */

static void make_read_only(void)
{
	tree_write(&machine.tree, "/sys/class/block/vda2/ro", "1\n");
}

/* What was said at the console since the machine was switched on. */
static const char *said(void)
{
	static char text[4096];
	ssize_t n = read(machine.console, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/*
 * Opening the device for writing came before looking at it: on a read-only one it failed, and the boot went past the image.
 * It can be neither entered nor dropped, so there is no way to boot; nothing is loaded in vain.
 */
START_TEST(a_read_only_device_is_not_booted_past)
{
	static const char *const policies[] = {"ask", "poweroff", "boot"};
	char text[128];

	snprintf(text, sizeof(text), "ResumeWait=1\nAbortKey=none\nResumeFailure=%s", policies[_i]);
	configure(text);
	make_read_only();
	type(_i ? "" : "b");
	check_boot(MACHINE_OFF, policies[_i]);
	ck_assert_int_eq(machine.state->reboot_command, RB_POWER_OFF);
	check_armed();
	ck_assert_uint_eq(machine.state->workers, 0);
	ck_assert_uint_eq(machine.kernel->opens, 0);
}
END_TEST

/* As if a switch had been turned in between. */
START_TEST(a_device_that_becomes_writable_resumes)
{
	make_read_only();
	configure("ResumeFailure=poweroff");
	check_boot(MACHINE_OFF, "read-only");
	tree_write(&machine.tree, "/sys/class/block/vda2/ro", "0\n");
	machine_power_on(&machine, 3);
	check_boot(MACHINE_ENTERED, "writable");
	check_entered(1);
}
END_TEST

START_TEST(a_read_only_device_without_an_image_is_no_news)
{
	make_read_only();
	sign("SWAPSPACE2");
	check_boot(MACHINE_RUNS, "swap");
	ck_assert(!failed(&machine.state->failure));
	ck_assert_uint_eq(machine.state->reboots, 0);
	ck_assert_str_eq(said(), "");
}
END_TEST

/* ---- the note ------------------------------------------------------------ */

/* Nothing told a system whose initramfs has no resume step that its image would be dropped. */
START_TEST(a_boot_without_an_image_leaves_a_note)
{
	static const struct {
		const char *what, *lines;
		bool noted;
	} rows[] = {
		{"no image", "", true},
		{"wrong configuration", "Colour=red", false},
		{"the device is not there", "ResumeDevice=/dev/none\nResumeWait=0", false},
	};

	sign("SWAPSPACE2");
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct stat st;

		tree_write(&machine.tree, "/run/none", "");
		configure(rows[i].lines);
		check_boot(MACHINE_RUNS, rows[i].what);
		ck_assert_msg((sys_stat(&machine.tree.sys, RESUME_STEP_NOTE, &st) == 0) == rows[i].noted, "%s: noted", rows[i].what);
		if (rows[i].noted)
			tree_remove(&machine.tree, RESUME_STEP_NOTE);
	}
}
END_TEST

/* ---- the ordinary boot ----------------------------------------------------- */

static const char *notice(void)
{
	static char text[4096];

	return sys_read(&machine.tree.sys, DROPPED_NOTICE, text, sizeof(text)) < 0 ? "" : text;
}

START_TEST(an_ordinary_boot_drops_the_image)
{
	struct failure f = {0};

	tree_write(&machine.tree, "/run/none", "");
	ck_assert_int_eq(disarm_run(&machine.tree.sys, NULL, &f), 0);
	ck_assert(!failed(&f));
	check_mark(MARK_DROPPED, MARK_STATE_DISARMED, MARK_DROP_BOOTED);
	ck_assert_ptr_nonnull(strstr(notice(), "/dev/vda2: the system hibernated at"));
	ck_assert_ptr_nonnull(strstr(said(), "is dropped"));
	/* The second time there is nothing to say. */
	ck_assert_int_eq(disarm_run(&machine.tree.sys, "/dev/vda2", &f), 0);
	ck_assert_str_eq(said(), "");
	/* But a device that is not there was meant to be. */
	ck_assert_int_eq(disarm_run(&machine.tree.sys, "/dev/vdq2", &f), -ENODEV);
	ck_assert_int_eq(f.reason, REASON_NO_AREA);
	ck_assert_str_eq(f.object, "/dev/vdq2");
}
END_TEST

/* It boots all the same, past an armed image: so it says that, where a person looks, and what to do. */
START_TEST(an_ordinary_boot_says_what_it_cannot_drop)
{
	struct failure f = {0};
	const char *text;

	tree_write(&machine.tree, "/run/none", "");
	configure("ResumeDevice=/dev/vda2"); /* the same device a second way */
	make_read_only();
	ck_assert_int_lt(disarm_run(&machine.tree.sys, NULL, &f), 0);
	ck_assert_int_eq(f.reason, REASON_AREA_UNSUITABLE);
	ck_assert_int_eq(f.error, EROFS);
	check_armed();
	text = said();
	ck_assert_ptr_nonnull(strstr(text, "/dev/vda2: an image that was not resumed cannot be dropped"));
	ck_assert_ptr_nonnull(strstr(text, "hibernate-image discard"));
	ck_assert_ptr_null(strchr(strchr(text, '\n') + 1, '\n'));
	ck_assert_ptr_nonnull(strstr(notice(), "cannot be dropped"));
}
END_TEST

/* ---- asking ------------------------------------------------------------- */

static const struct {
	const char *typed;
	enum machine_end end;
	unsigned int tries;
} answers[] = {
	{"p", MACHINE_OFF, 3},
	{"xp", MACHINE_OFF, 3},      /* any other key is no answer */
	{"b", MACHINE_RUNS, 3},
	{"rp", MACHINE_OFF, 4},
	{"rrb", MACHINE_RUNS, 5},
	{"", MACHINE_OFF, 3},        /* nobody there */
};

START_TEST(the_user_is_asked)
{
	configure("ResumeWait=1\nAbortKey=none");
	restore_always_refused();
	type(answers[_i].typed);
	check_boot(answers[_i].end, answers[_i].typed);
	ck_assert_msg(machine.state->workers == answers[_i].tries, "'%s': %u tries", answers[_i].typed, machine.state->workers);
	if (answers[_i].end == MACHINE_OFF)
		check_armed();
	else
		check_mark(MARK_DROPPED, MARK_STATE_DISARMED, MARK_DROP_REFUSED);
}
END_TEST

/* A power-off that comes back must not become a boot past the image: it is tried again, and asked again. */
START_TEST(a_power_off_that_comes_back_does_not_boot)
{
	configure("ResumeWait=1\nAbortKey=none");
	restore_always_refused();
	machine.reboot_returns = 1;
	type("pp");
	check_boot(MACHINE_OFF, "power off");
	ck_assert_uint_eq(machine.state->reboots, 2);
	check_armed();
}
END_TEST

static void press_then_wait(struct machine *m, int socket, struct worker_job *job)
{
	(void)job;
	worker_send(socket, WORKER_READY, (uint64_t[4]){WORKER_PROTOCOL_VERSION}, -1);
	machine_hear(socket, WORKER_OPEN);
	machine_press_power(m);
	pause();
}

/* An abort is a question too, and one that can be answered with another try. */
START_TEST(a_key_stops_the_loading_and_asks)
{
	configure("ResumeWait=1\nAbortKey=power");
	machine.worker = press_then_wait;
	machine.worker_times = 1;
	type("r");
	check_boot(MACHINE_ENTERED, "key");
	check_entered(1);
	ck_assert_uint_eq(machine.state->workers, 2);
}
END_TEST

/* When the mark cannot be changed, the image is not entered; nor is it booted past, whatever was chosen, since it stays armed. */
START_TEST(a_disk_that_cannot_be_written_is_not_entered)
{
	configure(_i ? "ResumeFailure=poweroff" : "ResumeFailure=boot");
	machine.write_error = -EIO;
	machine.fault_times = 1000;
	check_boot(MACHINE_OFF, "write error");
	check_armed();
	ck_assert(!machine.kernel->entered);
	ck_assert_uint_eq(machine_count(&machine, SNAPSHOT_ATOMIC_RESTORE), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resume");
	TCase *cases = tcase_create("boot");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 30);
	tcase_add_test(cases, a_machine_comes_back);
	tcase_add_loop_test(cases, zero_pages_at_the_end, 0, 2);
	tcase_add_loop_test(cases, what_is_no_image_of_ours_is_left_alone, 0, 5);
	tcase_add_test(cases, noresume_looks_at_nothing);
	tcase_add_loop_test(cases, a_fault_of_the_moment_is_tried_again, 0, (int)ARRAY_LENGTH(moments));
	tcase_add_loop_test(cases, a_fault_that_stays_powers_off_with_the_image_kept, 0, (int)ARRAY_LENGTH(stays));
	if (WORKER_SANDBOX)
		tcase_add_loop_test(cases, a_worker_that_oversteps_is_killed_and_the_image_is_kept, 0, MACHINE_OVERSTEPS);
	tcase_add_loop_test(cases, a_fault_that_stays_boots_with_the_image_dropped, 0, (int)ARRAY_LENGTH(stays));
	tcase_add_test(cases, a_written_filesystem_drops_the_image_without_a_question);
	tcase_add_loop_test(cases, a_read_only_device_is_not_booted_past, 0, 3);
	tcase_add_test(cases, a_device_that_becomes_writable_resumes);
	tcase_add_test(cases, a_read_only_device_without_an_image_is_no_news);
	tcase_add_test(cases, a_boot_without_an_image_leaves_a_note);
	tcase_add_test(cases, an_ordinary_boot_drops_the_image);
	tcase_add_test(cases, an_ordinary_boot_says_what_it_cannot_drop);
	tcase_add_loop_test(cases, the_user_is_asked, 0, (int)ARRAY_LENGTH(answers));
	tcase_add_test(cases, a_power_off_that_comes_back_does_not_boot);
	tcase_add_test(cases, a_key_stops_the_loading_and_asks);
	tcase_add_loop_test(cases, a_disk_that_cannot_be_written_is_not_entered, 0, 2);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
