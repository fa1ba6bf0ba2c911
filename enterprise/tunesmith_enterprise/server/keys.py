# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The server's own key: signs leases, and makes the secret by which a lease is renewed and returned."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunesmith.errors import OutputError, SettingsError
from tunesmith.licensing import PublicKey, sign
from tunesmith.licensing.base64_text import encode_base64
from tunesmith.licensing.contents import Lease

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["KEY", "PUBLIC", "ServerKey", "make_key", "read_key"]

KEY: Final = "server.key"
PUBLIC: Final = "server.pub"


class ServerKey:
    """A private key, and what is done with it."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.public = PublicKey.of(private)
        self._private = private
        # A key of its own for each purpose: what is signed says nothing about the secrets of leases.
        self._secrets = hashlib.sha256(b"tunesmith lease secrets\0" + private.private_bytes_raw()).digest()

    def __repr__(self) -> str:
        return f"ServerKey({self.public.keyid[:16]}…)"

    def sign(self, lease: Lease) -> str:
        """The lease as one line, as ``armor_line`` writes it, which would read again what was made just now."""
        return encode_base64(sign(lease.payload(), "lease", [self._private]))

    def secret(self, lease_id: str) -> str:
        """What whoever was given this lease knows, and nobody else: 64 hexadecimal digits.

        Made from the key and stored nowhere: a copy of the database returns no seat of anybody's, and a claim that is
        asked again is answered again.
        """
        return hmac.new(self._secrets, lease_id.encode(), hashlib.sha256).hexdigest()

    def is_secret(self, lease_id: str, given: str) -> bool:
        """Whether it is that; takes as long for a wrong one."""
        return hmac.compare_digest(self.secret(lease_id).encode(), given.encode("utf-8", "surrogatepass"))


def make_key(folder: Path) -> PublicKey:
    """Make the folder's key: ``server.key`` for the server alone, ``server.pub`` for the vendor.

    Raises:
        OutputError: there is a key already, or the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = PublicKey.of(private)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(folder / KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        (folder / PUBLIC).write_text(public.text + "\n", encoding="ascii")
    except FileExistsError:
        raise OutputError(
            "this folder has a key already, and it is left alone: pools are issued for it",
            given=folder / KEY,
            expected="a folder without one",
            fix="go on with it, or choose another folder",
        ) from None
    except OSError as error:
        raise OutputError(
            f"the server's key cannot be written: {error.strerror}", given=folder, fix="choose another folder"
        ) from None
    return public


def read_key(folder: Path) -> ServerKey:
    """The key that ``make_key`` made.

    Raises:
        SettingsError: there is none, others can read it, or it is no key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / KEY
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(10_000)
    except OSError as error:
        raise SettingsError(
            f"the server's key cannot be read: {error.strerror}",
            given=path,
            fix=f"'tunesmith license-server init {folder}' makes one",
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(
            "others can read the server's key: they could make leases with it",
            given=f"{path}, permissions {mode:03o}",
            expected="600",
            fix=f"chmod 600 {path}; if somebody has read it, make a new folder and ask the vendor for its pool",
        )
    try:
        private: object = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError(
            "this is no key of a license server",
            given=path,
            expected="an Ed25519 key as 'tunesmith license-server init' writes it",
            fix="restore it from a backup, or make a new folder and ask the vendor for its pool",
        )
    return ServerKey(private)
