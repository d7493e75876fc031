# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the harness waits before it calls something hung.

Every limit is written as what is ample on an idle machine and multiplied here: a limit only bounds a hang, and a
machine that has other work, or slow cores, must not look like one. What a case proves about time it proves by
comparing times of the same run.
"""
import os

FACTOR = float(os.environ.get("HIBERNATED_PATIENCE", "5"))


def seconds(ample):
    """The limit for what takes less than this on an idle machine."""
    return ample * FACTOR
