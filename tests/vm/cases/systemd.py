# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian that systemd boots: our units as they are installed, and what an ordinary boot does with an image."""
import re
import uuid

from cases import sealed
from harness import debian, ours
from harness.build import programs
from harness.cases import case
from harness.machine import Proof, expect

SWAP = "/dev/nvme0n1p1"
ROOT = "/sysroot"


def _machine(bench, variant="shipped"):
    """Root on vda, swap on NVMe; fstab knows both. Returns the machine, on, and the swap disk."""
    ident = uuid.uuid4()
    root, swap = debian.root_disk(bench), bench.swap(bus="nvme", ident=ident)
    fstab = f"/dev/vda / ext4 errors=remount-ro 0 1\nUUID={ident} none swap sw 0 0\n"
    files = {ours.CONF: ours.conf(ResumeDevice=SWAP),
             "hands.tar": debian.hands(fstab, debian.drivers(bench.kernel(), ["nvme"])),
             "installed.tar": debian.installed(programs(variant))}
    machine = bench.machine([root, swap], variant, memory=768, modules=["ext4"], files=files).boot()
    machine.sh(f"mount -t ext4 /dev/vda {ROOT} && tar -x -f /hands.tar -C {ROOT} && cp /installed.tar {ROOT}/root/ && "
               f"umount {ROOT}")
    return machine, swap


def _start_system(machine):
    """As an initramfs without a resume step does; waits until systemd has done what it wanted to do."""
    machine.sh(f"mount -t ext4 -o ro /dev/vda {ROOT}")
    machine.enter(ROOT)
    state, failed = _state(machine, "--wait")
    expect(state == "running" and not failed, f"the system is {state}; failed units: {failed}")


def _install(machine):
    """What "make install" does, and then what README says; each word of it is a message somebody will read."""
    machine.sh("tar -x -f /root/installed.tar -C / && rm /root/installed.tar")
    machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice=SWAP))
    said = machine.sh("systemd-sysusers && systemctl daemon-reload")
    expect("hibernate-image" in said and "rror" not in said, f"systemd-sysusers says: {said}")
    said = machine.sh("systemctl enable hibernated 2>&1")
    expect(said.startswith("Created symlink") and said.count("\n") <= 1, f"systemd says of the unit: {said}")


def _state(machine, *options):
    """The state of the system, and the units that have failed."""
    state = machine.status(f"systemctl is-system-running {' '.join(options)}", 240)[1].strip()
    return state, machine.sh("systemctl list-units --failed --plain --no-legend").strip()


def _order(machine, *patterns):
    """The kernel log has a line for each of these, in this order."""
    log = machine.sh("journalctl -k -b -o cat --no-pager").splitlines()
    found = [next((n for n, line in enumerate(log) if re.search(p, line)), None) for p in patterns]
    expect(None not in found and found == sorted(found), f"in the kernel log {patterns} are lines {found}")


@case("systemd-round-trip", "Debian under systemd: installed, hibernated, resumed; journal, status, units", kernels=("6.1",), limit=600)
def round_trip(bench):
    """On a machine that has never heard of us."""
    machine, swap = _machine(bench)
    _start_system(machine)
    _install(machine)
    before = _state(machine)
    expect(machine.status("systemctl is-active hibernated")[1].strip() == "inactive", "the daemon runs already")
    expect(SWAP in machine.sh("hibernatectl estimate"), "the estimate does not name the area")
    machine.sh("systemctl stop hibernated")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    expect(swap.signature() == ours.MARK, f"the signature is {swap.signature()}")
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
    after = _state(machine)
    expect(after == before, f"the system was {before}, is {after}")
    expect(SWAP in machine.sh("cat /proc/swaps"), "the swap area is not active any more")
    status = machine.sh("hibernatectl status")
    times = ours.times(status)
    expect("Outcome: resumed" in status, f"hibernatectl status: {status}")
    for name in ("Freeze", "Create", "Write", "Save", "Load"):
        expect(times.get(name, 0) > 0, f"hibernatectl status has no time of {name}: {status}")
    journal = machine.sh("journalctl -b -u hibernated -o cat --no-pager")
    for words in ("Started hibernated.service", "resumed: saved in"):
        expect(words in journal, f"{words!r} is not in the journal: {journal[-800:]}")
    everything = machine.sh("journalctl -b -o cat --no-pager")
    for words in ("the next boot finds it by", "resumed: saved in"):
        expect(everything.count(words) == 1, f"{words!r} is {everything.count(words)} times in the journal")
    _killed(machine)
    proof.check()
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the signature is {swap.signature()}")


def _killed(machine):
    """SIGKILL of the main process: ExecStopPost= has nothing to disarm, and says so by its status; the next one serves."""
    machine.sh("systemctl kill --signal=KILL --kill-whom=main hibernated && "
               "while systemctl is-active --quiet hibernated; do sleep 0.1; done")
    post = machine.sh("systemctl show --property=ExecStopPost hibernated")
    expect("status=0" in post and "code=exited" in post, f"the clean-up after the kill: {post}")
    machine.sh("systemctl reset-failed hibernated")
    expect("idle" in machine.sh("hibernatectl status"), "no daemon is started after the kill")


@case("systemd-session-killed", "the session is killed behind the commit point, in the unit's sandbox: disarmed", kernels=("6.1",),
      default=(), limit=600)
