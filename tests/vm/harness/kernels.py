# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own kernel packages, fetched without root and without touching the machine's APT state.

Each series comes from the Debian suite that carries it. The sources are the machine's own ones with
the suite's name replaced, in an APT configuration with its own lists and cache. Packages are only
unpacked. Since 7.2 the kernel is split: vmlinuz is in linux-binary-* below usr/lib/modules/VERSION,
the modules are in linux-modules-*, the configuration is in linux-base-*; before, linux-image-* has all.
The general flavor is used, not the cloud one: that one lacks AHCI and suspend's debugging files.
"""
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from . import paths

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Machine, as the harness names it -> Debian's architecture.
ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
# First suite that has the series wins.
SUITES = {
    "6.1": ["bookworm"],
    "6.12": ["trixie"],
    "7.2": ["sid", "forky", "trixie-backports"],
}
SERIES = list(SUITES)
# Seconds between tries to fetch.
PAUSES = (10, 60)
# Never needed in a VM, and most of the size.
LEFT_OUT = ["drivers/gpu", "drivers/net", "drivers/media", "drivers/infiniband", "drivers/staging",
            "drivers/iio", "drivers/isdn", "sound", "net"]


class KernelError(Exception):
    """A kernel that could not be had; the text says why."""


@dataclass
class Kernel:
    """One unpacked kernel."""
    series: str
    version: str      # of the package, 6.1.192-2
    release: str      # as uname -r says it
    vmlinuz: Path
    modules: Path     # .../lib/modules/RELEASE, with modules.dep
    config: Path
    machine: str = "x86_64"


def _stanzas():
    """The machine's APT sources as dictionaries, whichever of the two formats they are in."""
    etc = Path("/etc/apt")
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        for block in re.split(r"\n\s*\n", path.read_text()):
            fields, last = {}, None
            for line in block.splitlines():
                if line.startswith("#"):
                    continue
                if line[:1].isspace() and last:
                    fields[last] += "\n" + line
                elif ":" in line:
                    last, value = line.split(":", 1)
                    last = last.strip().lower()
                    fields[last] = value.strip()
            if fields and fields.get("enabled", "yes") not in ("no", "false"):
                yield fields
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        if not path.exists():
            continue
        for line in path.read_text().splitlines():
            match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)", line.split("#")[0])
            if match:
                options = dict(o.split("=", 1) for o in (match[1] or "").split() if "=" in o)
                fields = {"types": "deb", "uris": match[2], "suites": match[3], "components": match[4]}
                if "signed-by" in options:
                    fields["signed-by"] = options["signed-by"]
                yield fields


def codename():
    text = Path("/etc/os-release").read_text()
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", text, re.M)
    if not match:
        raise KernelError("/etc/os-release names no Debian suite (VERSION_CODENAME)")
    return match[1]


def sources_for(suite):
    """deb822 text of the machine's sources with its own suite replaced by another one."""
    own, out = codename(), []
    base = suite.split("-")[0]
    for fields in _stanzas():
        if "deb" not in fields.get("types", "").split():
            continue
        suites = []
        for name in fields.get("suites", "").split():
            if name == own:
                suites.append(suite)
            elif name == f"{own}-security" and suite == base and suite != "sid":
                suites.append(f"{suite}-security")
        if not suites:
            continue
        signed = KEYRING if os.path.exists(KEYRING) else fields.get("signed-by")
        out.append("Types: deb\nURIs: {}\nSuites: {}\nComponents: main\n{}".format(
            fields["uris"], " ".join(suites), f"Signed-By: {signed}\n" if signed else ""))
    if not out:
        raise KernelError(f"no APT source of this machine names its own suite {own}")
    return "\n".join(out)


