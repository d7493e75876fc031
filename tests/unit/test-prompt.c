/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking for a secret: the line that is typed, a pseudoterminal with somebody at it, a made-up password agent. What must
 * never be seen there is the secret, and what must always come back is the terminal's state.
 */
#include "daemon/prompt.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "daemon/askpass.h"
#include "tree.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROOM 64
#define LONG_USEC (10 * USEC_PER_SEC) /* bounds a hang */

/* ---- the line ----------------------------------------------------------- */

START_TEST(a_line_is_what_was_typed)
{
	static const struct {
		const char *typed;
		enum reply reply;
		const char *text;
	} rows[] = {
		{"abc\r", REPLY_LINE, "abc"},
		{"abc\n", REPLY_LINE, "abc"},
		{"a b \r", REPLY_LINE, "a b "},
		{"12345678\r", REPLY_LINE, "12345678"},
		{"gr\xc3\xbc\xc3\x9f\r", REPLY_LINE, "gr\xc3\xbc\xc3\x9f"},
		{"\xff\xfe\r", REPLY_LINE, "\xff\xfe"},
		{"ax\x7f" "b\r", REPLY_LINE, "ab"},
		{"ax\x08" "b\r", REPLY_LINE, "ab"},
		{"a\xc3\xbc\x7f" "b\r", REPLY_LINE, "ab"},
		{"a\xf0\x9f\x94\x91\x7f" "b\r", REPLY_LINE, "ab"},
		{"\x7f\x7f" "a\r", REPLY_LINE, "a"},
		{"abc\x15" "d\r", REPLY_LINE, "d"},
		{"a\x1b[Ab\x1b[1;5Cc\x1b[15~d\r", REPLY_LINE, "abcd"},
		{"a\x1bOPb\x1b[[Ac\x1bxd\r", REPLY_LINE, "abcd"},
		{"a\tb\x01" "c\x13" "d\x1a\r", REPLY_LINE, "abcd"},
		{"a\x1b\r", REPLY_LINE, "a"},
		{"\r", REPLY_OTHER, ""},
		{"ab\x7f\x7f\r", REPLY_OTHER, ""},
		{"abc\x15\r", REPLY_OTHER, ""},
		{"abc\x03", REPLY_OTHER, ""},
		{"abc\x04", REPLY_OTHER, ""},
		{"\x04", REPLY_OTHER, ""},
		{"123456789\r", REPLY_TOO_LONG, ""},
		{"123456789\x7f\r", REPLY_TOO_LONG, ""},
		{"123456789\x15" "1\r", REPLY_LINE, "1"},
		{"abc", REPLY_MORE, "abc"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		uint8_t text[9] = "xxxxxxxx";
		enum reply reply = REPLY_MORE;
		struct line line;

		line_init(&line, text, 8);
		text[8] = '!';
		for (const char *c = rows[i].typed; *c; c++) {
			ck_assert_msg(reply == REPLY_MORE, "row %zu: ended early", i);
			reply = line_feed(&line, (uint8_t)*c);
		}
		ck_assert_msg(reply == rows[i].reply, "row %zu: reply %d", i, (int)reply);
		ck_assert_msg(line.length == strlen(rows[i].text), "row %zu: %zu bytes", i, line.length);
		ck_assert_msg(memcmp(text, rows[i].text, line.length) == 0, "row %zu", i);
		for (size_t j = line.length; j < 8; j++)
			ck_assert_msg(text[j] == 0, "row %zu: what was taken back is still there", i);
		ck_assert_uint_eq(text[8], '!');
	}
}
END_TEST

START_TEST(an_escape_alone_abandons_the_line)
{
	uint8_t text[8];
	struct line line;

	line_init(&line, text, sizeof(text));
	line_feed(&line, 'a');
	ck_assert_int_eq(line_pause(&line), REPLY_MORE);
	line_feed(&line, 0x1b);
	line_feed(&line, '[');
	ck_assert_int_eq(line_pause(&line), REPLY_MORE); /* a sequence that was cut short */
	ck_assert_uint_eq(line.length, 1);
	line_feed(&line, 0x1b);
	ck_assert_int_eq(line_pause(&line), REPLY_OTHER);
	ck_assert_uint_eq(line.length, 0);
	ck_assert_uint_eq(text[0], 0);
}
END_TEST

START_TEST(the_delay_grows_up_to_a_limit)
{
	static const unsigned int seconds[] = {0, 1, 2, 4, 8, 16, 30, 30, 30};

	for (unsigned int i = 0; i < ARRAY_LENGTH(seconds); i++)
		ck_assert_uint_eq(prompt_delay_usec(i), seconds[i] * USEC_PER_SEC);
	ck_assert_uint_eq(prompt_delay_usec(UINT32_MAX), 30 * USEC_PER_SEC);
}
END_TEST

/* ---- somebody at a terminal --------------------------------------------- */

struct step {
	const char *expect; /* NULL: end */
	const char *type;   /* NULL: hang up; "SIGTERM": that */
};

static struct {
	struct tree tree;
	struct keys keys;
	struct prompt prompt;
	struct prompt_question question;
	int master, slave;
	struct termios before;
	const struct step *steps;
	bool echoed;        /* the terminal was not silent while it waited */
	char seen[16384];   /* all that was shown */
	size_t seen_length;
	pthread_t somebody;
	uint8_t secret[ROOM + 1];
	size_t length;
	struct failure failure;
} t;

static void setup(void)
{
	memset(&t, 0, sizeof(t));
	tree_init(&t.tree);
	ck_assert_int_eq(keys_init(&t.keys), 0);
	t.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(t.master, 0);
	ck_assert_int_eq(grantpt(t.master) + unlockpt(t.master), 0);
	t.slave = open(ptsname(t.master), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_ge(t.slave, 0);
	ck_assert_int_eq(tcgetattr(t.slave, &t.before), 0);
	ck_assert(t.before.c_lflag & ECHO);
	prompt_init(&t.prompt, &t.tree.sys, &t.keys);
	t.prompt.terminal.given = t.slave;
	t.question = (struct prompt_question){.device = "/dev/vda2", .wait_usec = LONG_USEC};
	t.secret[ROOM] = '!';
}

static void check_restored(void)
{
	struct termios now;

	prompt_deinit(&t.prompt);
	prompt_deinit(&t.prompt);
	ck_assert_int_eq(tcgetattr(t.slave, &now), 0);
	ck_assert_uint_eq(now.c_lflag, t.before.c_lflag);
	ck_assert_uint_eq(now.c_iflag, t.before.c_iflag);
	ck_assert_uint_eq(now.c_oflag, t.before.c_oflag);
	ck_assert_uint_eq(now.c_cflag, t.before.c_cflag);
	ck_assert_int_eq(memcmp(now.c_cc, t.before.c_cc, sizeof(now.c_cc)), 0);
}

static void teardown(void)
{
	if (t.master >= 0)
		check_restored();
	ck_assert_uint_eq(t.secret[ROOM], '!');
	keys_deinit(&t.keys);
	fd_close(t.master);
	fd_close(t.slave);
	tree_deinit(&t.tree);
}

/* Look at the terminal until @text is there, behind @from of what was seen. NULL if it never is. */
static const char *see(size_t from, const char *text)
{
	struct pollfd ready = {.fd = t.master, .events = POLLIN};
	const char *found;

	while (!(found = strstr(t.seen + from, text))) {
		ssize_t n;

		if (poll(&ready, 1, (int)(LONG_USEC / USEC_PER_MSEC)) <= 0)
			return NULL;
		n = read(t.master, t.seen + t.seen_length, sizeof(t.seen) - 1 - t.seen_length);
		if (n <= 0)
			return NULL;
		t.seen_length += (size_t)n;
	}
	return found;
}

static void *sit_there(void *unused)
{
	size_t from = t.seen_length;

	for (const struct step *step = t.steps; step->expect; step++) {
		struct termios now;
		const char *found;

		found = see(from, step->expect);
		if (!found)
			return NULL;
		from = (size_t)(found - t.seen) + strlen(step->expect);
		if (tcgetattr(t.slave, &now) < 0 || now.c_lflag & (ECHO | ECHONL | ICANON))
			t.echoed = true;
		if (!step->type) {
			t.master = fd_close(t.master);
			return NULL;
		}
		if (strcmp(step->type, "SIGTERM") == 0)
			kill(getpid(), SIGTERM);
		else if (write(t.master, step->type, strlen(step->type)) < 0)
			return NULL;
	}
	return unused;
}

/* Ask while somebody does @steps. */
static int ask(const struct step *steps)
{
	struct pollfd ready = {.fd = t.master, .events = POLLIN};
	int r;

	t.steps = steps;
	t.length = 0;
	t.failure = (struct failure){0};
	memset(t.secret, 'x', ROOM);
	ck_assert_int_eq(pthread_create(&t.somebody, NULL, sit_there, NULL), 0);
	r = prompt_ask(&t.prompt, &t.question, t.secret, ROOM, &t.length, &t.failure);
	pthread_join(t.somebody, NULL);
	while (t.master >= 0 && poll(&ready, 1, 0) > 0) {
		ssize_t n = read(t.master, t.seen + t.seen_length, sizeof(t.seen) - 1 - t.seen_length);

		if (n <= 0)
			break;
		t.seen_length += (size_t)n;
	}
	ck_assert(!t.echoed);
	for (size_t i = r == PROMPT_SECRET ? t.length : 0; i < ROOM; i++)
		ck_assert_msg(t.secret[i] == 0, "byte %zu is not wiped", i);
	return r;
}

/* What was shown behind the last @question begins with @shown and a new line. */
static void check_shown(const char *question, const char *shown)
{
	const char *last = NULL;

	for (const char *at = t.seen; (at = strstr(at, question)); at++)
		last = at + strlen(question);
	ck_assert_ptr_nonnull(last);
	ck_assert_msg(strncmp(last, shown, strlen(shown)) == 0 && last[strlen(shown)] == '\r', "shown: %s", last);
}

static void check_secret(int answer, const char *secret)
{
	ck_assert_int_eq(answer, PROMPT_SECRET);
	ck_assert_uint_eq(t.length, strlen(secret));
	ck_assert_int_eq(memcmp(t.secret, secret, t.length), 0);
	ck_assert_ptr_null(strstr(t.seen, secret));
	if (t.seen_length)
		check_shown("answers): ", "");
}

#define STEPS(...) ((const struct step[]){__VA_ARGS__, {NULL, NULL}})

START_TEST(a_secret_is_typed_unseen)
{
	check_secret(ask(STEPS({"Passphrase for", "correct hor5e\r"})), "correct hor5e");
	ck_assert_ptr_nonnull(strstr(t.seen, "/dev/vda2"));
	ck_assert_ptr_null(strstr(t.seen, "recovery"));
	ck_assert_ptr_null(strstr(t.seen, "wrong"));
	t.question.recovery = true;
	check_secret(ask(STEPS({"Passphrase or recovery key", "gr\xc3\xbc\xc3\x9f" "ex\x7f\x1b[D!\r"})), "gr\xc3\xbc\xc3\x9f" "e!");
}
END_TEST

/* What is typed between two questions is neither seen nor taken for an answer. */
START_TEST(nothing_is_typed_ahead)
{
	check_secret(ask(STEPS({"answers): ", "first\r"})), "first");
	ck_assert_int_eq(write(t.master, "second\r", 7), 7);
	check_secret(ask(STEPS({"answers): ", "third\r"})), "third");
	ck_assert_ptr_null(strstr(t.seen, "second"));
}
END_TEST

START_TEST(other_answers_are_a_question_away)
{
	static const struct {
		const char *first, *second;
		int answer;
	} rows[] = {
		{"\r", "p\r", PROMPT_POWER_OFF},       {"\r", "b\r", PROMPT_BOOT_WITHOUT}, {"\x1b", "P\r", PROMPT_POWER_OFF},
		{"abc\x03", "B\r", PROMPT_BOOT_WITHOUT}, {"\x04", "xx\x7f\x7f" "b\r", PROMPT_BOOT_WITHOUT},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		ck_assert_int_eq(ask(STEPS({"answers): ", rows[i].first}, {"to the question: ", rows[i].second})), rows[i].answer);
}
END_TEST

/* A passphrase that begins like an answer is none, and not shown either. */
START_TEST(a_secret_at_the_wrong_question_drops_nothing)
{
	int answer = ask(STEPS({"answers): ", "\r"}, {"to the question: ", "battery staple\r"}, {"answers): ", "right\r"}));

	check_secret(answer, "right");
	check_shown("to the question: ", "b");
	answer = ask(STEPS({"answers): ", "\r"}, {"to the question: ", "\r"}, {"answers): ", "\r"}, {"to the question: ", "p\r"}));
	ck_assert_int_eq(answer, PROMPT_POWER_OFF);
}
END_TEST

START_TEST(too_long_is_said)
{
	char typed[ROOM + 3];

	memset(typed, 'z', ROOM + 1);
	memcpy(typed + ROOM + 1, "\r", 2);
	check_secret(ask(STEPS({"answers): ", typed}, {"Longer than 64 bytes", "short\r"})), "short");
}
END_TEST

START_TEST(silence_is_an_answer)
{
	uint64_t begun = clock_monotonic_usec();

	t.question.wait_usec = 300 * USEC_PER_MSEC;
	ck_assert_int_eq(ask(STEPS({"answers): ", "abc"})), PROMPT_NOBODY);
	ck_assert_uint_ge(clock_monotonic_usec() - begun, 300 * USEC_PER_MSEC);
	ck_assert_int_eq(ask(STEPS({"answers): ", "\r"})), PROMPT_NOBODY);
}
END_TEST

START_TEST(what_was_not_finished_is_wiped)
{
	ck_assert_int_eq(terminal_hold(&t.prompt.terminal, &t.tree.sys), 0);
	ck_assert_int_eq(terminal_hold(&t.prompt.terminal, &t.tree.sys), 0);
	ck_assert_int_eq(write(t.master, "abc", 3), 3);
	ck_assert_int_eq(terminal_read_line(&t.prompt.terminal, &t.keys, 300 * USEC_PER_MSEC, false, t.secret, ROOM, &t.length),
			 REPLY_SILENCE);
	for (size_t i = 0; i < ROOM; i++)
		ck_assert_uint_eq(t.secret[i], 0);
	ck_assert_int_eq(write(t.master, "p\x7f\x15q\r", 5), 5);
	ck_assert_int_eq(terminal_read_line(&t.prompt.terminal, &t.keys, LONG_USEC, true, t.secret, ROOM, &t.length), REPLY_LINE);
	ck_assert_int_eq(t.secret[0], 'q');
	ck_assert_ptr_nonnull(see(0, "p\b \bq"));
}
END_TEST

/* No terminal and no agent; or a terminal that goes away. */
START_TEST(nobody_is_waited_for)
{
	uint64_t begun = clock_monotonic_usec();
	char lines[2000] = "";

	t.question.wait_usec = 300 * USEC_PER_MSEC;
	ck_assert_int_eq(ask(STEPS({"answers): ", NULL})), PROMPT_NOBODY);
	t.prompt.terminal.given = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(ask(STEPS({NULL, NULL})), PROMPT_NOBODY);
	t.prompt.terminal.given = fd_close(t.prompt.terminal.given);
	memset(lines, 'x', sizeof(lines) - 1);
	for (size_t i = 9; i < sizeof(lines); i += 10)
		lines[i] = i + 1 < sizeof(lines) ? '\n' : '\0';
	tree_write(&t.tree, "/dev/console", lines); /* no terminal either: echo cannot be off */
	ck_assert_int_eq(ask(STEPS({NULL, NULL})), PROMPT_NOBODY);
	ck_assert_uint_ge(clock_monotonic_usec() - begun, 900 * USEC_PER_MSEC);
}
END_TEST

START_TEST(a_signal_ends_the_question)
{
	ck_assert_int_eq(ask(STEPS({"answers): ", "SIGTERM"})), -ECANCELED);
	ck_assert_int_eq(t.failure.reason, REASON_ABORTED);
	ck_assert_str_eq(t.failure.text, "aborted by SIGTERM");
	ck_assert_int_eq(ask(STEPS({"answers): ", "\r"}, {"to the question: ", "SIGTERM"})), -ECANCELED);
	check_restored();
	ck_assert(!keys_aborted(&t.keys)); /* the next try is not aborted by it */
	t.question.tries = 6;
	ck_assert_int_eq(ask(STEPS({"answers): ", "x\r"}, {"It is tried in", "SIGTERM"})), -ECANCELED);
}
END_TEST

START_TEST(wrong_answers_slow_down_secrets_only)
{
	uint64_t begun = clock_monotonic_usec(), spent;

	t.question.tries = 1;
	check_secret(ask(STEPS({"1 wrong so far", ""}, {"answers): ", "x1\r"}, {"It is tried in 1 s", ""})), "x1");
	spent = clock_monotonic_usec() - begun;
	ck_assert_uint_ge(spent, prompt_delay_usec(1));
	t.question.tries = 6;
	begun = clock_monotonic_usec();
	ck_assert_int_eq(ask(STEPS({"6 wrong so far", "\r"}, {"to the question: ", "p\r"})), PROMPT_POWER_OFF);
	ck_assert_uint_lt(clock_monotonic_usec() - begun, prompt_delay_usec(6));
}
END_TEST

START_TEST(labels_are_escaped)
{
	static const char label[] = "home\x1b[2J\r\n\xe2\x80\xae\"";

	t.question.label = label;
	t.question.label_size = sizeof(label);
	check_secret(ask(STEPS({"answers): ", "secret\r"})), "secret");
	ck_assert_ptr_nonnull(strstr(t.seen, "\"home\\x1b[2J\\x0d\\x0a\\u{202e}\\x22\""));
	ck_assert_ptr_null(strchr(t.seen, 0x1b));
	t.question.label = "abcdef";
	t.question.label_size = 3;
	check_secret(ask(STEPS({"\"abc\" ", "secret\r"})), "secret");
}
END_TEST

/* ---- an agent ----------------------------------------------------------- */

static struct {
	pthread_t thread;
	const char *const *answers; /* whole datagrams, up to NULL */
	size_t answered;
	char questions[8][2048];
	bool stop;
} agent;

#define NAME_ROOM 300

/* The only question there is into @name. */
static bool find_question(char name[NAME_ROOM])
{
	DIR *dir = opendir(tree_path(&t.tree, ASKPASS_DIRECTORY));
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "ask.", 4) == 0) {
			snprintf(name, NAME_ROOM, ASKPASS_DIRECTORY "/%s", entry->d_name);
			found = true;
		}
	if (dir)
		closedir(dir);
	return found;
}

static void answer_question(const char *question, const char *answer)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char path[80] = "", whole[160];
	/* As systemd's own do: with the NUL. "=" instead of "+": without. */
	size_t length = strlen(answer) + (answer[0] == '+');
	char packet[256];

	memcpy(packet, answer, strlen(answer) + 1);
	if (packet[0] == '=')
		packet[0] = '+';
	sscanf(strstr(question, "Socket="), "Socket=%79[^\n]", path);
	snprintf(whole, sizeof(whole), "%s%s", t.tree.path, path);
	memcpy(name.sun_path, whole, MIN(strlen(whole), sizeof(name.sun_path) - 1));
	sendto(fd, packet, length, 0, (struct sockaddr *)&name, sizeof(name));
}

