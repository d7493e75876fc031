# SPDX-License-Identifier: GPL-2.0-or-later
"""Swap files, and roots whose workers are frozen with everything else."""
import re

from harness import disks, ours
from harness.cases import case
from harness.machine import Proof, expect

SWAPFILE = "/swapfile"
TOOLS = {"ext4": ["filefrag", "fallocate"], "xfs": ["filefrag", "fallocate"], "btrfs": ["btrfs", "chattr"]}
PUNCH = "/usr/sbin/fallocate --punch-hole"
MIB = 1 << 20


def move_root(machine, kind):
    """Copy the initramfs to the disk and make that the root; all that is started from then on lies there."""
    machine.sh(f"mount -t {kind} /dev/vda /sysroot")
    machine.sh("cd / && cp -a bin sbin etc lib lib64 usr root var mnt /sysroot/ 2>&1", timeout=120)
    machine.request("root", "/sysroot").wait(20)
    expect(f" / {kind} " in machine.sh("cat /proc/mounts"), "the root was not moved")


def make_swapfile(machine, kind, mib, pieces):
    """A swap file in pieces that do not touch each other; returns its offset in pages on the device."""
    machine.sh(f"touch {SWAPFILE} /filler && chmod 600 {SWAPFILE}")
    step = mib * MIB // pieces
    if kind == "btrfs":
        machine.sh(f"chattr +C {SWAPFILE}; for i in $(seq 0 {pieces - 1}); do "
                   f"fallocate -o $((i * {step})) -l {step} {SWAPFILE} && "
                   f"fallocate -o $((i * {MIB})) -l {MIB} /filler || exit 1; done; sync", timeout=120)
    else:
        # Where there is room an allocator may be tidy, as ext4's is from 6.17 on: leave it none but the pieces.
        machine.sh(f"o=0; for l in {64 * MIB} {MIB} 65536; do while fallocate -o $o -l $l /filler; do "
                   "o=$((o + l)); done; done 2> /dev/null; sync", timeout=120)
        machine.sh(f"for i in $(seq 0 {pieces - 1}); do {PUNCH} -o $((i * {step + MIB})) -l {step} /filler || exit 1; done; "
                   f"{PUNCH} -o {pieces * (step + MIB)} -l {16 * MIB} /filler && sync", timeout=120)
        machine.sh(f"fallocate -l {mib * MIB} {SWAPFILE} && rm /filler && sync", timeout=120)
    machine.sh(f"mkswap {SWAPFILE} && sync && swapon {SWAPFILE}")
    if kind == "btrfs":
        return int(machine.sh(f"btrfs inspect-internal map-swapfile -r {SWAPFILE}"))
    table = machine.sh(f"filefrag -e -v {SWAPFILE}")
    rows = [line.split() for line in table.splitlines() if line.strip()[:1].isdigit() and ".." in line]
    expect(len(rows) >= pieces // 2, f"the swap file has {len(rows)} extents only: {table[-300:]}")
    return int(rows[0][3].rstrip(".:"))


def _tell_the_place(machine, offset):
    """Without the place, and with one that is not true, it is refused; follow what is said. Returns these lines."""
    machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice=SWAPFILE))
    text = ours.fails(machine, ("config",))
    said = re.search(r"(ResumeDevice)=(UUID=\S+) (ResumeOffset)=(\d+)", text)
    expect(said and int(said[4]) == offset, f"the file is at {offset}, but: {text}")
    lines = {said[1]: said[2], said[3]: said[4]}
    machine.put("/etc/hibernate.conf", ours.conf(**{**lines, "ResumeOffset": offset + 1}))
    text = ours.fails(machine, ("config",))
    expect(str(offset) in text and str(offset + 1) in text and "hibernate.conf:3" in text, f"the stale offset: {text}")
    machine.put("/etc/hibernate.conf", ours.conf(**lines))
    for command in ("hibernatectl estimate", "hibernatectl config | grep ^#"):
        text = machine.sh(command)
        expect(all(f"{key}={value}" in text for key, value in lines.items()), f"{command}: {text}")
    return lines


def check_root(machine, root, kind):
    """End all that holds files, unmount as far as a root can be, and look at the disk from outside."""
    machine.sh("killall -9 w-holder; killall hibernated; " + ours.until("mount -o remount,ro / 2> /dev/null", 5))
    machine.kill()
    wrong = disks.fsck(root, kind)
    expect(not wrong, f"fsck of {kind}: {wrong}")


