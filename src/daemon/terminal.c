/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/terminal.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define WRITE_LIMIT_USEC USEC_PER_SEC
#define SEQUENCE_USEC (100 * USEC_PER_MSEC) /* between the bytes of one key, on a slow line, too */
#define ERASE "\b \b"

void terminal_init(struct terminal *t)
{
	*t = (struct terminal){.fd = -1, .given = -1};
}

void terminal_forget(const struct terminal *t)
{
	if (t->fd >= 0)
		tcflush(t->fd, TCIFLUSH);
}

/* Not TCSAFLUSH: that waits for the output, and a stuck serial line must not stop a resume. */
static int silence(struct terminal *t)
{
	struct termios raw;

	if (tcgetattr(t->fd, &t->before) < 0)
		return -errno;
	raw = t->before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
	raw.c_iflag &= (tcflag_t) ~(ISTRIP | IXON | INLCR | IGNCR);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(t->fd, TCSANOW, &raw) < 0)
		return -errno;
	t->changed = true;
	terminal_forget(t);
	/* It succeeds when any of it could be done. */
	if (tcgetattr(t->fd, &raw) < 0 || raw.c_lflag & (ICANON | ECHO))
		return -ENOTTY;
	return 0;
}

static int hold(struct terminal *t, int fd)
{
	int r;

	if (fd < 0)
		return fd;
	t->fd = fd;
	r = silence(t);
	if (r < 0)
		terminal_release(t);
	return r;
}

int terminal_hold(struct terminal *t, const struct sysctx *s)
{
	const int flags = O_RDWR | O_NOCTTY | O_NONBLOCK;
	int r;

	if (t->fd >= 0)
		return 0;
	if (t->given >= 0)
		return hold(t, fcntl(t->given, F_DUPFD_CLOEXEC, 0));
	r = hold(t, sys_open(s, "/dev/console", flags));
	return r < 0 ? hold(t, sys_open(s, "/dev/tty0", flags)) : r;
}

void terminal_release(struct terminal *t)
{
	if (t->changed) {
		terminal_forget(t); /* what nobody has read is not for the next reader */
		tcsetattr(t->fd, TCSANOW, &t->before);
	}
	t->changed = false;
	t->fd = fd_close(t->fd);
}

void terminal_say(const struct terminal *t, const char *text)
{
	uint64_t deadline = clock_monotonic_usec() + WRITE_LIMIT_USEC;
	struct pollfd ready = {.fd = t->fd, .events = POLLOUT};
	size_t left = strlen(text);

	while (left && t->fd >= 0 && clock_monotonic_usec() < deadline) {
		ssize_t n = write(t->fd, text, left);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		if (n < 0) {
			(void)poll(&ready, 1, 100);
			continue;
		}
		text += n;
		left -= (size_t)n;
	}
}

/* Show what the line begins with, and that it is gone again. */
static void echo(const struct terminal *t, const struct line *line, size_t before)
{
	const char shown[] = {(char)line->text[0], '\0'};

	if (!before && line->length == 1 && line->text[0] < 0x80)
		terminal_say(t, shown);
	else if (before && !line->length)
		terminal_say(t, ERASE);
}

/* One byte, 0 if there was none after all, or REPLY_NOBODY as -EIO. */
static int read_byte(const struct terminal *t, uint8_t *byte)
{
	ssize_t n = read(t->fd, byte, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == 1 ? 1 : -EIO;
}

int terminal_read_line(const struct terminal *t, struct keys *keys, uint64_t wait_usec, bool echo_first, uint8_t *text,
		       size_t room, size_t *length)
{
	uint64_t deadline = clock_monotonic_usec() + wait_usec;
	enum reply reply = REPLY_MORE;
	struct line line;
	uint8_t byte = 0;
	int r = 0;

	line_init(&line, text, room);
	while (reply == REPLY_MORE) {
		uint64_t now = clock_monotonic_usec();
		size_t before = line.length;

		r = keys_wait(keys, t->fd, line.sequence ? now + SEQUENCE_USEC : deadline);
		if (r == 0)
			reply = line.sequence ? line_pause(&line) : REPLY_SILENCE;
		if (r > 0)
			r = read_byte(t, &byte);
		if (r < 0)
			break;
		if (r == 0)
			continue;
		reply = line_feed(&line, byte);
		deadline = clock_monotonic_usec() + wait_usec;
		if (echo_first)
			echo(t, &line, before);
	}
	secret_wipe(&byte, 1);
	if (r == -EIO)
		reply = REPLY_NOBODY;
	if (reply != REPLY_LINE)
		secret_wipe(text, room);
	if (r == -ECANCELED)
		return r;
	if (reply != REPLY_NOBODY)
		terminal_say(t, "\r\n");
	if (reply == REPLY_LINE)
		*length = line.length;
	return (int)reply;
}
