# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Ed25519 keys: which public keys may be trusted at all, and how they are named.

The mathematics is that of the package ``cryptography``, imported when the first signature is made or checked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tunesmith.licensing.base64_text import decode_base64, encode_base64
from tunesmith.licensing.reasons import refusal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["SIGNATURE", "PublicKey"]

SIGNATURE: Final = 64
"""Bytes of a signature."""

_PRIME: Final = 2**255 - 19
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# The y coordinates of the eight points whose order divides 8. Under such a key one constant signature fits a great
# share of all messages, and RFC 8032 lets it: the low_order_A cases of the vectors published at c2sp.org/CCTV/ed25519.
_LOW_ORDER: Final = frozenset({0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8})


@dataclass(frozen=True)
class PublicKey:
    """A public key of Ed25519.

    Attributes:
        raw: its 32 bytes.
        keyid: SHA-256 of these, in hexadecimal: the name by which signatures hint at it.

    Raises:
        SignedDocumentError: ``key``: not 32 bytes; ``key-encoding``: a y coordinate of 2^255 - 19 or more, hence a
            second writing of another key; ``key-order``: a point of low order, under which anybody can sign.
    """

    raw: bytes
    keyid: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise refusal(
                "key", "this is no public key of Ed25519", given=f"{len(self.raw)} bytes", expected="32 bytes"
            )
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)
        if y >= _PRIME:
            raise refusal(
                "key-encoding",
                "the public key is written in a second way",
                given="a coordinate of 2^255 - 19 or more",
                expected="the coordinate reduced, as every library writes it",
            )
        if y in _LOW_ORDER:
            raise refusal(
                "key-order",
                "this public key belongs to no private key: anybody can sign for it",
                given="a point of low order",
                expected="a key that was generated",
            )
        object.__setattr__(self, "keyid", hashlib.sha256(self.raw).hexdigest())

    @classmethod
    def from_text(cls, text: str, where: str = "the public key") -> PublicKey:
        """The key of a base64 text (standard alphabet, padded), as in root documents."""
        return cls(decode_base64(text, where))

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> PublicKey:
        """The public half."""
        return cls(private.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """Base64, as in root documents."""
        return encode_base64(self.raw)

    def fits(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` (64 bytes) is one of this key under ``message``; about 0.1 ms."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: bytes that are no point, in some versions
            return False
        return True
