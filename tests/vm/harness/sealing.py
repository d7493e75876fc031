# SPDX-License-Identifier: GPL-2.0-or-later
"""The header page of a sealed image, and the keys that lie behind it, as doc/image-format.md has them."""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# The private X25519 key of tests/data/keys.
SAMPLE_RECIPIENT = bytes(range(0x01, 0x21))


def derive(secret, label, transcript, size):
    """HKDF with SHA-256, no salt, the label and a zero byte before the transcript."""
    key = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    out, block, number = b"", b"", 0
    while len(out) < size:
        number += 1
        block = hmac.new(key, block + label + b"\0" + transcript + bytes([number]), hashlib.sha256).digest()
        out += block
    return out[:size]


class Header:
    """What is read of a header page of 4096 bytes."""

    def __init__(self, page):
        self.page = page
        self.suite, = struct.unpack_from("<I", page, 32)
        self.image_id = page[40:56]
        self.key_set, self.ephemeral, self.commitment = page[1288:1304], page[1304:1336], page[1336:1368]
        self.wrapped, self.tag = page[1368:1400], page[1400:1416]
        self.blob = page[3328:4016]

    def parts(self):
        """What must not be found once the image has been entered."""
        return {"slot's ephemeral key": self.ephemeral, "wrapped image key": self.wrapped,
                "wrapped blob key": self.blob[48 + 64:48 + 96], "sealed private keys": self.blob[608:672]}

    def keys(self, recipient):
        """All keys of the image, by the private key that it is sealed to."""
        private = X25519PrivateKey.from_private_bytes(recipient)
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        shared = private.exchange(X25519PublicKey.from_public_bytes(self.ephemeral))
        suite = struct.pack("<I", self.suite)
        transcript = self.image_id + suite + self.key_set + self.ephemeral + public
        derived = derive(shared, b"hibernated slot", transcript, 64)
        assert derived[32:] == self.commitment, "another key set"
        key = ChaCha20Poly1305(derived[:32]).decrypt(bytes(12), self.wrapped + self.tag, transcript)
        page = self.page
        said = hashlib.sha256(b"hibernated header\0" + page[:36] + page[40:56] + page[80:84] + page[1280:4016]).digest()
        transcript = self.image_id + suite + said
        return {"image key": key, "shared secret": shared, "wrapping key": derived[:32],
                "chunk key": derive(key, b"hibernated chunks", transcript, 32),
                "body key": derive(key, b"hibernated body", transcript, 32)}
