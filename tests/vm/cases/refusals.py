# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that must be refused in words, with the right status, before or without doing anything."""
import re

from harness import disks, ours
from harness.cases import case
from harness.machine import Proof, expect

MIB = 1 << 20


def _boot(bench, extra=(), variant="shipped", cmdline="", **hardware):
    swap = bench.swap()
    hardware.setdefault("files", {ours.CONF: ours.conf()})
    machine = bench.machine([swap, *extra], variant, unpacked=True, **hardware).boot(cmdline=cmdline)
    return machine, swap


BAD_CONFIG = (
    ("a directory", "mkdir {}", ""),
    ("1 GiB", "truncate -s 1G {}", ""),
    ("binary", "head -c 4096 /dev/urandom > {}", ""),
    ("a key twice", "printf '[Hibernate]\\nThreads=1\\nThreads=2\\n' > {}", "3"),
    ("a line of junk", "printf '[Hibernate]\\n\\nwhat is this\\n' > {}", "3"),
    ("an unknown key", "printf '[Hibernate]\\nColour=red\\n' > {}", "2"),
    ("an unknown section", "printf '[Sleep]\\nThreads=1\\n' > {}", "1"),
    ("an unknown value", "printf '[Hibernate]\\nCompression=rar\\n' > {}", "2"),
    ("a number out of range", "printf '[Hibernate]\\nThreads=999999\\n' > {}", "2"),
)


@case("config-bad", "a hibernate.conf that is wrong in nine ways: named with file and line, nothing started")
def config_bad(bench):
    """Each as the main file and as a drop-in."""
    machine, _ = _boot(bench)
    machine.sh("swapon /dev/vda1")
    for path in ("/etc/hibernate.conf", "/run/hibernate.conf.d/50-bad.conf"):
        for what, make, line in BAD_CONFIG:
            machine.sh(f"rm -rf {path}; mkdir -p $(dirname {path}); {make.format(path)}")
            for command in ("hibernatectl config", ours.LEAVE):
                text = ours.fails(machine, ("config",), command)
                expect(path in text, f"{what}: {path} is not named: {text}")
                expect(line in text, f"{what}: line {line} is not named: {text}")
        machine.sh(f"rm -rf {path}")
    ours.check_left_clean(machine)


@case("area-bad", "areas that cannot carry an image: each refused with the reason", limit=400)
def area_bad(bench):
    """Absent, not swap, not active, mounted, without a name, zram, loop, a key that dies with the boot; none of them for auto."""
    machine, _ = _boot(bench, [bench.fs("ext4", 600), bench.swap(64, "crypt", partitioned=False)], smp=1,
                       modules=["ext4", "zram", "loop", "dm_crypt", "xts", "ecb"],
                       tools=["dmsetup", "swapon"])

    def refused(device, reasons):
        machine.put("/etc/hibernate.conf", ours.conf(ResumeDevice=device))
        text = ours.fails(machine, reasons)
        expect(device == "auto" or device in text or device.split("=")[-1] in text, f"{device} is not named: {text}")
        return text

    refused("/dev/nothing", ("no-area",))
    refused("UUID=00000000-0000-0000-0000-000000000000", ("no-area",))
    refused("auto", ("no-area",))
    refused("/dev/vda1", ("area-unsuitable", "no-area"))
    refused("/dev/vdb", ("area-unsuitable",))
    machine.sh("mount /dev/vdb /mnt")
    refused("/dev/vdb", ("area-unsuitable",))
    # The kernels of today do not let anyone delete an active swap file. Unmounting from under it leaves no name, too.
    machine.sh("fallocate -l 64M /mnt/gone && chmod 600 /mnt/gone && mkswap /mnt/gone && swapon /mnt/gone")
    machine.sh("rm -f /mnt/gone 2> /dev/null; test -e /mnt/gone && umount -l /mnt")
    expect("unmounted" in refused("auto", ("area-unsuitable",)), "it is not said why the swap file cannot be used")
    refused("/mnt/gone", ("no-area",))
    machine.sh("mount /dev/vdb /mnt && swapoff /mnt/gone")
    machine.sh("echo 256M > /sys/block/zram0/disksize && mkswap /dev/zram0 && /usr/sbin/swapon -p 9 /dev/zram0")
    refused("/dev/zram0", ("area-unsuitable",))
    machine.sh("fallocate -l 200M /mnt/under && losetup /dev/loop0 /mnt/under && mkswap /dev/loop0 && swapon /dev/loop0")
    refused("/dev/loop0", ("area-unsuitable",))
    key = "0123456789abcdef" * 4
    machine.sh("n=$(blockdev --getsz /dev/vdc); dmsetup create volatile --uuid CRYPT-PLAIN-volatile --table "
               f"\"0 $n crypt aes-xts-plain64 {key} 0 /dev/vdc 0\" && dmsetup mknodes; "
               "mkdir -p /etc && echo 'volatile /dev/vdc /dev/urandom swap' > /etc/crypttab")
    machine.sh("mkswap /dev/mapper/volatile && swapon /dev/mapper/volatile")
    refused("/dev/mapper/volatile", ("area-unsuitable",))
    refused("auto", ("no-area",))
    expect(machine.sh("cat /proc/sys/kernel/tainted").strip() == "0", "the kernel is tainted")


