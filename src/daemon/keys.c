/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/keys.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ESC 0x1b

int keys_init(struct keys *keys)
{
	sigset_t set;

	*keys = (struct keys){.signals = -1, .console = -1};
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	keys->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return keys->signals < 0 ? -errno : 0;
}

static void open_console(struct keys *keys, const struct sysctx *s)
{
	struct termios raw;

	keys->console = sys_open(s, "/dev/console", O_RDONLY | O_NOCTTY | O_NONBLOCK);
	if (keys->console < 0 || tcgetattr(keys->console, &raw) < 0) {
		keys->console = fd_close(keys->console);
		return;
	}
	keys->console_before = raw;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	keys->console_changed = tcsetattr(keys->console, TCSANOW, &raw) == 0;
}

static bool has_key(const unsigned char *bits, unsigned int key)
{
	return bits[key / 8] & 1U << key % 8;
}

static void open_devices(struct keys *keys, const struct sysctx *s)
{
	for (int i = 0; i < 64 && keys->device_count < KEYS_DEVICES_MAX; i++) {
		unsigned char bits[KEY_MAX / 8 + 1] = {0};
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/dev/input/event%d", i);
		fd = sys_open(s, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			continue;
		if (sys_ioctl(s, fd, EVIOCGBIT(EV_KEY, sizeof(bits)), bits) >= 0 &&
		    ((keys->esc && has_key(bits, KEY_ESC)) || (keys->power && has_key(bits, KEY_POWER))))
			keys->devices[keys->device_count++] = fd;
		else
			fd_close(fd);
	}
}

void keys_open(struct keys *keys, const struct sysctx *s, bool esc, bool power)
{
	keys->esc = esc;
	keys->power = power;
	if (esc)
		open_console(keys, s);
	if (esc || power)
		open_devices(keys, s);
}

void keys_close(struct keys *keys)
{
	if (keys->console_changed)
		tcsetattr(keys->console, TCSANOW, &keys->console_before);
	keys->console_changed = false;
	keys->console = fd_close(keys->console);
	while (keys->device_count)
		fd_close(keys->devices[--keys->device_count]);
}

void keys_deinit(struct keys *keys)
{
	keys_close(keys);
	keys->signals = fd_close(keys->signals);
}

static void abort_by(struct keys *keys, const char *what)
{
	if (!keys->aborted)
		snprintf(keys->by, sizeof(keys->by), "%s", what);
	keys->aborted = true;
}

/* A lone Esc; arrow and function keys send Esc and more in one go. */
static void read_console(struct keys *keys)
{
	char text[64];
	ssize_t n = keys->console < 0 ? -1 : read(keys->console, text, sizeof(text));

	if (n <= 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == ESC && (i + 1 == n || (text[i + 1] != '[' && text[i + 1] != 'O')))
			abort_by(keys, "the Esc key");
	secret_wipe(text, sizeof(text)); /* a passphrase may be among it */
}

static void read_device(struct keys *keys, int fd)
{
	struct input_event events[16] = {0};
	ssize_t n;

	while ((n = read(fd, events, sizeof(events))) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof(events[0]); i++) {
			if (events[i].type != EV_KEY || events[i].value != 1)
				continue;
			if (keys->esc && events[i].code == KEY_ESC)
				abort_by(keys, "the Esc key");
			if (keys->power && events[i].code == KEY_POWER)
				abort_by(keys, "the power key");
		}
	}
	secret_wipe(events, sizeof(events));
}

static bool read_signals(struct keys *keys)
{
	struct signalfd_siginfo info;
	bool any = false;

	while (keys->signals >= 0 && read(keys->signals, &info, sizeof(info)) == sizeof(info)) {
		char name[32];

		snprintf(name, sizeof(name), "SIG%s", sigabbrev_np((int)info.ssi_signo));
		abort_by(keys, name);
		any = true;
	}
	return any;
}

static void read_pressed(struct keys *keys)
{
	read_console(keys);
	for (size_t i = 0; i < keys->device_count; i++)
		read_device(keys, keys->devices[i]);
}

bool keys_aborted(struct keys *keys)
{
	read_signals(keys);
	read_pressed(keys);
	return keys->aborted;
}

void keys_forget(struct keys *keys)
{
	bool aborted = keys->aborted;

	read_pressed(keys);
	keys->aborted = aborted;
}

int keys_wait(struct keys *keys, int fd, uint64_t deadline)
{
	struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = keys->signals, .events = POLLIN}};

	for (;;) {
		uint64_t now = clock_monotonic_usec(), left = deadline > now ? MIN(deadline - now, USEC_PER_SEC) : 0;
		int n = poll(ready, ARRAY_LENGTH(ready), (int)div_up(left, USEC_PER_MSEC));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && ready[1].revents && read_signals(keys))
			return -ECANCELED;
		if (n > 0 && ready[0].revents)
			return 1;
		if (!left)
			return 0;
	}
}
