# SPDX-License-Identifier: GPL-2.0-or-later
"""The initramfs of a guest: busybox, the agent as /init, modules in loading order, programs with libraries.

It is not compressed: under emulation unpacking would cost more than reading.
"""
import fcntl
import hashlib
import lzma
import os
import re
import subprocess

from . import build, foreign, paths
from .cpio import Archive

# What every guest loads; a name that the kernel has built in is skipped.
BASE_MODULES = ["virtio_pci", "virtio_blk", "evdev", "button"]
# Without ACPI there is no such button.
LACKING = {"arm64": ["button"]}
# So many archives stay in the cache; far more than cases run side by side.
KEEP = 40
PASSWD = "root:x:0:0:root:/:/bin/sh\nhibernate-image:x:871:871:image worker:/nonexistent:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nhibernate-image:x:871:\n"


def _module_table(kernel):
    """Name -> (path, paths of what it needs) from modules.dep, and the names that are built in."""
    table = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, needs = line.split(":", 1)
        table[_module_name(path)] = (path, needs.split())
    built_in = (kernel.modules / "modules.builtin").read_text().split()
    return table, {_module_name(p) for p in built_in}


def _module_name(path):
    return re.sub(r"\.ko(\..*)?$", "", path.rsplit("/", 1)[-1]).replace("-", "_")


def _soft_needs(kernel):
    """Name -> modules that must be there before it although no symbol says so."""
    needs = {}
    path = kernel.modules / "modules.softdep"
    for line in path.read_text().splitlines() if path.exists() else []:
        match = re.match(r"softdep (\S+) pre: (.*?)(?: post:.*)?$", line)
        if match:
            needs.setdefault(match[1].replace("-", "_"), []).extend(match[2].split())
    return needs


def _aliases(kernel):
    """Alias without wildcards -> modules that offer it, generic ones first: every CPU can load those."""
    found = {}
    for line in (kernel.modules / "modules.alias").read_text().splitlines():
        words = line.split()
        if len(words) == 3 and "*" not in words[1]:
            found.setdefault(words[1], []).append(words[2].replace("-", "_"))
    return {alias: sorted(names, key=lambda n: "generic" not in n) for alias, names in found.items()}


def module_files(kernel, names):
    """Paths of the modules to load for these names, in an order in which they load."""
    table, built_in = _module_table(kernel)
    soft, aliases = _soft_needs(kernel), _aliases(kernel)
    order = []

    def add(name, required):
        name = name.replace("-", "_")
        if name in built_in:
            return
        if name not in table:
            if required:
                raise FileNotFoundError(f"kernel {kernel.release} has no module {name}")
            return
        path, needs = table[name]
        for other in soft.get(name, []):
            add(aliases.get(other, [other])[0], False)
        for other in reversed(needs):
            add(_module_name(other), True)
        if path not in order:
            order.append(path)

    for name in names:
        add(name, True)
    return [kernel.modules / path for path in order]


def _libraries(program):
    """Shared libraries of a program, its loader among them, as ldd sees them."""
    done = subprocess.run(["ldd", str(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout)


def _add_libraries(archive, program, machine=foreign.OWN):
    if machine != foreign.OWN:
        for source, path in foreign.libraries(program):
            archive.copy(source, path)
        return
    for library in _libraries(program):
        archive.copy(library)


def _busybox(archive, machine):
    busybox = paths.tool("busybox")
    archive.copy(busybox if machine == foreign.OWN else foreign.busybox(), "bin/busybox")
    applets = subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    for applet in applets.stdout.split():
        if applet != "busybox":
            archive.link(f"bin/{applet}", "busybox")


def make(kernel, modules=(), programs=None, tools=(), files=None):
    """Write an initramfs (or find it in the cache) and return its path.

    modules: beyond BASE_MODULES. programs: directory of an installed tree of ours, or None.
    tools: programs of this machine, by name. files: path -> text or bytes.
    """
    archive = Archive()
    for name in ("dev", "proc", "sys", "run", "tmp", "mnt", "sysroot", "root", "var/lib", "etc"):
        archive.directory(name)
    archive.node("dev/console", 5, 1)
    archive.node("dev/null", 1, 3, 0o666)
    archive.copy(build.agent(kernel.machine), "init")
    for path, data in (files or {}).items():
        archive.file(path, data, 0o755 if str(data)[:2] == "#!" else 0o644)
    archive.file("etc/passwd", PASSWD)
    archive.file("etc/group", GROUP)
    for tool in tools:
        archive.copy(paths.tool(tool), f"usr/sbin/{tool}")
        _add_libraries(archive, paths.tool(tool))
    if programs:
        for program in build.programs_of(programs):
            _add_libraries(archive, program, kernel.machine)
        archive.tree(programs)
    _busybox(archive, kernel.machine)
    archive.link("sbin", "bin")
    loaded = []
    base = [name for name in BASE_MODULES if name not in LACKING.get(kernel.machine, [])]
    for path in module_files(kernel, [*base, *modules]):
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = lzma.decompress(data)
        archive.file(f"lib/modules/{_module_name(path.name)}.ko", data)
        loaded.append(f"/lib/modules/{_module_name(path.name)}.ko\n")
    archive.file("modules", "".join(loaded))
    data = archive.bytes()
    target = paths.below_cache("initramfs") / hashlib.sha256(data).hexdigest()[:24]
    with open(paths.cache() / "initramfs.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            os.utime(target)
            return target
        for old in sorted(target.parent.iterdir(), key=os.path.getmtime)[:-KEEP]:
            old.unlink()
        part = target.with_suffix(".part")
        part.write_bytes(data)
        part.rename(target)
    return target
