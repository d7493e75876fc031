# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon with no more rights than its unit leaves it."""
import pathlib
import re

from harness import ours
from harness.cases import case
from harness.machine import Proof, expect

UNIT = pathlib.Path(__file__).resolve().parents[3] / "systemd/hibernated.service.in"


@case("service-capabilities", "hibernated with only the capabilities of its unit, and without new privileges")
def capabilities(bench):
    """A right that is missing would show in the one place that needs it."""
    wanted = re.search(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.M).group(1).lower().split()
    bounding = ",".join(["-all"] + [f"+{name.removeprefix('cap_')}" for name in wanted])
    machine = bench.machine([bench.swap()], "shipped", unpacked=True, tools=["setpriv"], files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    machine.sh(f"setsid /usr/sbin/setpriv --bounding-set={bounding} --no-new-privs hibernated "
               f"< /dev/null > /run/hibernated.log 2>&1 & {ours.until(f'[ -S {ours.SOCKET} ]')}")
    held = machine.sh("grep CapEff /proc/$(pidof hibernated | cut -d' ' -f1)/status").split()[1]
    expect(bin(int(held, 16)).count("1") == len(wanted), f"the daemon has the capabilities {held}")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()
