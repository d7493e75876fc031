# SPDX-License-Identifier: GPL-2.0-or-later
"""Our programs on arm64, and on a kernel that is not of src/kernel."""
from harness import ours
from harness.cases import case


@case("kernel-arm64-debian", "arm64: hibernate and resume on Debian's kernel; twin: one bit of a chunk",
      kernels=("6.1",), default=(), limit=1500, tier="kernel")
def debian(bench):
    """Cross-compiled, and the whole way: out, a damaged copy that is refused, and back."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", kernel=bench.kernel(machine="arm64"), files={ours.CONF: ours.conf()})
    machine.boot(timeout=240)
    ours.wait_for(machine, "/dev/vda1")
    ours.round_trip(machine, "/dev/vda1", swap)
