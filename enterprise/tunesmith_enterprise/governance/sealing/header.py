# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The first bytes of a sealed file: what is in it, and its data key, wrapped.

::

    0      8 bytes      TMSEAL01
    8      2,048 bytes  slot: length (2 bytes, big-endian) and JSON {"key": ID, "wrapped": BASE64}; zeros: empty
    2,056  2,048 bytes  slot, the other
    4,104  2 bytes      length of the facts, big-endian
    4,106  the facts    JSON: chunk, cipher, name, nonce, set, size

The facts never change. Slots do: a new key is written into the empty one, flushed, and only then is the old one
emptied, so that a crash at any moment leaves one that opens. What is wrapped, and every chunk behind the header, is
bound to the facts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Final

from tunesmith_enterprise.governance.sealing.errors import SealedFileError

__all__ = [
    "CHUNK",
    "MAGIC",
    "SLOT_BYTES",
    "TAG",
    "Facts",
    "Header",
    "Slot",
    "check_name",
    "pack_slot",
    "read_header",
    "slot_place",
]

MAGIC: Final = b"TMSEAL01"
CIPHER: Final = "AES-256-GCM"
SLOT_BYTES: Final = 2048
CHUNK: Final = 1 << 20
"""Bytes of a chunk, before it is encrypted."""
TAG: Final = 16
"""Bytes that AES-GCM adds to each chunk."""