def _swapfile_on_root(bench, kind, pieces):
    """Root and swap file on one disk; caches cold; the twin's mark is removed; fsck at the end."""
    root = bench.fs(kind, 1536)
    machine = bench.machine([root], "shipped", modules=[kind], tools=TOOLS[kind], smp=2,
                            files={ours.CONF: ours.conf(ResumeDevice="/dev/vda")}).boot()
    move_root(machine, kind)
    offset = make_swapfile(machine, kind, 640, pieces)
    lines = _tell_the_place(machine, offset)
    machine.sh("mkdir -p /data")
    proof = Proof(machine, directory="/data")
    machine.sh("sync; echo 3 > /proc/sys/vm/drop_caches")
    leaving = ours.leave(machine)
    if kind == "xfs":
        machine.cmdline = f"resume=/dev/vda resume_offset={offset}"
    else:
        machine.files[ours.CONF] = ours.conf(**lines)
    ours.twin(machine, proof, leaving, root, ours.remove_mark, None)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
    machine.sh("echo after > /data/after && sync")
    machine.sh(f"swapoff {SWAPFILE} && swapon {SWAPFILE} && swapoff {SWAPFILE}")
    check_root(machine, root, kind)


@case("swapfile-ext4", "root on ext4 with a swap file in 64 pieces, cold caches", limit=400)
def swapfile_ext4(bench):
    """Fragmented on purpose."""
    _swapfile_on_root(bench, "ext4", 64)


@case("swapfile-xfs", "root on XFS with a swap file in pieces, cold caches", limit=400)
def swapfile_xfs(bench):
    """XFS' workers are frozen from CREATE_IMAGE on."""
    _swapfile_on_root(bench, "xfs", 16)


@case("swapfile-btrfs", "root on btrfs with a swap file, cold caches", limit=400)
def swapfile_btrfs(bench):
    """btrfs' own mapping, and its frozen workers."""
    _swapfile_on_root(bench, "btrfs", 8)


@case("swapfile-1k-blocks", "ext4 with blocks of 1 KiB: a swap file that begins inside a page is refused, and why")
def swapfile_1k(bench):
    """The kernel swaps to it; but the header lies where no resume offset can point to."""
    root = bench.fs("ext4", 400, options=["-b", "1024"])
    machine = bench.machine([root], "shipped", modules=["ext4"], tools=["filefrag"], files={ours.CONF: ours.conf()}).boot()
    machine.sh("mount /dev/vda /mnt && cd /mnt && fallocate -l 300M swap && mkswap swap && sync && swapon swap")
    table = machine.sh("filefrag -e -v /mnt/swap").splitlines()
    start = int(next(line for line in table if line.split()[:1] == ["0:"]).split()[3].rstrip(".:"))
    expect(start % 4, f"the swap file begins at block {start}, on a page: this proves nothing")
    for device in ("/mnt/swap", "auto"):
        machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice=device))
        text = ours.fails(machine, ("area-unsuitable",))
        expect(f"{start % 4 * 1024} bytes into one" in text and "blocks of 4096" in text, f"refused with other words: {text}")
    machine.sh("swapoff /mnt/swap && umount /mnt")
    machine.kill()
    wrong = disks.fsck(root, "ext4")
    expect(not wrong, f"fsck: {wrong}")


def _root_and_partition(bench, kind):
    root, swap = bench.fs(kind, 768), bench.swap()
    machine = bench.machine([root, swap], "shipped", modules=[kind], smp=2,
                            files={ours.CONF: ours.conf(ResumeDevice="/dev/vdb1")}).boot()
    move_root(machine, kind)
    machine.sh("swapon /dev/vdb1; mkdir -p /data")
    proof = Proof(machine, directory="/data")
    machine.sh("sync; echo 3 > /proc/sys/vm/drop_caches")
    leaving = ours.leave(machine)
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
    machine.sh("echo after > /data/after && sync && cat /data/after && ls -R / > /dev/null 2>&1 || true")
    check_root(machine, root, kind)


@case("root-btrfs", "root on btrfs, swap partition, cold caches")
def root_btrfs(bench):
    """Nothing may touch the file system between CREATE_IMAGE and FREE."""
    _root_and_partition(bench, "btrfs")


@case("root-xfs", "root on XFS, swap partition, cold caches")
def root_xfs(bench):
    """The same with the other one whose workers freeze."""
    _root_and_partition(bench, "xfs")


@case("swapped-out", "the area holds swapped-out pages already; all are right after the resume", limit=600)
def swapped_out(bench):
    """More memory in use than there is, so that a part of the witness lies in the area when the image is written."""
    swap = bench.swap(1024)
    machine = bench.machine([swap], "shipped", memory=256, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1; echo 100 > /proc/sys/vm/swappiness")
    proof = Proof(machine, memory=210 * MIB, random=60, zero=0)
    used = int(machine.sh("awk '$1==\"/dev/vda1\" {print $4}' /proc/swaps"))
    expect(used > 30 * 1024, f"only {used} KiB are swapped out: this proves nothing")
    bench.note(f"{used} KiB swapped out before")
    leaving = ours.leave(machine)
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
    # Everything comes back from the area once more, and a second life of it goes well too.
    leaving = ours.leave(machine)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
