# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that lives through several QEMU processes: same disks, one numbering of requests."""
import re
import secrets
import shlex
import time

from . import disks as disk_tools
from . import initramfs, patience
from . import tpm as trusted
from . import unpacked as inside
from .qemu import CPUS, Qemu, QemuError

ANSWER = re.compile(rb"\n=(\d+) (\d+) (\d+)\n")


class Failed(Exception):
    """The case has failed; the text is the reason."""


class Skipped(Exception):
    """The case cannot run here; the text is the reason."""


def expect(condition, reason):
    """Fail the case unless the condition holds."""
    if not condition:
        raise Failed(reason)


class Pending:
    """A request that may be answered later, perhaps by a guest that has been away."""

    def __init__(self, machine, number, what):
        self.machine, self.number, self.what = machine, number, what

    def done(self):
        """Whether the answer has come."""
        self.machine.take_answers()
        return self.number in self.machine.answers

    def wait(self, timeout=60, check=True):
        """The output; with check a status that is not 0 fails the case."""
        status, text = self.result(timeout)
        if check and status:
            raise Failed(f"{self.what}: status {status}: {text.strip()[-300:]}")
        return text

    def result(self, timeout=60):
        """(status, output)."""
        self.machine.pump(self.done, timeout, self.what)
        return self.machine.answers[self.number]


class Machine:
    """Hardware and initramfs of a guest. boot() starts a QEMU; at most one runs at a time.

    unpacked: each boot starts the kernel that is inside vmlinuz. See unpacked.py for what that saves, and costs.
    """

    def __init__(self, directory, kernel, *, disks=(), memory=512, smp=1, modules=(), programs=None,
                 tools=(), files=None, cmdline="", hotplug=0, preallocate=False, unpacked=False,
                 cpu=None, tpm=None):
        self.directory, self.kernel, self.disks = directory, kernel, list(disks)
        self.left_out = set()    # buses whose drivers the initramfs lacks
        self.memory, self.smp, self.modules = memory, smp, list(modules)
        self.programs, self.tools, self.files, self.cmdline = programs, list(tools), dict(files or {}), cmdline
        self.hotplug = hotplug  # MiB in a module that the firmware does not tell of at boot
        self.preallocate = preallocate  # memory is touched before the guest starts: for measurements
        self.unpacked = unpacked
        self.cpu = cpu or CPUS[kernel.machine]
        self.tpm = tpm
        self.qemu = None
        self.answers = {}
        self.boots = 0
        self._number = 0
        self._up = False

    def start_qemu(self, kernel=None, cmdline=""):
        """Start a QEMU process on the disks; does not wait for anything."""
        expect(self.qemu is None, "the machine is already on")
        kernel = kernel or self.kernel
        modules = list(self.modules)
        for disk in self.disks:
            if disk.bus not in self.left_out:
                modules += [m for m in disk_tools.MODULES_OF_BUS[disk.bus] if m not in modules]
        initrd = initramfs.make(kernel, modules, self.programs, self.tools, self.files)
        image = inside.of(kernel.vmlinuz) if self.unpacked else kernel.vmlinuz
        if self.tpm:
            image = trusted.kernel(kernel.vmlinuz)
        self.boots += 1
        self._up = False
        # A host with other work may leave a CPU of the guest waiting for seconds: that is no lockup.
        words = f"panic=-1 watchdog_thresh=60 {self.cmdline} {cmdline}"
        common = ["-smp", str(self.smp), *self._memory_arguments(), "-device", "virtio-rng-pci",
                  "-kernel", str(image), "-initrd", str(initrd), *disk_tools.arguments(self.disks)]
        log = self.directory / f"boot-{self.boots}.log"
        if kernel.machine == "arm64":
            self.qemu = Qemu(log, [
                "-machine", "virt", "-accel", "tcg,thread=multi", "-cpu", self.cpu, *common,
                "-device", "pci-serial,chardev=agent", "-append", f"console=ttyAMA0 {words}"],
                program="qemu-system-aarch64", serial=("console",))
            return
        self.qemu = Qemu(log, [
            "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", self.cpu, *common,
            "-global", "ICH9-LPC.disable_s3=0", "-global", "ICH9-LPC.disable_s4=0",
            *(self.tpm.start(self.directory / "swtpm.log") if self.tpm else []),
            "-append", f"console=ttyS0 no_timer_check {words}"])

    def _memory_arguments(self):
        if self.preallocate:
            return ["-m", str(self.memory), "-machine", "memory-backend=ram",
                    "-object", f"memory-backend-ram,id=ram,size={self.memory}M,prealloc=on"]
        if not self.hotplug:
            return ["-m", str(self.memory)]
        return ["-m", f"{self.memory},slots=1,maxmem={self.memory + self.hotplug}M",
                "-object", f"memory-backend-ram,id=module,size={self.hotplug}M",
                "-device", "pc-dimm,memdev=module"]

    def boot(self, kernel=None, cmdline="", timeout=90):
        """Start a QEMU process and wait until its agent is up. The initramfs has then loaded its modules only."""
        self.start_qemu(kernel, cmdline)
        self.pump(self._is_up, timeout, "boot")
        return self

    def enter(self, directory, timeout=240):
        """Hand over to the system mounted at a directory; its own process 1 must start the agent as a service."""
        self._up = False
        handing = self.request("init", directory)
        self.pump(lambda: self._is_up() or handing.done(), timeout, "the start of the system")
        expect(self._up, f"init {directory}: {handing.done() and handing.result(1)}")
        return self

    def _is_up(self):
        self.take_answers()
        return self._up

    def pump(self, done, timeout, what):
        """Wait for a condition; the case fails when it does not come true."""
        expect(self.qemu is not None, f"{what}: the machine is off")
        try:
            return self.qemu.pump(done, timeout, what)
        except QemuError as error:
            raise Failed(str(error)) from None

    def take_answers(self):
        """Sort what the agent has said into answers."""
        while self.qemu:
            match = ANSWER.search(self.qemu.agent_bytes)
            if not match:
                return
            end = match.end() + int(match[3])
            if len(self.qemu.agent_bytes) < end + 1:
                return
            number, status = int(match[1]), int(match[2])
            text = self.qemu.agent_bytes[match.end():end].decode("utf-8", "replace")
            self.qemu.agent_bytes = self.qemu.agent_bytes[end + 1:]
            if number == 0:
                self._up = True
            else:
                self.answers[number] = (status, text)
            self.qemu.note(f"[agent] ={number} {status} {text.strip()[-1500:]!r}")

    def request(self, verb, rest="", what=None):
        """Send a request to the agent."""
        expect(self.qemu is not None, f"{verb}: the machine is off")
        self._number += 1
        line = f"{self._number} {verb} {rest}".replace("\n", " ")
        self.qemu.note(f"[agent] {line[:400]}")
        try:
            self.qemu.send(line + "\n")
        except QemuError as error:
            raise Failed(f"{verb} {rest[:80]}: {error}") from None
        return Pending(self, self._number, what or f"{verb} {rest}"[:100].strip())

    def start(self, command):
        """Start a shell command in the guest."""
        return self.request("sh", command, command[:100])

    def sh(self, command, timeout=60, check=True):
        """Run a shell command in the guest and return its output."""
        return self.start(command).wait(timeout, check)

    def status(self, command, timeout=60):
        """Run a shell command in the guest and return (status, output)."""
        return self.start(command).result(timeout)

    def put(self, path, text):
        """Write a file in the guest."""
        quoted = text.replace("\\", "\\\\").replace("\n", "\\n").replace("%", "%%")
        self.sh(f"mkdir -p $(dirname {shlex.quote(path)}) && printf {shlex.quote(quoted)} > {shlex.quote(path)}")

    def boot_id(self):
        """Of the kernel that answers now."""
        return self.request("ping").wait(30)

    def wait_off(self, timeout=120):
        """Wait until the machine has switched itself off; returns how."""
        expect(self.qemu is not None, "the machine is off already")
        try:
            how = self.qemu.wait_exit(timeout)
            self.take_answers()
        except QemuError as error:
            raise Failed(str(error)) from None
        self._switched_off()
        return how

    def _switched_off(self):
        self.qemu.close()
        self.qemu = None
        if self.tpm:
            self.tpm.stop()

    def unplug(self, disk):
        """Take a disk away for good, as if its cable broke; for disks on the bus scsi."""
        self.qemu.qmp("device_del", id=f"device{self.disks.index(disk)}")

    def kill(self):
        """Pull the plug."""
        if self.qemu:
            self._switched_off()

    def shutdown(self, timeout=60):
        """Power off the ordinary way."""
        self.start("sync; poweroff -f")
        return self.wait_off(timeout)


