# SPDX-License-Identifier: GPL-2.0-or-later
"""Sealed images, written from "Sealing" in doc/image-format.md and nothing else."""

import functools
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESOCB3, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from argon2id import argon2id

SUITES = {1: AESGCM, 2: AESOCB3, 3: ChaCha20Poly1305}
CHUNK, BODY = 1, 2
PASSPHRASE, RECOVERY, TPM = 1, 2, 4


class Unauthentic(Exception):
    pass


class WrongSecret(Exception):
    pass


class Unknown(Exception):
    pass


def known(truth, what):
    if not truth:
        raise Unknown(what)


def kdf(secret, label, transcript, size):
    key = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    out = block = b""
    while len(out) < size:
        number = bytes([len(out) // 32 + 1])
        block = hmac.new(key, block + label + b"\0" + transcript + number, hashlib.sha256).digest()
        out += block
    return out[:size]


def decrypt(cipher, nonce, sealed, extra, what):
    try:
        return cipher.decrypt(nonce, sealed, extra)
    except InvalidTag:
        raise Unauthentic(what) from None


def unwrap(secret, label, transcript, commitment, wrapped):
    derived = kdf(secret, label, transcript, 64)
    if not hmac.compare_digest(derived[32:], commitment):
        raise WrongSecret(label.decode())
    return decrypt(ChaCha20Poly1305(derived[:32]), bytes(12), wrapped, transcript, label.decode())


@functools.lru_cache(maxsize=8)
def stretch(passphrase, salt, memory_kib, passes):
    return argon2id(passphrase, salt, memory_kib, passes)


LETTERS = "cbdefghijklnrtuv"


def crc8(data, value):
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x107) if value & 0x80 else value << 1
    return value


def recovery_key(typed):
    """The 24 bytes that were typed as eight groups; None if that is no recovery key."""
    letters = [chr(c) for c in typed.lower() if chr(c) not in " \t\r\n-"]
    if len(letters) != 64 or not set(letters) <= set(LETTERS):
        return None
    values = [LETTERS.index(c) for c in letters]
    data = bytes(high << 4 | low for high, low in zip(values[::2], values[1::2]))
    groups = [data[4 * i:4 * i + 4] for i in range(8)]
    if any(crc8(group[:3], number) != group[3] for number, group in enumerate(groups, 1)):
        return None
    return b"".join(group[:3] for group in groups)


def check_tpm(part):
    """What a reader without a TPM can see of its part."""
    kind, flags, parent, pcrs = struct.unpack_from("<IIII", part)
    known(kind == 1 and flags & ~1 == 0 and (parent == 0 or parent >> 24 == 0x81), "TPM")
    public, private = struct.unpack_from("<HH", part, 64)
    known(flags & 1 or not any(part[48:64]), "salt of the PIN")
    known(public and private and public + private <= 252 and not any(part[68 + public + private:]), "object of the TPM")
    known(pcrs >> 24 == 0 and pcrs & 1 << 15 and bin(pcrs).count("1") <= 8, "PCRs")


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def open_passphrase(part, key_set, typed):
    """The blob's key out of the passphrase's part."""
    memory, passes, lanes, salt = struct.unpack_from("<III16s", part, 4)
    known(lanes == 1 and 8 <= memory <= 8192 and 1 <= passes <= 8, "Argon2id that this reader has no time for")
    return unwrap(stretch(typed, salt, memory, passes), b"hibernated passphrase", key_set + part[:32], part[32:64], part[64:112])


def open_recovery(part, key_set, key):
    """The blob's key out of the recovery key's part."""
    return unwrap(key, b"hibernated recovery", key_set + part[:20], part[20:52], part[52:100])


def open_blob(blob, typed):
    """The key set's id, X25519 private key and Ed25519 public key. @typed: a passphrase, or a recovery key."""
    magic, version, size, key_set, wraps, nonce = struct.unpack_from("<8sII16sI12s", blob)
    passphrase, recovery = blob[48:176], blob[176:288]
    known(magic == b"hib-keys" and version == 1 and size == 688, "blob")
    known(wraps & (PASSPHRASE | RECOVERY) and not wraps & ~(PASSPHRASE | RECOVERY | TPM), "ways to open the blob")
    for bit, part in ((PASSPHRASE, passphrase), (RECOVERY, recovery), (TPM, blob[288:608])):
        known(part[0] == 1 and not any(part[1:4]) if wraps & bit else not any(part), "a way to open the blob")
    known(not any(passphrase[112:]) and not any(recovery[100:]), "reserved bytes of the blob")
    if wraps & TPM:
        check_tpm(blob[288:608])
    key = recovery_key(typed) if wraps & RECOVERY else None
    if key:
        key = open_recovery(recovery, key_set, key)
    elif wraps & PASSPHRASE:
        key = open_passphrase(passphrase, key_set, typed)
    else:
        raise WrongSecret("no recovery key")
    before = blob[:608]
    private = decrypt(ChaCha20Poly1305(kdf(key, b"hibernated private", before, 32)), nonce, blob[608:688], before,
                      "private keys")
    recipient, verifier = X25519PrivateKey.from_private_bytes(private[:32]), private[32:]
    made = hashlib.sha256(b"hibernated key set\0" + raw(recipient.public_key()) + verifier).digest()[:16]
    if made != key_set:
        raise Unauthentic("id of the key set")
    return key_set, recipient, verifier


class Seal:
    """The keys of one image, out of its header page."""

    def __init__(self, page, passphrase):
        self.suite, = struct.unpack_from("<I", page, 32)
        self.id = page[40:56]
        slot = page[1280:1792]
        kind, size = struct.unpack_from("<II", slot)
        known(kind == 1 and size == 512 and not any(slot[136:]) and not any(page[1792:3328]), "key slot")
        key_set, recipient, verifier = open_blob(page[3328:4016], passphrase)
        try:
            Ed25519PublicKey.from_public_bytes(verifier).verify(page[4016:4080], b"hibernated image\0" + page[:4016])
        except InvalidSignature:
            raise Unauthentic("signature") from None
        if slot[8:24] != key_set:
            raise Unauthentic("slot of another key set")
        shared = recipient.exchange(X25519PublicKey.from_public_bytes(slot[24:56]))
        suite = struct.pack("<I", self.suite)
        image_key = unwrap(shared, b"hibernated slot", self.id + suite + slot[8:56] + raw(recipient.public_key()),
                           slot[56:88], slot[88:136])
        said = hashlib.sha256(b"hibernated header\0" + page[:36] + page[40:56] + page[80:84] + page[1280:4016]).digest()
        self.keys = {part: SUITES[self.suite](kdf(image_key, label, self.id + suite + said, 32))
                     for part, label in ((CHUNK, b"hibernated chunks"), (BODY, b"hibernated body"))}

    def open(self, part, number, last, sealed, tag, size, codec):
        """What was sealed, by what the image says of it."""
        nonce = struct.pack("<BBHQ", part, last, 0, number)
        extra = self.id + struct.pack("<QIIIIII", number, len(sealed), size, codec, self.suite, part, last)
        return decrypt(self.keys[part], nonce, sealed + tag, extra, f"part {part}, number {number}")
