# SPDX-License-Identifier: GPL-2.0-or-later
"""kexec on 32 bits with high memory, on the small kernels of src/kernel."""
import re

from harness import small
from harness.cases import case
from harness.machine import Failed, expect
from harness.qemu import QemuError

# An indirection page holds 1023 entries: so many MiB take this many pages and some more for the kernel.
PAYLOAD = 64
TABLES = PAYLOAD * 256 // 1023
ENOMEM = 12
# Each load frees the one before. A leak of one indirection page a load would be 152 KiB from the second to the last, one
# of the payload 2.4 GiB. (The first load is no measure: what it leaves is freed to per-CPU lists, which do not count.)
LOADS = 40
NOISE_KIB = 100
SAY = 'dyndbg="file kexec_core.c +p"'


def _run(bench, name, words, timeout=240, **variant):
    """Boot, let the guest do what the words say, and return all it said, of the kernel it left to as well."""
    image = small.kernel(bench.series, "i386", **variant)
    qemu = small.boot_i386(bench, image, name, f"{SAY} payload={PAYLOAD} {words}")
    try:
        qemu.wait_exit(timeout)
    except QemuError as error:
        raise Failed(f"{name}: {error}: {qemu.console.strip()[-200:]}") from None
    finally:
        qemu.close()
        for path in bench.directory.glob("*.cpio"):
            path.unlink()
    return qemu.console


def _tables(console):
    """How many indirection pages there were, and how many of them in high memory."""
    found = re.findall(r"indirection page at pfn 0x[0-9a-f]+(, high memory)?", console)
    return len(found), sum(bool(f) for f in found)


def _nothing_leaks(console):
    free = [int(n) for n in re.findall(r"guest: after a load, free KiB (\d+)", console)]
    expect(len(free) == 2 and free[0] - free[1] < NOISE_KIB, f"{LOADS} loads: free KiB were {free}")
    return free


@case("kernel-indirect-highmem", "kexec with no low memory for the page list: its pages come from high memory",
      default=(), limit=3000, tier="kernel")
def indirect_highmem(bench):
    """Loads with low memory refused, every page of the list is high, and the kernel that comes up has the payload."""
    console = _run(bench, "series", f"starve loads={LOADS} leave")
    expect(f"guest: loaded, MiB {PAYLOAD}\n" in console, f"not loaded: {console.strip()[-300:]}")
    expect("FAULT_INJECTION" not in console, "the load asked for low memory")
    tables, high = _tables(console)
    expect(tables >= TABLES * LOADS, f"{tables} indirection pages for {LOADS} loads of {PAYLOAD} MiB")
    expect(high == tables, f"only {high} of {tables} indirection pages are in high memory")
    expect(f"guest: the payload has arrived, bytes {PAYLOAD << 20}\n" in console,
           f"not arrived: {console.strip()[-300:]}")
    free = _nothing_leaks(console)
    bench.note(f"{tables} indirection pages, {high} in high memory; free KiB {free}")


@case("kernel-indirect-low", "the series where an architecture has not said that its page list may be in high memory: it is not",
      default=(), limit=3000, tier="kernel")
def indirect_low(bench):
    """Its pages are control pages: all in low memory, freed with the image; refused where there is none of that."""
    console = _run(bench, "low", f"loads={LOADS} leave", low=True)
    expect(f"guest: loaded, MiB {PAYLOAD}\n" in console, f"not loaded: {console.strip()[-300:]}")
    tables, high = _tables(console)
    expect(tables >= TABLES * LOADS, f"{tables} indirection pages for {LOADS} loads of {PAYLOAD} MiB")
    expect(high == 0, f"{high} of {tables} indirection pages are in high memory")
    expect(f"guest: the payload has arrived, bytes {PAYLOAD << 20}\n" in console,
           f"not arrived: {console.strip()[-300:]}")
    free = _nothing_leaks(console)
    console = _run(bench, "starved", "starve leave", low=True)
    expect(f"guest: kexec_load failed, error {ENOMEM}\n" in console, f"not refused: {console.strip()[-300:]}")
    expect("FAULT_INJECTION" in console, "refused, but not by the injected fault")
    bench.note(f"{tables} indirection pages, none in high memory; free KiB {free}")


@case("kernel-indirect-stock", "the same without the series: refused for want of low memory, fine when there is some",
      default=(), limit=3000, tier="kernel")
def indirect_stock(bench):
    """The twin: what the series is for, and that the way there is not what failed."""
    console = _run(bench, "starved", "starve leave", stock=True)
    expect("guest: low memory is refused\n" in console, f"no fault injection: {console.strip()[-300:]}")
    expect(f"guest: kexec_load failed, error {ENOMEM}\n" in console, f"not refused: {console.strip()[-300:]}")
    expect("FAULT_INJECTION" in console, "refused, but not by the injected fault")
    console = _run(bench, "stock", "leave", stock=True)
    expect(f"guest: the payload has arrived, bytes {PAYLOAD << 20}\n" in console,
           f"not arrived: {console.strip()[-300:]}")
