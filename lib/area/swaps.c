/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "area/swaps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELETED " (deleted)"

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

void unescape_octal(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

/* One line: name, type, KiB, KiB used, priority. False if it makes no sense. */
static bool parse_line(const struct sysctx *sys, char *line, struct swap_entry *entry)
{
	struct swap_entry found = {0};
	unsigned long long size, used;
	char name[4 * SWAP_NAME_MAX], type[16];
	size_t length, suffix = strlen(DELETED);
	struct stat st;

	if (sscanf(line, "%1023s %15s %llu %llu %d", name, type, &size, &used, &found.priority) != 5)
		return false;
	unescape_octal(name);
	length = strlen(name);
	if (length >= sizeof(found.name) || size > UINT64_MAX / KIB || used > size)
		return false;
	/* A living file may really have such a name. */
	if (length > suffix && strcmp(name + length - suffix, DELETED) == 0 && sys_stat(sys, name, &st) < 0) {
		found.deleted = true;
		name[length - suffix] = '\0';
	}
	snprintf(found.name, sizeof(found.name), "%.255s", name);
	found.file = strcmp(type, "file") == 0;
	found.size = size * KIB;
	found.used = used * KIB;
	*entry = found;
	return true;
}

int swaps_read(const struct sysctx *sys, struct swap_entry *entries)
{
	char text[SWAPS_MAX * 512], *rest = text, *line;
	ssize_t n = sys_read(sys, "/proc/swaps", text, sizeof(text));
	int count = 0;

	if (n == -ENOENT)
		return 0; /* a kernel without swap */
	if (n < 0)
		return (int)n;
	strsep(&rest, "\n"); /* the heading */
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		if (count == SWAPS_MAX || !parse_line(sys, line, &entries[count]))
			return -EUCLEAN;
		count++;
	}
	return count;
}