@case("resume-elsewhere", "the command line sends the next boot to another device: refused before anything, with both names")
def elsewhere(bench):
    """What this boot was told is what the next will be told."""
    machine, _ = _boot(bench, [bench.swap(64, "other")], cmdline="resume=/dev/vdb1")
    machine.sh("swapon /dev/vda1")
    for command in (ours.LEAVE, "hibernatectl estimate"):
        text = ours.fails(machine, ("config",), command)
        expect(all(word in text for word in ("/proc/cmdline", "/dev/vdb1", "/dev/vda1", "resume=UUID=")), f"{command}: {text}")
    told = re.search(r"resume=UUID=[-0-9a-f]+", text)[0]
    ours.check_left_clean(machine)
    machine.kill()
    machine.boot(cmdline=f"{told} noresume")
    machine.sh("swapon /dev/vda1")
    text = machine.sh("hibernatectl estimate")
    expect("noresume" in text, f"no warning that this boot was told not to resume: {text}")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    machine.boot(cmdline=told)
    ours.come_back(machine, leaving)
    proof.check()


@case("clone-refused", "the image's disk copied to another one: refused; the disk itself resumes")
def clone(bench):
    """Same bytes, same UUIDs, another disk."""
    machine, swap = _boot(bench)
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    copy = swap.copy(bench.directory / "clone.img")
    copy.serial = "another"
    machine.disks = [copy]
    machine.boot()
    ours.refuse(machine, proof, leaving, r"(?i)clone|copy|another|other|serial|identity")
    machine.kill()
    machine.disks = [swap]
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("image-cut-short", "the end of the image is missing: refused, the machine boots on")
def cut_short(bench):
    """The last quarter of what was written is zeros."""
    machine, swap = _boot(bench)
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)

    def cut(disk, _mark_at):
        start = ours.at_share(disk, 0.75)
        for offset, length in ours.written(disk):
            begin = max(offset, start)
            if begin < offset + length:
                disk.write(begin, bytes(offset + length - begin))

    ours.twin(machine, proof, leaving, swap, cut)


@case("two-at-once", "two hibernations asked for at once: one is refused as busy, the other succeeds")
def two_at_once(bench):
    """And only one image is written."""
    machine, swap = _boot(bench)
    machine.sh("swapon /dev/vda1")
    ours.start_daemon(machine)
    proof = Proof(machine)
    leaving = machine.start(f"{ours.LEAVE} > /run/one 2>&1 & a=$!; {ours.LEAVE} > /run/two 2>&1 & b=$!; "
                            "wait $a; echo $?; wait $b; echo $?; cat /run/one /run/two")
    machine.wait_off()
    ours.twin(machine, proof, leaving, swap)
    machine.boot()
    text = ours.come_back(machine, leaving)
    proof.check()
    expect(sorted(text.split()[:2]) == ["0", str(ours.STATUS["busy"])], f"statuses and words: {text}")


@case("task-will-not-freeze", "a task that cannot be frozen: named, everything undone")
def will_not_freeze(bench):
    """A reader of a suspended device; from 6.15 on a writer on a file system that somebody has frozen can be frozen."""
    machine, _ = _boot(bench, [bench.fs("ext4", 64)], modules=["dm_mod"], tools=["dmsetup"])
    machine.sh("swapon /dev/vda1; echo 3000 > /sys/power/pm_freeze_timeout")
    machine.sh("dmsetup create held --table \"0 $(blockdev --getsz /dev/vdb) linear /dev/vdb 0\" && dmsetup mknodes")
    proof = Proof(machine)
    machine.sh("dmsetup suspend --noflush --nolockfs held; head -c 4096 /dev/mapper/held > /dev/null 2>&1 & "
               + ours.until("grep -q 'State:.D' /proc/$!/status"))
    text = ours.fails(machine, ("freeze-refused",))
    expect("head" in text, f"the task is not named: {text}")
    machine.sh("dmsetup resume held; echo 20000 > /sys/power/pm_freeze_timeout")
    proof.check()
    ours.check_left_clean(machine)
    leaving = ours.leave(machine)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("traced-process", "a process under a debugger, no user for the worker: named by estimate, refused before anything happens")
