# SPDX-License-Identifier: GPL-2.0-or-later
"""How a guest uses our programs: configuration, leaving, coming back, and what must be true then."""
import ctypes
import mmap
import os
import re

from . import patience
from .machine import Failed, Proof, expect

SECTION = "[Hibernate]\n"
CONF = "etc/hibernate.conf"
LEAVE = "hibernatectl hibernate"
RESUME = "hibernated --resume"
DISARM = "hibernated --disarm"
MARK = "ULSUSPEND"
CLEAN = "SWAPSPACE2"
FAILPOINTS = "/run/hibernated/failpoints"
SOCKET = "/run/hibernated/bus"
REFUSAL = re.compile(r"cannot resume: ([^\n]*)")
QUESTION_ENDS = "b  boot without it"
DAMAGED = r"(?i)damaged|checksum|not match"

# Exit statuses of all programs, as the manual pages list them.
STATUS = {
    "internal": 1, "usage": 2, "config": 3, "permission": 4, "unavailable": 5, "busy": 6, "no-area": 7,
    "area-unsuitable": 8, "too-small": 9, "blocked": 10, "freeze-refused": 11, "snapshot": 12, "io": 13,
    "worker": 14, "leave-refused": 15, "aborted": 16, "no-image": 17, "foreign-image": 18,
    "image-version": 19, "image-damaged": 20, "wrong-machine": 21, "wrong-kernel": 22, "stale": 23,
    "restore-refused": 24,
}
NAME_OF = {number: name for name, number in STATUS.items()}


def conf(**keys):
    """Text of a hibernate.conf."""
    keys.setdefault("ResumeDevice", "/dev/vda1")
    return SECTION + "".join(f"{key}={value}\n" for key, value in keys.items())


def find_mark(disk):
    """Offset, inside the partition, of the page that carries the mark; None without one."""
    size = os.path.getsize(disk.path)
    with open(disk.path, "rb") as f, mmap.mmap(f.fileno(), size, prot=mmap.PROT_READ) as m:
        at = disk.start
        while True:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                return None
            hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            found = m.find(MARK.encode() + b"\0", at, hole)
            while found >= 0:
                if (found - disk.start) % 4096 == 4086:
                    return found - 4086 - disk.start
                found = m.find(MARK.encode() + b"\0", found + 1, hole)
            at = hole


def leave(machine, command=LEAVE, how="guest-shutdown", timeout=150):
    """Hibernate and wait until the machine is off; returns the request that is answered after the resume."""
    leaving = machine.start(command)
    done = machine.pump(lambda: leaving.done() or machine.qemu.process.poll() is not None, timeout, command)
    if done and leaving.done():
        status, text = leaving.result(1)
        raise Failed(f"{command} came back with status {status} ({NAME_OF.get(status)}): {text.strip()[-300:]}")
    ended = machine.wait_off(30)
    expect(ended == how, f"the machine ended by {ended}, not {how}")
    return leaving


def come_back(machine, leaving, timeout=150, resume=RESUME):
    """Run the resume step in a machine that has just booted; fails unless the old life answers."""
    resuming = machine.start(resume)
    machine.pump(lambda: leaving.done() or resuming.done(), timeout, resume)
    if resuming.done():
        status, text = resuming.result(1)
        raise Failed(f"{resume} did not resume: status {status} ({NAME_OF.get(status)}): {text.strip()[-300:]}")
    return leaving.wait(60)


def refuse(machine, proof, leaving, words, answer="b", timeout=120):
    """Run the resume step, which must refuse with these words and ask; answer by a key. Returns the words.

    words: a regular expression; None where there is no image to ask about.
    """
    resuming = machine.start(RESUME)
    said = len(machine.qemu.console)

    def asked():
        text = machine.qemu.said(said)
        return REFUSAL.search(text) and QUESTION_ENDS in text

    machine.pump(lambda: leaving.done() or resuming.done() or asked(), timeout, RESUME)
    expect(not leaving.done(), "it was resumed, which must not be")
    text = ""
    if words is None:
        expect(resuming.done(), "there should be nothing to ask about, but it asks")
    else:
        expect(not resuming.done(), f"the resume step went on without asking: {resuming.result(1)}"
               if resuming.done() else "")
        text = REFUSAL.search(machine.qemu.said(said))[1].strip()
        expect(re.search(words, text), f"refused, but with other words than {words!r}: {text}")
        machine.qemu.type(answer)
        if answer == "p":
            machine.wait_off(30)
            return text
    resuming.result(60)
    proof.check_new_life()
    expect(not leaving.done(), "it was resumed, which must not be")
    return text


def until(condition, seconds=20):
    """Shell text that waits until a condition holds, and ends the shell with status 1 if it never does."""
    return (f"i=0; until {condition}; do i=$((i+1)); [ $i -lt {int(patience.seconds(seconds) * 10)} ] || exit 1; "
            "sleep 0.1; done")


def wait_said(machine, words, since=0, timeout=60, unless=None):
    """Wait until the console has said words (a regular expression), behind position since; or unless() is true."""
    machine.pump(lambda: re.search(words, machine.qemu.said(since)) or (unless and unless()), timeout, repr(words))


def question(machine, since, timeout=120):
    """Wait until the resume step asks what to do, behind position since; returns its reason."""
    wait_said(machine, rf"{REFUSAL.pattern}(.|\n)*{QUESTION_ENDS}", since, timeout)
    return REFUSAL.search(machine.qemu.said(since))[1].strip()


def wait_for(machine, path, seconds=20):
    """Wait until a device node is there."""
    machine.sh(until(f"[ -e {path} ]", seconds), seconds + 10)


