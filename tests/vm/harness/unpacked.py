# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel out of a vmlinuz, for boots that need not unpack it themselves.

Under emulation unpacking takes longer than all the rest of a boot: 6.1 spends three fifths of it in XZ. QEMU can
start the kernel inside, byte for byte the same, through its PVH entry. What is left out is what the unpacker does
besides: it puts the kernel at a random place. And the kernel adds a row to the memory map that the firmware gave, so
an image made in a boot of one kind does not resume in one of the other: a machine starts all its boots in one way.
That is for cases about what our programs do when something fails. Those that prove a way to come back boot as
everybody does.
"""
import fcntl
import lzma
import struct
import subprocess
import zlib
from pathlib import Path

from . import paths

SETUP_SECTS, PAYLOAD = 0x1f1, 0x248  # of the boot protocol's header
SIZE_BYTES = 4                       # of the unpacked kernel, behind the packed one


def _unpack(data):
    """The ELF file in a vmlinuz; ValueError if it is packed in a way that we do not know."""
    offset, length = struct.unpack_from("<II", data, PAYLOAD)
    start = ((data[SETUP_SECTS] or 4) + 1) * 512 + offset
    packed = data[start:start + length - SIZE_BYTES]
    if packed.startswith(b"\xfd7zXZ\0"):
        out = lzma.LZMADecompressor().decompress(packed)
    elif packed.startswith(b"\x28\xb5\x2f\xfd"):
        out = subprocess.run([paths.tool("zstd"), "-q", "-d", "-c"], input=packed, stdout=subprocess.PIPE,
                             check=True).stdout
    elif packed.startswith(b"\x1f\x8b"):
        out = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed)
    else:
        raise ValueError("unknown compression")
    if not out.startswith(b"\x7fELF") or len(out) != struct.unpack_from("<I", data, start + length - SIZE_BYTES)[0]:
        raise ValueError("not an ELF file, or not all of it")
    return out


def of(vmlinuz):
    """Path of the kernel in a vmlinuz, kept in the cache; of the vmlinuz itself if there is no way into it."""
    vmlinuz = Path(vmlinuz)
    target = paths.below_cache("unpacked") / f"{vmlinuz.name}-{vmlinuz.stat().st_mtime_ns}-{vmlinuz.stat().st_size}"
    with open(paths.cache() / "unpacked.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        try:
            data = _unpack(vmlinuz.read_bytes())
        except (ValueError, OSError, struct.error, lzma.LZMAError, zlib.error, subprocess.SubprocessError):
            return vmlinuz
        part = target.with_suffix(".part")
        part.write_bytes(data)
        part.rename(target)
    return target