def traced(bench):
    """It is let go, and then it works."""
    machine, _ = _boot(bench)
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    pid = machine.request("trace").wait(10)
    for command in ("hibernatectl estimate", ours.LEAVE):
        text = ours.fails(machine, ("blocked",), command)
        expect("traced" in text or pid in text, f"the process is not named: {text}")
    proof.check()
    machine.sh(f"kill -9 {pid}")
    machine.sh("sed -i.kept /^hibernate-image:/d /etc/passwd")
    for command in ("hibernatectl estimate", ours.LEAVE):
        text = ours.fails(machine, ("worker",), command)
        expect("hibernate-image" in text and "user" in text, f"it is not said that the worker's user is missing: {text}")
    machine.sh("mv /etc/passwd.kept /etc/passwd")
    leaving = ours.leave(machine)
    machine.boot()
    ours.come_back(machine, leaving)
    proof.check()


@case("kernel-forbids", "nohibernate, lockdown, secret memory, not root: each is named")
def kernel_forbids(bench):
    """What makes /dev/snapshot unavailable, one boot each."""
    for cmdline, word in (("nohibernate", "nohibernate"), ("lockdown=integrity", "lockdown"),
                          ("secretmem.enable=1", "secret")):
        machine, _ = _boot(bench, cmdline=cmdline)
        machine.sh("swapon /dev/vda1")
        if word == "secret":
            machine.request("secret").wait(10)
        text = ours.fails(machine, ("unavailable",))
        expect(word in text, f"{cmdline}: {word} is not named: {text}")
        if word == "secret":
            ours.fails(machine, ("permission",), f"su -s /bin/sh hibernate-image -c '{ours.LEAVE}'")
        ours.check_left_clean(machine)
        machine.kill()


@case("signals", "SIGTERM and SIGINT to each program while it hibernates", limit=600)
def signals(bench):
    """A slow file system with much to sync gives the time: once user space is frozen nobody can send a signal."""
    slow = bench.fs("ext4", 128, "slow")
    slow.throttle = 3 * MIB
    machine, swap = _boot(bench, [slow], modules=["ext4"])
    machine.sh("swapon /dev/vda1; mount /dev/vdb /mnt")
    proof = Proof(machine, memory=24 * MIB)
    pids = "pidof hibernated | tr ' ' '\\n' | sort -n"
    under_way = ours.until("[ $(pidof hibernated | wc -w) -ge 2 ]")
    dirty = "dd if=/dev/urandom of=/mnt/dirty bs=1M count=24 2> /dev/null"
    for signal in ("TERM", "INT"):
        for target, pick in (("session", f"{pids} | sed -n 2p"), ("daemon", f"{pids} | head -1")):
            what = f"SIG{signal} to the {target}"
            ours.start_daemon(machine)
            machine.sh(dirty)
            asking = machine.start(ours.LEAVE)
            machine.sh(f"{under_way}; sleep 0.5; kill -{signal} $({pick})")
            status, text = asking.result(60)
            expect(status != 0, f"{what}: hibernatectl says that it went well")
            if target == "session":
                expect(ours.NAME_OF.get(status) == "aborted", f"{what}: status {status}: {text}")
            else:
                machine.sh(ours.until("! pidof hibernated > /dev/null"))
            try:
                proof.check()
                ours.check_left_clean(machine)
            except Exception as error:
                raise type(error)(f"{what}: {error}") from None
        # Who asked may go: the hibernation is the daemon's.
        ours.start_daemon(machine)
        machine.sh(dirty)
        asking = machine.start(ours.LEAVE)
        machine.sh(f"{under_way}; sleep 0.5; kill -{signal} $(pidof hibernatectl)")
        expect(asking.result(10)[0] != 0, f"SIG{signal} does not end hibernatectl")
        awake = machine.start("until hibernatectl status | grep -q '^Outcome: resumed'; do sleep 0.2; done")
        machine.wait_off()
        machine.boot()
        ours.come_back(machine, awake)
        proof.check()
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")


@case("by-hand", "hibernate-image info, verify, extract and discard on an image; --json")
def by_hand(bench):
    """On the inactive area in a boot that does not resume, then the discarded image must not resume."""
    machine, swap = _boot(bench, [disks.Disk(disks.blank(bench.directory / "out.img", 1 << 30), serial="out")])
    machine.sh("swapon /dev/vda1")
    proof = Proof(machine)
    leaving = ours.leave(machine)
    machine.boot()
    kernel = machine.kernel.release
    expect(kernel in machine.sh("hibernate-image info /dev/vda1"), "info does not name the image's kernel")
    expect(kernel in machine.sh("hibernate-image info --json /dev/vda1"), "info --json does not name the image's kernel")
    machine.sh("hibernate-image verify /dev/vda1")
    machine.sh("hibernate-image extract /dev/vda1 /dev/vdb || hibernate-image extract /dev/vda1 > /dev/vdb")
    expect(machine.sh("head -c 100000000 /dev/vdb | md5sum") != machine.sh("head -c 100000000 /dev/zero | md5sum"),
           "extract has written nothing")
    machine.sh("hibernate-image discard /dev/vda1")
    ours.check_left_clean(machine)
    ours.refuse(machine, proof, leaving, None)
    machine.kill()
    expect(swap.signature() == ours.CLEAN, f"the swap signature is {swap.signature()}")
