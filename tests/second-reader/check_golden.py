# SPDX-License-Identifier: GPL-2.0-or-later
"""The second reader against the manifest of golden images."""

import hashlib
import os
import sys

sys.path.insert(0, sys.argv[1])
import read_image as reader  # noqa: E402

DATA = sys.argv[2]


PASSPHRASE = b"golden"


def rows(manifest):
    with open(os.path.join(DATA, manifest), encoding="ascii") as file:
        for line in file:
            if not line.startswith("#"):
                yield line.split()


def refused(device, offset, passphrase=None):
    try:
        reader.read_image(device, offset, passphrase)
    except (reader.Damaged, reader.AnotherVersion, reader.NotAnImage, reader.Unauthentic, reader.WrongSecret):
        return True
    return False


def change(device, at):
    return device[:at] + bytes([device[at] ^ 1]) + device[at + 1:]


def sum_again(device, at):
    """With the checksum of the header page at @at made right, as anybody can."""
    return device[:at + 4080] + reader.checksum(device[at:at + 4080]) + device[at + 4096:]


def check_sealed():
    """Opened by the passphrase and no other; and no byte of any part can be changed, whatever checksums say."""
    failures = count = changed = 0
    for name, _sum, pages_sum, page_count, _suite, state, offset in rows("manifest-sealed"):
        count += 1
        offset = int(offset)
        with open(os.path.join(DATA, name), "rb") as file:
            device = file.read()
        pages, meta, mark = reader.read_image(device, offset, PASSPHRASE)
        at = mark["header_offset"]
        if hashlib.sha256(pages).hexdigest() != pages_sum or meta["pages"] != int(page_count):
            print(f"FAIL: {name}: other pages")
            failures += 1
        if mark["armed"] != (state == "armed") or not refused(device, offset, b"Golden"):
            print(f"FAIL: {name}: other state, or opened by another passphrase")
            failures += 1
        header = reader.read_header(device[at:][:4096], len(device))
        places = [at + i for i in range(0, 4080, 41)]
        places += [header["extents"][0][0] + i for i in range(0, min(header["body_size"], 4096), 211)]
        places += [at + 4096 + i for i in range(0, 4096, 431)]
        for place in places:
            changed += 1
            if not refused(sum_again(change(device, place), at), offset, PASSPHRASE):
                print(f"FAIL: {name}: byte {place} can be changed")
                failures += 1
    print(f"{count} sealed golden images, {changed} changed ones, {failures} failures")
    return failures or not count


def main():
    failures = count = changed = 0
    for name, _sum, pages_sum, page_count, _codec, state, offset in rows("manifest"):
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
    return 1 if check_sealed() or failures or not count else 0


sys.exit(main())
