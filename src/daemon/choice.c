/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/choice.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

/* One key from the console within @wait_usec, 0 if none came. */
static char read_key(int fd, uint64_t wait_usec)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint64_t deadline = clock_monotonic_usec() + wait_usec, now;
	char key;

	while ((now = clock_monotonic_usec()) < deadline) {
		uint64_t left = MIN(deadline - now, USEC_PER_SEC);

		if (poll(&ready, 1, (int)div_up(left, USEC_PER_MSEC)) > 0 && read(fd, &key, 1) == 1)
			return key;
	}
	return 0;
}

enum choice choice_unanswered(const struct config *config)
{
	return config->resume_failure == RESUME_FAILURE_BOOT ? CHOICE_BOOT : CHOICE_POWEROFF;
}

enum choice choice_ask(const struct config *config, struct console *console, const struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	struct termios before, raw;
	bool changed = false;
	char text[1024], key = 0;
	enum choice choice = choice_unanswered(config);

	console->show = true;
	console_say(console, "hibernated: cannot resume: %s", failure_format(f, text, sizeof(text)));
	if (config->resume_failure != RESUME_FAILURE_ASK)
		return choice;
	fd = sys_open(console->sys, "/dev/console", O_RDONLY | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && tcgetattr(fd, &before) == 0) {
		raw = before;
		raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
		changed = tcsetattr(fd, TCSAFLUSH, &raw) == 0;
	}
	console_say(console, "  r  try again");
	console_say(console, "  p  power off, keep the image");
	console_say(console, "  b  boot without it; the image is dropped");
	do {
		key = fd < 0 ? 0 : read_key(fd, config->resume_wait_usec);
	} while (key && key != 'r' && key != 'p' && key != 'b');
	if (changed)
		tcsetattr(fd, TCSANOW, &before);
	if (key == 'r')
		choice = CHOICE_RETRY;
	else if (key == 'b')
		choice = CHOICE_BOOT;
	else if (key == 'p')
		choice = CHOICE_POWEROFF;
	else
		console_say(console, "no answer: powering off; the image is kept");
	return choice;
}
