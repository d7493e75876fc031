# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that must not be resumed any more, kernels that cannot, and suspending to both."""
from harness import disks, ours
from harness.cases import ALL, case
from harness.machine import Proof, expect


@case("boot-without-resume", "boot without a resume step: image disarmed, swap usable, notice shown")
def without_resume(bench):
    """The ordinary boot's disarm; the next resume step finds nothing."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    machine.boot()
    said = len(machine.qemu.console)
    text = machine.sh(ours.DISARM)
    notice = text + machine.qemu.console[said:] + machine.sh("dmesg | tail -n 5")
    expect("image" in notice and "vda1" in notice, f"no notice of what was dropped: {notice[-300:]}")
    ours.check_left_clean(machine)
    machine.sh("swapon /dev/vda1 && swapoff /dev/vda1")
    machine.kill()
    machine.boot()
    ours.refuse(machine, proof, leaving, None)


@case("read-only-device", "image on a device that became read-only: not booted past, and said; writable again, it resumes")
def read_only(bench):
    """Neither entered nor dropped, whatever is answered; an ordinary boot says what it cannot drop."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    before = swap.read(0, 4096)
    machine.boot()
    machine.sh("blockdev --setro /dev/vda && blockdev --setro /dev/vda1")
    said = len(machine.qemu.console)
    ours.fails(machine, ("area-unsuitable",), f"{ours.DISARM}; s=$?; cat /run/hibernated/dropped; exit $s")
    expect("cannot be dropped" in machine.qemu.said(said), "the console does not say that the image stays")
    said = len(machine.qemu.console)
    machine.start(ours.RESUME)
    words = ours.question(machine, said)
    expect("vda1" in words and "Read-only" in words, f"it is not said that the device is read-only: {words}")
    proof.check_new_life()
    machine.qemu.type("b")
    machine.wait_off(30)
    expect(swap.read(0, 4096) == before, "the first page was changed")
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("kernel-image-left-alone", "the kernel's own image on the device: never touched")
def foreign(bench):
    """S1SUSPEND is not ours, nor is uswsusp's ULSUSPEND: no resume, no disarm, no hibernation over it."""
    swap, kept = bench.swap(), {}
    machine = bench.machine([swap], "shipped", unpacked=True, files={ours.CONF: ours.conf()})
    for mark in (b"S1SUSPEND\0", b"ULSUSPEND\0", b"S2SUSPEND\0", b"LINHIB0001"):
        swap.write(disks.SIGNATURE_AT, mark)
        kept[mark] = swap.read(0, 4096)
        machine.boot()
        machine.status(ours.RESUME, 60)
        machine.status(ours.DISARM, 60)
        machine.status("hibernate-image discard /dev/vda1", 30)
        ours.fails(machine, ("area-unsuitable",))
        machine.kill()
        expect(swap.read(0, 4096) == kept[mark], f"the first page with {mark} was changed")


@case("stale-root", "refuse, boot that writes root, boot again: not resumed, fsck clean")
def stale(bench):
    """A copy of the armed disk stands for everything that brings an old image back."""
    root, swap = bench.fs("ext4", 256), bench.swap()
    machine = bench.machine([root, swap], "shipped", unpacked=True, modules=["ext4"],
                            files={ours.CONF: ours.conf(ResumeDevice="/dev/vdb1")}).boot()
    machine.sh("mount /dev/vda /mnt && swapon /dev/vdb1")
    proof = Proof(machine, directory="/mnt")
    leaving = ours.leave(machine)
    armed = swap.read(0, 4096)
    machine.boot()
    # The user boots without the image: it is disarmed before anything is mounted.
    machine.sh(ours.DISARM)
    machine.sh("mount /dev/vda /mnt && dd if=/dev/urandom of=/mnt/new bs=1M count=20 2>/dev/null && umount /mnt")
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")
    machine.boot()
    ours.refuse(machine, proof, leaving, None)
    machine.kill()
    # Even if the mark comes back, the file system tells.
    swap.write(0, armed)
    machine.boot()
    resuming = machine.start(ours.RESUME)
    machine.pump(lambda: leaving.done() or resuming.done(), 120, ours.RESUME)
    expect(not leaving.done(), "a stale image was resumed")
    said = machine.qemu.console + resuming.wait(30, check=False)
    expect("/mnt" in said or "written" in said, "it is not said which file system makes the image stale")
    proof.check_new_life()
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")
    wrong = disks.fsck(root, "ext4")
    expect(not wrong, f"fsck: {wrong}")


