# SPDX-License-Identifier: GPL-2.0-or-later
"""Sealed images whose passphrase is asked for at the console: the answers that there are, and what each leads to."""
from harness import ours, paths
from harness.cases import case
from harness.machine import Proof, expect

KEYS = paths.SOURCE / "tests/data/keys"
PASSPHRASE = "golden"  # that opens them
WRONG = ("incorrect horse", "staple gun")
SECRET_ENDS = r"Passphrase[^\n]*/dev/vda1[^\n]*answers\): "
OTHER_ENDS = r"back to the question: "


def _leave(bench):
    """A machine with a key set that has hibernated, and been switched on again."""
    swap = bench.swap()
    files = {f"etc/hibernate/keys/{name}": (KEYS / name).read_bytes() for name in ("public", "signing")}
    machine = bench.machine([swap], "shipped", unpacked=True,
                            files={ours.CONF: ours.conf(Sealing="required"), **files}).boot()
    machine.sh("chmod 700 /etc/hibernate/keys && chmod 600 /etc/hibernate/keys/*; swapon /dev/vda1")
    proof = Proof(machine)
    return machine, swap, proof, ours.leave(machine)


def _asked(machine, leaving, cmdline=""):
    """Boot and run the resume step until it asks; returns it, and where what was said begins."""
    machine.boot(cmdline=cmdline)
    said = len(machine.qemu.console)
    resuming = machine.start(ours.RESUME)
    ours.wait_said(machine, SECRET_ENDS, said, 120, lambda: leaving.done() or resuming.done())
    expect(not leaving.done() and not resuming.done(), "it was resumed, or given up, without a passphrase")
    return resuming, said


def _answer(machine, typed, words):
    """Type, and wait until that leads to words."""
    said = len(machine.qemu.console)
    machine.qemu.type(typed)
    ours.wait_said(machine, words, said, 120)


def _check_unseen(machine, said):
    shown = machine.qemu.console[said:]
    for secret in (PASSPHRASE, *WRONG):
        expect(secret not in shown and secret[:5] not in shown, f"{secret!r} was shown")


@case("passphrase-asked", "power off at the question, nobody there, then two wrong passphrases and the right one", limit=600)
def asked(bench):
    """The image stays as it is until the right one comes."""
    machine, swap, proof, leaving = _leave(bench)
    before = swap.read(0, 4096)

    _asked(machine, leaving)
    _answer(machine, "\r", OTHER_ENDS)
    machine.qemu.type("p\r")
    machine.wait_off(30)
    expect(swap.read(0, 4096) == before, "the first page was changed by powering off")

    _asked(machine, leaving, "hibernated.ResumeWait=3")
    machine.wait_off(60)
    expect(swap.read(0, 4096) == before, "the first page was changed although nobody answered")

    resuming, said = _asked(machine, leaving)
    for number, wrong in enumerate(WRONG, 1):
        _answer(machine, f"{wrong}\r", rf"{number} wrong so far(.|\n)*{SECRET_ENDS}")
        expect(not leaving.done(), "a wrong passphrase was taken")
    # Half of another one, taken back; and one with a mistake, mended.
    machine.qemu.type(f"{WRONG[0]}\x15{PASSPHRASE[:-1]}x\x7f{PASSPHRASE[-1]}\r")
    machine.pump(lambda: leaving.done() or resuming.done(), 150, "the right passphrase")
    expect(leaving.done(), f"the right passphrase did not resume: {resuming.done() and resuming.result(1)}")
    leaving.wait(60)
    _check_unseen(machine, said)
    proof.check()


@case("passphrase-boot-without", "boot without the sealed image: it is disarmed, swap is usable, and it never resumes", limit=500)
def boot_without(bench):
    """A passphrase at the wrong question is no answer there."""
    machine, swap, proof, leaving = _leave(bench)
    resuming, said = _asked(machine, leaving)
    _answer(machine, "\x03", OTHER_ENDS)
    _answer(machine, "big mistake\r", SECRET_ENDS)
    expect(swap.signature() == ours.MARK, "the image was dropped for a passphrase that begins with b")
    _answer(machine, "\r", OTHER_ENDS)
    machine.qemu.type("b\r")
    status, text = resuming.result(60)
    expect(status == 0, f"booting without it ended with status {status}: {text[-300:]}")
    expect("image dropped" in machine.qemu.said(said), "it is not said that the image was dropped")
    _check_unseen(machine, said)
    proof.check_new_life()
    ours.check_left_clean(machine)
    machine.sh("swapon /dev/vda1 && swapoff /dev/vda1")
    machine.kill()
    machine.boot()
    ours.refuse(machine, proof, leaving, None)
