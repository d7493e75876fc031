# SPDX-License-Identifier: GPL-2.0-or-later
"""The small kernels of src/kernel, with and without the companion series, and their 32-bit guest."""
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from . import paths
from .build import BuildError
from .cpio import Archive
from .kernels import Kernel
from .qemu import Qemu

BUILD = paths.SOURCE / "src" / "kernel" / "build.sh"
GUEST = paths.SOURCE / "tests" / "vm" / "guest-i386" / "kexec.c"
# It has no C library and runs on whatever the kernel runs on.
GUEST_FLAGS = ["-m32", "-march=i686", "-mno-sse", "-std=gnu11", "-O2", "-ffreestanding", "-fno-builtin", "-nostdlib",
               "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-Wall", "-Wextra", "-Wshadow",
               "-Wmissing-prototypes", "-Wstrict-prototypes", "-Wvla", "-Werror"]


def kernel(series, config, stock=False, tests=False, low=False):
    """Path of a kernel's image: with the series, without (stock), with its self-tests only (tests), or with a page list of
    kexec that has to be in low memory (low). Building takes many minutes."""
    variant = ["--stock"] if stock else ["--tests"] if tests else ["--low"] if low else []
    command = [str(BUILD), *variant, f"-j{os.cpu_count() or 1}", series, config]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command[1:])}: {done.stderr.strip()[-400:]}")
    return done.stdout.splitlines()[-1]


def machine_kernel(series, tests=False):
    """The x86_64 kernel as the harness' machines take it. It has no modules, only what is built in."""
    image = Path(kernel(series, "x86_64", tests=tests))
    objects = image.parents[3]
    modules = paths.below_cache("small", series, "tests" if tests else "series")
    shutil.copy(objects / "modules.builtin", modules)
    for name in ("modules.dep", "modules.alias"):
        (modules / name).touch()
    release = (objects / "include" / "config" / "kernel.release").read_text().strip()
    return Kernel(series, release, release, image, modules, objects / ".config")


def guest():
    """The 32-bit process 1, compiled if its source has changed."""
    digest = hashlib.sha256(GUEST.read_bytes()).hexdigest()[:24]
    target = paths.below_cache("agent") / f"i386-{digest}"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        done = subprocess.run([os.environ.get("CC", "gcc"), *GUEST_FLAGS, "-o", str(part), str(GUEST)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise BuildError(f"the 32-bit guest does not compile: {done.stdout[-2000:]}")
        part.rename(target)
    return target


def boot_i386(bench, image, name, cmdline, memory=3072):
    """Start a 32-bit machine whose initramfs has the guest, and the kernel once more to load."""
    archive = Archive()
    archive.node("dev/console", 5, 1)
    archive.copy(guest(), "init")
    archive.copy(image, "kernel")
    initrd = bench.directory / f"{name}.cpio"
    initrd.write_bytes(archive.bytes())
    # The older of QEMU's two machines: with 3 GiB the newer one puts 1 GiB of them above what 32 bits reach.
    return Qemu(bench.directory / f"{name}.log", [
        "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", str(memory),
        "-kernel", str(image), "-initrd", str(initrd),
        "-append", f"console=ttyS0 ignore_loglevel panic=-1 no_timer_check {cmdline}"])