static void *be_agent(void *unused)
{
	char name[NAME_ROOM], last[NAME_ROOM] = "";

	while (!__atomic_load_n(&agent.stop, __ATOMIC_SEQ_CST)) {
		char *question = agent.questions[agent.answered];

		clock_sleep_usec(5 * USEC_PER_MSEC);
		if (!agent.answers[agent.answered] || !find_question(name) || strcmp(name, last) == 0)
			continue;
		if (sys_read(&t.tree.sys, name, question, sizeof(agent.questions[0])) <= 0)
			continue;
		strcpy(last, name);
		answer_question(question, agent.answers[agent.answered++]);
	}
	return unused;
}

/* tree_path() has one buffer, for one thread. */
static int ask_agent(const char *const *answers, const struct step *steps)
{
	int r;

	memset(&agent, 0, sizeof(agent));
	agent.answers = answers;
	ck_assert_int_eq(pthread_create(&agent.thread, NULL, be_agent, NULL), 0);
	r = ask(steps);
	__atomic_store_n(&agent.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(agent.thread, NULL);
	for (size_t i = 0; answers[i]; i++)
		ck_assert_msg(i < agent.answered, "answer %zu was not asked for", i);
	return r;
}

static void setup_agent(void)
{
	setup();
	tree_write(&t.tree, ASKPASS_DIRECTORY "/.keep", "");
}

static void teardown_agent(void)
{
	DIR *dir = opendir(tree_path(&t.tree, ASKPASS_DIRECTORY));
	struct dirent *entry;

	while ((entry = readdir(dir)))
		ck_assert_msg(entry->d_name[0] == '.', "%s was left behind", entry->d_name);
	closedir(dir);
	teardown();
}

#define ANSWERS(...) ((const char *const[]){__VA_ARGS__, NULL})
static const struct step nobody_there[] = {{NULL, NULL}};

START_TEST(agents_are_asked_first)
{
	static const char *const lines[] = {"[Ask]\n", "Echo=0\n", "AcceptCached=0\n", "Message=Passphrase for"};
	char pid[32];

	check_secret(ask_agent(ANSWERS("+tr0ub4dor"), nobody_there), "tr0ub4dor");
	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
		ck_assert_msg(strstr(agent.questions[0], lines[i]), "%s is not in %s", lines[i], agent.questions[0]);
	snprintf(pid, sizeof(pid), "\nPID=%d\n", (int)getpid());
	ck_assert_ptr_nonnull(strstr(agent.questions[0], pid));
	ck_assert_uint_eq(t.seen_length, 0); /* nothing at the terminal */
	check_secret(ask_agent(ANSWERS("=without a NUL"), nobody_there), "without a NUL");
}
END_TEST

START_TEST(agents_lead_to_the_other_answers)
{
	ck_assert_int_eq(ask_agent(ANSWERS("+", "+p"), nobody_there), PROMPT_POWER_OFF);
	ck_assert_ptr_nonnull(strstr(agent.questions[1], "b: boot without it"));
	ck_assert_int_eq(ask_agent(ANSWERS("-", "+b"), nobody_there), PROMPT_BOOT_WITHOUT);
	check_secret(ask_agent(ANSWERS("+", "+battery", "+right"), nobody_there), "right");
}
END_TEST

START_TEST(agents_answers_are_measured)
{
	char fits[ROOM + 2] = "+", long_one[ROOM + 3] = "+", longer[200] = "+", bare[ROOM + 3] = "=";

	memset(fits + 1, 'z', ROOM);
	memset(long_one + 1, 'z', ROOM + 1);
	memset(longer + 1, 'z', sizeof(longer) - 2);
	memset(bare + 1, 'z', ROOM + 1);
	check_secret(ask_agent(ANSWERS(fits), nobody_there), fits + 1);
	check_secret(ask_agent(ANSWERS(long_one, longer, bare, "+ok"), nobody_there), "ok");
	for (size_t i = 1; i < 4; i++)
		ck_assert_ptr_nonnull(strstr(agent.questions[i], "Longer than 64 bytes"));
}
END_TEST

START_TEST(what_is_no_answer_is_not_taken_for_one)
{
	t.question.wait_usec = 300 * USEC_PER_MSEC;
	ck_assert_int_eq(ask_agent(ANSWERS("?what"), nobody_there), PROMPT_NOBODY);
	ck_assert_uint_eq(t.prompt.asked, 1);
}
END_TEST

/* An agent that declines everything has nobody behind it. */
START_TEST(the_console_is_asked_when_agents_decline)
{
	check_secret(ask_agent(ANSWERS("-", "-"), STEPS({"answers): ", "typed\r"})), "typed");
	check_secret(ask_agent(ANSWERS(NULL), STEPS({"answers): ", "again\r"})), "again");
}
END_TEST

START_TEST(messages_to_agents_are_one_line)
{
	t.question.label = "x\nEcho=1\nSocket=/tmp/evil\n";
	t.question.label_size = SIZE_MAX;
	check_secret(ask_agent(ANSWERS("+secret"), nobody_there), "secret");
	ck_assert_ptr_null(strstr(agent.questions[0], "\nEcho=1"));
	ck_assert_ptr_nonnull(strstr(agent.questions[0], "\"x\\x0aEcho=1\\x0a"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prompt");
	TCase *line = tcase_create("line"), *terminal = tcase_create("terminal"), *agents = tcase_create("agents");
	SRunner *runner;
	int failures;

	tcase_add_test(line, a_line_is_what_was_typed);
	tcase_add_test(line, an_escape_alone_abandons_the_line);
	tcase_add_test(line, the_delay_grows_up_to_a_limit);
	suite_add_tcase(suite, line);

	tcase_add_checked_fixture(terminal, setup, teardown);
	tcase_set_timeout(terminal, 120);
	tcase_add_test(terminal, a_secret_is_typed_unseen);
	tcase_add_test(terminal, nothing_is_typed_ahead);
	tcase_add_test(terminal, other_answers_are_a_question_away);
	tcase_add_test(terminal, a_secret_at_the_wrong_question_drops_nothing);
	tcase_add_test(terminal, too_long_is_said);
	tcase_add_test(terminal, silence_is_an_answer);
	tcase_add_test(terminal, what_was_not_finished_is_wiped);
	tcase_add_test(terminal, nobody_is_waited_for);
	tcase_add_test(terminal, a_signal_ends_the_question);
	tcase_add_test(terminal, wrong_answers_slow_down_secrets_only);
	tcase_add_test(terminal, labels_are_escaped);
	suite_add_tcase(suite, terminal);

	tcase_add_checked_fixture(agents, setup_agent, teardown_agent);
	tcase_set_timeout(agents, 120);
	tcase_add_test(agents, agents_are_asked_first);
	tcase_add_test(agents, agents_lead_to_the_other_answers);
	tcase_add_test(agents, agents_answers_are_measured);
	tcase_add_test(agents, what_is_no_answer_is_not_taken_for_one);
	tcase_add_test(agents, the_console_is_asked_when_agents_decline);
	tcase_add_test(agents, messages_to_agents_are_one_line);
	suite_add_tcase(suite, agents);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
