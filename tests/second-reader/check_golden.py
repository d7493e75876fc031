# SPDX-License-Identifier: GPL-2.0-or-later
"""The second reader against the manifest of golden images."""

import hashlib
import os
import sys

sys.path.insert(0, sys.argv[1])
import read_image as reader  # noqa: E402

DATA = sys.argv[2]


def rows():
    with open(os.path.join(DATA, "manifest"), encoding="ascii") as file:
        for line in file:
            if not line.startswith("#"):
                yield line.split()


def refused(device, offset):
    try:
        reader.read_image(device, offset)
    except (reader.Damaged, reader.AnotherVersion, reader.NotAnImage):
        return True
    return False


def change(device, at):
    return device[:at] + bytes([device[at] ^ 1]) + device[at + 1:]


def main():
    failures = count = changed = 0
    for name, _sum, pages_sum, page_count, _codec, state, offset in rows():
        count += 1
        offset = int(offset)
        with open(os.path.join(DATA, name), "rb") as file:
            device = file.read()
        pages, meta, mark = reader.read_image(device, offset)
        if hashlib.sha256(pages).hexdigest() != pages_sum or meta["pages"] != int(page_count):
            print(f"FAIL: {name}: other pages")
            failures += 1
        if mark["armed"] != (state == "armed"):
            print(f"FAIL: {name}: other state")
            failures += 1
        header = reader.read_header(device[mark["header_offset"]:][:4096], len(device))
        places = [(offset + 3584, 502), (mark["header_offset"], 4096), (header["extents"][0][0], header["body_size"])]
        for start, length in places:
            for at in range(start, min(start + length, start + 8192), 53):
                changed += 1
                if not refused(change(device, at), offset):
                    print(f"FAIL: {name}: byte {at} can be changed")
                    failures += 1
    print(f"{count} golden images, {changed} changed ones, {failures} failures")
    return 1 if failures or not count else 0


sys.exit(main())