class Proof:
    """What the witnesses said before; check() fails the case unless they say it again in the same life."""

    SAME = ("nonce", "boot", "start", "memory", "file", "unlinked", "tmpfs", "taint")

    def __init__(self, machine, memory=48 << 20, random=40, zero=5, directory="/run"):
        self.machine, self.nonce = machine, secrets.token_hex(16)
        machine.request("witness", f"{self.nonce} {memory} {random} {zero} {directory}").wait(180)
        self.before = self.ask()
        expect(self.before["nonce"] == self.nonce, "the guest did not take the nonce")
        expect(self.before["memory-wrong"] == "0", "the witness' memory is wrong before anything happened")

    def ask(self, timeout=120):
        """The witnesses' report as a dictionary."""
        text = self.machine.request("ask").wait(timeout)
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def check(self):
        """All processes from before are there, with all they had, and make progress."""
        now = self.ask()
        for key in self.SAME:
            expect(now.get(key) == self.before[key], f"{key} was {self.before[key]}, is {now.get(key)}")
        expect(now["nonce"] == self.nonce, "another nonce")
        for key in ("file", "unlinked", "tmpfs"):
            expect(now[key].endswith(":ok"), f"{key}: {now[key]}")
        expect(now["memory-wrong"] == "0", f"{now['memory-wrong']} pages of memory are wrong")
        expect(now["pipe-broken"] == "0", "numbers were lost in the pipe")
        self._check_progress(now)
        return now

    def _check_progress(self, now):
        """The counters go on from where they stand; a guest that the host keeps waiting gets the time it needs."""
        end = time.monotonic() + patience.seconds(10)
        while True:
            self.machine.sh("sleep 0.3")
            later = self.ask()
            still = [key for key in ("counter", "pipe")
                     if not int(self.before[key]) < int(now[key]) < int(later[key])]
            if not still:
                return
            expect(time.monotonic() < end, "; ".join(
                f"{key} stands still: {self.before[key]}, {now[key]}, {later[key]}" for key in still))

    def check_new_life(self):
        """The machine that answers is not the one from before, and knows nothing of it."""
        boot = self.machine.boot_id()
        expect(boot and boot != self.before["boot"], "the old boot id: the image was resumed")
        status, _ = self.machine.request("ask").result(30)
        expect(status != 0, "there are witnesses in a machine that should have been new")
