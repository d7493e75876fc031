# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGTERM and SIGINT where only a failpoint or the kernel can send them, and while an image is resumed."""
from harness import ours
from harness.cases import case
from harness.machine import Proof, expect

SIGNALS = {"term": "SIGTERM", "int": "SIGINT"}
# After FREEZE, so that no other process can send one; to the session.
STEPS = ("guard term", "set-area int", "start-worker term", "create-image int", "slots term", "write int",
         "write-progress term", "commit int")


@case("signals-frozen", "SIGTERM and SIGINT at each step behind the freeze: undone before the commit point, nothing after it",
      limit=600)
def frozen(bench):
    """Before the commit point a signal to the session aborts; behind it, and to guard and worker, it does nothing."""
    swap = bench.swap()
    machine = bench.machine([swap], "failpoints", files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1; echo 1 > /proc/sys/kernel/sysrq")
    ours.start_daemon(machine)
    proof = Proof(machine, memory=24 << 20)

    def as_before(what):
        try:
            proof.check()
            ours.check_left_clean(machine)
            machine.sh("hibernatectl status > /dev/null && ! pidof hibernate-image")
        except Exception as error:
            raise type(error)(f"{what}: {error}") from None

    for point in STEPS:
        ours.set_failpoints(machine, point)
        text = ours.fails(machine, ("aborted",))
        expect(SIGNALS[point.split()[1]] in text, f"{point}: the signal is not named: {text}")
        as_before(point)
    # SIGTERM to everything there is, by the one who still can: the kernel. Who asked is among them.
    ours.set_failpoints(machine, "write wait:8")
    since, asking = len(machine.qemu.console), machine.start(ours.LEAVE)
    ours.wait_said(machine, "ACPI: PM: Waking up from system sleep state S4", since)
    machine.qemu.step(1.0)
    machine.qemu.sysrq("e")
    expect(asking.result(60)[0] != 0, "hibernatectl says that it went well")
    expect("Terminate All Tasks" in machine.qemu.console[since:], "the kernel did not take the request")
    machine.sh(ours.until("! pidof hibernated"))
    as_before("SIGTERM to all")
    # And behind the commit point, to the worker, and to the guard: it goes on.
    ours.set_failpoints(machine, "guard-start term", "worker-page term 100", "worker-write int", "leave int")
    leaving = ours.leave(machine)
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("signals-resume", "SIGTERM and SIGINT to hibernated --resume and its worker: it asks, the image stays, and resumes",
      limit=400)
def resume(bench):
    """In all stages of one resume step; in the last one, with the image loaded, a signal comes too late."""
    swap = bench.swap()
    swap.throttle = 4 << 20
    machine = bench.machine([swap], "failpoints", files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine, memory=24 << 20)
    leaving = ours.leave(machine)
    machine.boot()
    ours.set_failpoints(machine, "resume-open term", "resume-load int 1", "resume-freeze term", "resume-restore int")
    since, resuming = len(machine.qemu.console), machine.start(ours.RESUME)

    def asked(words):
        nonlocal since
        text = ours.question(machine, since)
        expect(words in text, f"another reason than {words}: {text}")
        expect(swap.signature() == ours.MARK, f"{words}: the swap signature is {swap.signature()}")
        expect(not resuming.done(), f"{words}: it went on without an answer")
        since = len(machine.qemu.console)

    asked("SIGTERM")
    machine.qemu.type("r")
    asked("SIGINT")
    machine.qemu.type("r")
    ours.wait_said(machine, "loading memory: +[1-9]", since)
    machine.sh("kill -TERM $(pidof hibernate-image)")
    machine.sh("w=$(pidof hibernate-image) && kill -TERM $w && kill -INT $w && sleep 0.3 && kill -0 $w")
    machine.sh("kill -TERM $(pidof hibernated)")
    asked("SIGTERM")
    # While it asks, a signal is no answer; the next try ends by it.
    machine.sh("kill -INT $(pidof hibernated); sleep 1")
    expect(not resuming.done(), "a signal was taken for an answer")
    machine.qemu.type("r")
    asked("SIGINT")
    machine.qemu.type("r")
    machine.pump(lambda: leaving.done() or resuming.done(), 120, "the resume")
    expect(not resuming.done(), f"it did not resume: {resuming.done() and resuming.result(1)}")
    leaving.wait(60)
    proof.check()
