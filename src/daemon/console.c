/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/console.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SWITCH_LIMIT_USEC (2 * USEC_PER_SEC)
#define PROGRESS_EVERY_USEC (100 * USEC_PER_MSEC)

void console_init(struct console *console, const struct sysctx *s, bool show)
{
	*console = (struct console){.sys = s, .fd = -1, .show = show};
	console->fd = sys_open(s, "/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK);
}

void console_deinit(struct console *console)
{
	console_restore(console);
	console->fd = fd_close(console->fd);
}

static int active_vt(const struct console *console, int fd)
{
	struct vt_stat state;

	return sys_ioctl(console->sys, fd, VT_GETSTATE, &state) < 0 ? 0 : state.v_active;
}

static int vt_call(const struct console *console, int fd, unsigned long request, int number)
{
	return sys_ioctl(console->sys, fd, request, (void *)(uintptr_t)number);
}

/* Ask for terminal @number and look until it is there; VT_WAITACTIVE has no time limit. */
static bool switch_to(const struct console *console, int fd, int number)
{
	uint64_t deadline = clock_monotonic_usec() + SWITCH_LIMIT_USEC;

	if (vt_call(console, fd, VT_ACTIVATE, number) < 0)
		return false;
	while (active_vt(console, fd) != number) {
		if (clock_monotonic_usec() > deadline)
			return false;
		clock_sleep_usec(USEC_PER_MSEC);
	}
	return true;
}

void console_take(struct console *console)
{
	AUTO_CLOSE int tty0 = sys_open(console->sys, "/dev/tty0", O_RDWR | O_NOCTTY | O_NONBLOCK);
	int previous, number = -1, fd;
	char path[32];

	if (tty0 < 0)
		return;
	previous = active_vt(console, tty0);
	if (previous <= 0 || sys_ioctl(console->sys, tty0, VT_OPENQRY, &number) < 0 || number <= 0)
		return;
	snprintf(path, sizeof(path), "/dev/tty%d", number);
	fd = sys_open(console->sys, path, O_WRONLY | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return;
	/* Progress stays on /dev/console when that is elsewhere, on a serial line say. */
	fd_close(fd);
	if (!switch_to(console, tty0, number))
		(void)vt_call(console, tty0, VT_ACTIVATE, previous);
	else
		console->previous_vt = previous;
	console->own_vt = number;
}

void console_restore(struct console *console)
{
	AUTO_CLOSE int tty0 = -1;

	if (console->dirty_line)
		console_say(console, "%s", "");
	if (!console->previous_vt)
		return;
	tty0 = sys_open(console->sys, "/dev/tty0", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (tty0 >= 0 && switch_to(console, tty0, console->previous_vt))
		(void)vt_call(console, tty0, VT_DISALLOCATE, console->own_vt);
	console->previous_vt = 0;
}

static void put(const struct console *console, const char *text, size_t size)
{
	if (console->fd >= 0 && write(console->fd, text, size) < 0)
		return; /* full or gone: the work matters more */
}

void console_say(struct console *console, const char *format, ...)
{
	char text[512];
	va_list args;
	int length = 0;

	if (!console->show)
		return;
	if (console->dirty_line)
		length = snprintf(text, sizeof(text), "\r\n");
	console->dirty_line = false;
	va_start(args, format);
	vsnprintf(text + length, sizeof(text) - (size_t)length - 2, format, args);
	va_end(args);
	length += (int)strlen(escape_message(text + length));
	memcpy(text + length, "\r\n", 2);
	put(console, text, (size_t)length + 2);
}

void console_begin(struct console *console)
{
	console->started = clock_monotonic_usec();
	console->shown = 0;
}

void console_progress(struct console *console, const char *what, uint64_t done, uint64_t total, uint64_t bytes)
{
	uint64_t now = clock_monotonic_usec(), spent = now - console->started;
	char text[160];
	int length;

	if (!console->show || (now - console->shown < PROGRESS_EVERY_USEC && done < total))
		return;
	console->shown = now;
	spent = MAX(spent, UINT64_C(1));
	length = snprintf(text, sizeof(text), "\r%s: %3llu %%, %llu MB/s", what,
			  (unsigned long long)(total ? done * 100 / total : 0),
			  (unsigned long long)(bytes / spent));
	if (done && total > done && spent > USEC_PER_SEC / 2)
		length += snprintf(text + length, sizeof(text) - (size_t)length, ", %llu s left ",
				   (unsigned long long)(spent * (total - done) / done / USEC_PER_SEC + 1));
	else
		length += snprintf(text + length, sizeof(text) - (size_t)length, "           ");
	put(console, text, MIN((size_t)length, sizeof(text) - 1));
	console->dirty_line = true;
}
