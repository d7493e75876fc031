# SPDX-License-Identifier: GPL-2.0-or-later
"""Sealed images that a TPM opens: swtpm, which is reset with each boot and keeps its seeds."""
import re

from harness import ours, paths, tpm
from harness.cases import case
from harness.machine import Proof, expect

KEYS = paths.SOURCE / "tests" / "data" / "keys"
KEY_DIRECTORY = "etc/hibernate/keys"
PASSPHRASE = "golden"
PIN = "4711"
ASKED = r"(Passphrase|PIN)[^\n]*other answers\): "
OTHERS = r"back to the question: "
OTHER_INITRAMFS = {**tpm.MEASURED, 9: "initramfs of somebody else"}


def _boot(machine, measured=None):
    """Boot, and measure what a firmware and a boot loader would."""
    machine.boot()
    if machine.tpm:
        tpm.measure(machine, measured)
    return machine


def _machine(bench, swap, **files):
    machine = bench.machine([swap], "shipped", tpm=tpm.Tpm(bench.directory / "tpm"), files={
        ours.CONF: ours.conf(Sealing="required"), **files,
        **{f"{KEY_DIRECTORY}/{name}": (KEYS / name).read_bytes() for name in ("public", "signing")}})
    _boot(machine)
    machine.sh(f"chmod 0700 /{KEY_DIRECTORY} && chmod 0600 /{KEY_DIRECTORY}/*; swapon /dev/vda1")
    return machine


def _add(machine, options="", directory=f"/{KEY_DIRECTORY}"):
    """Have the TPM open the keys in a directory; returns the key set's id."""
    machine.sh(f"echo {PASSPHRASE} | hibernatectl key add tpm --passphrase-fd=0 --directory={directory} {options}", 120)
    return re.search(r"key set ([0-9a-f]{32})", machine.sh(f"hibernatectl key list --directory={directory}"))[1]


def _trust(machine, key_set, **keys):
    """What the configuration says from now on, here and in the initramfs."""
    text = ours.conf(Sealing="required", TPMKeySet=key_set, **keys)
    machine.put(f"/{ours.CONF}", text)
    machine.files[ours.CONF] = text


def _resume(machine, leaving, answers=()):
    """Run the resume step; each answer is a question's pattern and what is typed there. Returns what the console said."""
    since = first = len(machine.qemu.console)
    step = machine.start(ours.RESUME)
    for words, text in answers:
        ours.wait_said(machine, words, since, 120, step.done)
        expect(not step.done(), f"it has not asked for {words!r}: {step.done() and step.result(1)}")
        since = len(machine.qemu.console)
        machine.qemu.type(text + "\r")
    machine.pump(lambda: leaving.done() or step.done(), 180, ours.RESUME)
    expect(not step.done(), f"it did not resume: {step.done() and step.result(1)}")
    leaving.wait(60)
    return machine.qemu.said(first)


def _refused(machine, proof, leaving, swap, words):
    """Refused with these words, and nothing asked before; then boot without the image, into an ordinary machine."""
    said = len(machine.qemu.console)
    ours.refuse(machine, proof, leaving, words)
    expect(not re.search(ASKED, machine.qemu.said(said)), "it has asked for a secret")
    _check_shut(machine)
    expect(swap.signature() == ours.CLEAN, f"after booting without it the swap signature is {swap.signature()}")
    machine.sh("swapon /dev/vda1 && swapoff /dev/vda1")


def _powered_off(machine, swap, words):
    """Asked for the passphrase with these words; power off, and the image is kept."""
    said = len(machine.qemu.console)
    machine.start(ours.RESUME)
    ours.wait_said(machine, ASKED, said, 120)
    expect(re.search(words, machine.qemu.said(said)), f"asked, but without {words!r}: {machine.qemu.said(said)}")
    for text, then in (("", OTHERS), ("p", None)):
        machine.qemu.type(text + "\r")
        if then:
            ours.wait_said(machine, then, said, 60)
    machine.wait_off(60)
    expect(swap.signature() == ours.MARK, f"the swap signature is {swap.signature()}")


def _check_shut(machine):
    expect(tpm.pcr(machine, 15) != tpm.ZEROS, "PCR 15 is zeros: anybody may ask the TPM for the key")


@case("sealed-tpm", "a TPM opens the image and nobody is asked; without a TPM, and where PCR 9 has changed, the passphrase; twin: a "
      "bit of a chunk", limit=900)
