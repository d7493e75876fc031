/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/image-secret.h"

#include "base/fdio.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define REMEDY "Give the passphrase with --passphrase-fd=."

static int too_long(const char *name, struct failure *f)
{
	return failure_set(f, REASON_USAGE, E2BIG, name, NULL, "a passphrase has at most %d bytes", IMAGE_SECRET_MAX);
}

static int from_descriptor(int fd, const char *name, uint8_t *secret, size_t *length, struct failure *f)
{
	size_t got = 0;
	ssize_t n;

	do {
		n = read(fd, secret + got, IMAGE_SECRET_MAX - got);
		if (n < 0 && errno != EINTR)
			return failure_set(f, REASON_IO, errno, name, NULL, "its passphrase cannot be read from descriptor %d", fd);
		got += n > 0 ? (size_t)n : 0;
	} while (n != 0 && got < IMAGE_SECRET_MAX);
	if (n != 0 && read(fd, &(char){0}, 1) > 0)
		return too_long(name, f);
	if (got && secret[got - 1] == '\n')
		got--;
	*length = got;
	return 0;
}

static int cancelled(const char *name, struct failure *f)
{
	return failure_set(f, REASON_ABORTED, ECANCELED, name, NULL, "no passphrase was typed");
}

/* A line from a terminal that gives each key at once, and no signals: whatever is pressed, the echo comes back. */
static int read_line(int tty, const char *name, uint8_t *secret, size_t *length, struct failure *f)
{
	size_t got = 0;
	uint8_t key;

	for (;;) {
		ssize_t n = read(tty, &key, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || key == 3 || key == 4 || key == 26 || key == 28) /* ^C, ^D, ^Z, ^\\ */
			return cancelled(name, f);
		if (key == '\n' || key == '\r')
			break;
		if (key == 8 || key == 127)
			got -= got > 0;
		else if (key == 21) /* ^U */
			got = 0;
		else if (got == IMAGE_SECRET_MAX)
			return too_long(name, f);
		else
			secret[got++] = key;
	}
	*length = got;
	return 0;
}

static int from_terminal(const char *name, uint8_t *secret, size_t *length, struct failure *f)
{
	AUTO_CLOSE int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios before, raw;
	int r;

	if (tty < 0 || tcgetattr(tty, &before) < 0)
		return failure_set(f, REASON_USAGE, 0, name, REMEDY, "the image is sealed, and there is no terminal to ask at");
	raw = before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(tty, TCSAFLUSH, &raw) < 0)
		return failure_set(f, REASON_IO, errno, name, REMEDY, "the terminal's echo cannot be turned off");
	dprintf(tty, "Passphrase for the image on %s: ", name);
	r = read_line(tty, name, secret, length, f);
	tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	return r;
}

int image_secret_read(int fd, const char *name, uint8_t *secret, size_t *length, struct failure *f)
{
	size_t got = 0;
	int r = fd == IMAGE_SECRET_TERMINAL ? from_terminal(name, secret, &got, f)
					    : from_descriptor(fd, name, secret, &got, f);

	if (r < 0)
		return r;
	if (!got)
		return failure_set(f, REASON_USAGE, 0, name, NULL, "an empty passphrase opens nothing");
	*length = got;
	return 0;
}