def start_daemon(machine):
    """Start hibernated by hand, unless it runs, and wait until it serves."""
    machine.sh(f"pidof hibernated > /dev/null && exit 0; rm -f {SOCKET}; "
               f"hibernated > /run/hibernated.log 2>&1 & {until(f'[ -S {SOCKET} ]')}")


def set_failpoints(machine, *lines):
    """Give the programs' failpoints; none takes them away. They are read anew for each hibernation."""
    if lines:
        machine.put(FAILPOINTS, "".join(f"{line}\n" for line in lines))
    else:
        machine.sh(f"rm -f {FAILPOINTS}")


def fails(machine, reasons, command=LEAVE, timeout=120):
    """Run a command that must fail for one of the reasons, in words; returns the words."""
    status, text = machine.status(command, timeout)
    expect(NAME_OF.get(status) in reasons,
           f"{command}: status {status} ({NAME_OF.get(status)}), not {' or '.join(reasons)}: {text.strip()[-300:]}")
    expect(len(text.strip()) > 10, f"{command}: refused without a word")
    return text


def twin(machine, proof, leaving, disk, damage=None, words=DAMAGED):
    """Boot once with a damaged copy of the image's disk, which must not resume, then put the disk back."""
    broken = disk.copy(disk.path.with_name(f"twin-{disk.path.name}"))
    at = find_mark(disk)
    expect(at is not None, "there is no mark on the disk")
    (damage or flip_in_chunks)(broken, at)
    number = machine.disks.index(disk)
    machine.disks[number] = broken
    machine.boot()
    text = refuse(machine, proof, leaving, words)
    machine.kill()
    machine.disks[number] = disk
    broken.path.unlink()
    return text


def written(disk):
    """(offset, length) pieces of the partition that have been written, behind the swap header."""
    pieces = []
    with open(disk.path, "rb") as f:
        at = disk.start + 4096
        while True:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                return pieces
            end = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            pieces.append((at - disk.start, end - at))
            at = end


def at_share(disk, share):
    """Offset of the non-zero byte next to a share (0 to 1) of what has been written to a swap partition."""
    pieces = written(disk)
    left = int(sum(length for _, length in pieces) * share)
    for offset, length in pieces:
        if left < length:
            data = disk.read(offset + left, length - left)
            for i, byte in enumerate(data):
                if byte:
                    return offset + left + i
            left = length
        left -= length
    raise Failed("nothing has been written to the disk")


MARK_AT = 3584  # the mark's record in the area's first page; see doc/image-format.md
MARK_HEADER_OFFSET = MARK_AT + 88  # of the header page's place in the area's first page; see doc/image-format.md


def header_at(disk, mark_at):
    """Offset of the image's header page; the block device that carries the area is the partition."""
    return int.from_bytes(disk.read(mark_at + MARK_HEADER_OFFSET, 8), "little")


def checksum(data):
    """XXH3, 128 bits, as the image format has it."""
    class Hash(ctypes.Structure):  # pylint: disable=too-few-public-methods
        """XXH128_hash_t."""
        _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]

    function = ctypes.CDLL("libxxhash.so.0").XXH3_128bits
    function.argtypes, function.restype = [ctypes.c_char_p, ctypes.c_size_t], Hash
    made = function(data, len(data))
    return made.high.to_bytes(8, "big") + made.low.to_bytes(8, "big")


def future_mark(disk, mark_at):
    """The mark as a later version would write it."""
    record = bytearray(disk.read(mark_at + MARK_AT, 502))
    record[16:20] = (2).to_bytes(4, "little")
    record[24:40] = bytes(16)
    record[24:40] = checksum(bytes(record))
    disk.write(mark_at + MARK_AT, bytes(record))


def future_header(disk, mark_at):
    """The image's header page as a later version would write it."""
    page = bytearray(disk.read(header_at(disk, mark_at), 4096))
    page[16:20] = (2).to_bytes(4, "little")
    page[4080:] = checksum(bytes(page[:4080]))
    disk.write(header_at(disk, mark_at), bytes(page))


def flip_in_chunks(disk, mark_at):
    """One bit of the chunks, a little behind the header page, where the extent is still the same."""
    disk.flip(header_at(disk, mark_at) + 4096 + (96 << 10), 3)


def flip_in_header(disk, mark_at):
    """One bit of the image's header page."""
    disk.flip(header_at(disk, mark_at) + 20, 3)


def remove_mark(disk, mark_at):
    """The swap signature, as if nothing had been armed."""
    disk.write(mark_at + 4086, CLEAN.encode())


def check_left_clean(machine, swap="/dev/vda1"):
    """After a failure: the signature is right and nothing of ours is left over."""
    signature = machine.sh(f"dd if={swap} bs=1 skip=4086 count=10 2>/dev/null")
    expect(signature == CLEAN, f"the swap signature is {signature!r}")


def times(text):
    """Numbers of a report: name -> seconds."""
    return {m[1]: float(m[2]) for m in re.finditer(r"^(\w+): ([0-9.]+) s$", text, re.M)}


def round_trip(machine, swap_on, disk, *, damage=flip_in_chunks, words=DAMAGED, resume=RESUME,
               how="guest-shutdown", witness=None):
    """The whole of it: swap on, witnesses, leave, a twin that must not resume, come back, check."""
    machine.sh(f"swapon {swap_on}")
    proof = Proof(machine, **(witness or {}))
    leaving = leave(machine, how=how)
    if damage:
        twin(machine, proof, leaving, disk, damage, words)
    machine.boot()
    come_back(machine, leaving, resume=resume)
    proof.check()
    return proof