def without_pin(bench):
    """Each boot that resumes shuts the TPM."""
    swap = bench.swap()
    machine = _machine(bench, swap)
    _trust(machine, _add(machine))
    expect(tpm.pcr(machine, 15) == tpm.ZEROS, "PCR 15 was extended although nothing is to be shut yet")
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)

    bench.note("no TPM")
    own, machine.tpm = machine.tpm, None
    _boot(machine)
    _powered_off(machine, swap, r"Not opened by the TPM: [^\n]*no TPM")
    machine.tpm = own

    bench.note("twin: chunk")
    broken = swap.copy(swap.path.with_name("twin.img"))
    ours.flip_in_chunks(broken, ours.find_mark(swap))
    machine.disks = [broken]
    _boot(machine)
    _refused(machine, proof, leaving, broken, "was changed")
    machine.kill()
    machine.disks = [swap]

    bench.note("PCR 9 changed")
    _boot(machine, OTHER_INITRAMFS)
    said = _resume(machine, leaving, [(r"Not opened by the TPM: [^\n]*PCR 9 \(initramfs[^\n]*" + ASKED, PASSPHRASE)])
    expect("PCR 4" not in said and "PCR 7" not in said, f"more than PCR 9 is named: {said}")
    proof.check()
    _check_shut(machine)

    bench.note("as it should be")
    leaving = ours.leave(machine)
    _boot(machine)
    said = _resume(machine, leaving)
    expect(not re.search(ASKED, said), f"it has asked: {said}")
    proof.check()
    _check_shut(machine)
    status, text = machine.status(f"echo {PASSPHRASE} | hibernatectl key test tpm --passphrase-fd=0")
    bench.note(f"key test tpm: {status} {text}")
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")


@case("sealed-tpm-pin", "a TPM with a PIN: a wrong one, the right one; the passphrase instead; wrong ones until the TPM takes no more",
      limit=900)
def with_pin(bench):
    """The TPM never locks itself up because of what is typed here."""
    swap = bench.swap()
    machine = _machine(bench, swap)
    machine.sh(f"printf '{PIN}\\n' > /run/pin")
    _trust(machine, _add(machine, "--pin-fd=3 3< /run/pin"))
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)

    # What else is started does not matter: PCR 7 says who vouched for it.
    _boot(machine, OTHER_INITRAMFS)
    said = _resume(machine, leaving, [(r"PIN[^\n]*answers\): ", "1234"),
                                      (r"1 wrong so far. \d+ more may be tried. PIN[^\n]*answers\): ", PIN)])
    expect("Passphrase" not in said and PIN not in said, f"the passphrase was asked for, or the PIN shown: {said}")
    proof.check()
    _check_shut(machine)

    leaving = ours.leave(machine)
    _boot(machine)
    since, step = len(machine.qemu.console), machine.start(ours.RESUME)
    for wrong in range(40):
        ours.wait_said(machine, ASKED, since, 120, step.done)
        if "Passphrase" in machine.qemu.said(since):
            break
        since = len(machine.qemu.console)
        machine.qemu.type(f"{wrong:04}\r")
    expect("lock itself up" in machine.qemu.said(since), f"it is not said why: {machine.qemu.said(since)}")
    machine.qemu.type(PASSPHRASE + "\r")
    machine.pump(lambda: leaving.done() or step.done(), 180, ours.RESUME)
    expect(not step.done(), f"it did not resume: {step.done() and step.result(1)}")
    proof.check()
    _check_shut(machine)


@case("sealed-tpm-foreign", "somebody's own keys, sealed to the same TPM and PCRs: refused and nothing asked; no key set named: the TPM "
      "is not asked", limit=600)
def foreign(bench):
    """That the TPM gives its key out is no reason to believe an image."""
    swap = bench.swap()
    machine = _machine(bench, swap)
    machine.sh(f"echo {PASSPHRASE} | hibernatectl keygen --directory=/run/theirs --passphrase-fd=0 --argon2=4096,1 --allow-weak", 120)
    ours_id, theirs = _add(machine), _add(machine, directory="/run/theirs")
    _trust(machine, theirs, KeyDirectory="/run/theirs")
    proof = Proof(machine, memory=8 << 20)
    leaving = ours.leave(machine)

    bench.note("no key set named")
    machine.files[ours.CONF] = ours.conf(Sealing="required")
    _boot(machine)
    _powered_off(machine, swap, "TPMKeySet= does not say")

    bench.note("ours named")
    machine.files[ours.CONF] = ours.conf(Sealing="required", TPMKeySet=ours_id)
    _boot(machine)
    _refused(machine, proof, leaving, swap, "another key set")
