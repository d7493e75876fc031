/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a resume has to do with the area alone: finding it, judging its mark, dropping what it holds. */
#pragma once

#include "daemon/resume.h"

/* Wait for the area, read its mark and judge it. True if there is an image to resume; @f only if looking failed. */
bool find_image(struct resume *r, struct failure *f);

/* Whether the mark that was found can be gone by. 0, or REASON_IMAGE_VERSION, REASON_IMAGE_DAMAGED. */
int find_check(const struct resume *r, struct failure *f);

/* Open the area for writing, unless it is. */
int find_writable(struct resume *r, struct failure *f);

/* Boot without the image, because of @why: nothing may find it armed later. 0, or a negative errno; both are said. */
int find_drop(struct resume *r, const struct failure *why);
