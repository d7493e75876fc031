# SPDX-License-Identifier: GPL-2.0-or-later
"""Ciphertext that is read ahead while the passphrase is asked for: what it gains, how much it may take, and that it goes."""
import re
import struct

from cases import sandbox, sealed
from harness import ours
from harness.cases import case
from harness.machine import Proof, expect

MIB = 1 << 20
SLOW = 3 * MIB          # bytes a second of the disk on which a resume is timed
SPARE = 64 * MIB        # stays free besides the image's pages
LOADED = r"pages loaded in (\d+) ms, \d+ ms of it in the kernel, (\d+) ms waiting"


def _stored(swap):
    """Bytes of the image on the disk, as its mark has it."""
    return struct.unpack("<Q", swap.read(ours.find_mark(swap) + 3584 + 304, 8))[0]


def _meminfo(machine):
    """Bytes, by name."""
    lines = machine.sh("grep -E '^(Mem|Buffers)' /proc/meminfo").splitlines()
    return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}


def _kept(memory):
    """What must stay free: half of memory, which no snapshot exceeds, what the kernel does not count, and the spare."""
    return memory["MemTotal"] // 2 + memory["MemTotal"] // 32 + SPARE


def _asked(machine, swap, slow=SLOW, before=""):
    """Boot, and run the resume step until it asks. Returns the step and where the console stood."""
    swap.throttle = slow
    machine.boot()
    if before:
        machine.sh(before, 60)
    since, step = len(machine.qemu.console), machine.start(ours.RESUME)
    ours.wait_said(machine, sealed.ASKED, since, 120, step.done)
    expect(not step.done(), "the resume step ended without a question")
    return step, since


def _wait_cached(machine, size):
    machine.sh(ours.until(f"[ $(grep ^Buffers: /proc/meminfo | tr -dc 0-9) -ge {size >> 10} ]", 90), 400)


def _resumed(machine, leaving, step, meanwhile=None):
    """Type the passphrase; returns the milliseconds that loading took, and those of them that it waited for the disk."""
    since = len(machine.qemu.console)
    machine.qemu.type(sealed.PASSPHRASE + "\r")
    if meanwhile:
        meanwhile()
    machine.pump(lambda: leaving.done() or step.done(), 180, ours.RESUME)
    expect(not step.done(), f"it did not resume: {step.done() and step.result(1)}")
    leaving.wait(60)
    return tuple(int(number) for number in re.search(LOADED, machine.qemu.said(since)).groups())


@case("sealed-read-ahead", "a passphrase typed late finds the image in memory; without that memory only part of it; it is given "
      "back by booting without", limit=900)
def read_ahead(bench):
    """The disk is slow, so that the time of loading tells where the image came from."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", memory=1024, files=sealed.files(ResumeWait=600)).boot()
    sealed.ready(machine)
    proof = Proof(machine, memory=32 * MIB)

    leaving = ours.leave(machine)
    step, _ = _asked(machine, swap)
    at_once = _resumed(machine, leaving, step)
    proof.check()

    leaving = ours.leave(machine)
    stored = _stored(swap)
    step, _ = _asked(machine, swap)
    _wait_cached(machine, stored - MIB)
    memory = _meminfo(machine)
    expect(memory["MemFree"] >= _kept(memory), f"too little is free: {memory}")
    late = _resumed(machine, leaving, step)
    proof.check()
    words = (f"{stored / 1e6:.1f} MB at {SLOW / 1e6:.1f} MB/s: answered at once {at_once[0]} ms, {at_once[1]} of them waiting for "
             f"the disk; late {late[0]} ms, {late[1]} waiting")
    bench.note(words)
    expect(late[0] * 2 < at_once[0] and late[1] * 5 < at_once[1], f"no gain: {words}")

    # With something else in memory: the limit holds, the rest comes from the disk, and the worker has what it needs and no more.
    leaving = ours.leave(machine)
    step, _ = _asked(machine, swap, before="set -- $(grep -E '^(MemTotal|MemAvailable):' /proc/meminfo | tr -dc '0-9\\n'); "
                     f"dd if=/dev/zero of=/run/ballast bs=1M count=$((($2 - $1 / 2 - $1 / 32) / 1024 - {SPARE // MIB} - 40))")
    machine.sh(ours.until("grep -qE '^State:.Z' /proc/[0-9]*/status 2> /dev/null", 60), 300)  # the reader has ended
    memory = _meminfo(machine)
    bench.note(f"limited: {memory['Buffers'] >> 10} of {stored >> 10} KiB read ahead, {memory['MemFree'] >> 10} KiB free")
    expect(memory["MemFree"] >= _kept(memory), f"too little is free: {memory}")
    expect(memory["MemAvailable"] - memory["Buffers"] >= _kept(memory) - MIB, f"too little is available: {memory}")
    expect(MIB < memory["Buffers"] < stored * 3 // 4, f"not a part of it: {memory}")

    def look():
        ours.wait_said(machine, "loading memory", unless=step.done)
        sandbox.locked_up(machine, sorted([*sandbox.DESCRIPTORS, "/dev/vda1"]))

    _resumed(machine, leaving, step, look)
    proof.check()

    leaving = ours.leave(machine)
    step, since = _asked(machine, swap, 0)
    _wait_cached(machine, stored // 2)
    machine.qemu.type("\r")
    ours.wait_said(machine, sealed.OTHERS, since, 120, step.done)
    machine.qemu.type("b\r")
    step.result(60)
    memory = _meminfo(machine)
    expect(memory["Buffers"] < 8 * MIB, f"what was read ahead is still there: {memory}")
    proof.check_new_life()
    expect(not leaving.done(), "it was resumed, which must not be")
