/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/failpoint.h"

#if ENABLE_FAILPOINTS

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whole words, or with their ':' the beginning of one. */
static const char *const actions[] = {"kill", "hang", "term", "int", "error:", "kill:", "wait:"};

static void try_open(void)
{
	open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void try_socket(void)
{
	socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void try_execve(void)
{
	char *const none[] = {NULL};

	execve("/no/such/program", none, none); /* one that is there would die of the same filter */
}

static void try_ptrace(void)
{
	ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static const struct {
	const char *name;
	void (*call)(void);
} tries[] = {
	{"open", try_open},
	{"socket", try_socket},
	{"execve", try_execve},
	{"ptrace", try_ptrace},
};

static bool known_try(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(tries); i++)
		if (strcmp(name, tries[i].name) == 0)
			return true;
	return false;
}

static bool known_action(const char *action)
{
	if (strncmp(action, "try:", 4) == 0)
		return known_try(action + 4);
	for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
		size_t length = strlen(actions[i]);

		if (actions[i][length - 1] == ':' ? strncmp(action, actions[i], length) == 0 : strcmp(action, actions[i]) == 0)
			return true;
	}
	return false;
}

int failpoints_parse(struct failpoints *set, const char *text)
{
	set->count = 0;
	while (*text) {
		struct failpoint point = {0};
		size_t length = strcspn(text, "\n");
		char line[128];

		if (length >= sizeof(line) || set->count == FAILPOINT_MAX)
			return -EINVAL;
		memcpy(line, text, length);
		line[length] = '\0';
		text += length + (text[length] == '\n');
		if (!line[0])
			continue;
		if (sscanf(line, "%47s %23s %u", point.name, point.action, &point.skip) < 2)
			return -EINVAL;
		if (!known_action(point.action))
			return -EINVAL;
		set->items[set->count++] = point;
	}
	return 0;
}

int failpoints_load(struct failpoints *set, const struct sysctx *s, struct failure *f)
{
	char text[1024];
	ssize_t n = sys_read(s, FAILPOINTS_PATH, text, sizeof(text));

	set->count = 0;
	if (n == -ENOENT)
		return 0;
	if (n < 0 || failpoints_parse(set, text) < 0)
		return failure_set(f, REASON_CONFIG, n < 0 ? (int)-n : EINVAL, FAILPOINTS_PATH, "Mend it.", "not failpoints");
	return 0;
}

static int act(const char *action)
{
	if (strcmp(action, "kill") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(action, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(action, "term") == 0 || strcmp(action, "int") == 0)
		return kill(getpid(), action[0] == 't' ? SIGTERM : SIGINT) < 0 ? -errno : 0;
	if (strncmp(action, "wait:", 5) == 0) {
		clock_sleep_usec((uint64_t)atoi(action + 5) * USEC_PER_SEC);
		return 0;
	}
	if (strncmp(action, "try:", 4) == 0) {
		for (size_t i = 0; i < ARRAY_LENGTH(tries); i++)
			if (strcmp(action + 4, tries[i].name) == 0)
				tries[i].call();
		return -EPROTO;
	}
	if (strncmp(action, "kill:", 5) == 0)
		return FAILPOINT_KILL_OTHER;
	return -atoi(action + 6);
}

int failpoint_hit(struct failpoints *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++) {
		struct failpoint *point = &set->items[i];

		if (strcmp(point->name, name) != 0)
			continue;
		if (point->skip) {
			point->skip--;
			continue;
		}
		point->name[0] = '\0';
		if (strcmp(point->action, "kill:parent") == 0) {
			kill(getppid(), SIGKILL);
			continue;
		}
		return act(point->action);
	}
	return 0;
}

#else
typedef int failpoints_not_compiled_in; /* ISO C wants a declaration in every file */
#endif
