# SPDX-License-Identifier: GPL-2.0-or-later
"""Success on the kinds of machine there are; each with a damaged copy of its image that must not resume."""
import uuid

from harness import disks, ours
from harness.cases import case
from harness.machine import Proof, expect

IDENT = uuid.UUID("7f3ad5e2-0c64-4f1b-9a55-3d1e8b1c2a90")


def _partition(bench, device="/dev/vda1", bus="virtio", spec=None, keys=None, damage=ours.flip_in_chunks, how="guest-shutdown",
               **hardware):
    swap = bench.swap(bus=bus, ident=IDENT)
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf(ResumeDevice=spec or device, **(keys or {}))},
                            **hardware).boot()
    ours.wait_for(machine, device)
    proof = ours.round_trip(machine, device, swap, damage=damage, how=how)
    return machine, swap, proof


@case("swap-partition", "swap partition on virtio-blk, lz4, one CPU; twin: one bit of a chunk")
def swap_partition(bench):
    """The first slice. Also: the report has the times, and the mark has gone."""
    machine, swap, _ = _partition(bench)
    report = machine.sh("hibernatectl status")
    for phase in ("Freeze", "Create", "Write", "Save", "Load"):
        expect(ours.times(report).get(phase, 0) > 0, f"status tells no time for {phase}: {report.strip()[-300:]}")
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")


@case("swap-partition-smp2", "the same with two CPUs; twin: one bit of the header")
def swap_partition_smp2(bench):
    """Threads on both sides of the pipeline."""
    _partition(bench, smp=2, damage=ours.flip_in_header)


@case("zstd", "zstd instead of lz4; twin: the mark removed")
def zstd(bench):
    """The same path through the other codec."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf(Compression="zstd")}).boot()
    ours.round_trip(machine, "/dev/vda1", swap, damage=ours.remove_mark, words=None)


@case("no-compression", "without compression; twin: one bit of a chunk")
def no_compression(bench):
    """Chunks as they are."""
    _partition(bench, keys={"Compression": "none"})


@case("swap-ahci", "swap partition on an AHCI disk, by UUID=, two CPUs")
def swap_ahci(bench):
    """SCSI's disk driver below."""
    _partition(bench, "/dev/sda1", "ahci", f"UUID={IDENT}", smp=2)


@case("swap-nvme", "swap partition on an NVMe disk, by PARTUUID=, two CPUs")
def swap_nvme(bench):
    """Several hardware queues below."""
    _partition(bench, "/dev/nvme0n1p1", "nvme", f"PARTUUID={disks.DISK_ID:08x}-01", smp=2)


@case("mode-platform", "ShutdownMode=platform: ACPI S4")
def mode_platform(bench):
    """Leaves through the firmware; the monitor tells that it was S4."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf(ShutdownMode="platform")}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    qemu = machine.qemu
    leaving = ours.leave(machine)
    expect(qemu.saw_event("SUSPEND_DISK"), "the machine was switched off, but not by S4")
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("mode-reboot", "ShutdownMode=reboot: the machine restarts and resumes")
def mode_reboot(bench):
    """Leaves by a reset."""
    _partition(bench, keys={"ShutdownMode": "reboot"}, how="guest-reset")


@case("auto-area", "ResumeDevice=auto chooses the swap area of highest priority; by LABEL= to resume")
def auto_area(bench):
    """Two areas; the image must lie on the one with the higher priority."""
    low, high = bench.swap(name="low"), bench.swap(name="high", partitioned=False, label="hib")
    machine = bench.machine([low, high], "shipped", tools=["swapon"], files={ours.CONF: ours.conf(ResumeDevice="LABEL=hib")}).boot()
    machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice="auto"))
    machine.sh("/usr/sbin/swapon -p 1 /dev/vda1 && /usr/sbin/swapon -p 5 /dev/vdb")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    expect((low.signature(), high.signature()) == (ours.CLEAN, ours.MARK),
           f"signatures: low {low.signature()}, high {high.signature()}")
    ours.twin(machine, proof, leaving, high)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("cycles-20", "20 cycles in a row in one life of the image kernel", limit=1200)
def cycles(bench):
    """What leaks, or is left behind, adds up."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    for number in range(1, 21):
        leaving = ours.leave(machine)
        if number == 10:
            ours.twin(machine, proof, leaving, swap)
        machine.boot()
        ours.come_back(machine, leaving)
        proof.check()
        machine.sh("! ls -l /proc/[0-9]*/exe 2>/dev/null | grep -q hibernate-image", check=True)
        bench.note(f"cycle {number}: {machine.sh('head -c 300 /proc/meminfo | grep MemFree').strip()}")
