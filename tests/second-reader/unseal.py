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


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def open_blob(blob, passphrase):
    """The key set's id, X25519 private key and Ed25519 public key."""
    magic, version, size, key_set, wraps, nonce = struct.unpack_from("<8sII16sI12s", blob)
    known(magic == b"hib-keys" and version == 1 and size == 688, "blob")
    known(wraps & PASSPHRASE and not wraps & ~(PASSPHRASE | RECOVERY | TPM), "ways to open the blob")
    known(wraps & RECOVERY or not any(blob[176:288]), "recovery key")
    known(wraps & TPM or not any(blob[288:608]), "TPM")
    kind, memory, passes, lanes, salt = struct.unpack_from("<IIII16s", blob, 48)
    known(kind == 1 and not any(blob[160:176]), "passphrase")
    known(lanes == 1 and 8 <= memory <= 8192 and 1 <= passes <= 8, "Argon2id that this reader has no time for")
    key = unwrap(stretch(passphrase, salt, memory, passes), b"hibernated passphrase", key_set + blob[48:80], blob[80:112],
                 blob[112:160])
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
