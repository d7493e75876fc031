#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second reader of images, written from doc/image-format.md and nothing else.

usage: read_image.py FILE [OFFSET [SECRET]]    the pages go to standard output; SECRET is a passphrase or a recovery key
"""

import struct
import subprocess
import sys

import lz4.block
import xxhash

import unseal

PAGE = 4096
MARK_MAGIC = b"hibernated mark\0"
IMAGE_MAGIC = b"hibernated-image"
SWAP = (b"SWAPSPACE2", b"SWAP-SPACE")


class NotAnImage(Exception):
    pass


class Damaged(Exception):
    pass


AnotherVersion = unseal.Unknown
Unauthentic = unseal.Unauthentic
WrongSecret = unseal.WrongSecret


def checksum(data):
    return xxhash.xxh3_128_digest(data)


def check(truth, what):
    if not truth:
        raise Damaged(what)


def known(truth, what):
    if not truth:
        raise AnotherVersion(what)


def string(field):
    check(b"\0" in field, "string without an end")
    text, _, rest = field.partition(b"\0")
    check(not any(rest), "something behind the end of a string")
    return text.decode("utf-8", "replace")


def read_identity(data):
    swap_uuid, filesystem_uuid, size, start, part_uuid, device_id = struct.unpack("<16s16sQQ40s96s", data)
    return {
        "swap_uuid": swap_uuid.hex(),
        "filesystem_uuid": filesystem_uuid.hex(),
        "size": size,
        "partition_start": start,
        "part_uuid": string(part_uuid),
        "device_id": string(device_id),
    }


def read_mark(page):
    """The state of the record, its header offset and image id."""
    signature = page[4086:]
    record = page[3584:4086]
    if signature not in SWAP and signature != b"ULSUSPEND\0":
        raise NotAnImage("signature " + repr(signature))
    ours = signature == b"ULSUSPEND\0"
    if record[:16] != MARK_MAGIC:
        raise NotAnImage("no record of ours")
    version, length = struct.unpack_from("<II", record, 16)
    known(version == 1, "version of the mark")
    check(length == 502, "length of the mark")
    check(checksum(record[:24] + bytes(16) + record[40:]) == record[24:40], "checksum of the mark")
    state, drop, flags, _tries = struct.unpack_from("<IIII", record, 40)
    known(flags == 0 and 1 <= state <= 4 and drop <= 10, "state of the mark")
    check(record[492:] in SWAP, "signature before the mark")
    read_identity(record[96:280])
    known(not any(record[384:492]), "reserved bytes of the mark")
    if ours:
        check(state == 1, "an armed signature over a record that is not")
    return {
        "armed": ours,
        "state": state,
        "image_id": record[72:88],
        "header_offset": struct.unpack_from("<Q", record, 88)[0],
    }


def read_extents(data, count, device_size):
    extents, end = [], 0
    for i in range(count):
        start, length = struct.unpack_from("<QQ", data, 16 * i)
        check(length and start % PAGE == 0 and length % PAGE == 0, "extent is not made of pages")
        check(start + length <= device_size, "extent outside the device")
        check(start >= end, "extents out of order")
        end = start + length
        extents.append((start, length))
    return extents


def read_header(page, device_size):
    if page[:16] != IMAGE_MAGIC:
        raise NotAnImage("no header page")
    check(checksum(page[:4080]) == page[4080:], "checksum of the header page")
    version, size, flags, suite, count = struct.unpack_from("<IIQII", page, 16)
    known(version == 1 and size == PAGE and flags == 0 and suite <= 3, "header page")
    known(page[80:84] == struct.pack("<I", 1 if suite else 0), "key slots")
    known(not any(page[164:256]), "reserved bytes of the header page")
    release = string(page[84:164]) if suite else ""
    known(suite or not any(page[84:164]) and not any(page[1280:4080]), "places of sealing")
    body_size, = struct.unpack_from("<Q", page, 56)
    check(count <= 64 and body_size <= 1 << 30, "size of the body")
    check(not any(page[256 + 16 * count:1280]), "something behind the body extents")
    extents = read_extents(page[256:], count, device_size)
    check(sum(e[1] for e in extents) == (body_size + PAGE - 1) // PAGE * PAGE, "body does not fill its extents")
    return {"id": page[40:56], "body_size": body_size, "body_checksum": page[64:80], "extents": extents,
            "suite": suite, "release": release}


def read_meta(data):
    release, architecture, host, program = struct.unpack_from("<80s16s64s32s", data, 56)
    area_start, flags, chunk_size, pages, codec, prints = struct.unpack_from("<QIIQII", data, 432)
    known(flags & ~1 == 0 and codec <= 2, "flags or codec")
    check(prints <= 32 and area_start % PAGE == 0, "meta data")
    check(65536 <= chunk_size <= 1 << 20 and chunk_size % PAGE == 0 and pages, "sizes")
    known(not any(data[464 + 224 * prints:]), "something behind the fingerprints")
    for i in range(prints):
        kind, reserved, device, mount = struct.unpack_from("<II24x96s64s", data, 464 + 224 * i)
        known(1 <= kind <= 5 and reserved == 0, "fingerprint")
        string(device)
        string(mount)
    read_identity(data[248:432])
    return {
        "id": data[:16],
        "kernel": string(release),
        "architecture": string(architecture),
        "host": string(host),
        "program": string(program),
        "area_start": area_start,
        "chunk_size": chunk_size,
        "pages": pages,
        "codec": codec,
    }


def read_index(data, count, meta, stream_size):
    chunks, end, pages = [], PAGE, 0
    for i in range(count):
        offset, stored, size, codec, reserved = struct.unpack_from("<QIIII", data, 40 * i)
        known(reserved == 0 and codec <= 2, "chunk")
        check(codec in (0, meta["codec"]), "codec of a chunk")
        check(size and size % PAGE == 0 and size <= meta["chunk_size"], "size of a chunk")
        check(size == meta["chunk_size"] or i == count - 1, "short chunk in the middle")
        check(stored == size if codec == 0 else 0 < stored < size, "stored size of a chunk")
        check(offset % PAGE == 0 and offset >= end and offset + stored <= stream_size, "place of a chunk")
        end = (offset + stored + PAGE - 1) // PAGE * PAGE
        pages += size // PAGE
        chunks.append((offset, stored, size, codec, data[40 * i + 24:40 * i + 40]))
    check(pages == meta["pages"] and end == stream_size, "chunks do not add up")
    return chunks


def overlaps(a, b):
    return a[0] < b[0] + b[1] and b[0] < a[0] + a[1]


def read_body(body, header, header_offset, device_size):
    meta_at, meta_size, extent_count, chunk_count, reserved = struct.unpack_from("<IIQQQ", body)
    known(meta_at == 32 and meta_size == 7632 and reserved == 0, "layout of the body")
    check(len(body) == 7664 + 16 * extent_count + 40 * chunk_count, "size of the body")
    meta = read_meta(body[32:7664])
    check(meta["id"] == header["id"], "header page and body of two images")
    extents = read_extents(body[7664:], extent_count, device_size)
    check(extents and extents[0][0] == header_offset, "header page was moved")
    for extent in extents + header["extents"]:
        check(not overlaps(extent, (meta["area_start"], 1)), "extent over the area's first page")
    for extent in header["extents"]:
        check(not any(overlaps(extent, other) for other in extents), "body inside the map")
    stream_size = sum(e[1] for e in extents)
    return meta, extents, read_index(body[7664 + 16 * extent_count:], chunk_count, meta, stream_size)


def decode(codec, block, size):
    if codec == 0:
        return block
    if codec == 1:
        try:
            return lz4.block.decompress(block, uncompressed_size=size)
        except lz4.block.LZ4BlockError as error:
            raise Damaged("lz4 block") from error
    return subprocess.run(["zstd", "-dcq"], input=block, stdout=subprocess.PIPE, check=True).stdout


def read_image(device, offset=0, passphrase=None):
    """The pages, and what the meta data says. @device: all bytes of it; @offset: of the area's first page."""
    mark = read_mark(device[offset:offset + PAGE])
    at = mark["header_offset"]
    check(at % PAGE == 0 and at + PAGE <= len(device), "place of the header page")
    header = read_header(device[at:at + PAGE], len(device))
    check(header["id"] == mark["image_id"], "the mark is of another image")
    body = b"".join(device[s:s + n] for s, n in header["extents"])[:header["body_size"]]
    seal = unseal.Seal(device[at:at + PAGE], passphrase) if header["suite"] else None
    if seal:
        body = seal.open(unseal.BODY, 0, True, body, header["body_checksum"], len(body), 0)
    else:
        check(checksum(body) == header["body_checksum"], "checksum of the body")
    meta, extents, chunks = read_body(body, header, at, len(device))
    stream = b"".join(device[s:s + n] for s, n in extents)
    pages = []
    check(not seal or header["release"] == meta["kernel"], "two kernels")
    for number, (place, stored, size, codec, tag) in enumerate(chunks):
        block = stream[place:place + stored]
        if seal:
            block = seal.open(unseal.CHUNK, number, number + 1 == len(chunks), block, tag, size, codec)
        else:
            check(checksum(block) == tag, "checksum of a chunk")
        chunk = decode(codec, block, size)
        check(len(chunk) == size, "a chunk of another size")
        pages.append(chunk)
    return b"".join(pages), meta, mark


def main():
    with open(sys.argv[1], "rb") as file:
        device = file.read()
    passphrase = sys.argv[3].encode() if len(sys.argv) > 3 else None
    pages, meta, mark = read_image(device, int(sys.argv[2]) if len(sys.argv) > 2 else 0, passphrase)
    sys.stdout.buffer.write(pages)
    state = "armed" if mark["armed"] else "dropped"
    print(f"{sys.argv[1]}: {state}, {meta['pages']} pages of {meta['host']}, {meta['kernel']}", file=sys.stderr)


if __name__ == "__main__":
    main()
