# SPDX-License-Identifier: GPL-2.0-or-later
"""The small arm64 kernels of src/kernel in QEMU's "virt" machine, with a guest that is one static program."""
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from . import paths, small
from .build import BuildError
from .cpio import Archive
from .kernels import Kernel
from .qemu import CPUS, Qemu

GUEST = paths.SOURCE / "tests" / "vm" / "guest-arm64" / "init.c"
COMPILER = "aarch64-linux-gnu-gcc"
GUEST_FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-static", "-Wall", "-Wextra", "-Wshadow", "-Wmissing-prototypes",
               "-Wstrict-prototypes", "-Wvla", "-Werror"]
# A processor with addresses of 52 bits at pages of 4 KiB, and little else that is new.
LPA2 = "max,pauth=off,sve=off,sme=off"


def kernel(series, stock=False):
    """The small kernel as the harness' machines take it. It has no modules, only what is built in."""
    image = Path(small.kernel(series, "arm64", stock))
    objects = image.parents[3]
    modules = paths.below_cache("small", f"{series}-{'stock' if stock else 'series'}-arm64")
    shutil.copy(objects / "modules.builtin", modules)
    for name in ("modules.dep", "modules.alias"):
        (modules / name).touch()
    release = (objects / "include" / "config" / "kernel.release").read_text().strip()
    return Kernel(series, release, release, image, modules, objects / ".config", "arm64")


def guest():
    """The guest's process 1, compiled if its source has changed."""
    digest = hashlib.sha256(GUEST.read_bytes()).hexdigest()[:24]
    target = paths.below_cache("agent") / f"arm64-{digest}"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        done = subprocess.run([paths.tool(COMPILER), *GUEST_FLAGS, "-o", str(part), str(GUEST)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise BuildError(f"the arm64 guest does not compile: {done.stdout[-2000:]}")
        part.rename(target)
    return target


def _archive():
    archive = Archive()
    archive.node("dev/console", 5, 1)
    archive.copy(guest(), "init")
    return archive


def boot(bench, image, name, cmdline, memory=512, cpu=CPUS["arm64"]):  # pylint: disable=too-many-arguments
    """Start a machine whose initramfs has the guest, and the kernel and an initramfs once more to load."""
    following, archive = _archive(), _archive()
    archive.file("next", following.bytes())
    archive.copy(image, "kernel")
    initrd = bench.directory / f"{name}.cpio"
    initrd.write_bytes(archive.bytes())
    return Qemu(bench.directory / f"{name}.log", [
        "-machine", "virt", "-accel", "tcg", "-cpu", cpu, "-m", str(memory),
        "-kernel", str(image), "-initrd", str(initrd),
        "-append", f"console=ttyAMA0 panic=-1 {cmdline}"], program="qemu-system-aarch64")
