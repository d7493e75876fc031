# SPDX-License-Identifier: GPL-2.0-or-later
"""Argon2id (RFC 9106) of one lane, slow and short; hashlib has BLAKE2b and nothing more."""

import hashlib
import struct

LOW = (1 << 32) - 1
WORD = (1 << 64) - 1
VERSION, TYPE = 0x13, 2


def le32(number):
    return struct.pack("<I", number)


def long_hash(data, size):
    """H' of the RFC."""
    if size <= 64:
        return hashlib.blake2b(le32(size) + data, digest_size=size).digest()
    block = hashlib.blake2b(le32(size) + data).digest()
    out = block[:32]
    while size - len(out) > 64:
        block = hashlib.blake2b(block).digest()
        out += block[:32]
    return out + hashlib.blake2b(block, digest_size=size - len(out)).digest()


def mix(v, a, b, c, d):
    """One quarter of a round, on the words of these numbers."""
    w, x, y, z = v[a], v[b], v[c], v[d]
    for left, right in ((32, 24), (16, 63)):
        w = (w + x + 2 * (w & LOW) * (x & LOW)) & WORD
        z ^= w
        z = (z >> left | z << 64 - left) & WORD
        y = (y + z + 2 * (y & LOW) * (z & LOW)) & WORD
        x ^= y
        x = (x >> right | x << 64 - right) & WORD
    v[a], v[b], v[c], v[d] = w, x, y, z


def permute(v, places):
    p = places
    for i in range(4):
        mix(v, p[i], p[4 + i], p[8 + i], p[12 + i])
    for i in range(4):
        mix(v, p[i], p[4 + (i + 1) % 4], p[8 + (i + 2) % 4], p[12 + (i + 3) % 4])


ROWS = [[16 * i + j for j in range(16)] for i in range(8)]
COLUMNS = [[2 * i + 16 * (j // 2) + j % 2 for j in range(16)] for i in range(8)]


def compress(x, y):
    before = [a ^ b for a, b in zip(x, y)]
    v = list(before)
    for places in ROWS + COLUMNS:
        permute(v, places)
    return [a ^ b for a, b in zip(v, before)]


def independent(turn, part, blocks, passes, count):
    """Pseudorandom words of the first half of the first pass."""
    zero, words = [0] * 128, []
    for counter in range(1, (count + 127) // 128 + 1):
        start = [turn, 0, part, blocks, passes, TYPE, counter] + [0] * 121
        words += compress(zero, compress(zero, start))
    return words


def argon2id(password, salt, memory_kib, passes, size=32):
    first = hashlib.blake2b(b"".join(
        [le32(1), le32(size), le32(memory_kib), le32(passes), le32(VERSION), le32(TYPE), le32(len(password)), password,
         le32(len(salt)), salt, le32(0), le32(0)])).digest()
    quarter = memory_kib // 4
    blocks = 4 * quarter
    memory = [None] * blocks
    for i in range(2):
        memory[i] = list(struct.unpack("<128Q", long_hash(first + le32(i) + le32(0), 1024)))
    for turn in range(passes):
        for part in range(4):
            words = independent(turn, part, blocks, passes, quarter) if turn == 0 and part < 2 else None
            for i in range(2 if turn == 0 and part == 0 else 0, quarter):
                at = part * quarter + i
                before = memory[at - 1]
                number = (words[i] if words else before[0]) & LOW
                area = at - 1 if turn == 0 else blocks - quarter + i - 1
                distance = area * (number * number >> 32) >> 32
                start = 0 if turn == 0 else (part + 1) * quarter % blocks
                new = compress(before, memory[(start + area - 1 - distance) % blocks])
                memory[at] = [a ^ b for a, b in zip(new, memory[at])] if turn else new
    return long_hash(struct.pack("<128Q", *memory[-1]), size)
