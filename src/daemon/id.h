/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ids that the system keeps as text: of this boot, of this machine. */
#pragma once

#include "base/sys.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

/* 32 hexadecimal digits, with dashes or without, into 16 bytes. False, and @id untouched, if @path does not hold that. */
bool id_read(const struct sysctx *s, const char *path, uint8_t id[16]);
