# SPDX-License-Identifier: GPL-2.0-or-later
"""Transitional page tables of arm64, on the small kernels of src/kernel."""
import re

from harness import arm64, ours, small
from harness.cases import case
from harness.machine import Failed, Proof, expect
from harness.qemu import QemuError

# Of 512 MiB. What remains takes two copies of what is loaded, and the next kernel is among the secret pages.
SECRET = 360
SAY = ('dyndbg="file kexec_image.c +p; file machine_kexec_file.c +p; file trans_pgd-verify.c +p" '
       'secretmem.enable=1 no_console_suspend ignore_loglevel')
# Guarded objects come and go all the time, so that many pages of KFENCE's pool are invalid in one kernel and not in the
# other: those are pages of the image, at places that the kernel which resumes does not map.
GUARDED = "kfence.sample_interval=1"
NEXT = "guest: the next kernel is up\n"
BYE = "Bye!\n"
# As long as nothing else is running, the next kernel is up in less than two seconds.
SILENCE = 20
EADDRNOTAVAIL = 99
FIVE = "CPU features: detected: 52-bit Virtual Addressing (LPA2)"


def _boot(bench, stock, name, words, **hardware):
    image = small.kernel(bench.series, "arm64", stock)
    return arm64.boot(bench, image, name, f"{SAY} {words}", **hardware)


def _ends(bench, stock, name, words, **hardware):
    """All that is said until the machine is off."""
    qemu = _boot(bench, stock, name, words, **hardware)
    try:
        qemu.wait_exit(120)
    except QemuError as error:
        raise Failed(f"{name}: {error}: {qemu.console.strip()[-300:]}") from None
    finally:
        qemu.close()
    return qemu.console


def _counter(qemu):
    """The processor's program counter."""
    registers = qemu.qmp("human-monitor-command", **{"command-line": "info registers"})
    return int(re.search(r"PC=([0-9a-f]+)", registers)[1], 16)


def _is_vector(at):
    """An exception at EL1 leads to offset 0x200 of the vectors, which the copy of the linear map does not have."""
    return at & 0x7ff == 0x200


def _never_arrives(bench, stock, name, words):
    """All that is said by a machine that goes for the next kernel, and is in the vectors for ever."""
    qemu = _boot(bench, stock, name, words)
    try:
        qemu.pump(lambda: BYE in qemu.console, 120, "leaving")
        try:
            qemu.wait_exit(SILENCE)
        except QemuError:
            pass
        else:
            raise Failed(f"{name}: it has ended: {qemu.console.strip()[-300:]}")
        at = _counter(qemu)
        bench.note(f"{name}: at {at:#x}")
        expect(_is_vector(at), f"not in the vectors, at {at:#x}")
    finally:
        qemu.close()
    return qemu.console


def _secret_destinations(console):
    found = re.search(r"guest: loaded, things (\d+), to secret pages (\d+)\n", console)
    expect(found, f"not loaded: {console.strip()[-300:]}")
    expect(int(found[1]) == 3, f"{found[1]} things were loaded, not kernel, initramfs and device tree")
    return int(found[2])


def _to_secret_pages(bench, **hardware):
    console = _ends(bench, False, "series", f"secret={SECRET} load leave", **hardware)
    pages = _secret_destinations(console)
    expect(pages > 100, f"only {pages} destinations are secret pages")
    verified = re.search(r"trans_pgd: verified a kexec of (\d+) pages", console)
    expect(verified and int(verified[1]) > pages, "the tables were not verified")
    expect(NEXT in console, f"it does not come up: {console.strip()[-300:]}")
    bench.note(f"{pages} of {verified[1]} destinations are secret pages")
    return console


@case("kernel-transpgd-secret", "arm64: kexec to where pages of memfd_secret(2) are",
      default=(), limit=3000, tier="kernel")
def secret(bench):
    """The next kernel comes up although its pages were not mapped when it was loaded."""
    _to_secret_pages(bench)


@case("kernel-transpgd-stock", "arm64: the same without the series: it never arrives; without secret pages it does",
      kernels=("6.1",), default=(), limit=3000, tier="kernel")
def stock(bench):
    """The twin. From 6.12 on stock kernels do not leave such pages out, unless their tables have five levels."""
    console = _never_arrives(bench, True, "secret", f"secret={SECRET} load leave")
    expect(_secret_destinations(console) > 100, "hardly a destination is a secret page")
    expect(NEXT not in console, "it has come up")
    console = _ends(bench, True, "plain", "load leave")
    expect(_secret_destinations(console) == 0, "secret pages that nobody asked for")
    expect(NEXT in console, f"it does not come up: {console.strip()[-300:]}")


