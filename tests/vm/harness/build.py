# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds what runs in the guest: the agent, and our programs as "make install" puts them out."""
import fcntl
import hashlib
import os
import shutil
import subprocess
import uuid

from . import foreign, paths

# Name -> options of configure. "shipped" is what a package would carry.
VARIANTS = {
    "shipped": [],
    "failpoints": ["--enable-failpoints"],
}
# Drawn before the runner forks, so that all its processes agree on it.
RUN = uuid.uuid4().hex
AGENT_FLAGS = ["-std=gnu11", "-O2", "-static", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow",
               "-Wmissing-prototypes", "-Wstrict-prototypes", "-Wvla", "-Werror"]


class BuildError(Exception):
    """A build that failed; the text names its log."""


def agent(machine=foreign.OWN):
    """The guest's process 1, compiled if its sources have changed."""
    sources = sorted(paths.GUEST_SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(s.read_bytes() for s in sources)).hexdigest()[:24]
    own = machine == foreign.OWN
    target = paths.below_cache("agent") / (digest if own else f"{machine}-{digest}")
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        compiler = [os.environ.get("CC", "gcc")] if own else [foreign.compiler(), *foreign.AGENT_FLAGS]
        done = subprocess.run([*compiler, *AGENT_FLAGS, "-o", str(part),
                               *(str(s) for s in sources if s.suffix == ".c")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise BuildError(f"the guest's agent does not compile: {done.stdout[-2000:]}")
        part.rename(target)
    return target


def _run(command, cwd, log, environment=None):
    with open(log, "ab") as out:
        out.write(f"+ {' '.join(command)}\n".encode())
        out.flush()
        done = subprocess.run(command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, check=False,
                              env={**os.environ, **(environment or {})})
    if done.returncode:
        raise BuildError(f"{command[0]} failed, see {log}")


def programs(variant="shipped", machine=foreign.OWN):
    """Directory with the installed tree of a variant; built once in each run of the harness.

    The build directory is kept between runs, so that make does only what has changed. HIBERNATED_PROGRAMS
    names an installed tree to take instead of "shipped", such as that of an unpacked package.
    """
    given = os.environ.get("HIBERNATED_PROGRAMS")
    own = machine == foreign.OWN
    if variant == "shipped" and given and own:
        return given
    directory = paths.of_tree("build", variant if own else f"{variant}-{machine}")
    with open(directory / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed, stamp = directory / "installed", directory / "run"
        if stamp.exists() and stamp.read_text() == RUN:
            return str(installed)
        stamp.unlink(missing_ok=True)
        log = directory / "build.log"
        log.unlink(missing_ok=True)
        configure = paths.SOURCE / "configure"
        if not configure.exists() or configure.stat().st_mtime < (paths.SOURCE / "configure.ac").stat().st_mtime:
            _run([str(paths.SOURCE / "autogen.sh")], paths.SOURCE, log)
        work = directory / "work"
        work.mkdir(exist_ok=True)
        if not (work / "Makefile").exists():
            options, environment = ([], None) if own else foreign.configuration()
            _run([str(configure), "--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var",
                  *VARIANTS[variant], *options], work, log, environment)
        _run(["make", f"-j{os.cpu_count() or 1}"], work, log)
        shutil.rmtree(installed, ignore_errors=True)
        _run(["make", "install", f"DESTDIR={installed}"], work, log)
        shutil.rmtree(installed / "usr" / "share", ignore_errors=True)
        stamp.write_text(RUN)
    return str(installed)


def programs_of(tree):
    """Paths of the executables in an installed tree."""
    for base, _, files in os.walk(tree):
        for name in sorted(files):
            path = os.path.join(base, name)
            if os.access(path, os.X_OK) and not os.path.islink(path):
                yield path
