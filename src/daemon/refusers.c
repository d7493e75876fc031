/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/refusers.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX 8192 /* the kernel's own limit of a record */

void refusers_init(struct refusers *r, const struct sysctx *s)
{
	r->kmsg = sys_open(s, "/dev/kmsg", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (r->kmsg >= 0)
		lseek(r->kmsg, 0, SEEK_END);
}

void refusers_deinit(struct refusers *r)
{
	r->kmsg = fd_close(r->kmsg);
}

bool refusers_parse(const char *record, char *name, int *pid)
{
	const char *text = strchr(record, ';'), *at;
	size_t length;

	if (!text || strncmp(text + 1, "task:", 5) != 0)
		return false;
	text += 6;
	at = strstr(text, " state:");
	if (!at)
		return false;
	length = (size_t)(at - text);
	while (length && text[length - 1] == ' ')
		length--;
	length = MIN(length, (size_t)15);
	memcpy(name, text, length);
	name[length] = '\0';
	at = strstr(at, " pid:");
	return at && sscanf(at + 5, "%d", pid) == 1;
}

size_t refusers_read(struct refusers *r, char *buf, size_t size)
{
	char record[RECORD_MAX], name[16];
	size_t used = 0, count = 0;
	ssize_t n;
	int pid;

	buf[0] = '\0';
	if (r->kmsg < 0)
		return 0;
	while ((n = read(r->kmsg, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0) /* records were lost; go on with the next one */
			continue;
		record[n] = '\0';
		if (!refusers_parse(record, name, &pid))
			continue;
		count++;
		if (used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s (%d)", used ? ", " : "", name, pid);
	}
	return count;
}
