/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/log.h"

#include "base/fdio.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void log_init(struct log *log, const struct sysctx *s)
{
	log->kmsg = sys_open(s, "/dev/kmsg", O_WRONLY | O_NONBLOCK | O_NOCTTY);
	log->held = false;
	log->lost = false;
	log->used = 0;
}

void log_deinit(struct log *log)
{
	log_release(log);
	log->kmsg = fd_close(log->kmsg);
}

void log_hold(struct log *log)
{
	log->held = true;
}

static void write_stderr(const char *text, size_t size)
{
	/* A closed or full stderr must not stop a hibernation. */
	if (write(STDERR_FILENO, text, size) < 0)
		return;
}

void log_release(struct log *log)
{
	log->held = false;
	write_stderr(log->ring, log->used);
	if (log->lost)
		write_stderr("hibernated: some lines were lost\n", 33);
	log->used = 0;
	log->lost = false;
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
	char line[1024];
	int prefix, length;
	va_list args;

	prefix = snprintf(line, sizeof(line), "<%d>hibernated: ", (int)level);
	va_start(args, format);
	length = prefix + vsnprintf(line + prefix, sizeof(line) - (size_t)prefix - 1, format, args);
	va_end(args);
	length = MIN(length, (int)sizeof(line) - 2);
	line[length++] = '\n';
	if (level <= LOG_LEVEL_NOTICE && log->kmsg >= 0 && write(log->kmsg, line, (size_t)length) < 0)
		log->kmsg = fd_close(log->kmsg);
	if (!log->held) {
		write_stderr(line + 3, (size_t)length - 3);
		return;
	}
	if (log->used + (size_t)length > sizeof(log->ring)) {
		log->lost = true;
		return;
	}
	memcpy(log->ring + log->used, line + 3, (size_t)length - 3);
	log->used += (size_t)length - 3;
}

void log_failure(struct log *log, const struct failure *f)
{
	char text[900];

	log_line(log, LOG_LEVEL_ERROR, "%s", failure_format(f, text, sizeof(text)));
}
