/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker as the daemon starts it: hibernate-image itself, by the way of supervisor.c, looked at from outside in
 * /proc. Run by root, who can become somebody else; by others only what is refused is tried.
 */
#include "daemon/supervisor.h"

#include "base/fdio.h"
#include "cli/worker-sandbox.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Small: locked memory may be limited, which only CAP_SYS_RESOURCE can change. */
#define RAM (4 * MIB)
#define LOCKED_LEAST (16 * MIB)
#define CODEC_THREADS 1
#define WRITERS 2
#define TASKS (1 + 1 + CODEC_THREADS + WRITERS) /* main, the mover, codec threads, area threads */

static const char *program(void)
{
	const char *path = getenv("HIBERNATE_IMAGE");

	return path ? path : "./hibernate-image";
}

static void prepare(struct supervisor *w, enum worker_direction direction)
{
	const struct worker_job request = {
		.direction = direction,
		.threads = CODEC_THREADS,
		.writers = WRITERS,
		.codec = CODEC_LZ4,
		.chunk_size = 65536,
		.unlocked = 1, /* not for who asks to say */
		.area_name = "/dev/area",
	};
	struct failure f = {0};

	supervisor_init(w);
	w->program.user = "nobody";
	w->program.path = program();
	ck_assert_msg(supervisor_prepare(w, &request, RAM, &f) == 0, "%s", f.text);
}

/* Where not even a small worker may be locked, which is not what is looked at here, it is not. */
static void lock_if_possible(struct supervisor *w)
{
	struct rlimit limit;

	ck_assert_int_eq(w->job->unlocked, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (limit.rlim_max < LOCKED_LEAST)
		w->job->unlocked = 1;
}

/* Whatever a worker could inherit. */
static void be_generous(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const gid_t groups[] = {4, 27};

	ck_assert_int_eq(setenv("HIBERNATED_SECRET", "inherited", 1), 0);
	ck_assert_int_ge(fcntl(STDIN_FILENO, F_DUPFD, 7), 0);
	ck_assert_int_ge(fcntl(STDIN_FILENO, F_DUPFD, 100), 0);
	ck_assert_int_eq(setgroups(ARRAY_LENGTH(groups), groups), 0);
	ck_assert_int_eq(syscall(SYS_capget, &header, data), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(data); i++)
		data[i].inheritable = data[i].permitted;
	ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
	ck_assert_int_eq(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0), 0);
}

/* ---- /proc -------------------------------------------------------------- */

static void task_path(char path[128], pid_t pid, const char *task, const char *name)
{
	snprintf(path, 128, "/proc/%d/task/%.16s/%s", pid, task, name);
}

/* What follows "@key:" in a task's status, without blanks around it. */
static void status_of(pid_t pid, const char *task, const char *key, char value[256])
{
	char path[128], line[256];
	size_t length = strlen(key);

	task_path(path, pid, task, "status");
	AUTO_FCLOSE FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, 256, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
		length = strlen(value);
		while (length && value[length - 1] == ' ')
			value[--length] = '\0';
		return;
	}
	ck_abort_msg("task %s: no %s", task, key);
}

static void check_status(pid_t pid, const char *task)
{
	static const struct {
		const char *key, *value;
	} wanted[] = {
		{"Uid", "65534\t65534\t65534\t65534"},
		{"Gid", "65534\t65534\t65534\t65534"},
		{"Groups", ""},
		{"CapInh", "0000000000000000"},
		{"CapPrm", "0000000000000000"},
		{"CapEff", "0000000000000000"},
		{"CapBnd", "0000000000000000"},
		{"CapAmb", "0000000000000000"},
		{"NoNewPrivs", "1"},
		{"Seccomp", "2"},
	};
	char value[256];

	for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
		status_of(pid, task, wanted[i].key, value);
		ck_assert_msg(strcmp(value, wanted[i].value) == 0, "task %s: %s is '%s'", task, wanted[i].key, value);
	}
}

static void check_environment(pid_t pid, const char *task)
{
	char path[128], text[256];

	task_path(path, pid, task, "environ");
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 0);
}