def session_killed(bench):
    """The guard's rights are those of the unit."""
    machine, swap = _machine(bench, "failpoints")
    _start_system(machine)
    _install(machine)
    proof = Proof(machine)
    ours.set_failpoints(machine, "leave kill")
    ours.fails(machine, ("internal",))
    proof.check()
    ours.check_left_clean(machine, SWAP)
    ours.set_failpoints(machine)
    leaving = ours.leave(machine)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
    _killed(machine)
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the signature is {swap.signature()}")


@case("systemd-boot-without-resume", "systemd boots past an image: dropped before root is written; before swapon on a late disk",
      kernels=("6.1",), limit=600)
def boot_without_resume(bench):
    """The disk's driver is in the initramfs at first, then one that udev loads long after root was made writable."""
    machine, swap = _machine(bench)
    machine.sh(f"mount -t ext4 /dev/vda {ROOT} && tar -x -f {ROOT}/root/installed.tar -C {ROOT} && umount {ROOT}")
    machine.sh(f"swapon {SWAP}")
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)
    armed = swap.copy(bench.directory / "armed.img")
    dropped = "nvme0n1p1: .*was not resumed; its image is dropped"
    for late in (False, True):
        machine.left_out = {"nvme"} if late else set()
        machine.boot()
        _start_system(machine)
        if late:
            _order(machine, r"\(vda\): re-mounted", dropped, "Adding .* swap on /dev/nvme0n1p1")
        else:
            _order(machine, dropped, r"\(vda\): re-mounted", "Adding .* swap on /dev/nvme0n1p1")
        expect("nvme0n1p1" in machine.sh("cat /run/hibernated/dropped"), "no notice of what was dropped")
        journal = machine.sh("journalctl -b -o cat --no-pager")
        expect("Rewriting the swap signature" not in journal, "swapon came first")
        machine.sh("sync")
        machine.kill()
        expect(swap.signature() == ours.CLEAN, f"the signature is {swap.signature()}")
        if not late:
            machine.disks[1] = swap = armed
    machine.left_out = set()
    machine.boot()
    ours.refuse(machine, proof, leaving, None)


# A machine that is only starting: no login at the console, and the agents of that time.
EARLY = {"etc/systemd/system/default.target": ("link", "/lib/systemd/system/basic.target"),
         "etc/systemd/system/basic.target.wants/vm-agent.service": ("link", "../vm-agent.service"),
         "etc/systemd/system/serial-getty@ttyS0.service": ("link", "/dev/null")}
# What the resume step needs, and none of our units: it is started by hand.
PROGRAMS = "usr/sbin usr/libexec usr/lib/sysusers.d"


@case("sealed-agent", "early boot under systemd: the passphrase is typed at its agent for the console", kernels=("6.1",), limit=400)
def sealed_agent(bench):
    """The agent is the one that systemd starts when it sees our question; the system that asks is no part of the image."""
    early, swap = debian.root_disk(bench), bench.swap()
    files = {ours.CONF: ours.conf(ResumeDevice="/dev/vdb1", Sealing="required"),
             **{f"{sealed.KEY_DIRECTORY}/{name}": (sealed.KEYS / name).read_bytes() for name in ("public", "signing")},
             "hands.tar": debian.hands("", EARLY), "installed.tar": debian.installed(programs("shipped"))}
    machine = bench.machine([early, swap], "shipped", modules=["ext4"], files=files, unpacked=True).boot()
    machine.sh(f"mount -t ext4 /dev/vda {ROOT} && tar -x -f /hands.tar -C {ROOT} && "
               f"tar -x -f /installed.tar -C {ROOT} {PROGRAMS} && cp /{ours.CONF} {ROOT}/etc/ && chroot {ROOT} systemd-sysusers && "
               f"umount {ROOT}")
    machine.sh(f"chmod 0700 /{sealed.KEY_DIRECTORY} && chmod 0600 /{sealed.KEY_DIRECTORY}/* && swapon /dev/vdb1")
    proof = Proof(machine)
    leaving = ours.leave(machine)

    machine.boot()
    machine.sh(f"mount -t ext4 -o ro /dev/vda {ROOT}")
    machine.enter(ROOT)
    said, resuming = len(machine.qemu.console), machine.start(ours.RESUME)
    for wrong, answer in enumerate(("teapot", sealed.PASSPHRASE)):
        words = rf"{wrong} wrong so far[^\n]*/dev/vdb1" if wrong else r"Passphrase[^\n]*/dev/vdb1"
        ours.wait_said(machine, words, said, 120, resuming.done)
        expect(not resuming.done(), f"the resume step ended: {resuming.done() and resuming.result(1)}")
        state = machine.sh("systemctl is-active systemd-ask-password-console.service", check=False).strip()
        expect(state == "active", f"it is not systemd that asks: its agent is {state}")
        machine.qemu.type(f"{answer}\r")
    machine.pump(lambda: leaving.done() or resuming.done(), 150, "the right passphrase")
    expect(leaving.done(), f"the right passphrase did not resume: {resuming.done() and resuming.result(1)}")
    leaving.wait(60)
    for secret in ("teapot", sealed.PASSPHRASE):
        expect(secret not in machine.qemu.console[said:], f"{secret!r} was shown")
    proof.check()
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the signature is {swap.signature()}")
