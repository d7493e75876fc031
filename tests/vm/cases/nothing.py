# SPDX-License-Identifier: GPL-2.0-or-later
"""What an ordinary boot sees of us: nothing, and that at once."""
from harness import ours
from harness.cases import case
from harness.machine import expect


@case("no-image", "nothing to resume: --resume ends at once by name and by auto; an absent device is waited for")
def no_image(bench):
    """No wait is as long as ResumeWait='s default of 30 s, and one that is set is kept; a slow machine is not a wait."""
    machine = bench.machine([bench.swap()], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()

    def resume(**keys):
        machine.put("/etc/hibernate.conf", ours.conf(**keys))
        text = machine.sh("read a b < /proc/uptime; hibernated --resume > /dev/null 2>&1; s=$?; read c d < /proc/uptime; "
                          "echo $s $a $c")
        status, start, end = text.split()
        return int(status), float(end) - float(start)

    for keys in ({}, {"ResumeDevice": "auto"}):
        status, took = resume(**keys)
        expect(status == 0, f"{keys}: status {status}")
        expect(took < 20, f"{keys}: {took:.2f} s without an image")
    status, took = resume(ResumeDevice="/dev/vdz", ResumeWait="4")
    expect(status == ours.STATUS["no-area"], f"an absent device: status {status}")
    expect(4 <= took < 25, f"an absent device: {took:.2f} s, not 4")
    status, took = resume(ResumeDevice="auto", ResumeWait="4")
    expect(status == 0, f"auto with a ResumeWait=: status {status}")
    expect(4 <= took < 25, f"auto with a ResumeWait=: {took:.2f} s, not 4")
    # Asked to stop while it waits for a device that is not there: at once, and it says so.
    machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice="/dev/vdz", ResumeWait="600"))
    for signal in ("TERM", "INT"):
        since, resuming = len(machine.qemu.console), machine.start("trap - INT; exec hibernated --resume")
        ours.wait_said(machine, "waiting for /dev/vdz", since)
        machine.sh(f"kill -{signal} $(pidof hibernated)")
        status, text = resuming.result(60)
        expect(ours.NAME_OF.get(status) == "aborted" and "/dev/vdz" in text, f"SIG{signal}: status {status}: {text}")
