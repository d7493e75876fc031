/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The row of zstd in a build without libzstd: it has a name, so that messages can say what is missing. */
#include "codec/codec-table.h"

const struct codec codec_zstd = {.name = "zstd"};
