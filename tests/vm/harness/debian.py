# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian as a guest's root: made by mmdebstrap from the machine's own sources, kept in the cache."""
import fcntl
import hashlib
import io
import os
import shlex
import subprocess
import tarfile
import time

from . import build, disks, initramfs, kernels, paths

# Booted by systemd. The libraries are those that our programs link.
PACKAGES = ["systemd-sysv", "udev", "kmod", "procps", "e2fsprogs",
            "libblkid1", "liblz4-1", "libseccomp2", "libsystemd0", "libxxhash0", "libzstd1"]
LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
ROOT_BYTES = 1 << 30
AGENT = "usr/local/sbin/vm-agent"
AGENT_UNIT = f"""[Unit]
Description=Test Harness' Hands
[Service]
ExecStart=/{AGENT}
Restart=no
"""


def _digest(*words):
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


def bootstrap(packages, options=(), refresh=False):
    """A tar of a minimal Debian of the machine's own suite with more packages; from the cache if it is there."""
    suite = kernels.codename()
    target = paths.below_cache("debian-root") / f"{_digest(suite, *packages, *options)}.tar"
    with open(target.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if refresh or not target.exists():
            part, sources = target.with_suffix(".part.tar"), target.with_suffix(".sources")
            sources.write_text(kernels.sources_for(suite))
            command = [paths.tool("mmdebstrap"), "--quiet", "--variant=minbase", *options,
                       f"--include={','.join(packages)}", suite, str(part), str(sources)]
            for pause in (*kernels.PAUSES, None):
                if subprocess.run(command, check=pause is None).returncode == 0:
                    break
                time.sleep(pause)  # a mirror that is just being updated
            part.rename(target)
    return target


def root_disk(bench, name="root"):
    """A new disk with a Debian that systemd boots."""
    options = [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    made = bootstrap(PACKAGES, options)
    image = made.with_suffix(".img")
    with open(made.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists() or image.stat().st_mtime < made.stat().st_mtime:
            _make_image(made, image)
    return disks.Disk(image, serial=name).copy(bench.directory / f"{name}.img")


def _make_image(source, image):
    part, tree = image.with_suffix(".part.img"), image.with_suffix(".tree")
    disks.blank(part, ROOT_BYTES)
    words = {name: shlex.quote(str(value)) for name, value in
             {"tree": tree, "source": source, "part": part, "mkfs": paths.tool("mkfs.ext4")}.items()}
    script = ("rm -rf {tree} && mkdir {tree} && tar -x -f {source} -C {tree} --exclude='./dev/*' && "
              "{mkfs} -q -F -d {tree} {part}; status=$?; rm -rf {tree}; exit $status").format(**words)
    # Owners are to be those of the tar: without root, those of a namespace.
    prefix = [] if os.geteuid() == 0 else ["unshare", "--map-auto", "--map-root-user"]
    subprocess.run([*prefix, "sh", "-c", script], check=True)
    part.rename(image)


def archive(entries):
    """A tar of path -> text, bytes, a Path of this machine, or ("link", target)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path, content in entries.items():
            entry = tarfile.TarInfo(path)
            entry.mode = 0o644
            if isinstance(content, tuple):
                entry.type, entry.linkname = tarfile.SYMTYPE, content[1]
                tar.addfile(entry)
                continue
            if isinstance(content, os.PathLike):
                entry.mode = os.stat(content).st_mode & 0o777
                with open(content, "rb") as f:
                    content = f.read()
            raw = content.encode() if isinstance(content, str) else content
            entry.size = len(raw)
            tar.addfile(entry, io.BytesIO(raw))
    return data.getvalue()


def installed(tree):
    """A tar of all that "make install DESTDIR=" has put into a directory, owned by root."""
    data = io.BytesIO()

    def owned(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in sorted(os.listdir(tree)):
            tar.add(os.path.join(tree, name), name, filter=owned)
    return data.getvalue()


def hands(fstab, extra=None):
    """A tar of what a guest of ours has besides Debian and us: the agent as a service, and fstab."""
    wants = "etc/systemd/system/multi-user.target.wants/vm-agent.service"
    return archive({AGENT: build.agent(), "etc/systemd/system/vm-agent.service": AGENT_UNIT,
                    wants: ("link", "../vm-agent.service"), "etc/fstab": fstab, "etc/hostname": "guest\n",
                    **(extra or {})})


def drivers(kernel, names):
    """Path -> content of modules and the tables that modprobe and udev find them by."""
    base = f"lib/modules/{kernel.release}"
    entries = {f"{base}/{path.name}": path for path in kernel.modules.glob("modules.*") if path.is_file()}
    for path in initramfs.module_files(kernel, names):
        entries[f"{base}/{path.relative_to(kernel.modules)}"] = path
    return entries
