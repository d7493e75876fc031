# SPDX-License-Identifier: GPL-2.0-or-later
"""Sealed images: there and back by a passphrase that is typed, and everything that must not lead back."""
import mmap
import os
import re
import subprocess

from cases import storage
from harness import build, ours, paths, sealing
from harness.cases import case
from harness.machine import Proof, expect

KEYS = paths.SOURCE / "tests" / "data" / "keys"
KEY_DIRECTORY = "etc/hibernate/keys"
PASSPHRASE = "golden"
ASKED = r"(Passphrase[^\n]*other answers\): )"
OTHERS = r"back to the question: "
CHANGED = r"was changed|not signed|signature"


def files(**keys):
    """What a machine with a key set starts with."""
    keys.setdefault("Sealing", "required")
    return {ours.CONF: ours.conf(**keys),
            **{f"{KEY_DIRECTORY}/{name}": (KEYS / name).read_bytes() for name in ("public", "signing")}}


def _machine(bench, swap, programs="shipped", **keys):
    return bench.machine([swap], programs, files=files(**keys)).boot()


def ready(machine):
    """The key files as they must be, and swap."""
    machine.sh(f"chmod 0700 /{KEY_DIRECTORY} && chmod 0600 /{KEY_DIRECTORY}/* && swapon /dev/vda1")


def _answer(machine, since, text, words=ASKED, unless=None):
    """Wait for a question behind a position, and type; returns the position behind it."""
    ours.wait_said(machine, words, since, 120, unless)
    at = len(machine.qemu.console)
    machine.qemu.type(text + "\r")
    return at


def _come_back(machine, leaving, answers=(PASSPHRASE,)):
    since, step = len(machine.qemu.console), machine.start(ours.RESUME)
    for answer in answers:
        since = _answer(machine, since, answer, unless=step.done)
    machine.pump(lambda: leaving.done() or step.done(), 180, ours.RESUME)
    expect(not step.done(), f"it did not resume: {step.done() and step.result(1)}")
    leaving.wait(60)


def _refused(machine, proof, leaving, words, answers=(PASSPHRASE,)):
    """The resume step must refuse, after these answers, with these words; then it boots without the image."""
    since, step = len(machine.qemu.console), machine.start(ours.RESUME)
    first = since
    for answer in answers:
        since = _answer(machine, since, answer, unless=step.done)
    text = ours.question(machine, first)
    expect(re.search(words, text), f"refused, but with other words than {words!r}: {text}")
    machine.qemu.type("b")
    step.result(60)
    proof.check_new_life()
    expect(not leaving.done(), "it was resumed, which must not be")


def _flip_header(offset):
    """A bit of the header page, with a checksum that was made right again."""
    def damage(disk, mark_at):
        at = ours.header_at(disk, mark_at)
        disk.flip(at + offset, 3)
        page = disk.read(at, 4096)
        disk.write(at + 4080, ours.checksum(page[:4080]))
    return damage


# What is changed, how, the words of the refusal, and what is typed before it.
TWINS = (
    ("chunk", ours.flip_in_chunks, CHANGED, (PASSPHRASE,)),
    ("header", ours.flip_in_header, ours.DAMAGED, ()),
    ("body's tag", _flip_header(64), CHANGED, (PASSPHRASE,)),
    ("slot", _flip_header(1280 + 88), CHANGED, (PASSPHRASE,)),
    ("signature", _flip_header(4016), CHANGED, (PASSPHRASE,)),
    ("suite", _flip_header(32), r"sealed with suite|unknown here|not signed", ()),
)


def _twin(machine, proof, leaving, swap, damage, words, answers):
    broken = swap.copy(swap.path.with_name(f"twin-{swap.path.name}"))
    damage(broken, ours.find_mark(swap))
    machine.disks[0] = broken
    machine.boot()
    _refused(machine, proof, leaving, words, answers)
    expect(broken.signature() == ours.CLEAN, f"after booting without it the swap signature is {broken.signature()}")
    machine.sh("swapon /dev/vda1 && swapoff /dev/vda1")
    machine.kill()
    machine.disks[0] = swap
    broken.path.unlink()


@case("sealed", "sealed by a passphrase: first a wrong one, then the right one; twins: a bit of chunk, header, tag, slot, "
      "signature, suite", limit=900)
def sealed(bench):
    """The slice as a whole; afterwards nothing of the slot or of the blob is on the disk."""
    swap = bench.swap()
    machine = _machine(bench, swap)
    ready(machine)
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)
    header = _header(swap)
    expect(header.suite == 2, f"the image has suite {header.suite}, and the processor has AES")
    for what, damage, words, answers in TWINS:
        bench.note(f"twin: {what}")
        _twin(machine, proof, leaving, swap, damage, words, answers)
    machine.boot()
    _come_back(machine, leaving, ("wrong", PASSPHRASE))
    proof.check()
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")
    for what, secret in header.parts().items():
        expect(_where(swap.path, secret) < 0, f"the disk still has the {what}")


