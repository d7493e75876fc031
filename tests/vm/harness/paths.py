# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the harness keeps things: everything lies in one cache directory, nothing in the source tree."""
import hashlib
import os
import shutil
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]
GUEST_SOURCES = SOURCE / "tests" / "vm" / "guest"


def cache():
    """The cache directory: HIBERNATED_CACHE, else hibernated-tests below the user's cache."""
    given = os.environ.get("HIBERNATED_CACHE")
    base = Path(given) if given else Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hibernated-tests"
    base.mkdir(parents=True, exist_ok=True)
    return base


def below_cache(*names):
    """A directory in the cache, made if it is missing."""
    path = cache().joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def of_tree(*names):
    """A directory in the cache for this source tree alone: several trees may be tested side by side."""
    return below_cache(*names[:1], hashlib.sha256(str(SOURCE).encode()).hexdigest()[:12], *names[1:])


def tool(name):
    """Full path of a program; administrators' directories count although a user's PATH lacks them."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if not found:
        raise FileNotFoundError(f"{name} is not installed; scripts/setup installs all that is needed")
    return found
