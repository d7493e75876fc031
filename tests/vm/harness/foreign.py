# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in arm64 guests, and is not of this machine: programs built against an unpacked Debian, and its libraries.

Nothing of that Debian is run here: mmdebstrap only unpacks it. The compiler is Debian's cross compiler.
"""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import time

from . import kernels, paths

# The harness' name of what all other guests are; the only other one is arm64.
OWN = "x86_64"
TRIPLET = "aarch64-linux-gnu"
# There the first serial line behind the console's, which is of another kind.
AGENT_FLAGS = ['-DAGENT_LINE="/dev/ttyS0"']
PACKAGES = ["libc6-dev", "libsystemd-dev", "libgcrypt20-dev", "liblz4-dev", "libzstd-dev", "libxxhash-dev",
            "libseccomp-dev", "libblkid-dev", "busybox-static"]


def compiler():
    """The cross compiler."""
    return paths.tool(f"{TRIPLET}-gcc")


def _unpack(archive, root):
    """Unpack, with links that stay inside."""
    with tarfile.open(archive) as tar:
        for entry in tar:
            if entry.isdev() or entry.name.startswith("./dev/"):
                continue
            if entry.issym() and entry.linkname.startswith("/"):
                entry.linkname = os.path.relpath(f".{entry.linkname}", os.path.dirname(entry.name))
            tar.extract(entry, root)


def sysroot():
    """Directory with the unpacked Debian, made the first time."""
    suite = kernels.codename()
    digest = hashlib.sha256(" ".join([suite, *PACKAGES]).encode()).hexdigest()[:12]
    root = paths.below_cache("sysroot") / digest
    with open(root.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            archive, sources, part = (root.with_suffix(s) for s in (".tar", ".sources", ".part"))
            sources.write_text(kernels.sources_for(suite))
            command = [paths.tool("mmdebstrap"), "--quiet", "--variant=extract", "--architectures=arm64",
                       f"--include={','.join(PACKAGES)}", suite, str(archive), str(sources)]
            for pause in (*kernels.PAUSES, None):
                if subprocess.run(command, check=pause is None).returncode == 0:
                    break
                time.sleep(pause)  # a mirror that is just being updated
            shutil.rmtree(part, ignore_errors=True)
            _unpack(archive, part)
            archive.unlink()
            part.rename(root)
    return root


def configuration():
    """Options and environment of our configure."""
    root = sysroot()
    return ([f"--host={TRIPLET}", f"CC={compiler()} --sysroot={root}"],
            {"PKG_CONFIG_SYSROOT_DIR": str(root),
             "PKG_CONFIG_LIBDIR": f"{root}/usr/lib/{TRIPLET}/pkgconfig:{root}/usr/share/pkgconfig"})


def busybox():
    """A busybox that needs no library."""
    return sysroot() / "bin" / "busybox"


def _read(program, option, pattern):
    done = subprocess.run([paths.tool(f"{TRIPLET}-readelf"), option, str(program)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    return re.findall(pattern, done.stdout)


def libraries(program):
    """(file, path in the guest) of a program's shared libraries and their loader."""
    root, found = sysroot(), {}
    wanted = [program]
    while wanted:
        file = wanted.pop()
        for path in _read(file, "-l", r"interpreter: (\S+)\]"):
            found[path] = root / path.lstrip("/")
        for name in _read(file, "-d", r"\(NEEDED\).*\[(\S+)\]"):
            path = f"/usr/lib/{TRIPLET}/{name}"
            if path not in found and name not in (os.path.basename(p) for p in found):
                source = next(p for p in (root / "usr/lib" / TRIPLET / name, root / "lib" / TRIPLET / name) if p.exists())
                found[path] = source
                wanted.append(source)
    return [(file, path) for path, file in found.items()]
