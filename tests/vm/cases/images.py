# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that this system must not enter, and what can still be done with them."""
from harness import disks, ours
from harness.cases import case
from harness.machine import Proof, expect


@case("image-not-for-here", "an image of a future version, and one of a machine with other memory: refused, extractable", limit=400)
def not_for_here(bench):
    """One hibernation, its image offered in turn with a later header, a later mark, and to a larger machine."""
    swap, out = bench.swap(), disks.Disk(disks.blank(bench.directory / "out.img", 1 << 30), serial="out")
    machine = bench.machine([swap, out], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    mark_at = ours.find_mark(swap)

    def offered(damage=None):
        machine.kill()
        copy = swap.copy(bench.directory / "offered.img")
        if damage:
            damage(copy, mark_at)
        machine.disks = [copy, out]
        machine.boot()

    # A later header page: the tool says so too, and does not take it for damaged.
    offered(ours.future_header)
    for command in ("info", "verify", "extract"):
        text = ours.fails(machine, ("image-version",), f"hibernate-image {command} /dev/vda1 > /dev/null")
        expect("version 2" in text, f"{command}: the version is not named: {text}")
    ours.refuse(machine, proof, leaving, r"vda1.*version 2")
    ours.check_left_clean(machine)

    # A later mark, which may be armed for all that this version knows: not passed by without a question.
    offered(ours.future_mark)
    ours.fails(machine, ("image-version", "image-damaged"), "hibernate-image info /dev/vda1")
    ours.refuse(machine, proof, leaving, r"vda1.*mark.*version 2")
    ours.check_left_clean(machine)

    # Another machine: the kernel compares before anything else; the image is dropped, and can still be taken out.
    machine.memory = 640
    offered()
    text = ours.refuse(machine, proof, leaving, r"vda1.*(?i:another amount of memory)")
    expect("PM: hibernation: Image mismatch" in machine.qemu.console + machine.sh("dmesg"), "the kernel has not refused it")
    expect("trying again" not in machine.qemu.console, "it is tried again although it is of another machine")
    ours.check_left_clean(machine)
    machine.sh("hibernate-image extract /dev/vda1 /dev/vdb", timeout=120)
    size = int(machine.sh("blockdev --getsize64 /dev/vdb"))
    expect(machine.sh(f"head -c {min(size, 20 << 20)} /dev/vdb | tr -d '\\000' | wc -c").strip() != "0", "extract has written nothing")

    # And where it belongs it resumes.
    machine.kill()
    machine.memory, machine.disks = 512, [swap, out]
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("discard-active", "hibernate-image discard of an image on an active swap area goes through the daemon")
def discard_active(bench):
    """An area in use carries an armed mark from before (a tool put it back): with a daemon that runs, and with none."""
    swap = bench.swap()
    machine = bench.machine([swap], "shipped", unpacked=True, files={ours.CONF: ours.conf()}).boot()
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine, memory=8 << 20)
    leaving = ours.leave(machine)
    armed = swap.read(0, 4096)
    for daemon in (True, False):
        machine.boot()
        machine.sh(ours.DISARM)
        machine.sh("swapon /dev/vda1")
        if daemon:
            ours.start_daemon(machine)
            machine.sh("hibernatectl status")
        swap.write(0, armed)
        expect(machine.sh("dd if=/dev/vda1 iflag=direct bs=4096 count=1 2> /dev/null | tail -c 10 | head -c 9") == ours.MARK,
               "the mark is not there")
        machine.sh("hibernate-image discard /dev/vda1")
        machine.sh("pidof hibernated > /dev/null")
        ours.check_left_clean(machine)
        machine.sh("swapoff /dev/vda1 && swapon /dev/vda1")
        text = machine.sh("hibernate-image info /dev/vda1", check=False)
        expect(("discarded by hand" if daemon else "swap area in use") in text, f"info does not say why it was dropped: {text}")
        # Whoever can ask a daemon that has just been started finds no such mark any more.
        machine.sh(f"kill $(pidof hibernated); {ours.until('! pidof hibernated > /dev/null')}")
        swap.write(0, armed)
        text = machine.sh(f"hibernated > /dev/null 2>&1 & {ours.until(f'[ -S {ours.SOCKET} ]')}; "
                          "dd if=/dev/vda1 iflag=direct bs=4096 count=1 2> /dev/null | tail -c 10")
        expect(text == ours.CLEAN, f"the daemon can be asked, and the swap signature is {text}")
        machine.kill()
        machine.boot()
        ours.refuse(machine, proof, leaving, None)
        machine.kill()
