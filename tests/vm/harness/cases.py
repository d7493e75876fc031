# SPDX-License-Identifier: GPL-2.0-or-later
"""Registry of the cases and what a case gets to work with."""
import importlib
import pkgutil
import shutil
import signal
from dataclasses import dataclass

from . import build, disks, kernels
from .machine import Machine, Skipped

ALL = ("6.1", "6.12", "7.2")


@dataclass
class Case:
    """One case: a function of a Bench."""
    name: str
    phrase: str
    function: object
    kernels: tuple   # where it makes sense
    default: tuple   # the kernels of the default tier
    limit: int       # seconds, ample on an idle machine
    tier: str        # "kernel" for those that need kernels of src/kernel, which are built for them; else ""


_cases = {}


def case(name, phrase, kernels=ALL, default=("6.1",), limit=300, tier=""):  # pylint: disable=redefined-outer-name
    """Register a function as a case."""
    def register(function):
        if name in _cases:
            raise ValueError(f"two cases named {name}")
        _cases[name] = Case(name, phrase, function, tuple(kernels),
                            () if tier else tuple(k for k in default if k in kernels), limit, tier)
        return function
    return register


def load():
    """All cases by name, in the order of their modules."""
    package = importlib.import_module("cases")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"cases.{module}")
    return _cases


class Bench:
    """What a case works with: a directory, the kernel, and makers of disks and machines."""

    def __init__(self, directory, series):
        self.directory, self.series = directory, series
        self._machines = []
        self.notes = []

    def kernel(self, series=None, machine="x86_64"):
        """A kernel, by default the one the case runs on."""
        try:
            return kernels.get(series or self.series, machine=machine)
        except kernels.KernelError as error:
            raise Skipped(str(error)) from None

    def swap(self, mib=768, name="swap", **options):
        """A new disk with a swap area."""
        return disks.swap_disk(self.directory / f"{name}.img", mib << 20, **options)

    def fs(self, kind, mib=512, name="root", **options):
        """A new disk with an empty file system."""
        return disks.fs_disk(self.directory / f"{name}.img", mib << 20, kind, serial=name, **options)

    def machine(self, disks=(), programs=None, **options):  # pylint: disable=redefined-outer-name
        """A machine with disks; programs: None, "shipped" or "failpoints"."""
        kernel = options.pop("kernel", None) or self.kernel()
        made = Machine(self.directory, kernel, disks=disks,
                       programs=self._programs(programs, kernel.machine) if programs else None, **options)
        self._machines.append(made)
        return made

    @staticmethod
    def _programs(variant, machine):
        """Building is not the case's own time."""
        left = signal.alarm(0)
        try:
            return build.programs(variant, machine)
        finally:
            signal.alarm(left)

    def note(self, text):
        """Something worth knowing about a run; kept in its log."""
        self.notes.append(text)

    def close(self, keep_disks):
        """Switch off what still runs; without keep_disks remove the big files."""
        for machine in self._machines:
            machine.kill()
        (self.directory / "notes").write_text("".join(f"{n}\n" for n in self.notes))
        if not keep_disks:
            for image in self.directory.glob("*.img"):
                image.unlink()

    @staticmethod
    def fresh(directory):
        """An empty directory for a case's files."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return directory