_LARGEST_CHUNK: Final = 64 << 20
_LARGEST_FACTS: Final = 16_384
_SLOTS: Final = len(MAGIC), len(MAGIC) + SLOT_BYTES
_FACTS: Final = len(MAGIC) + 2 * SLOT_BYTES
_HEX: Final = re.compile(r"[0-9a-f]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is in a sealed file.

    Attributes:
        name: the file's name before; of a file in a sealed folder, its place in there: ``model/config.json``.
        size: in bytes, before.
        set: 32 hexadecimal digits; all files of a folder have the same.
        nonce: 14 hexadecimal digits, the first 7 bytes of every chunk's nonce.
        chunk: bytes of a chunk before it is encrypted; the last may be shorter.
        cipher: always ``AES-256-GCM``.
    """

    name: str
    size: int
    set: str
    nonce: str
    chunk: int = CHUNK
    cipher: str = CIPHER

    @classmethod
    def new(cls, name: str, size: int, group: str, *, chunk: int = CHUNK) -> Facts:
        """Of a file that is about to be sealed."""
        return cls(name=check_name(name), size=size, set=group, nonce=secrets.token_hex(7), chunk=chunk)

    def to_bytes(self) -> bytes:
        """As they stand in the file."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")

    @property
    def chunks(self) -> int:
        """How many there are; an empty file has one."""
        return max(1, -(-self.size // self.chunk))

    @property
    def sealed_bytes(self) -> int:
        """Bytes behind the header."""
        return self.size + TAG * self.chunks


@dataclass(frozen=True, slots=True)
class Slot:
    """A data key, wrapped by another key.

    Attributes:
        key: id of the key that wrapped it.
        wrapped: what came out.
    """

    key: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of a sealed file.

    Attributes:
        facts: what is in it.
        raw_facts: the same, byte for byte; what is encrypted is bound to these.
        slots: the two slots; ``None`` where one is empty or cannot be read.
    """

    facts: Facts
    raw_facts: bytes
    slots: tuple[Slot | None, Slot | None]

    @property
    def length(self) -> int:
        """In bytes: where the first chunk begins."""
        return _FACTS + 2 + len(self.raw_facts)

    @property
    def binding(self) -> bytes:
        """SHA-256 of what may never change in the header: associated data of the wrapped key and of each chunk."""
        return hashlib.sha256(MAGIC + self.raw_facts).digest()

    def to_bytes(self) -> bytes:
        """As it stands in the file."""
        slots = b"".join(pack_slot(slot) for slot in self.slots)
        return MAGIC + slots + len(self.raw_facts).to_bytes(2, "big") + self.raw_facts


def slot_place(number: int) -> int:
    """Where a slot begins in the file."""
    return _SLOTS[number]


def pack_slot(slot: Slot | None) -> bytes:
    """A slot as it stands in the file; ``None``: an empty one.

    Raises:
        SealedFileError: it does not fit.
    """
    if slot is None:
        return bytes(SLOT_BYTES)
    told = {"key": slot.key, "wrapped": base64.b64encode(slot.wrapped).decode("ascii")}
    text = json.dumps(told, separators=(",", ":")).encode("ascii")
    if len(text) > SLOT_BYTES - 2:
        raise SealedFileError(
            "the wrapped key does not fit into the header",
            given=f"{len(text):,} bytes, of the key {slot.key[:200]}",
            expected=f"at most {SLOT_BYTES - 2:,}",
            fix="use a key with a shorter name",
        )
    return (len(text).to_bytes(2, "big") + text).ljust(SLOT_BYTES, b"\0")


def check_name(name: str) -> str:
    """The name, if it is a plain path inside of a folder.

    Raises:
        ValueError: it leads elsewhere, or has characters that no name should have.
    """
    parts = name.split("/")
    if not name or len(name) > 1024 or not name.isprintable() or "\\" in name or set(parts) & {"", ".", ".."}:
        raise ValueError(f"no name of a file in a folder: {name[:100]!r}")
    return name


def read_header(file: BinaryIO, path: object) -> Header:
    """Read from the start of a file up to its first chunk. Nothing in it is proved yet: the chunks and keys do that.

    Raises:
        SealedFileError: it is no sealed file, is of a newer format, or its header is damaged.
    """
    start = file.read(_FACTS + 2)
    if not start.startswith(MAGIC):
        newer = start.startswith(MAGIC[:6])
        raise SealedFileError(
            f"{path} is {'sealed in a format that this release does not know' if newer else 'not a sealed file'}",
            given=f"first bytes {start[:8].hex(' ') or '(none)'}",
            expected=f"{MAGIC.hex(' ')}, as `tunesmith seal` writes them",
            fix="use a newer release" if newer else "name a file that ends in .sealed",
        )
    length = int.from_bytes(start[-2:], "big")
    raw = file.read(length)
    if len(start) < _FACTS + 2 or len(raw) < length or length > _LARGEST_FACTS:
        raise _damaged(path, "it ends within the header")
    try:
        facts = _facts(raw)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, f"what it says of its content cannot be read ({error})") from None
    first, second = (_slot(start[place : place + SLOT_BYTES]) for place in _SLOTS)
    if first is None and second is None:
        raise _damaged(path, "it holds no wrapped key that can be read")
    return Header(facts, raw, (first, second))


def _facts(raw: bytes) -> Facts:
    told: Any = json.loads(raw)
    if not isinstance(told, dict) or set(told) != {"chunk", "cipher", "name", "nonce", "set", "size"}:
        raise ValueError("other fields than chunk, cipher, name, nonce, set, size")
    facts = Facts(**told)
    numbers = (facts.size, facts.chunk)
    if not all(type(number) is int for number in numbers) or facts.size < 0 or not 0 < facts.chunk <= _LARGEST_CHUNK:
        raise ValueError("a size that no file has")
    for text, digits in ((told["nonce"], 14), (told["set"], 32)):
        if not isinstance(text, str) or len(text) != digits or not _HEX.match(text):
            raise ValueError("a nonce or set of another length")
    if facts.cipher != CIPHER:
        raise ValueError(f"the cipher {facts.cipher!r}; only {CIPHER} is known")
    if facts.chunks >= 1 << 32:
        raise ValueError("more chunks than can be numbered")
    if not isinstance(told["name"], str):
        raise ValueError("a name that is no text")
    check_name(facts.name)
    return facts


def _slot(raw: bytes) -> Slot | None:
    length = int.from_bytes(raw[:2], "big")
    if not 0 < length <= SLOT_BYTES - 2:
        return None
    try:
        told = json.loads(raw[2 : 2 + length])
        key, wrapped = told["key"], base64.b64decode(told["wrapped"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None  # half written when the machine was lost: the other one is whole
    return Slot(key, wrapped) if isinstance(key, str) and key.isprintable() else None


def _damaged(path: object, why: str) -> SealedFileError:
    return SealedFileError(
        f"the header of {path} is damaged: {why}",
        expected="the file as `tunesmith seal` wrote it",
        fix="bring the file back from a copy; nothing was changed",
    )
