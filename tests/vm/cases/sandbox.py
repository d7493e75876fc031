# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker that is no worker any more: it tries what its sandbox forbids, and the machine does not suffer."""
import re

from harness import ours
from harness.cases import case
from harness.machine import Proof, expect

CALLS = ("open", "socket", "execve", "ptrace")
KILLED = "outside its sandbox"
FIELDS = {
    "Uid": "871 871 871 871", "Gid": "871 871 871 871", "Groups": "", "NoNewPrivs": "1", "Seccomp": "2",
    "CapInh": "0" * 16, "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16, "CapAmb": "0" * 16,
}
# Of /dev/snapshot the worker has one descriptor, wherever it came to lie.
DESCRIPTORS = sorted(["/dev/null"] * 3 + ["socket", "/memfd:hibernate-buffers", "/dev/vda1", "/dev/snapshot", "eventfd"])


def _machine(bench):
    swap = bench.swap()
    machine = bench.machine([swap], "failpoints", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    return machine, swap, Proof(machine, memory=24 << 20)


@case("worker-oversteps", "the worker tries open, socket, execve, ptrace while saving: killed and named, undone", limit=900)
def saving(bench):
    """From a thread of the pipeline, then from the main thread; then an ordinary cycle."""
    machine, _, proof = _machine(bench)
    ours.start_daemon(machine)
    for call in CALLS:
        for point in (f"worker-page try:{call} 100", f"worker-before-body try:{call}"):
            ours.set_failpoints(machine, point)
            text = ours.fails(machine, ("worker",))
            expect(KILLED in text, f"{point}: {text}")
            proof.check()
            ours.check_left_clean(machine)
            machine.sh(ours.until("! pidof hibernate-image > /dev/null", 2))
    ours.set_failpoints(machine)
    leaving = ours.leave(machine)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


def locked_up(machine, descriptors):
    """Every thread of a worker that loads, as /proc has it; only these descriptors are open."""
    seen = machine.sh("w=$(pidof hibernate-image); for t in /proc/$w/task/*; do echo TASK; cat $t/status; "
                      "echo ENVIRON: $(wc -c < $t/environ); for d in $t/fd/*; do echo FD: $(readlink $d); done; done")
    tasks = seen.split("TASK\n")[1:]
    expect(len(tasks) >= 4, f"{len(tasks)} threads: this does not look at the pipeline")
    for task in tasks:
        for field, value in FIELDS.items():
            got = " ".join(re.search(rf"^{field}:(.*)$", task, re.M)[1].split())
            expect(got == value, f"{field} of a thread is {got!r}")
        expect("ENVIRON: 0\n" in task, "a thread has an environment")
        open_ones = sorted(re.sub(r"^(socket|anon_inode):\[(eventfd)?.*", lambda m: m[2] or m[1], fd)
                           for fd in re.findall(r"^FD: (.*)$", task, re.M))
        expect([re.sub(r" \(deleted\)$", "", fd) for fd in open_ones] == descriptors, f"descriptors: {open_ones}")


@case("resume-worker-oversteps", "the same while resuming: killed, named, asked, the image is kept; without its user: refused",
      limit=900)
def resuming(bench):
    """Each try in a resume step of its own; the last one goes through, and is looked at on its way."""
    machine, swap, proof = _machine(bench)
    leaving = ours.leave(machine)
    machine.boot()

    def asked(words):
        since, step = len(machine.qemu.console), machine.start(ours.RESUME)
        text = ours.question(machine, since)
        expect(words in text, f"another reason than {words!r}: {text}")
        expect(not leaving.done() and not step.done(), "it went on without an answer")
        expect(swap.signature() == ours.MARK, f"the swap signature is {swap.signature()}")
        machine.sh("kill -KILL $(pidof hibernated); " + ours.until("! pidof hibernated hibernate-image > /dev/null"))

    for call in CALLS:
        for point in (f"worker-load-header try:{call}", f"worker-load-page try:{call} 100"):
            ours.set_failpoints(machine, point)
            asked(KILLED)
    ours.set_failpoints(machine)
    # The user that did not travel into the initramfs, and one who is root.
    machine.sh("cp /etc/passwd /etc/passwd.whole && sed -i /^hibernate-image:/d /etc/passwd")
    asked("does not exist")
    machine.sh("sed 's/:871:871:/:0:0:/' /etc/passwd.whole > /etc/passwd")
    asked("must not run as root")
    machine.sh("mv /etc/passwd.whole /etc/passwd")
    ours.set_failpoints(machine, "worker-load-page wait:20 100")
    since, step = len(machine.qemu.console), machine.start(ours.RESUME)
    ours.wait_said(machine, "loading memory", since, unless=step.done)
    locked_up(machine, DESCRIPTORS)
    machine.pump(lambda: leaving.done() or step.done(), 120, ours.RESUME)
    expect(not step.done(), f"it did not resume: {step.done() and step.result(1)}")
    leaving.wait(60)
    proof.check()
