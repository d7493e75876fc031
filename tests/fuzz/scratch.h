/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder for parsers that read files. It is made with the first file and goes away with the program. */
#pragma once

#include "base/util.h"

/* Its path. */
const char *scratch_folder(void);
/* Write a file in it, with mode 0600; @name may have one folder before it. */
void scratch_write(const char *name, const void *data, size_t size);
/* The first @size bytes of a file in it are these. */
bool scratch_holds(const char *name, const void *data, size_t size);
