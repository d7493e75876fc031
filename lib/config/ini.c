/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_FORMS "Write [Section], Key=Value, or # and a comment."

void ini_init(struct ini *ini, const char *file, char *text, size_t size)
{
	*ini = (struct ini){.file = file, .at = text, .left = size};
}

int ini_error(const struct ini *ini, struct failure *f, const char *remedy, const char *format, ...)
{
	char object[FAILURE_OBJECT_MAX], text[FAILURE_TEXT_MAX];
	int room = (int)sizeof(object) - 16, length = (int)strlen(ini->file);
	va_list args;

	/* Of a long path the end says more, and the line must not be cut off. */
	snprintf(object, sizeof(object), "%s:%u", ini->file + MAX(0, length - room), ini->line);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return failure_set(f, REASON_CONFIG, 0, object, remedy, "%s", text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* @text without blanks at both ends, cut in place. */
static char *strip(char *text)
{
	size_t length;

	while (is_blank(*text))
		text++;
	length = strlen(text);
	while (length && is_blank(text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

/* Cut the next line off and check its bytes. */
static int take_line(struct ini *ini, char **line, struct failure *f)
{
	char *end = memchr(ini->at, '\n', ini->left);
	size_t length = end ? (size_t)(end - ini->at) : ini->left;

	ini->line++;
	for (size_t i = 0; i < MIN(length, INI_LINE_MAX); i++) {
		unsigned char c = (unsigned char)ini->at[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return ini_error(ini, f, "Save it as plain text with Unix line ends.",
					 "byte 0x%02x at column %zu is not text", c, i + 1);
	}
	if (length > INI_LINE_MAX)
		return ini_error(ini, f, "Shorten it.", "the line has %zu bytes, %d are allowed", length,
				 INI_LINE_MAX);
	*line = ini->at;
	ini->at += length + (end != NULL);
	ini->left -= length + (end != NULL);
	(*line)[length] = '\0';
	return 0;
}

static int take_section(struct ini *ini, char *line, struct failure *f)
{
	size_t length = strlen(line);

	if (length < 3 || line[length - 1] != ']' || strcspn(line, "] \t") != length - 1)
		return ini_error(ini, f, LINE_FORMS, "'%.64s' is not a section", line);
	line[length - 1] = '\0';
	ini->name = line + 1;
	return INI_SECTION;
}

static int take_entry(struct ini *ini, char *line, struct failure *f)
{
	char *equal = strchr(line, '=');

	if (!equal || equal == line)
		return ini_error(ini, f, LINE_FORMS, "'%.64s' is not a setting", line);
	*equal = '\0';
	ini->name = strip(line);
	ini->value = strip(equal + 1);
	return INI_ENTRY;
}

int ini_next(struct ini *ini, struct failure *f)
{
	while (ini->left) {
		char *line = NULL;
		int r = take_line(ini, &line, f);

		if (r < 0)
			return r;
		line = strip(line);
		if (!*line || *line == '#' || *line == ';')
			continue;
		return *line == '[' ? take_section(ini, line, f) : take_entry(ini, line, f);
	}
	return INI_END;
}
