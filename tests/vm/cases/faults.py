# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills, errors and aborts: the machine must run as before, and no mark may outlive its image."""
import re
import time

from harness import ours
from harness.cases import case
from harness.machine import Proof, expect

STEPS = ("decide", "sync", "prepare", "freeze", "guard", "set-area", "start-worker", "create-image", "slots",
         "write", "commit", "leave")
# At the commit point the worker has done its work; whether it lives does not matter any more.
WITH_WORKER = ("create-image", "slots", "write", "write-progress")
ANY = tuple(ours.STATUS)


def _machine(bench, swap=None, **hardware):
    swap = swap or bench.swap()
    hardware.setdefault("files", {ours.CONF: ours.conf()})
    machine = bench.machine([swap], "failpoints", unpacked=True, **hardware).boot()
    machine.sh("swapon /dev/vda1")
    ours.start_daemon(machine)
    return machine, swap, Proof(machine, memory=24 << 20)


def _after(machine, proof, what):
    """The machine is as before: witnesses, signature, no process of ours left behind, the daemon answers."""
    try:
        now = proof.check()
        ours.check_left_clean(machine)
        machine.sh("hibernatectl status > /dev/null")
        machine.sh(ours.until("! pidof hibernate-image > /dev/null", 2))
    except Exception as error:
        raise type(error)(f"{what}: {error}") from None
    return now


def _gap(now):
    """Seconds that user space stood still."""
    return int(now["gap"]) / 1000


def _ends_well(machine, proof, swap):
    """After all that: an ordinary cycle."""
    ours.set_failpoints(machine)
    leaving = ours.leave(machine)
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("error-at-each-step", "an error at each step: everything is undone, then an ordinary cycle", limit=900)
def error_each(bench):
    """In one life, so that what one failure leaves behind would hurt the next."""
    machine, swap, proof = _machine(bench)
    for step in STEPS:
        ours.set_failpoints(machine, f"{step} error:5")
        ours.fails(machine, ANY)
        gap = _gap(_after(machine, proof, f"error at {step}"))
        bench.note(f"{step}: user space stood still for {gap:.2f} s")
    _ends_well(machine, proof, swap)


def _thaws_within_2s(bench, machine, proof, error, kill, reasons=ANY):
    """An error, then a kill at the same place or before it: the kill may cost 2 s more of standing still.

    How long writing takes is the host's affair, and it varies; a thaw that is slow is slow each time.
    """
    for attempt in range(5):
        gaps = []
        for point, words in ((error, ANY), (kill, reasons)):
            ours.set_failpoints(machine, point)
            ours.fails(machine, words)
            gaps.append(_gap(_after(machine, proof, point)))
        bench.note(f"stood still for {gaps[0]:.2f} s with {error}, {gaps[1]:.2f} s with {kill}")
        if gaps[1] <= gaps[0] + 2:
            return
        expect(attempt < 4, f"{kill}: user space stood still for {gaps[1]:.1f} s, with {error} for {gaps[0]:.1f} s")


@case("daemon-killed", "SIGKILL of the daemon's session at each step: user space runs again within 2 s", limit=900)
def daemon_killed(bench):
    """Whoever holds what is left undoes it."""
    machine, swap, proof = _machine(bench)
    for step in STEPS:
        _thaws_within_2s(bench, machine, proof, f"{step} error:5", f"{step} kill")
    _ends_well(machine, proof, swap)


@case("killed-after-commit", "SIGKILL of the session when the mark is armed: swap again on the disk before the thaw", limit=400)
def killed_after_commit(bench):
    """The guard is held when it has disarmed: the disk, seen from outside, is right while user space is still frozen.

    Then the power goes off in just that moment: nothing may resume.
    """
    machine, swap, proof = _machine(bench)
    for again in (True, False):
        ours.set_failpoints(machine, "leave kill", "guard-disarmed wait:8")
        since, leaving = len(machine.qemu.console), machine.start(ours.LEAVE)
        ours.wait_said(machine, "memory saved", since)
        asked = machine.request("ping")
        machine.pump(lambda: swap.signature() == ours.CLEAN or asked.done(), 60, "the guard")
        expect(swap.signature() == ours.CLEAN, f"user space runs, and the swap signature is {swap.signature()}")
        end = time.monotonic() + 1
        machine.pump(lambda: asked.done() or time.monotonic() > end, 10, "a moment")
        expect(not asked.done(), "user space runs already: this does not prove the order")
        if again:
            asked.wait(60)
            expect(leaving.result(60)[0] == ours.STATUS["internal"], "hibernatectl does not say that it was killed")
            _after(machine, proof, "killed after the commit point")
    machine.kill()
    machine.boot()
    ours.refuse(machine, proof, leaving, None)


@case("worker-killed", "SIGKILL of the worker at each step: user space runs again within 2 s", limit=900)
def worker_killed(bench):
    """From the kill to the first that another process does; the worker's own points against an error at the same one."""
    machine, swap, proof = _machine(bench)

    for step in WITH_WORKER:
        for attempt in range(5):
            ours.set_failpoints(machine, f"{step} kill:worker")
            ours.fails(machine, ("worker",))
            now = _after(machine, proof, f"worker killed at {step}")
            _, at, since = re.split(r"worker killed by a failpoint at (\d+) us", machine.sh("dmesg"))[-3:]
            expect("image memory" not in since, f"{step}: an image was made after the worker's death")
            late = int(now["gap-end"]) / 1000 - int(at) / 1e6
            words = f"{step}: user space ran {late:.2f} s after the kill, and had stood still for {_gap(now):.2f} s"
            bench.note(words)
            if late <= 2:
                break
            expect(attempt < 4, words)
    for point in ("worker-page", "worker-write"):
        _thaws_within_2s(bench, machine, proof, f"{point} error:5 3", f"{point} kill 3", ("worker",))
    _ends_well(machine, proof, swap)


