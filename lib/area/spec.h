/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which line of /proc/swaps a name means. What a name is that means none of them is worked out only to say it. Inside
 * lib/area only.
 */
#pragma once

#include "area/swaps.h"
#include "area/tags.h"
#include "base/failure.h"

/*
 * The one of @count @entries that is the file or device @path, or that lives on the device @path. 0 and *@entry, which
 * points into @entries; or REASON_NO_AREA, REASON_AREA_UNSUITABLE.
 */
int spec_find_by_path(const struct sysctx *sys, const struct swap_entry *entries, int count, const char *path,
		      const struct swap_entry **entry, struct failure *f);

/* The same for the device with tag @kind of @value; @spec is both in one, for messages. */
int spec_find_by_tag(const struct sysctx *sys, const struct swap_entry *entries, int count, enum spec_kind kind,
		     const char *spec, const char *value, const struct swap_entry **entry, struct failure *f);
