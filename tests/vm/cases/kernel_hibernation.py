# SPDX-License-Identifier: GPL-2.0-or-later
"""Hibernation with the companion series of src/kernel, and with nothing of it but its self-tests."""
import re
import statistics

from harness import ours, small
from harness.cases import case
from harness.machine import Failed, Proof, expect

BREAK = "/sys/kernel/debug/hibernate_test/break"
UNMAPPED = "/sys/kernel/debug/hibernate_test/unmapped"
# What each fault is called by the kernel that notices.
FAULTS = {
    "hole": "destination not mapped",
    "table": "page overwritten while it is needed",
    "noexec": "relocated code not executable",
    "jump": "image kernel not mapped",
}
VERIFIED = re.compile(r"(\d+) page tables and (\d+) pages to copy verified in (\d+) us")
LIMIT = 0.02  # of the time that loading takes


def _machine(bench, tests=False, **hardware):
    """A machine with a small kernel, which tells what happens while devices sleep."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", kernel=small.machine_kernel(bench.series, tests),
                            files={ours.CONF: ours.conf()}, cmdline="no_console_suspend", **hardware)
    return machine, swap


def _boot(machine, words=""):
    machine.boot(cmdline=words)
    machine.sh("mount -t debugfs none /sys/kernel/debug; :")


def _unmapped(machine):
    """What the self-test says of its block, and how much of the direct map is in small pages."""
    text = machine.sh(f"cat {UNMAPPED}; grep DirectMap4k /proc/meminfo", 300)
    return re.sub(r"\s+", " ", text).strip()


@case("kernel-unmapped", "2 MiB that the direct map lacks, and 4 KiB of them: saved, and still as they were",
      default=(), limit=3600, tier="kernel")
def unmapped(bench):
    """What is resumed can be hibernated again.

    Nothing is split from right before the image until right after it, by the entries of the page tables: DirectMap4k itself
    moves when a filter of system calls is made, whose page becomes read-only; each worker has one.
    """
    for pages, state in ((512, "level 2 present 0"), (1, "level 1 present 511")):
        machine, _ = _machine(bench)
        _boot(machine)
        machine.sh(f"swapon /dev/vda1 && echo {pages} > {UNMAPPED}")
        _cycles(bench, machine, state, 3)
        machine.kill()


def _cycles(bench, machine, state, count, words=""):
    """Hibernate and resume a number of times; before and after each the block has to be in this state."""
    said = [_unmapped(machine)]
    expect(said[0].startswith(f"{state} foreign 0 wrong 0 split -1 "), f"before: {said[0]}, not {state}")
    proof = Proof(machine)
    for number in range(1, count + 1):
        leaving = ours.leave(machine)
        _boot(machine, words)
        ours.come_back(machine, leaving)
        proof.check()
        said.append(_unmapped(machine))
        expect(said[-1].startswith(f"{state} foreign 0 wrong 0 split 0 "), f"cycle {number}: {said[0]}, then {said[-1]}")
    bench.note(f"{said}")


@case("kernel-unmapped-gib", "1 GiB that the direct map lacks, by one entry: saved, and still as it was",
      default=(), limit=3600, tier="kernel")
def unmapped_gib(bench):
    """1 GiB that is all free is between where the kernel is and where it puts its first tables; hence its place is known."""
    machine, _ = _machine(bench, memory=5120)
    _boot(machine, "nokaslr")
    machine.sh(f"swapon /dev/vda1 && echo {1 << 18} > {UNMAPPED}", 300)
    _cycles(bench, machine, "level 3 present 0", 2, "nokaslr")


@case("kernel-unmapped-stock", "the same 2 MiB without the series: their entry is split into a table that is not saved",
      default=(), limit=3600, tier="kernel")
def unmapped_stock(bench):
    """The twin. What the table leads to after the resume is whatever was in its page.

    It is the split that is saved if the table with the entry is copied after the block, which is so unless the kernel, whose
    table that is, lies below all free memory.
    """
    machine, _ = _machine(bench, tests=True)
    for _ in range(5):
        _boot(machine)
        machine.sh(f"swapon /dev/vda1 && echo 512 > {UNMAPPED}")
        before = _unmapped(machine)
        if "later 1" in before:
            break
        machine.kill()
    expect(before.startswith("level 2 present 0 foreign 0 wrong 0 split -1 later 1"), f"before: {before}")
    leaving = ours.leave(machine)
    _boot(machine)
    try:
        ours.come_back(machine, leaving)
        after = _unmapped(machine)
    except Failed as error:
        after = f"{error}"
    bench.note(f"{before}, then {after}")
    expect(not after.startswith("level 2"), f"nothing was split: {after}")
    expect(not after.startswith("level") or "split 512 " in after, f"the split is not counted: {after}")


@case("kernel-resume-check", "page tables for the resume with each of four faults: refused in words; then without: resumed",
      default=(), limit=3600, tier="kernel")
def resume_check(bench):
    """Refused as often as one likes; the image is there, and is resumed when the fault has gone."""
    machine, _ = _machine(bench)
    _boot(machine)
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    _boot(machine)
    resuming = None
    for fault, words in FAULTS.items():
        machine.sh(f"echo {fault} > {BREAK}")
        since = len(machine.qemu.console)
        if resuming is None:
            resuming = machine.start(ours.RESUME)
        else:
            machine.qemu.type("r")
        text = ours.question(machine, since)
        expect("page tables" in text, f"{fault}: {text}")
        expect(f"Not entering the image: {words}" in machine.qemu.said(since), f"{fault}: the kernel did not say {words!r}")
        bench.note(f"{fault}: {text}")
    machine.sh(f"echo none > {BREAK}")
    machine.qemu.type("r")
    machine.pump(lambda: leaving.done() or resuming.done(), 150, "the resume without a fault")
    expect(leaving.done(), "it did not resume once the fault had gone")
    proof.check()
    found = VERIFIED.findall(machine.qemu.console)
    expect(len(found) == 1, f"verified {len(found)} times")


@case("kernel-resume-unchecked", "the same faults without the verification: the machine resets",
      default=(), limit=3600, tier="kernel")
def resume_unchecked(bench):
    """The twin: each is a triple fault."""
    machine, swap = _machine(bench, tests=True)
    _boot(machine)
    machine.sh("swapon /dev/vda1")
    ours.leave(machine)
    for fault in FAULTS:
        machine.disks[0] = swap.copy(swap.path.with_name(f"{fault}-{swap.path.name}"))
        _boot(machine)
        machine.sh(f"echo {fault} > {BREAK}")
        machine.start(ours.RESUME)
        how = machine.wait_off(150)
        expect(how == "guest-reset", f"{fault}: the machine ended by {how}")
        machine.disks[0].path.unlink()


@case("kernel-resume-50", "50 resumes, the kernel somewhere else each time: each verified, at under 2 % of the load's time",
      default=(), limit=6000, tier="kernel")
def resume_50(bench):
    """The time is that of the verification by its own clock; the load is that of the resume step.

    It is all of the one against all of the other that counts: what 50 resumes pay. A host with other work may stop the
    guest for longer than any verification takes, while it verifies or while it loads; so one resume alone says little,
    and is only noted, but nearly all of them have to keep the limit, so that no few long loads pay for it.
    """
    machine, _ = _machine(bench, memory=320)
    _boot(machine)
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine, memory=24 << 20)
    places, checks, loads = set(), [], []
    for number in range(1, 51):
        leaving = ours.leave(machine)
        _boot(machine)
        places.add(machine.sh("grep -m 1 ' _text$' /proc/kallsyms"))
        ours.come_back(machine, leaving)
        said = VERIFIED.findall(machine.qemu.console)
        expect(len(said) == 1 and int(said[0][1]) > 0, f"resume {number}: verified {said}")
        load = ours.times(machine.sh("hibernatectl status"))["Load"]
        checks.append(int(said[0][2]) / 1e6)
        loads.append(load)
        bench.note(f"resume {number}: {said[0]}, load {load} s")
    proof.check()
    expect(len(places) > 10, f"the kernel was at {len(places)} places only")
    shares = [check / load for check, load in zip(checks, loads)]
    total, below = sum(checks) / sum(loads), sum(share < LIMIT for share in shares)
    bench.note(f"{len(places)} places; {sum(checks):.3f} s of {sum(loads):.1f} s of load are {total:.3%}; the median is "
               f"{statistics.median(shares):.3%}, the most {max(shares):.3%}; {below} of {len(shares)} below the limit")
    expect(0 < total < LIMIT, f"{total:.2%} of the load")
    expect(below >= 45, f"only {below} of {len(shares)} resumes were below {LIMIT:.0%}")
