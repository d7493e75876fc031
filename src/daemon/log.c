/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/log.h"

#include "base/escape.h"
#include "base/fdio.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As systemd.exec(5) says: the variable names the stream, and stderr may have been sent elsewhere since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

void log_init(struct log *log, const struct sysctx *s)
{
	log->journal = stderr_is_journal();
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

/* True if it is there now. */
static bool write_kmsg(struct log *log, const char *line, size_t length)
{
	if (log->kmsg < 0)
		return false;
	if (write(log->kmsg, line, length) >= 0)
		return true;
	log->kmsg = fd_close(log->kmsg);
	return false;
}

static void hold(struct log *log, const char *text, size_t size)
{
	if (log->used + size > sizeof(log->ring)) {
		log->lost = true;
		return;
	}
	memcpy(log->ring + log->used, text, size);
	log->used += size;
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
	char line[1024];
	int prefix, length;
	size_t skip = log->journal ? 0 : 3; /* the level, which only the journal understands */
	bool taken = false;
	va_list args;

	prefix = snprintf(line, sizeof(line), "<%d>hibernated: ", (int)level);
	va_start(args, format);
	vsnprintf(line + prefix, sizeof(line) - (size_t)prefix - 1, format, args);
	va_end(args);
	escape_message(line + prefix); /* a name in it, a task's say, must not make lines or move the cursor */
	length = (int)strlen(line);
	line[length++] = '\n';
	/* The journal takes both: the kernel's log while it cannot be reached itself, else stderr, which names the unit. */
	if (level <= LOG_LEVEL_NOTICE && (log->held || !log->journal))
		taken = write_kmsg(log, line, (size_t)length);
	if (!log->held)
		write_stderr(line + skip, (size_t)length - skip);
	else if (!(log->journal && taken))
		hold(log, line + skip, (size_t)length - skip);
}

void log_failure(struct log *log, const struct failure *f)
{
	char text[900];

	log_line(log, LOG_LEVEL_ERROR, "%s", failure_format(f, text, sizeof(text)));
}
