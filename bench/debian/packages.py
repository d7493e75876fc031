# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds every package of the package lists as a dictionary of its fields, and who depends on whom."""
import glob
import pathlib
import signal

packages, needed_by, maintained_by = {}, {}, {}
for path in sorted(glob.glob("/var/lib/apt/lists/*_Packages")):
    record = {}
    with open(path, encoding="utf-8") as lists:
        for line in lists:
            key, colon, value = line.rstrip("\n").partition(": ")
            if colon:
                record[key] = value
            elif line == "\n" and record:
                name = record["Package"]
                packages[name] = record
                maintained_by.setdefault(record["Maintainer"], []).append(record)
                for other in record.get("Depends", "").split(", "):
                    needed_by.setdefault(other.partition(" ")[0], []).append(name)
                record = {}
pathlib.Path("ready/packages").write_text(f"{len(packages)} packages\n", encoding="ascii")
signal.pause()