@case("sealed-answers", "no passphrase: power off and the image stays; boot without it, and it can still be extracted")
def answers_given(bench):
    """Both lead through the second question; the machine that was passed over is an ordinary one."""
    swap = bench.swap()
    machine = _machine(bench, swap)
    ready(machine)
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)
    machine.boot()
    since, step = len(machine.qemu.console), machine.start(ours.RESUME)
    since = _answer(machine, since, "", unless=step.done)
    _answer(machine, since, "p", OTHERS)
    machine.wait_off(60)
    expect(swap.signature() == ours.MARK, f"the swap signature is {swap.signature()}")
    machine.boot()
    since, step = len(machine.qemu.console), machine.start(ours.RESUME)
    since = _answer(machine, since, "", unless=step.done)
    _answer(machine, since, "b", OTHERS)
    step.result(60)
    proof.check_new_life()
    expect(not leaving.done(), "it was resumed, which must not be")
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")
    status, text = machine.status(f"echo {PASSPHRASE} | hibernate-image verify --passphrase-fd=0 /dev/vda1", 120)
    expect(status == 0, f"a dropped image cannot be verified: {text}")
    status, text = machine.status("echo other | hibernate-image verify --passphrase-fd=0 /dev/vda1")
    expect(status == 27, f"another passphrase: status {status}: {text}")
    machine.sh("swapon /dev/vda1")


@case("sealed-required", "an unsealed image where only sealed ones are wanted, and no image without keys")
def required(bench):
    """The configuration of the side that resumes decides, not the image."""
    swap = bench.swap()
    machine = _machine(bench, swap, Sealing="off")
    ready(machine)
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)
    machine.files = files()
    machine.boot(cmdline="hibernated.Sealing=off")
    _refused(machine, proof, leaving, "not sealed", ())
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")
    machine.sh(f"rm -r /{KEY_DIRECTORY} && swapon /dev/vda1")
    for command in ("hibernatectl estimate", ours.LEAVE):
        status, text = machine.status(command)
        expect(status == 29 and "key set" in text, f"{command} without keys: status {status}: {text}")
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")


def _where(path, needle):
    """Offset of some bytes in a file, or -1."""
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        return m.find(needle)


def _header(swap):
    return sealing.Header(swap.read(ours.header_at(swap, ours.find_mark(swap)), 4096))


def _extract(bench, swap):
    """The partition, and the pages of the image on it, decrypted; both as files."""
    partition, pages = bench.directory / "partition.img", bench.directory / "pages.img"
    with open(swap.path, "rb") as source, open(partition, "wb") as target:
        source.seek(swap.start)
        while block := source.read(1 << 20):
            target.seek(len(block), os.SEEK_CUR) if not any(block) else target.write(block)
        target.truncate()
    program = f"{build.programs()}/usr/sbin/hibernate-image"
    done = subprocess.run([program, "extract", "--passphrase-fd=0", str(partition), str(pages)], check=False,
                          input=PASSPHRASE.encode(), stderr=subprocess.PIPE)
    expect(done.returncode == 0, f"extract: {done.stderr.decode()}")
    return partition, pages


@case("sealed-memory", "no key, slot secret or passphrase is in the decrypted image or on the disk, in the second image of a life "
      "neither; a planted string is", limit=500)
def memory(bench):
    """The image is extracted outside, by the passphrase; its keys are computed there from the key set.

    The second image is of a machine that was resumed by a passphrase typed at its console, so that one, and all of the
    first image's keys, were in this machine's memory. That the search finds what is there is seen by a string in the
    memory, and by the wrapped key on the disk.
    """
    swap = bench.swap()
    machine = _machine(bench, swap, Compression="none")
    ready(machine)
    planted = os.urandom(24).hex()
    machine.sh(f"echo {planted} > /run/planted")
    proof = Proof(machine, memory=8 << 20)
    secrets = {}
    for count in ("first", "second"):
        leaving = ours.leave(machine)
        header = _header(swap)
        secrets |= {f"{count} image's {what}": key for what, key in header.keys(sealing.SAMPLE_RECIPIENT).items()}
        secrets |= {f"passphrase, {how}": PASSPHRASE.encode() + end
                    for how, end in (("in memory", b"\0"), ("as it was typed", b"\r"), ("as a line", b"\n"))}
        partition, pages = _extract(bench, swap)
        expect(_where(pages, planted.encode()) >= 0, "the planted string is not in the image: the search finds nothing")
        expect(_where(partition, header.wrapped) >= 0, "the wrapped key is not on the disk: the search finds nothing")
        expect(_where(partition, planted.encode()) < 0, "the planted string is on the disk")
        for what, secret in secrets.items():
            expect(_where(pages, secret) < 0, f"the {what} is in the {count} image")
            expect(_where(partition, secret) < 0, f"the {what} is on the disk with the {count} image")
        bench.note(f"{len(secrets)} secrets searched for in {pages.stat().st_size >> 20} MiB of memory")
        machine.boot()
        _come_back(machine, leaving)
        proof.check()