/* Exactly these, in this order. */
static void check_descriptors(pid_t pid, const char *task, const char *const *targets, size_t count)
{
	char path[128], target[256];
	size_t seen = 0;
	struct dirent *entry;

	task_path(path, pid, task, "fd");
	AUTO_CLOSEDIR DIR *folder = opendir(path);

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		ssize_t length;
		size_t number;

		if (entry->d_name[0] == '.')
			continue;
		length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		ck_assert_int_gt(length, 0);
		target[length] = '\0';
		number = strtoul(entry->d_name, NULL, 10);
		ck_assert_msg(number < count, "task %s: descriptor %zu is %s", task, number, target);
		ck_assert_msg(strncmp(target, targets[number], strlen(targets[number])) == 0, "task %s: descriptor %zu is %s",
			      task, number, target);
		seen++;
	}
	ck_assert_uint_eq(seen, count);
}

#define MOST_DESCRIPTORS 8
#define INHERITED "/dev/null", "/dev/null", "/dev/null", "socket:", "/memfd:hibernate-buffers", "/memfd:area"

/* What worker.h says, and the pipeline's own; to restore, the snapshot comes later. */
static const struct {
	enum worker_direction direction;
	const char *descriptors[MOST_DESCRIPTORS];
	size_t count;
} ways[] = {
	{WORKER_SAVE, {INHERITED, "/memfd:snapshot", "anon_inode:[eventfd]"}, 8},
	{WORKER_RESTORE, {INHERITED, "anon_inode:[eventfd]"}, 7},
};

START_TEST(a_worker_has_nothing_but_its_descriptors)
{
	int area = memfd_create("area", MFD_CLOEXEC), snapshot = memfd_create("snapshot", MFD_CLOEXEC);
	struct supervisor w;
	struct failure f = {0};
	struct dirent *entry;
	char path[64], text[1024];
	int tasks = 0;

	if (getuid() != 0 || !WORKER_SANDBOX)
		return;
	be_generous();
	prepare(&w, ways[_i].direction);
	lock_if_possible(&w);
	ck_assert_msg(supervisor_start(&w, area, ways[_i].direction == WORKER_SAVE ? snapshot : -1, &f) == 0, "%s",
		      failure_format(&f, text, sizeof(text)));
	snprintf(path, sizeof(path), "/proc/%d/task", w.pid);
	AUTO_CLOSEDIR DIR *folder = opendir(path);

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		tasks++;
		check_status(w.pid, entry->d_name);
		check_environment(w.pid, entry->d_name);
		check_descriptors(w.pid, entry->d_name, ways[_i].descriptors, ways[_i].count);
	}
	ck_assert_int_eq(tasks, TASKS);
	supervisor_deinit(&w);
	close(area);
	close(snapshot);
}
END_TEST

/* ---- who it is ---------------------------------------------------------- */

static const struct {
	const char *user, *words;
	int error;
} nobodies[] = {
	{"no-such-user-here", "does not exist", ENOENT},
	{"root", "must not run as root", EPERM},
};

/* In the initramfs, too: a user that did not travel there is no reason to be root. */
START_TEST(without_a_user_of_its_own_there_is_no_worker)
{
	const struct worker_job request = {.direction = WORKER_RESTORE, .threads = 1, .writers = 1};
	struct failure f = {0};
	struct supervisor w;

	supervisor_init(&w);
	ck_assert_str_eq(w.program.user, WORKER_USER);
	w.program.user = nobodies[_i].user;
	w.program.path = program();
	ck_assert_int_eq(supervisor_prepare(&w, &request, RAM, &f), -nobodies[_i].error);
	ck_assert_int_eq(f.reason, REASON_WORKER);
	ck_assert_str_eq(f.object, nobodies[_i].user);
	ck_assert_msg(strstr(f.text, nobodies[_i].words), "%s", f.text);
	ck_assert_msg(f.remedy[0], "no remedy");
	ck_assert_int_eq(w.program.fd, -1);
	ck_assert_int_eq(w.memory, -1);
	supervisor_deinit(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervisor");
	TCase *cases = tcase_create("sandbox");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_loop_test(cases, a_worker_has_nothing_but_its_descriptors, 0, (int)ARRAY_LENGTH(ways));
	tcase_add_loop_test(cases, without_a_user_of_its_own_there_is_no_worker, 0, (int)ARRAY_LENGTH(nobodies));
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