@case("kernel-transpgd-nowhere", "arm64: a kexec to where there is no memory is refused when it is loaded",
      default=(), limit=3000, tier="kernel")
def nowhere(bench):
    """What the verification is for: an error, where the stock kernel takes it and never arrives."""
    console = _ends(bench, False, "series", "nowhere leave")
    expect(f"guest: kexec_load failed, error {EADDRNOTAVAIL}\n" in console, f"not refused: {console.strip()[-300:]}")
    expect("trans_pgd: the destination at 0x0000000009000000 is not mapped" in console, "it does not say why")
    console = _never_arrives(bench, True, "stock", "nowhere leave")
    expect("guest: loaded to nowhere\n" in console, f"refused: {console.strip()[-300:]}")


def _machine(bench, kernel, words="", **hardware):
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", kernel=kernel, files={ours.CONF: ours.conf()}, cmdline=f"{SAY} {words}",
                            **hardware)
    machine.boot(timeout=240)
    ours.wait_for(machine, "/dev/vda1")
    return machine, swap


def _resume(bench, **hardware):
    machine, swap = _machine(bench, arm64.kernel(bench.series), GUARDED, **hardware)
    ours.round_trip(machine, "/dev/vda1", swap)
    found = re.search(r"trans_pgd: verified a resume of (\d+) pages", machine.qemu.console)
    expect(found and int(found[1]) > 1000, "the tables were not verified")
    bench.note(f"{found[1]} pages were copied through verified tables")
    return machine.qemu.console


@case("kernel-transpgd-resume", "arm64: hibernate and resume, while the kernel that resumes keeps pages invalid",
      default=(), limit=3000, tier="kernel")
def resume(bench):
    """The image's pages arrive wherever they belong, and the tables were verified before."""
    _resume(bench)


@case("kernel-transpgd-resume-stock", "arm64: the same without the series: it does not come back; without KFENCE it does",
      kernels=("6.1",), default=(), limit=3000, tier="kernel")
def resume_stock(bench):
    """The twin, again of 6.1 only."""
    machine, _ = _machine(bench, arm64.kernel(bench.series, True), GUARDED)
    machine.sh("swapon /dev/vda1")
    Proof(machine)
    leaving = ours.leave(machine)
    machine.boot(timeout=240)
    resuming = machine.start(ours.RESUME)
    last = []

    def stuck():
        last.append(_counter(machine.qemu))
        return leaving.done() or resuming.done() or (len(set(last[-5:])) == 1 and len(last) > 5 and _is_vector(last[-1]))

    machine.pump(stuck, 240, "the end of the resume")
    expect(not leaving.done() and not resuming.done(), "it has come back")
    bench.note(f"at {last[-1]:#x}")
    machine.kill()
    machine, swap = _machine(bench, arm64.kernel(bench.series, True))
    ours.round_trip(machine, "/dev/vda1", swap, damage=None)


@case("kernel-transpgd-levels", "arm64: five levels of page tables: kexec to secret pages; hibernate and resume",
      kernels=("6.12", "7.2"), default=(), limit=3000, tier="kernel")
def levels(bench):
    """What the two cases above show, where the level between the first and the third is not folded."""
    expect(FIVE in _to_secret_pages(bench, cpu=arm64.LPA2), "kexec: the processor has not as many")
    expect(FIVE in _resume(bench, cpu=arm64.LPA2), "resume: the processor has not as many")


@case("kernel-transpgd-levels-stock", "arm64: the same without the series: it dies while it loads",
      kernels=("6.12",), default=(), limit=3000, tier="kernel")
def levels_stock(bench):
    """The twin: the copy is written to physical address 0. Later kernels have the level."""
    console = _ends(bench, True, "five", "load leave", cpu=arm64.LPA2)
    expect(FIVE in console, "the processor has not as many")
    expect("Unable to handle kernel paging request" in console and "trans_pgd_create_copy" in console,
           f"it is something else: {console.strip()[-300:]}")
    expect(NEXT not in console, "it has come up")
    console = _ends(bench, True, "four", "load leave")
    expect(NEXT in console, f"four levels: it does not come up: {console.strip()[-300:]}")
