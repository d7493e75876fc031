# SPDX-License-Identifier: GPL-2.0-or-later
"""The second reader against the manifest of golden images."""

import hashlib
import os
import random
import sys

sys.path.insert(0, sys.argv[1])
import read_image as reader  # noqa: E402

DATA = sys.argv[2]


PASSPHRASE = b"golden"
SEED, BITS = 1984, 60


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


def flip(device, bit):
    return device[:bit // 8] + bytes([device[bit // 8] ^ 1 << bit % 8]) + device[bit // 8 + 1:]


def check_bits(name, device, offset, places):
    """Single bits of these places, checksums as they are, by a fixed seed: none can be changed."""
    chance, failures = random.Random(SEED), 0
    for what, start, size in places:
        for _ in range(BITS):
            bit = 8 * start + chance.randrange(8 * size)
            if not refused(flip(device, bit), offset, PASSPHRASE):
                print(f"FAIL: {name}: bit {bit % 8} of byte {bit // 8}, of the {what}, can be changed")
                failures += 1
    return failures


def check_openings(name, device, offset, recovery, pages):
    """Opened by the recovery key too, if it has one; by no other passphrase, and by no other key."""
    failures = 0
    for wrong in [b"Golden", b""] + [key[:-1] + b"r" for key in recovery]:
        if not refused(device, offset, wrong):
            print(f"FAIL: {name}: opened by {wrong}")
            failures += 1
    for key in recovery:
        if reader.read_image(device, offset, key)[0] != pages:
            print(f"FAIL: {name}: other pages by the recovery key")
            failures += 1
    return failures


def check_sealed():
    """Opened by the passphrase, and no byte of any part can be changed, whatever checksums say."""
    failures = count = changed = 0
    for name, _sum, pages_sum, page_count, _suite, state, offset, *recovery in rows("manifest-sealed"):
        count += 1
        offset = int(offset)
        with open(os.path.join(DATA, name), "rb") as file:
            device = file.read()
        pages, meta, mark = reader.read_image(device, offset, PASSPHRASE)
        at = mark["header_offset"]
        if hashlib.sha256(pages).hexdigest() != pages_sum or meta["pages"] != int(page_count):
            print(f"FAIL: {name}: other pages")
            failures += 1
        if mark["armed"] != (state == "armed"):
            print(f"FAIL: {name}: other state")
            failures += 1
        failures += check_openings(name, device, offset, [key.encode() for key in recovery], pages)
        header = reader.read_header(device[at:][:4096], len(device))
        body = header["extents"][0][0]
        places = [at + i for i in range(0, 4080, 41)]
        places += [body + i for i in range(0, min(header["body_size"], 4096), 211)]
        places += [at + 4096 + i for i in range(0, 4096, 431)]
        for place in places:
            changed += 1
            if not refused(sum_again(change(device, place), at), offset, PASSPHRASE):
                print(f"FAIL: {name}: byte {place} can be changed")
                failures += 1
        parts = (("mark", offset + 3584, 512), ("header page", at, 4096), ("body", body, min(header["body_size"], 4096)),
                 ("first chunk", at + 4096, 4096))
        failures += check_bits(name, device, offset, parts)
        changed += BITS * len(parts)
    print(f"{count} sealed golden images, {changed} changed ones (seed {SEED}), {failures} failures")
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
