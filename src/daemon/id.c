/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/id.h"

#include <string.h>

bool id_read(const struct sysctx *s, const char *path, uint8_t id[16])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t parsed[16] = {0};
	size_t digits = 0;
	char text[80];

	if (sys_read(s, path, text, sizeof(text)) <= 0)
		return false;
	for (const char *c = text; *c && digits < 32; c++) {
		const char *at = strchr(hex, *c);

		if (*c == '-')
			continue;
		if (!at)
			return false;
		parsed[digits / 2] = (uint8_t)(parsed[digits / 2] << 4 | (at - hex));
		digits++;
	}
	if (digits != 32)
		return false;
	memcpy(id, parsed, sizeof(parsed));
	return true;
}
