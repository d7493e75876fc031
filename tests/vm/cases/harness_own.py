# SPDX-License-Identifier: GPL-2.0-or-later
"""Proves the harness by the kernel's own hibernation: what passes here must not depend on our programs."""
from harness.cases import case
from harness.machine import Proof, expect

LEAVE = "echo shutdown > /sys/power/disk && echo disk > /sys/power/state"
COME_BACK = "cat /sys/class/block/vda1/dev > /sys/power/resume"


def _hibernate(bench):
    swap = bench.swap()
    machine = bench.machine([swap], unpacked=True).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = machine.start(LEAVE)
    how = machine.wait_off()
    expect(how == "guest-shutdown", f"the machine ended by {how}")
    expect(swap.signature() == "S1SUSPEND", f"the swap signature is {swap.signature()}")
    return swap, machine, proof, leaving


@case("harness-kernel-own", "the kernel's own hibernation: the harness sees a resume")
def kernel_own(bench):
    """The proof itself."""
    swap, machine, proof, leaving = _hibernate(bench)
    machine.boot()
    machine.start(COME_BACK)
    leaving.wait(90)
    proof.check()
    machine.kill()
    expect(swap.signature() == "SWAPSPACE2", f"the swap signature is {swap.signature()}")


@case("harness-kernel-own-twin", "the same with the mark removed: the harness sees a new life")
def kernel_own_twin(bench):
    """Without the mark there must be nothing left of the old life."""
    swap, machine, proof, leaving = _hibernate(bench)
    swap.write(4086, b"SWAPSPACE2")
    machine.boot()
    machine.status(COME_BACK, 30)
    proof.check_new_life()
    expect(not leaving.done(), "an answer from a life that has ended")
