/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/settings.h"

#include "base/fdio.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define IMAGE_SIZE_PATH "/sys/power/image_size"
#define PRINTK_PATH "/proc/sys/kernel/printk"
#define LATENCY_PATH "/dev/cpu_dma_latency"

void settings_init(struct settings *settings)
{
	*settings = (struct settings){.loglevel = -1, .latency = -1};
}

void settings_save(struct settings *settings, const struct sysctx *s)
{
	char text[64];

	settings->have_image_size = sys_read_u64(s, IMAGE_SIZE_PATH, &settings->image_size) == 0;
	if (sys_read(s, PRINTK_PATH, text, sizeof(text)) <= 0 ||
	    sscanf(text, "%d", &settings->loglevel) != 1)
		settings->loglevel = -1;
	settings->saved = true;
}

void settings_set_loglevel(const struct settings *settings, const struct sysctx *s, int level)
{
	char text[16];

	if (level < 0 || settings->loglevel < 0)
		return;
	snprintf(text, sizeof(text), "%d", level);
	(void)sys_write(s, PRINTK_PATH, text);
}

void settings_hold_latency(struct settings *settings, const struct sysctx *s)
{
	const int32_t lowest = 0;
	int fd = sys_open(s, LATENCY_PATH, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, &lowest, sizeof(lowest)) != sizeof(lowest)) {
		fd_close(fd);
		return;
	}
	fd_close(settings->latency);
	settings->latency = fd;
}

void settings_restore(struct settings *settings, const struct sysctx *s)
{
	char text[32];

	settings->latency = fd_close(settings->latency);
	if (!settings->saved)
		return;
	settings->saved = false;
	settings_set_loglevel(settings, s, settings->loglevel);
	if (settings->have_image_size) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)settings->image_size);
		(void)sys_write(s, IMAGE_SIZE_PATH, text);
	}
}