class _Apt:
    """A private APT: own sources, lists and cache below a directory."""

    def __init__(self, directory, suite, architecture="amd64"):
        self.directory = directory
        for name in ("lists/partial", "cache/archives/partial", "sources.d"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "sources.d" / "kernels.sources").write_text(sources_for(suite))
        config = directory / "apt.conf"
        config.write_text(
            f'Dir::State::lists "{directory}/lists";\n'
            f'Dir::Cache "{directory}/cache";\n'
            'Dir::Etc::sourcelist "/dev/null";\n'
            f'Dir::Etc::sourceparts "{directory}/sources.d";\n'
            f'APT::Architecture "{architecture}";\n'
            f'APT::Architectures "{architecture}";\n'
            'APT::Sandbox::User "root";\n'
            'Acquire::Languages "none";\n'
            # A frozen mirror has signed lists that are past their date; what they name is still what Debian built.
            'Acquire::Check-Valid-Until "false";\n'
            'Acquire::Retries "3";\n')
        self.environment = dict(os.environ, APT_CONFIG=str(config), LC_ALL="C")

    def __call__(self, *command, cwd=None, timeout=900):
        done = subprocess.run(command, env=self.environment, cwd=cwd, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:"))]
            raise KernelError(f"{' '.join(command[:2])}: {'; '.join(lines[-3:]) or done.returncode}")
        return done.stdout


def _wanted_packages(apt, series, architecture):
    """Packages behind the meta package that hold kernel, modules and configuration; [] if another series."""
    text = apt("apt-cache", "depends", "--recurse", "-i", "--no-recommends", "--no-suggests",
               "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", f"linux-image-{architecture}")
    names = [n for n in text.splitlines() if re.match(r"linux-(image|binary|modules|base)-\d", n)]
    return names if any(re.match(rf"linux-image-{re.escape(series)}\.", n) for n in names) else []


def _unpack(package, target):
    """Unpack what matters of a package into a directory."""
    command = ["tar", "-x", "-C", str(target), "--wildcards"]
    command += [f"--exclude=*/kernel/{name}/*" for name in LEFT_OUT] + ["--exclude=*/usr/share/doc/*"]
    with subprocess.Popen([paths.tool("dpkg-deb"), "--fsys-tarfile", str(package)],
                          stdout=subprocess.PIPE) as source:
        done = subprocess.run(command, stdin=source.stdout, check=False)
        source.stdout.close()
    if source.returncode or done.returncode:
        raise KernelError(f"{package.name} cannot be unpacked")


def _one(target, *patterns):
    for pattern in patterns:
        found = sorted(target.glob(pattern))
        if found:
            return found[0]
    raise KernelError(f"{target}: nothing matches {patterns[0]}")


def _describe(series, target, machine):
    modules = _one(target, "lib/modules/*/kernel", "usr/lib/modules/*/kernel").parent
    image = json.loads((target / "packages.json").read_text())
    return Kernel(series, image["version"], modules.name,
                  _one(target, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"), modules,
                  _one(target, "boot/config-*", "usr/lib/modules/*/config"), machine)


def _fetch(series, directory, machine):
    """Download and unpack the newest package of a series; a mirror that is just being updated gets another try."""
    for pause in (*PAUSES, None):
        try:
            return _fetch_once(series, directory, machine)
        except KernelError as error:
            if pause is None:
                raise
            print(f"kernel {series}: {error}; once more in {pause} s", file=sys.stderr, flush=True)
            time.sleep(pause)


def _fetch_once(series, directory, machine):
    """Download and unpack the newest package of a series; returns the directory of that version."""
    reasons, architecture, foreign = [], ARCHITECTURES[machine], "" if machine == "x86_64" else f"-{machine}"
    for suite in SUITES[series]:
        try:
            apt = _Apt(paths.below_cache("apt", suite + foreign), suite, architecture)
            apt("apt-get", "-q", "update")
            names = _wanted_packages(apt, series, architecture)
            if not names:
                reasons.append(f"{suite} has another series now")
                continue
            show = apt("apt-cache", "show", "--no-all-versions", *names)
            version = re.search(r"^Version: (\S+)", show, re.M)[1]
            target = directory / version.replace(":", "_")
            if (target / "packages.json").exists():
                return target
            downloads = paths.below_cache("downloads", series + foreign)
            for old in downloads.glob("*.deb"):
                old.unlink()
            apt("apt-get", "-q", "download", *names, cwd=downloads)
            target.mkdir(parents=True, exist_ok=True)
            for package in sorted(downloads.glob("*.deb")):
                _unpack(package, target)
                package.unlink()
            modules = _one(target, "lib/modules/*/kernel", "usr/lib/modules/*/kernel").parent
            base = modules.parents[2]
            subprocess.run([paths.tool("depmod"), "-b", str(base), modules.name], check=True)
            (target / "packages.json").write_text(json.dumps(
                {"version": version, "suite": suite, "packages": names}))
            return target
        except (KernelError, subprocess.SubprocessError, OSError) as error:
            reasons.append(f"{suite}: {error}")
    raise KernelError(f"no {series} kernel: " + "; ".join(reasons))


def _download(series, directory):
    """Download the newest linux-source of a series; returns the directory of that version."""
    reasons, package = [], f"linux-source-{series}"
    for suite in SUITES[series]:
        try:
            apt = _Apt(paths.below_cache("apt", suite), suite)
            apt("apt-get", "-q", "update")
            version = re.search(r"^Version: (\S+)", apt("apt-cache", "show", "--no-all-versions", package), re.M)[1]
            target = directory / version.replace(":", "_")
            if (target / "version").exists():
                return target
            target.mkdir(parents=True, exist_ok=True)
            apt("apt-get", "-q", "download", package, cwd=target)
            archive = next(target.glob("*.deb"))
            with open(target / "source.tar.xz", "wb") as out, subprocess.Popen(
                    [paths.tool("dpkg-deb"), "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as data:
                subprocess.run(["tar", "-xO", f"./usr/src/{package}.tar.xz"], stdin=data.stdout, stdout=out, check=True)
            archive.unlink()
            (target / "version").write_text(version)
            return target
        except (KernelError, subprocess.SubprocessError, OSError) as error:
            reasons.append(f"{suite}: {error}")
    raise KernelError(f"no {package}: " + "; ".join(reasons))


def source(series, refresh=False):
    """Debian's linux-source of a series: (version, path of its .tar.xz), from the cache if it is there."""
    if series not in SUITES:
        raise KernelError(f"no kernel series {series}; there are {', '.join(SERIES)}")
    directory = paths.below_cache("sources", series)
    with open(directory / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        current = directory / "current"
        if refresh or not (current / "version").exists():
            target = _download(series, directory)
            current.unlink(missing_ok=True)
            current.symlink_to(target.name)
        return (current / "version").read_text(), current.resolve() / "source.tar.xz"


def get(series, refresh=False, machine="x86_64"):
    """The kernel of a series; from the cache unless it is not there or refresh is set."""
    if series not in SUITES:
        raise KernelError(f"no kernel series {series}; there are {', '.join(SERIES)}")
    directory = paths.below_cache("kernels", series if machine == "x86_64" else f"{series}-{machine}")
    with open(directory / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        current = directory / "current"
        if refresh or not (current / "packages.json").exists():
            try:
                target = _fetch(series, directory, machine)
                current.unlink(missing_ok=True)
                current.symlink_to(target.name)
            except KernelError as error:
                if not (current / "packages.json").exists():
                    raise
                print(f"kernel {series}: {error}; taking the one that is here", file=sys.stderr, flush=True)
        return _describe(series, current.resolve(), machine)