def _offer(bench, machine, swap, leaving, kernel):
    """A copy of the image to another kernel, which must resume it by its passphrase."""
    machine.disks = [swap.copy(bench.directory / "offered.img")]
    machine.boot(kernel=bench.kernel(kernel))
    _come_back(machine, leaving)


@case("sealed-update-from-6.1", "a sealed image of 6.1 resumes by its passphrase after updates to 6.12 and to 7.2", kernels=("6.1",),
      default=("6.1",), limit=500)
def update_61(bench):
    """The kernel that resumes is newer."""
    swap = bench.swap()
    machine = _machine(bench, swap)
    ready(machine)
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)
    for newer in ("6.12", "7.2"):
        bench.note(f"resumed by {newer}")
        _offer(bench, machine, swap, leaving, newer)
        proof.check()
        machine.answers.pop(leaving.number)
        machine.kill()


@case("sealed-update-from-7.2", "a sealed image of 7.2: refused by 6.1, which names the kernel and asks for no passphrase; resumes "
      "under 6.12", kernels=("7.2",), default=("7.2",), limit=500)
def update_72(bench):
    """The kernel that resumes is older. Where the image is refused the machine boots without it, with usable swap."""
    swap = bench.swap()
    own = bench.kernel("7.2")
    machine = _machine(bench, swap)
    ready(machine)
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)
    offered = swap.copy(bench.directory / "old.img")
    machine.disks = [offered]
    machine.boot(kernel=bench.kernel("6.1"))
    since = len(machine.qemu.console)
    _refused(machine, proof, leaving, re.escape(own.release), ())
    expect(not re.search(ASKED, machine.qemu.said(since)), "a passphrase was asked for, for nothing")
    expect("image dropped" in machine.qemu.said(since), "it is not said that the image was dropped")
    expect(offered.signature() == ours.CLEAN, f"after booting without it the swap signature is {offered.signature()}")
    machine.sh("swapon /dev/vda1 && swapoff /dev/vda1")
    machine.kill()
    _offer(bench, machine, swap, leaving, "6.12")
    proof.check()


@case("sealed-keygen", "keys made in the machine itself, and a resume by the recovery key that was shown", limit=600)
def keygen(bench):
    """What hibernatectl keygen sets up is what hibernating and resuming go by."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", files={ours.CONF: ours.conf()}).boot()
    shown = machine.sh("echo 'a horse, a battery and a staple' | hibernatectl keygen --passphrase-fd=0 --argon2=4096,1 --recovery",
                       120)
    expect("required" in machine.sh("hibernatectl config | grep Sealing"), "keygen has not asked for sealed images")
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine, memory=16 << 20)
    leaving = ours.leave(machine)
    machine.boot()
    recovery = max(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+){3,}", shown), key=len, default="")
    expect(recovery, f"keygen showed no recovery key: {shown}")
    _come_back(machine, leaving, (recovery,))
    proof.check()


@case("sealed-swapfile", "a sealed image in a swap file on an ext4 root, whose slot lies on the filesystem's device", limit=400)
def swapfile(bench):
    """Writing zeros over the slot, and discarding it, touches nothing of the filesystem."""
    root = bench.fs("ext4", 1536)
    machine = bench.machine([root], "shipped", modules=["ext4"], tools=storage.TOOLS["ext4"],
                            files=files(ResumeDevice="/dev/vda")).boot()
    storage.move_root(machine, "ext4")
    offset = storage.make_swapfile(machine, "ext4", 640, 8)
    lines = {"ResumeDevice": "/dev/vda", "ResumeOffset": offset, "Sealing": "required"}
    machine.put(f"/{ours.CONF}", ours.conf(**lines))
    machine.sh(f"chmod 0700 /{KEY_DIRECTORY} && chmod 0600 /{KEY_DIRECTORY}/* && mkdir -p /data")
    proof = Proof(machine, memory=16 << 20, directory="/data")
    leaving = ours.leave(machine)
    header = sealing.Header(root.read(ours.header_at(root, offset * 4096), 4096))
    machine.files = files(**lines)
    machine.boot()
    _come_back(machine, leaving)
    proof.check()
    machine.sh(f"swapoff {storage.SWAPFILE} && swapon {storage.SWAPFILE} && swapoff {storage.SWAPFILE} && sync")
    storage.check_root(machine, root, "ext4")
    expect(_where(root.path, header.wrapped) < 0, "the disk still has the wrapped image key")
