# SPDX-License-Identifier: GPL-2.0-or-later
"""Command line of tests/vm/run: choose cases, run them, print one line for each, judge the required ones."""
import argparse
import concurrent.futures
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from . import build, cases, kernels, paths, patience
from .machine import Failed, Skipped

REQUIRED = Path(__file__).resolve().parents[1] / "required"
FIRST = kernels.SERIES[0]
SLOWEST = 10  # so many are named at the end


class TooLong(Exception):
    """The case has used up its time."""


def title(name, series):
    """Name of a case on a kernel; the oldest kernel goes without saying."""
    return name if series == FIRST else f"{name}@{series}"


def read_required(known):
    """Tier -> titles. A line that makes no sense is an error of its own, under the title of that line."""
    tiers, errors = {"default": [], "all": [], "kernel": []}, []
    for number, line in enumerate(REQUIRED.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in tiers:
            errors.append((f"required:{number}", "a line is TIER CASE, TIER is default, all or kernel"))
            continue
        name, _, series = words[1].partition("@")
        if name not in known:
            errors.append((words[1], "required, but there is no such case"))
        elif (series or FIRST) not in known[name].kernels:
            errors.append((words[1], "required, but not made for this kernel"))
        elif (words[0] == "kernel") != (known[name].tier == "kernel"):
            errors.append((words[1], f"not a case of the tier {words[0]}"))
        else:
            tiers[words[0]].append(words[1])
    tiers["all"] += [t for t in tiers["default"] if t not in tiers["all"]]
    return tiers, errors


def _processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_one(name, series, keep):
    """Run one case; returns (verdict, reason, seconds, seconds of processor)."""
    case = cases.load()[name]
    directory = cases.Bench.fresh(paths.of_tree("runs", series) / name)
    bench = cases.Bench(directory, series)
    start, used = time.monotonic(), _processor_seconds()

    def over(_signal, _frame):
        raise TooLong()

    signal.signal(signal.SIGALRM, over)
    limit = int(patience.seconds(case.limit))
    signal.alarm(limit)
    try:
        if not case.tier:
            bench.kernel()
        case.function(bench)
        verdict, reason = "PASS", ""
    except Failed as error:
        verdict, reason = "FAIL", str(error)
    except Skipped as error:
        verdict, reason = "SKIP", str(error)
    except TooLong:
        verdict, reason = "FAIL", f"not done within {limit} s"
    except build.BuildError as error:
        verdict, reason = "FAIL", str(error)
    except Exception as error:  # pylint: disable=broad-exception-caught
        (directory / "traceback").write_text(traceback.format_exc())
        verdict, reason = "FAIL", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    try:
        bench.close(keep or verdict == "FAIL")
    except OSError as error:
        reason += f" ({error})"
    reason = " ".join(reason.split())
    seconds = time.monotonic() - start
    (directory / "result").write_text(f"{verdict} {seconds:.1f} s {reason}\n")
    return verdict, reason, seconds, _processor_seconds() - used


def choose(options, known):
    """The (name, series) to run."""
    if options.cases:
        chosen = []
        for word in options.cases:
            name, _, series = word.partition("@")
            if name not in known:
                sys.exit(f"run: no case {name}; --list names them all")
            series = series or options.kernel or (FIRST if FIRST in known[name].kernels
                                                  else known[name].kernels[0])
            if series not in known[name].kernels:
                sys.exit(f"run: {name} is not made for kernel {series}")
            chosen.append((name, series))
        return chosen
    tier = "kernel" if options.tier == "kernel" else ""
    of_tier = [c for c in known.values() if c.tier == tier]
    if options.kernel:
        return [(c.name, options.kernel) for c in of_tier if options.kernel in c.kernels]
    if options.tier in ("all", "kernel"):
        return [(c.name, k) for k in kernels.SERIES for c in of_tier if k in c.kernels]
    return [(c.name, k) for k in kernels.SERIES for c in known.values() if k in c.default]


def _arguments():
    parser = argparse.ArgumentParser(prog="tests/vm/run", description="Hibernate virtual machines.")
    parser.add_argument("--kernel", choices=kernels.SERIES, help="all cases on this kernel only")
    parser.add_argument("--tier", choices=("default", "all", "kernel"), default="default",
                        help="which cases, when none is named (default: default); all but those of src/kernel are "
                        "in \"all\", those are in \"kernel\"")
    parser.add_argument("--list", action="store_true", help="one case a line, with a phrase")
    parser.add_argument("--jobs", "-j", type=int, default=min(os.cpu_count() or 1, 4),
                        help="cases side by side (default: the number of CPUs, at most 4)")
    parser.add_argument("--keep", action="store_true", help="keep the disks of cases that passed")
    parser.add_argument("--fetch", nargs="*", metavar="KERNEL",
                        help="only fetch the newest packages of these kernels (default: all)")
    parser.add_argument("--fetch-source", metavar="KERNEL", choices=kernels.SERIES,
                        help="only fetch this kernel's source, if the cache lacks it, and print the path of the archive")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names, or NAME@KERNEL")
    return parser.parse_args()


def _fetch(names):
    for series in names or kernels.SERIES:
        try:
            print(f"kernel {series}: {kernels.get(series, refresh=True).version}", flush=True)
        except kernels.KernelError as error:
            print(f"kernel {series}: {error}", file=sys.stderr)
            return 1
    return 0


class Report:
    """Prints the lines and counts them."""

    def __init__(self, required):
        self.required, self.failed, self.seen = required, 0, set()
        self.start, self.times = time.monotonic(), {}
        self._lock = threading.Lock()

    def line(self, name, verdict, reason, *times):
        """One verdict, and how long it took, if it ran: seconds, and seconds of processor."""
        with self._lock:
            if times:
                self.times[name] = times
            if verdict == "SKIP" and name in self.required:
                verdict, reason = "FAIL", f"required, but skipped: {reason}"
            self.seen.add(name)
            self.failed += verdict == "FAIL"
            print(f"{verdict} {name} {reason}".rstrip(), flush=True)

    def print_times(self):
        """Where the time went."""
        slowest = sorted(self.times.items(), key=lambda item: -item[1][0])[:SLOWEST]
        print(f"# {len(self.times)} cases in {time.monotonic() - self.start:.0f} s, with "
              f"{sum(used for _, used in self.times.values()):.0f} s of processor; the slowest, with theirs: " +
              ", ".join(f"{name} {seconds:.0f} ({used:.0f}) s" for name, (seconds, used) in slowest), flush=True)


def _judge(report, errors, whole_tier):
    """What the list of required cases says about the whole."""
    for name, reason in errors:
        report.line(name, "FAIL", reason)
    if whole_tier:
        for name in report.required:
            if name not in report.seen:
                report.line(name, "FAIL", "required, but it did not run")


def main():
    """Entry; returns the exit status."""
    options = _arguments()
    if options.fetch is not None:
        return _fetch(options.fetch)
    if options.fetch_source:
        print(kernels.source(options.fetch_source)[1])
        return 0
    known = cases.load()
    if options.list:
        for c in known.values():
            print(f"{c.name:32} {c.phrase} ({', '.join(c.kernels)})")
        return 0
    chosen = choose(options, known)
    tiers, errors = read_required(known)
    report = Report(tiers["all"] + tiers["kernel"] if options.kernel or options.cases else tiers[options.tier])
    print(f"# logs: {paths.of_tree('runs')}")
    for series in sorted({s for n, s in chosen if not known[n].tier}, key=kernels.SERIES.index):
        try:
            print(f"# kernel {series}: {kernels.get(series).version}", flush=True)
        except kernels.KernelError as error:
            print(f"# kernel {series}: {error}", flush=True)
    # A process of its own for each case: a time limit is a signal, and signals belong to a main thread.
    with concurrent.futures.ProcessPoolExecutor(
            max(1, options.jobs), mp_context=multiprocessing.get_context("fork"),
            max_tasks_per_child=None) as pool:
        # The default tier first, which says the most; within a tier the long ones: one that comes last would
        # leave the other processors idle.
        chosen.sort(key=lambda item: (item[1] not in known[item[0]].default, -known[item[0]].limit))
        running = {pool.submit(run_one, n, s, options.keep): title(n, s) for n, s in chosen}
        for done in concurrent.futures.as_completed(running):
            verdict, reason, *times = done.result()
            report.line(running[done], verdict, reason, *times)
    report.print_times()
    _judge(report, errors, not options.cases and not options.kernel)
    return 1 if report.failed else 0


def entry():
    """main() with the errors that are nobody's bug as text."""
    try:
        return main()
    except (FileNotFoundError, subprocess.SubprocessError, kernels.KernelError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
