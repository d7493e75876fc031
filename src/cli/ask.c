/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/ask.h"

#include "base/fdio.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define TERMINAL "/dev/tty"

/* Signals that would end this program, or stop it, while the echo is off. */
static sigset_t held_signals(void)
{
	static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
		sigaddset(&set, numbers[i]);
	return set;
}

/* One byte into @asked. 1, 0 at the end of the line or file, or -errno. */
static int take_byte(int fd, struct asked *asked)
{
	uint8_t *at = asked->text + asked->size;
	ssize_t n;

	do
		n = read(fd, at, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	if (*at == '\n') {
		*at = 0;
		return 0;
	}
	if (asked->size + 1 == sizeof(asked->text))
		return -EMSGSIZE;
	asked->size++;
	return 1;
}

static int cannot_read(int error, const char *object, struct failure *f)
{
	if (error == -EMSGSIZE)
		return failure_set(f, REASON_USAGE, 0, object, "Give a shorter one.", "a secret has at most %d bytes",
				   ASK_BYTES_MAX - 1);
	return failure_set(f, REASON_USAGE, -error, object, NULL, "no secret can be read from it");
}

int ask_fd(int fd, struct asked *asked, struct failure *f)
{
	char object[40];
	int r;

	snprintf(object, sizeof(object), "descriptor %d", fd);
	asked->size = 0;
	while ((r = take_byte(fd, asked)) > 0)
		;
	return r < 0 ? cannot_read(r, object, f) : 0;
}

/* A line, or a signal. The terminal hands lines out whole. */
static int wait_line(int tty, int signals, struct asked *asked)
{
	struct pollfd polled[] = {{.fd = signals, .events = POLLIN}, {.fd = tty, .events = POLLIN}};
	int r = 1;

	while (r > 0) {
		struct signalfd_siginfo info;

		if (poll(polled, ARRAY_LENGTH(polled), -1) < 0) {
			r = errno == EINTR ? 1 : -errno;
			continue;
		}
		if (polled[0].revents) {
			if (read(signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGTSTP)
				return -ECANCELED;
			continue;
		}
		r = take_byte(tty, asked);
	}
	return r;
}

static int ask_silently(int tty, int signals, const char *question, struct asked *asked)
{
	struct termios before, silent;
	int r;

	if (tcgetattr(tty, &before) < 0)
		return -errno;
	silent = before;
	silent.c_lflag &= (tcflag_t) ~(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	if (tcsetattr(tty, TCSAFLUSH, &silent) < 0)
		return -errno;
	r = fd_write_full(tty, question, strlen(question));
	if (r >= 0)
		r = wait_line(tty, signals, asked);
	tcsetattr(tty, TCSAFLUSH, &before);
	fd_write_full(tty, "\n", 1);
	return r;
}

int ask_terminal(const char *question, struct asked *asked, struct failure *f)
{
	AUTO_CLOSE int tty = open(TERMINAL, O_RDWR | O_NOCTTY | O_CLOEXEC);
	AUTO_CLOSE int signals = -1;
	sigset_t held = held_signals(), before;
	int r;

	if (tty < 0)
		return failure_set(f, REASON_USAGE, errno, TERMINAL, "Use --passphrase-fd.",
				   "there is no terminal to ask at");
	signals = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return failure_set(f, REASON_INTERNAL, errno, TERMINAL, NULL, "signals cannot be held");
	asked->size = 0;
	sigprocmask(SIG_BLOCK, &held, &before);
	r = ask_silently(tty, signals, question, asked);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r == -ECANCELED)
		return failure_set(f, REASON_ABORTED, 0, NULL, NULL, "aborted, and nothing was changed");
	return r < 0 ? cannot_read(r, TERMINAL, f) : 0;
}
