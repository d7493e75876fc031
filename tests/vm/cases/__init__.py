# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases; each module is one subject."""
