# SPDX-License-Identifier: GPL-2.0-or-later
"""A TPM 2.0: swtpm beside QEMU. One process for each QEMU, so that switching on resets it; what it keeps lies in a folder.

SeaBIOS measures into PCRs 0 to 7, the same in each boot, and a kernel that QEMU has loaded measures nothing. What firmware and boot
loader would measure of boot loader, kernel and initramfs is measured by the guest's initramfs here, before anything else runs.
"""
import hashlib
import os
import signal
import struct
import subprocess
import time

from . import paths, patience
from .qemu import _die_with_parent

MEASURED = {4: "boot loader and kernel", 9: "initramfs and command line"}
ZEROS = "0" * 64
_WORDS = "/sys/class/tpm/tpm0/pcr-sha256"


# Of the boot protocol's header: the highest address of the initramfs, and whether more than 4 GiB would do.
_INITRD_MAX, _LOAD_FLAGS, _ABOVE_4G = 0x22c, 0x236, 2
_LOW = 0x17ffffff


def kernel(vmlinuz):
    """A copy of a vmlinuz for QEMU's loader, which leaves the firmware less room at the end of memory than its tables take with a
    TPM, and would put the initramfs over them: it says that the initramfs must lie lower."""
    target = paths.below_cache("tpm") / f"{vmlinuz.name}-{vmlinuz.stat().st_mtime_ns}"
    if not target.exists():
        data = bytearray(vmlinuz.read_bytes())
        struct.pack_into("<I", data, _INITRD_MAX, _LOW)
        data[_LOAD_FLAGS] &= ~_ABOVE_4G
        part = target.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        part.rename(target)
    return target


def _extend(pcr, text):
    """TPM2_PCR_Extend, as the TPM Library Specification has it, by the empty password."""
    digest = hashlib.sha256(text.encode()).digest()
    body = struct.pack(">IIIIHBH", 0x182, pcr, 9, 0x40000009, 0, 0, 0) + struct.pack(">IH", 1, 0x000b) + digest
    return struct.pack(">HI", 0x8002, 6 + len(body)) + body


def measure(machine, what=None):
    """Measure into PCRs: number -> text."""
    for pcr, text in (MEASURED if what is None else what).items():
        command = "".join(f"\\{byte:03o}" for byte in _extend(pcr, text))
        answer = machine.sh(f"exec 3<>/dev/tpmrm0 && printf '{command}' >&3 && dd bs=4096 count=1 <&3 2>/dev/null | od -An -tx1")
        if "".join(answer.split())[12:20] != "00000000":
            raise AssertionError(f"PCR {pcr} cannot be extended: {answer}")


def pcr(machine, number):
    """The value of a PCR as 64 digits."""
    return machine.sh(f"cat {_WORDS}/{number}").strip().lower()


class Tpm:
    """What a machine's TPM keeps. start() is for Machine."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self._process = None

    def start(self, log):
        """Start the process, and return what QEMU needs to speak with it."""
        self.stop()
        socket = self.directory / "s"
        socket.unlink(missing_ok=True)
        with open(log, "ab") as out:
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
                [paths.tool("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={self.directory}",
                 "--ctrl", f"type=unixio,path={socket}"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=_die_with_parent)
        end = time.monotonic() + patience.seconds(20)
        while not socket.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"swtpm does not start; see {log}")
            time.sleep(0.02)
        return ["-chardev", f"socket,id=tpm,path={socket}", "-tpmdev", "emulator,id=tpm,chardev=tpm",
                "-device", "tpm-crb,tpmdev=tpm"]

    def stop(self):
        """End it, as when the power goes."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        self._process = None
