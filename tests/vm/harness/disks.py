# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images: sparse files, a partition table, swap headers, file systems; and looks into them."""
import json
import os
import struct
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from . import paths

MIB = 1 << 20
PAGE = 4096
SIGNATURE_AT = PAGE - 10
DISK_ID = 0x68696265  # of a partitioned disk
PART_START = MIB  # the only partition of a partitioned disk


@dataclass
class Disk:
    """One disk of a guest. Faults are rows of QEMU's blkdebug driver; they may change between boots."""
    path: Path
    bus: str = "virtio"          # virtio, ahci, nvme, scsi
    serial: str = ""
    start: int = 0               # offset of the partition, 0 without one
    faults: list = field(default_factory=list)
    throttle: int = 0            # bytes a second, 0 for none

    @property
    def size(self):
        """Bytes."""
        return self.path.stat().st_size

    def read(self, offset, length):
        """Bytes at an offset inside the partition."""
        with open(self.path, "rb") as f:
            f.seek(self.start + offset)
            return f.read(length)

    def write(self, offset, data):
        """Overwrite bytes at an offset inside the partition; while a guest runs, only what it reads past its cache."""
        with open(self.path, "r+b") as f:
            f.seek(self.start + offset)
            f.write(data)

    def signature(self):
        """The last ten bytes of the swap header, as text."""
        return self.read(SIGNATURE_AT, 10).rstrip(b"\0").decode("latin-1")

    def flip(self, offset, bit=0):
        """Turn one bit over."""
        byte = self.read(offset, 1)[0]
        self.write(offset, bytes([byte ^ (1 << bit)]))

    def copy(self, path):
        """A second disk with the same bytes."""
        subprocess.run(["cp", "--sparse=always", str(self.path), str(path)], check=True)
        return Disk(Path(path), self.bus, self.serial, self.start)


def blank(path, size):
    """A sparse file."""
    with open(path, "wb") as f:
        f.truncate(size)
    return Path(path)


def swap_header(size, label="", ident=None):
    """First page of a swap area as mkswap would write it."""
    page = bytearray(PAGE)
    struct.pack_into("<III", page, 1024, 1, size // PAGE - 1, 0)
    page[1036:1052] = (ident or uuid.uuid4()).bytes
    page[1052:1068] = label.encode().ljust(16, b"\0")[:16]
    page[SIGNATURE_AT:] = b"SWAPSPACE2"
    return bytes(page)


def partition_table(size, kind, disk_id=DISK_ID):
    """A DOS partition table with one partition from PART_START to the end."""
    sector = bytearray(512)
    struct.pack_into("<I", sector, 440, disk_id)
    struct.pack_into("<BBBBBBBBII", sector, 446, 0, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff,
                     PART_START // 512, (size - PART_START) // 512)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def swap_disk(path, size, bus="virtio", partitioned=True, label="", ident=None):
    """A disk with a swap area, in its only partition or on the whole disk."""
    disk = Disk(blank(path, size), bus, "swap", PART_START if partitioned else 0)
    if partitioned:
        with open(path, "r+b") as f:
            f.write(partition_table(size, 0x82))
    disk.write(0, swap_header(size - disk.start, label, ident))
    return disk


_MKFS = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
_FSCK = {
    "ext4": ["e2fsck", "-f", "-n"],
    "xfs": ["xfs_repair", "-n"],
    "btrfs": ["btrfs", "check", "--readonly"],
}


def fs_disk(path, size, kind, bus="virtio", serial="root", options=()):
    """A whole disk with an empty file system; options are those of its mkfs."""
    disk = Disk(blank(path, size), bus, serial)
    command = list(_MKFS[kind])
    command[0] = paths.tool(command[0])
    subprocess.run([*command, *options, str(path)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return disk


def fsck(disk, kind):
    """What is wrong with the file system of a disk: "" if it is clean. Nothing is written."""
    command = list(_FSCK[kind])
    command[0] = paths.tool(command[0])
    done = subprocess.run([*command, str(disk.path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return "" if done.returncode == 0 else done.stdout[-400:] or f"status {done.returncode}"


def arguments(disks):
    """QEMU's arguments for a list of disks; the first of a bus is vda, sda or nvme0n1."""
    out, ahci = [], 0
    if any(d.bus == "scsi" for d in disks):
        out += ["-device", "virtio-scsi-pci,id=scsi0"]
    for i, disk in enumerate(disks):
        node = {"driver": "file", "filename": str(disk.path)}
        if disk.faults:
            node = {"driver": "blkdebug", "image": node, "inject-error": disk.faults}
        node = {"driver": "raw", "file": node}
        if disk.throttle:
            out += ["-object", json.dumps({"qom-type": "throttle-group", "id": f"group{i}",
                                           "limits": {"bps-total": disk.throttle}})]
            node = {"driver": "throttle", "throttle-group": f"group{i}", "file": node}
        node["node-name"] = f"disk{i}"
        out += ["-blockdev", json.dumps(node)]
        tail = f"id=device{i},drive=disk{i},serial={disk.serial or f'disk{i}'}"
        policy = ",werror=report,rerror=report"
        if disk.bus == "virtio":
            out += ["-device", f"virtio-blk-pci,{tail}{policy}"]
        elif disk.bus == "ahci":
            out += ["-device", f"ide-hd,bus=ide.{ahci},{tail}{policy}"]
            ahci += 1
        elif disk.bus == "scsi":
            out += ["-device", f"scsi-hd,bus=scsi0.0,{tail}{policy}"]
        elif disk.bus == "nvme":
            out += ["-device", f"nvme,{tail}"]  # it has no policy: errors always reach the guest
        else:
            raise ValueError(f"no bus {disk.bus}")
    return out


MODULES_OF_BUS = {
    "virtio": [],
    "ahci": ["ahci", "sd_mod"],
    "scsi": ["virtio_scsi", "sd_mod"],
    "nvme": ["nvme"],
}


def sizes(path):
    """(bytes, bytes that are really allocated) of a file."""
    st = os.stat(path)
    return st.st_size, st.st_blocks * 512
