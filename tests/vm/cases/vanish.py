# SPDX-License-Identifier: GPL-2.0-or-later
"""The image's device goes away in the middle: a disk is unplugged, and never comes back in that life."""
from harness import ours
from harness.cases import case
from harness.machine import Proof, expect


def _slow(bench, name):
    """A disk that can be unplugged, slow enough to do it in the middle."""
    disk = bench.swap(name=name, bus="scsi")
    disk.throttle = 6 << 20
    return disk


def _name(machine, disk):
    """The disk's name in the guest; they are given out in the order of probing, which varies."""
    ours.wait_for(machine, "/dev/sda1")
    ours.wait_for(machine, f"/dev/sd{'ab'[len(machine.disks) - 1]}1")
    return machine.sh(f"basename $(echo /sys/bus/scsi/devices/*:0:{machine.disks.index(disk)}:0/block/*)").strip()


@case("device-vanishes", "the image's disk is unplugged before the freeze, and in the middle of writing: named, undone")
def vanishes(bench):
    """One disk each; what is left of the first, an active swap area without a device, must not hurt the second."""
    first, second = _slow(bench, "first"), _slow(bench, "second")
    machine = bench.machine([first, second], "failpoints", files={ours.CONF: ours.conf()}).boot()
    names = [_name(machine, disk) for disk in (first, second)]
    machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice=f"/dev/{names[0]}1"))
    machine.sh(f"swapon /dev/{names[0]}1")
    proof = Proof(machine, memory=24 << 20)

    ours.set_failpoints(machine, "prepare wait:15")
    leaving = machine.start(ours.LEAVE)
    machine.sh(ours.until("[ $(pidof hibernated | wc -w) -ge 2 ]") + "; sleep 3")
    machine.unplug(first)
    status, text = leaving.result(60)
    expect(ours.NAME_OF.get(status) in ("area-unsuitable", "io") and names[0] in text, f"status {status}: {text}")
    expect("Freezing user space" not in machine.qemu.console, "it was frozen all the same")
    proof.check()

    ours.set_failpoints(machine)
    machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice=f"/dev/{names[1]}1"))
    machine.sh(f"swapon /dev/{names[1]}1")
    since, leaving = len(machine.qemu.console), machine.start(ours.LEAVE)
    ours.wait_said(machine, "saving memory: +[1-9]", since, 60, leaving.done)
    machine.unplug(second)
    status, text = leaving.result(120)
    expect(ours.NAME_OF.get(status) == "io" and names[1] in text, f"status {status}: {text}")
    proof.check()
    machine.sh("hibernatectl status > /dev/null; ! pidof hibernate-image")
    machine.kill()
    expect((first.signature(), second.signature()) == (ours.CLEAN, ours.CLEAN),
           f"the swap signatures are {first.signature()}, {second.signature()}")


@case("device-vanishes-resume", "the image's disk is unplugged in the middle of a resume: asked; with the disk back it resumes")
def vanishes_resume(bench):
    """Nothing is booted past the image, and nothing on the disk has changed."""
    swap = _slow(bench, "swap")
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf(ResumeDevice="/dev/sda1")}).boot()
    ours.wait_for(machine, "/dev/sda1")
    machine.sh("swapon /dev/sda1")
    proof = Proof(machine, memory=24 << 20)
    leaving = ours.leave(machine)
    armed = swap.read(0, 4096)
    machine.boot()
    ours.wait_for(machine, "/dev/sda1")
    since, resuming = len(machine.qemu.console), machine.start(ours.RESUME)
    ours.wait_said(machine, "loading memory: +[1-9]", since, 60, resuming.done)
    machine.unplug(swap)
    words = ours.question(machine, since)
    expect("sda" in words, f"the device is not named: {words}")
    expect(not resuming.done() and not leaving.done(), "it went on without its device")
    machine.qemu.type("p")
    machine.wait_off(30)
    expect(swap.read(0, 4096) == armed, "the first page was changed")
    machine.boot()
    ours.wait_for(machine, "/dev/sda1")
    ours.come_back(machine, leaving)
    proof.check()
