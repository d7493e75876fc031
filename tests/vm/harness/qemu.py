# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU process: its serial lines, its monitor, its end. Emulation only, no network, no privilege."""
import ctypes
import json
import re
import selectors
import signal
import socket
import subprocess
import time

from . import paths, patience


# All there is, but for five levels of page tables; on arm64 one without pointer authentication, which takes most of the time.
CPUS = {"x86_64": "max,la57=off", "arm64": "cortex-a72"}
KERNEL_LINE = re.compile(r"\[ *\d+\.\d{6}\] [^\n]*\n")


class QemuError(Exception):
    """QEMU or the machine inside did not do what was waited for."""


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Qemu:
    """A running QEMU. All waiting goes through pump(), which keeps every line flowing."""

    def __init__(self, log, arguments, program="qemu-system-x86_64", serial=("console", "agent")):
        self.console = ""            # all the kernel's console has said
        self.agent_bytes = b""       # not yet taken by the owner
        self.events = []             # of the monitor
        self.returns = []
        self._qmp_bytes = b""
        self._selector = selectors.DefaultSelector()
        self._log = open(log, "w", encoding="utf-8", errors="replace")  # pylint: disable=consider-using-with
        self._start = time.monotonic()
        self._line = ""
        inner, self._lines = [], {}
        command = [paths.tool(program), "-nodefaults", "-no-user-config",
                   "-display", "none", "-vga", "none", "-no-reboot"]
        for name in ("console", "agent", "qmp"):
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            self._lines[name] = ours
            inner.append(theirs)
            self._selector.register(ours, selectors.EVENT_READ, name)
            command += ["-chardev", f"socket,id={name},fd={theirs.fileno()}"]
        for name in serial:
            command += ["-serial", f"chardev:{name}"]
        command += ["-mon", "chardev=qmp,mode=control", *arguments]
        self._log.write(f"# {' '.join(command)}\n")
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            command, pass_fds=[s.fileno() for s in inner], stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=self._log, preexec_fn=_die_with_parent)
        for s in inner:
            s.close()
        self.qmp("qmp_capabilities", wait=False)

    def _took_console(self, data):
        text = data.decode("utf-8", "replace").replace("\r", "")
        self.console += text
        self._line += text
        *lines, self._line = self._line.split("\n")
        for line in lines:
            self.note(line)

    def said(self, since=0):
        """The console's text behind a position, without the kernel's lines, then with them.

        A line of the kernel may come into the middle of what a program writes.
        """
        text = self.console[since:]
        return f"{KERNEL_LINE.sub('', text)}\n{text}"

    def note(self, line):
        """A line for the log, with the time since the start."""
        self._log.write(f"{time.monotonic() - self._start:8.3f} {line}\n")
        self._log.flush()

    def _took_qmp(self, data):
        self._qmp_bytes += data
        *lines, self._qmp_bytes = self._qmp_bytes.split(b"\n")
        for line in lines:
            if not line.strip():
                continue
            message = json.loads(line)
            if "event" in message:
                self.events.append(message)
                self.note(f"[monitor] {message['event']} {message.get('data', '')}")
            elif "QMP" not in message:
                self.returns.append(message)

    def step(self, seconds):
        """Move what has come on any line; True if something did."""
        some = False
        for key, _ in self._selector.select(seconds):
            try:
                data = key.fileobj.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                self._selector.unregister(key.fileobj)
                continue
            some = True
            if key.data == "console":
                self._took_console(data)
            elif key.data == "agent":
                self.agent_bytes += data
            else:
                self._took_qmp(data)
        if not self._selector.get_map():
            time.sleep(min(seconds, 0.05))
        return some

    def pump(self, done, timeout, what):
        """Wait until done() is true; QemuError when the time is over or QEMU has ended first."""
        timeout = patience.seconds(timeout)
        end = time.monotonic() + timeout
        while True:
            result = done()
            if result:
                return result
            if self.process.poll() is not None and not self.step(0):
                result = done()
                if result:
                    return result
                raise QemuError(f"{what}: the machine has gone ({self.how_it_ended()})")
            left = end - time.monotonic()
            if left <= 0:
                raise QemuError(f"{what}: nothing within {timeout:.0f} s")
            self.step(min(left, 0.2))

    def send(self, text):
        """Write to the agent's line."""
        self._send("agent", text.encode())

    def type(self, text):
        """Write to the console's line."""
        self._send("console", text.encode())

    def _send(self, name, data):
        s = self._lines[name]
        while data:
            try:
                data = data[s.send(data):]
            except BlockingIOError:
                self.step(0.02)
            except (BrokenPipeError, ConnectionResetError):
                raise QemuError("the machine has gone") from None

    def qmp(self, command, wait=True, **arguments):
        """A command to the monitor."""
        before = len(self.returns)
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        self._send("qmp", json.dumps(message).encode() + b"\n")
        if not wait:
            return None
        self.pump(lambda: len(self.returns) > before, 20, f"monitor command {command}")
        answer = self.returns[-1]
        if "error" in answer:
            raise QemuError(f"monitor command {command}: {answer['error']['desc']}")
        return answer["return"]

    def sysrq(self, key):
        """Break and a key on the serial console: works while user space is frozen."""
        self.qmp("chardev-send-break", id="console")
        self.type(key)

    def saw_event(self, name):
        """Whether the monitor has told of an event."""
        return any(e["event"] == name for e in self.events)

    def how_it_ended(self):
        """guest-shutdown, guest-reset, guest-panic ..., or QEMU's own status."""
        for event in self.events:
            if event["event"] == "SHUTDOWN":
                return event["data"].get("reason", "?")
        status = self.process.poll()
        return "running" if status is None else f"status {status}"

    def wait_exit(self, timeout):
        """Wait until QEMU has ended by itself; returns how."""
        timeout = patience.seconds(timeout)
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise QemuError(f"the machine is still on after {timeout:.0f} s")
            self.step(0.1)
        while self.step(0):
            pass
        return self.how_it_ended()

    def close(self):
        """End it, if it still runs, and close its lines."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        while self._selector.get_map() and self.step(0):
            pass
        for s in self._lines.values():
            s.close()
        self._selector.close()
        if not self._log.closed:
            if self._line:
                self.note(self._line)
            self._log.close()
