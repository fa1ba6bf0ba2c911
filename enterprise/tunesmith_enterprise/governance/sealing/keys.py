# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys that wrap the data keys of files, in files of their own: 32 random bytes with an id that follows from them.

::

    {"tunesmith_seal_key": 1, "id": "5b0f…", "key": "…"}

As the id is a digest of the key, a key that was damaged or mistaken for another is found when it is read, and whatever
does not open with the right id is damaged itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tunesmith.errors import OutputError
from tunesmith_enterprise.governance.sealing.errors import SealKeyError

__all__ = ["FileKey", "SealKey", "UnwrapError", "create_key_file", "key_id", "read_key_file"]

_FORM: Final = "tunesmith_seal_key"
_NONCE: Final = 12


class UnwrapError(Exception):
    """What was to be unwrapped was not wrapped by this key for this file."""


class SealKey(Protocol):
    """What wraps data keys: a key file, or a key in a service."""

    @property
    def id(self) -> str:
        """How files name it."""

    def wrap(self, data_key: bytes, binding: bytes) -> bytes:
        """Encrypt a data key for one file.

        Args:
            data_key: 32 bytes.
            binding: 32 bytes that follow from the file; unwrapping needs the same.

        Raises:
            SealKeyError: its service does not answer, or refuses.
        """

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The counterpart.

        Raises:
            UnwrapError: it was not wrapped by this key for this file.
            SealKeyError: its service does not answer, or refuses.
        """


def key_id(key: bytes) -> str:
    """16 hexadecimal digits that tell keys apart and say nothing of the key."""
    return hashlib.sha256(b"tunesmith seal key\0" + key).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key in memory. Its ``repr`` does not show it."""

    key: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """How files name it."""
        return key_id(self.key)

    def wrap(self, data_key: bytes, binding: bytes) -> bytes:
        """AES-256-GCM with a random nonce, which stands first (NIST SP 800-38D, 8.2.2: up to 2^32 files a key)."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(self.key).encrypt(nonce, data_key, binding)

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The counterpart."""
        try:
            return AESGCM(self.key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], binding)
        except (InvalidTag, ValueError):
            raise UnwrapError from None


def create_key_file(path: Path) -> FileKey:
    """Draw a key, and write it for its owner alone.

    Raises:
        OutputError: something is there already, or the place cannot be written.
    """
    made = FileKey(secrets.token_bytes(32))
    text = json.dumps({_FORM: 1, "id": made.id, "key": base64.b64encode(made.key).decode("ascii")}) + "\n"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise OutputError(
            f"{path} is there already, and no key is overwritten: what it sealed could not be opened any more",
            fix="choose another name",
        ) from None
    except OSError as error:
        raise OutputError(f"the key {path} cannot be written", given=error.strerror or str(error)) from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return made


def read_key_file(path: Path) -> FileKey:
    """The key in a file.

    Raises:
        SealKeyError: it is not there, others than its owner may read it, it is no key, or it is damaged.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(4096)
    except OSError as error:
        raise SealKeyError(
            f"the key file {path} cannot be read",
            given=error.strerror or str(error),
            expected="a file that `tunesmith seal key create` made",
            fix="bring it back from where it is kept; what it sealed opens with no other",
        ) from error
    if os.name == "posix" and mode & 0o077:
        raise SealKeyError(
            f"others than its owner may use the key file {path}",
            given=f"permissions {mode & 0o777:03o}",
            expected="600",
            fix=f"chmod 600 {path}, and make a new key if somebody may have read it",
        )
    try:
        told = json.loads(raw)
        key = base64.b64decode(told["key"], validate=True)
        sound = told[_FORM] == 1 and len(key) == 32 and told["id"] == key_id(key)
    except (ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise SealKeyError(
            f"{path} is no key file, or is damaged",
            given="other content",
            expected="what `tunesmith seal key create` wrote, to the letter",
            fix="bring it back from where it is kept",
        )
    return FileKey(key)