@case("question-power-off", "asked what to do with an image it cannot load, power off: nothing was touched")
def power_off_answer(bench):
    """And then the image, mended, resumes."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    before = swap.read(0, 4096)
    ours.flip_in_chunks(swap, 0)
    machine.boot()
    ours.refuse(machine, proof, leaving, ours.DAMAGED, answer="p")
    expect(swap.read(0, 4096) == before, "the first page was changed although nothing should have been touched")
    ours.flip_in_chunks(swap, 0)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("hybrid", "image and suspend to RAM, woken by the wake-up key; then an ordinary hibernation")
def hybrid(bench):
    """S3 keeps the memory: the image on the disk is dropped at wake-up.

    The second time the machine leaves by a reset: after S3 QEMU's q35 does not power off any more, and the kernel's
    own hibernation hangs there, too.
    """
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf(ShutdownMode="reboot")}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    suspending = machine.start("hibernatectl hybrid")
    machine.pump(lambda: machine.qemu.saw_event("SUSPEND") or suspending.done(), 120, "suspend to RAM")
    expect(not suspending.done(), f"hybrid came back: {suspending.done() and suspending.result(1)}")
    expect(swap.signature() == ours.MARK, f"in S3 the swap signature is {swap.signature()}")
    machine.qemu.step(1.0)
    machine.qemu.qmp("system_wakeup")
    suspending.wait(60)
    proof.check()
    ours.check_left_clean(machine)
    leaving = ours.leave(machine, how="guest-reset")
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("hybrid-power-lost", "suspend to both, then the battery dies: the image resumes")
def hybrid_power_lost(bench):
    """What hybrid is for."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    suspending = machine.start("hibernatectl hybrid")
    machine.pump(lambda: machine.qemu.saw_event("SUSPEND") or suspending.done(), 120, "suspend to RAM")
    machine.kill()
    ours.twin(machine, proof, suspending, swap)
    machine.boot()
    ours.come_back(machine, suspending)
    proof.check()


def _cross(bench, image_kernel):
    """One hibernation, its image offered to the other kernels and at last to its own."""
    swap = bench.swap()
    own = bench.kernel(image_kernel)
    machine = bench.machine([swap], "shipped", kernel=own, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    for other in [k for k in ALL if k != image_kernel]:
        offered = swap.copy(bench.directory / "offered.img")
        machine.disks = [offered]
        machine.boot(kernel=bench.kernel(other))
        if other == "6.1":
            text = ours.refuse(machine, proof, leaving, r"6\.")
            expect(own.release in text, f"the kernel that is needed, {own.release}, is not named: {text}")
        else:
            ours.come_back(machine, leaving)
            proof.check()
            machine.answers.pop(leaving.number)
        machine.kill()
    machine.disks = [swap]
    machine.boot(kernel=own)
    ours.come_back(machine, leaving)
    proof.check()


@case("cross-from-6.1", "an image of 6.1 resumes under 6.12 and 7.2", kernels=("6.1",), default=("6.1",), limit=400)
def cross_61(bench):
    """The boot kernel is newer."""
    _cross(bench, "6.1")


@case("cross-from-6.12", "an image of 6.12: refused by 6.1 with the kernel's name, resumes under 7.2",
      kernels=("6.12",), default=("6.12",), limit=400)
def cross_612(bench):
    """Older and newer."""
    _cross(bench, "6.12")


@case("cross-from-7.2", "an image of 7.2: refused by 6.1 with the kernel's name, resumes under 6.12",
      kernels=("7.2",), default=("7.2",), limit=400)
def cross_72(bench):
    """The boot kernel is older."""
    _cross(bench, "7.2")