@case("worker-hangs", "the worker stops moving pages: killed after its deadline, undone", limit=600)
def worker_hangs(bench):
    """A deadline of two minutes, for the sake of slow disks."""
    machine, swap, proof = _machine(bench)
    ours.set_failpoints(machine, "worker-page hang 100")
    ours.fails(machine, ("worker",), timeout=300)
    _after(machine, proof, "worker hung")
    _ends_well(machine, proof, swap)


@case("resume-worker-killed", "the worker dies in each try to resume: asked, power off, and the next boot resumes")
def resume_worker_killed(bench):
    """The image is kept."""
    machine, _, proof = _machine(bench)
    leaving = ours.leave(machine)
    machine.boot()
    ours.set_failpoints(machine, "worker-load-page kill 100")
    ours.refuse(machine, proof, leaving, r"(?i)worker|hibernate-image", answer="p")
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("main-process-killed", "SIGKILL of the daemon's main process while a session writes")
def main_killed(bench):
    """The main process is frozen then, so the signal takes effect at thaw; a new daemon serves."""
    machine, swap, proof = _machine(bench)
    before = machine.sh("pidof hibernated").strip()
    ours.set_failpoints(machine, "write kill:parent", "write error:5")
    ours.fails(machine, ANY)
    machine.sh(ours.until("! pidof hibernated > /dev/null"))
    _after(machine, proof, "main process killed")
    expect(machine.sh("pidof hibernated").strip() != before, "the main process was not killed")
    _ends_well(machine, proof, swap)


@case("power-off-refused", "the kernel comes back from powering off: the mark is undone, the machine goes on")
def power_off_refused(bench):
    """The last thing that can go wrong, after the commit point."""
    machine, swap, proof = _machine(bench, files={ours.CONF: ours.conf(ShutdownMode="shutdown")})
    ours.set_failpoints(machine, "reboot error:1")
    ours.fails(machine, ("leave-refused",))
    _after(machine, proof, "power-off refused")
    machine.sh("swapoff /dev/vda1 && swapon /dev/vda1")
    _ends_well(machine, proof, swap)


@case("write-error", "the disk fails in the middle of the image: undone, with the device's name")
def write_error(bench):
    """QEMU's blkdebug: writes to one sector fail, early in the image."""
    swap = bench.swap()
    swap.faults = [{"event": "none", "iotype": "write", "sector": (8 << 20) // 512, "errno": 5, "once": False}]
    machine, swap, proof = _machine(bench, swap)
    text = ours.fails(machine, ("io",))
    expect("vda" in text, f"the device is not named: {text}")
    _after(machine, proof, "write error")


@case("flush-error", "the disk fails when it is told to flush: no mark, undone")
def flush_error(bench):
    """The first flush of the image's data; nothing may be committed after it."""
    swap = bench.swap()
    swap.faults = [{"event": "none", "iotype": "flush", "errno": 5, "once": False}]
    machine, swap, proof = _machine(bench, swap)
    text = ours.fails(machine, ("io",))
    expect("vda" in text, f"the device is not named: {text}")
    _after(machine, proof, "flush error")


def _abort(bench, by, press):
    """A slow disk, so that there is a middle; then a key, then an ordinary cycle."""
    swap = bench.swap()
    swap.throttle = 6 << 20
    machine, swap, proof = _machine(bench, swap)
    since, leaving = len(machine.qemu.console), machine.start(ours.LEAVE)
    ours.wait_said(machine, "saving memory", since, 60, leaving.done)
    machine.qemu.step(1.0)
    press(machine.qemu)
    status, text = leaving.result(60)
    expect(ours.NAME_OF.get(status) == "aborted" and by in text, f"status {status}: {text}")
    _after(machine, proof, "abort")
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")


@case("abort-esc", "Esc in the middle of writing: undone")
def abort_esc(bench):
    """A real key press from the machine's keyboard."""
    _abort(bench, "Esc key", lambda qemu: qemu.qmp("send-key", keys=[{"type": "qcode", "data": "esc"}]))


@case("abort-power-key", "the power key in the middle of writing: undone")
def abort_power(bench):
    """ACPI's power button, which the kernel makes an input device."""
    _abort(bench, "power key", lambda qemu: qemu.qmp("system_powerdown"))


@case("resume-tries-again", "FREEZE fails once, ATOMIC_RESTORE fails once during resume: the next try resumes")
def tries_again(bench):
    """Two failures of the moment in one resume."""
    machine, _, proof = _machine(bench)
    leaving = ours.leave(machine)
    machine.boot()
    ours.set_failpoints(machine, "resume-freeze error:16", "resume-restore error:5")
    ours.come_back(machine, leaving)
    proof.check()
    report = machine.sh("hibernatectl status")
    expect("LoadTries: 2" in report or "LoadTries: 3" in report, f"status tells of no second try: {report}")


@case("shipped-has-no-failpoints", "failpoints do nothing in the programs as shipped")
def no_failpoints(bench):
    """A file of failpoints is there, and the machine hibernates all the same."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    ours.set_failpoints(machine, *(f"{step} error:5" for step in STEPS))
    ours.round_trip(machine, "/dev/vda1", swap)
