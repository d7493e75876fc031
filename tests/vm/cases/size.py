# SPDX-License-Identifier: GPL-2.0-or-later
"""Images as small and as large as they get, and areas that cannot take them."""
from harness import ours
from harness.cases import case
from harness.machine import Proof, expect

MIB = 1 << 20


@case("image-smallest", "ImageSize=0: the smallest image the kernel can make")
def smallest(bench):
    """What can be dropped or swapped out is; the witness must be whole all the same."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf(ImageSize="0")}).boot()
    ours.round_trip(machine, "/dev/vda1", swap)


@case("image-largest", "ImageSize=100%: as large as the kernel allows, half of memory and more in use")
def largest(bench):
    """The copy takes nearly all memory that is left."""
    swap = bench.swap(1024)
    machine = bench.machine([swap], "shipped", smp=2, files={ours.CONF: ours.conf(ImageSize="100%")}).boot()
    proof = ours.round_trip(machine, "/dev/vda1", swap, witness={"memory": 150 * MIB, "random": 80})
    bench.note(f"report: {proof.machine.sh('hibernatectl status')}")


@case("area-too-small", "areas that are too small: refused with the numbers, before and in the middle")
def too_small(bench):
    """First hopeless at a glance; then one that seems to suffice, until the image turns out to be incompressible."""
    hopeless, scarce = bench.swap(16, "hopeless"), bench.swap(72, "scarce")
    machine = bench.machine([hopeless, scarce], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine, memory=100 * MIB, random=100, zero=0)
    text = ours.fails(machine, ("too-small",))
    expect(sum(c.isdigit() for c in text) >= 2, f"no numbers: {text}")
    proof.check()
    ours.check_left_clean(machine)
    machine.sh("swapoff /dev/vda1; swapon /dev/vdb1")
    machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice="/dev/vdb1"))
    ours.fails(machine, ("too-small",))
    proof.check()
    ours.check_left_clean(machine, "/dev/vdb1")


@case("image-ends-in-zeros", "an image that ends in pages of zeros", kernels=("6.12", "7.2"), default=("6.12",))
def ends_in_zeros(bench):
    """The highest memory is a module that came by hot-plug: only movable pages, all of them the witness' zeros."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", memory=640, hotplug=128, cmdline="memhp_default_state=online_movable",
                            files={ours.CONF: ours.conf(ImageSize="100%")}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine, memory=200 * MIB, random=0, zero=100)
    top = machine.request("tail").wait(60)
    frames = dict(word.split("=") for word in top.split())
    bench.note(top)
    expect(frames["top"] == frames["zero-top"], f"memory does not end in the witness' zeros: {top}")
    leaving = ours.leave(machine)
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
