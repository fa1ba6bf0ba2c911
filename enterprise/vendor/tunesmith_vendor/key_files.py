# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Private keys in files: PKCS#8 in PEM, encrypted with AES-256 under a key that scrypt makes of a passphrase.

``cryptography`` reads this form and does not write it: what it encrypts PKCS#8 with is PBKDF2 of 2,048 rounds, which
costs somebody who guesses next to nothing. So the few lines of DER around its scrypt and its AES are
written here (RFC 5958, RFC 8018 appendix A.4, RFC 7914 section 7), and read back by it before anything is kept.
``openssl pkey`` reads them too.
"""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from tunesmith_vendor.errors import VendorError

__all__ = ["PRODUCTION", "Cost", "encrypted_pem", "is_encrypted", "new_private_key", "read_pem"]


@dataclass(frozen=True)
class Cost:
    """What one try at a passphrase costs: scrypt's parameters, of which the memory is ``128 * n * r`` bytes."""

    n: int
    r: int
    p: int


PRODUCTION: Final = Cost(n=2**14, r=8, p=5)
"""16 MiB and about 0.2 s a try: what OWASP's password storage page names for scrypt, in the form with the memory that
OpenSSL's own reader allows (32 MiB), so that a key opens with ``openssl`` too on the day this program does not."""

_PBES2: Final = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
_SCRYPT: Final = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES_256_CBC: Final = bytes.fromhex("60864801650304012a")  # 2.16.840.1.101.3.4.1.42
_SEQUENCE, _INTEGER, _OCTETS, _OID = 0x30, 0x02, 0x04, 0x06
_LARGEST: Final = 64 << 10


def new_private_key() -> Ed25519PrivateKey:
    """A new key, of the operating system's randomness."""
    return Ed25519PrivateKey.generate()


def encrypted_pem(key: Ed25519PrivateKey, passphrase: str, cost: Cost = PRODUCTION) -> bytes:
    """The key as a PEM block ``ENCRYPTED PRIVATE KEY``.

    Args:
        passphrase: not empty; its UTF-8 bytes count.
    """
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, start = os.urandom(16), os.urandom(16)
    secret = Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(passphrase.encode())
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(start)).encryptor()
    closed = encryptor.update(padded) + encryptor.finalize()
    made_by = _der(_SEQUENCE, _der(_OCTETS, salt), *(_integer(part) for part in (cost.n, cost.r, cost.p, 32)))
    scheme = _der(
        _SEQUENCE,
        _der(_OID, _PBES2),
        _der(
            _SEQUENCE,
            _der(_SEQUENCE, _der(_OID, _SCRYPT), made_by),
            _der(_SEQUENCE, _der(_OID, _AES_256_CBC), _der(_OCTETS, start)),
        ),
    )
    text = b64encode(_der(_SEQUENCE, scheme, _der(_OCTETS, closed))).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    label = "ENCRYPTED PRIVATE KEY"  # put together here, so that no file of this package looks like one
    pem = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")
    if read_pem(pem, passphrase, "the new key").public_key() != key.public_key():
        raise VendorError("the key that was just written reads back as another one", fix="nothing was kept; report it")
    return pem


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + body


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def read_pem(pem: bytes, passphrase: str | None, what: str) -> Ed25519PrivateKey:
    """The private key of a PEM block: PKCS#8 as any program writes it, or OpenSSH's own form.

    Args:
        passphrase: None: the key is not encrypted.
        what: for the error: "the key issuer".

    Raises:
        VendorError: a wrong passphrase, a key of another kind, or no key. None of its text stands in the error.
    """
    if len(pem) > _LARGEST:
        raise VendorError(f"{what} is too large for a key", given=f"{len(pem):,} bytes", expected=f"{_LARGEST:,}")
    read = load_ssh_private_key if b"BEGIN OPENSSH" in pem else load_pem_private_key
    try:
        key = read(pem, None if passphrase is None else passphrase.encode())
    except TypeError:
        encrypted = passphrase is None
        raise VendorError(
            f"{what} is {'' if encrypted else 'not '}encrypted",
            given="no passphrase" if encrypted else "a passphrase",
            fix="give its passphrase" if encrypted else "give none",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        # OpenSSL tells neither a wrong passphrase from a damaged file nor one from the other; nobody can.
        raise VendorError(
            f"{what} cannot be opened" + ("" if passphrase is None else ": the passphrase is wrong, or it is damaged"),
            expected="a private key of Ed25519 as PEM"
            + ("" if passphrase is None else ", and the passphrase that it was written with"),
            fix="look at the keyboard layout and at the end of the passphrase file; then at the backup of the key",
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise VendorError(
            f"{what} is a key of another kind",
            given=type(key).__name__.removesuffix("PrivateKey").lstrip("_"),
            expected="Ed25519: documents are signed with nothing else",
        )
    return key


def is_encrypted(pem: bytes) -> bool:
    """Whether a PEM block says that it needs a passphrase; OpenSSH's form does not say so outside."""
    try:
        (load_ssh_private_key if b"BEGIN OPENSSH" in pem else load_pem_private_key)(pem, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False  # reading it will say what it is
    return False
