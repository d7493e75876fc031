/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/line.h"

#include "base/secret.h"

enum {
	CTRL_C = 0x03,
	CTRL_D = 0x04,
	BACKSPACE = 0x08,
	CTRL_U = 0x15,
	ESC = 0x1b,
	DELETE = 0x7f,
};

void line_init(struct line *line, uint8_t *text, size_t room)
{
	*line = (struct line){.text = text, .room = room};
	secret_wipe(text, room);
}

static void clear(struct line *line)
{
	line_init(line, line->text, line->room);
}

static enum reply abandon(struct line *line)
{
	clear(line);
	return REPLY_OTHER;
}

static void erase(struct line *line)
{
	uint8_t byte;

	if (line->too_long) /* nobody has counted what did not fit */
		return;
	while (line->length) {
		byte = line->text[--line->length];
		line->text[line->length] = 0;
		if ((byte & 0xc0) != 0x80) /* not inside a character */
			return;
	}
}

/*
 * ESC [ parameters letter, ESC O letter, and on the Linux console ESC [ [ letter. ESC and anything else is Alt and
 * that key.
 */
static void follow_sequence(struct line *line, uint8_t byte)
{
	if (line->sequence == ESC)
		line->sequence = byte == '[' || byte == 'O' ? byte : 0;
	else if (line->sequence == '[' && byte == '[')
		line->sequence = 'O';
	else if (line->sequence == 'O' || (byte >= 0x40 && byte <= 0x7e))
		line->sequence = 0;
	else
		line->sequence = ';';
}

static enum reply finish(struct line *line)
{
	if (line->too_long) {
		clear(line);
		return REPLY_TOO_LONG;
	}
	return line->length ? REPLY_LINE : REPLY_OTHER;
}

enum reply line_feed(struct line *line, uint8_t byte)
{
	if (byte == '\r' || byte == '\n') { /* also when a sequence was cut short */
		line->sequence = 0;
		return finish(line);
	}
	if (byte == CTRL_C || byte == CTRL_D)
		return abandon(line);
	if (byte == ESC) {
		line->sequence = ESC;
	} else if (line->sequence) {
		follow_sequence(line, byte);
	} else if (byte == BACKSPACE || byte == DELETE) {
		erase(line);
	} else if (byte == CTRL_U) {
		clear(line);
	} else if (byte >= ' ') {
		if (line->length < line->room)
			line->text[line->length++] = byte;
		else
			line->too_long = true;
	}
	return REPLY_MORE;
}

enum reply line_pause(struct line *line)
{
	bool alone = line->sequence == ESC;

	line->sequence = 0;
	return alone ? abandon(line) : REPLY_MORE;
}
