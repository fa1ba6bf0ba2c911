# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""One file, sealed and opened, a chunk at a time.

The content is cut into chunks, each encrypted with AES-256-GCM (RFC 5116) under a key of the file's own. A chunk's
nonce is 7 random bytes of the file, its number (4 bytes, big-endian) and one byte that is 1 for the last: the
construction STREAM of Hoang, Reyhanitabar, Rogaway and Vizár 2015 (eprint.iacr.org/2015/189). So a chunk that was
changed, moved, repeated, left out or taken from another file does not open, and neither does a file that lost its end.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tunesmith.errors import DataError
from tunesmith.runs import flush_folder, writing
from tunesmith_enterprise.governance.sealing.errors import SealedFileError
from tunesmith_enterprise.governance.sealing.header import TAG, Facts, Header, Slot, pack_slot, read_header, slot_place
from tunesmith_enterprise.governance.sealing.keys import SealKey
from tunesmith_enterprise.governance.sealing.ring import KeyRing

__all__ = ["SUFFIX", "header_of", "open_chunks", "rewrap_file", "seal_file", "write_opened"]

SUFFIX: Final = ".sealed"


def seal_file(source: Path, target: Path, facts: Facts, key: SealKey) -> str:
    """Encrypt a file into another, which is there whole or not at all; the first one stays.

    Returns:
        The SHA-256 of what was read.

    Raises:
        DataError: the file cannot be read, or changed meanwhile.
        OutputError: the disk is full, and the like. Nothing is left behind.
        SealKeyError: the key's service does not wrap the data key.
    """
    data_key = AESGCM.generate_key(256)
    raw = facts.to_bytes()
    bare = Header(facts, raw, (None, None))
    slot = Slot(key.id, key.wrap(data_key, bare.binding))
    header = replace(bare, slots=(slot, None))
    digest = hashlib.sha256()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with _reading(source) as plain, writing(target):
            before = os.fstat(plain.fileno())
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, before.st_mode & 0o666)
            with os.fdopen(handle, "wb") as out:
                out.write(header.to_bytes())
                for chunk in _sealed(plain, header, data_key, digest):
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            after = os.fstat(plain.fileno())
            if (before.st_size, before.st_mtime_ns, facts.size) != (after.st_size, after.st_mtime_ns, plain.tell()):
                raise DataError(
                    f"{source} changed while it was sealed",
                    given=f"{facts.size:,} bytes before, {plain.tell():,} read",
                    expected="a file that nobody writes to",
                    fix="wait until it is written, and seal it then",
                )
            os.replace(temporary, target)
            flush_folder(target.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return digest.hexdigest()


def _sealed(plain: BinaryIO, header: Header, data_key: bytes, digest: hashlib._Hash) -> Iterator[bytes]:
    facts, cipher, binding = header.facts, AESGCM(data_key), header.binding
    for number in range(facts.chunks):
        chunk = plain.read(facts.chunk)
        digest.update(chunk)
        yield cipher.encrypt(_nonce(facts, number), chunk, binding)
    plain.read(1)  # moves the end, where the file has grown


def open_chunks(file: BinaryIO, ring: KeyRing, path: object) -> tuple[Header, Iterator[bytes]]:
    """What is in a sealed file, proved chunk by chunk.

    Args:
        file: at its start.
        path: for messages.

    Raises:
        SealedFileError: also while the chunks are read: one was changed or moved, or the file is not whole.
        SealKeyError: the key is not at hand, or its service does not answer.
    """
    header = read_header(file, path)
    data_key, _ = ring.data_key(header, path)
    found = os.fstat(file.fileno()).st_size - header.length
    wanted = header.facts.sealed_bytes
    if found != wanted:
        raise SealedFileError(
            f"{path} is truncated" if found < wanted else f"{path} is damaged: bytes follow its end",
            given=f"{header.length + found:,} bytes",
            expected=f"{header.length + wanted:,}, by its own header",
            fix="bring the file back from a copy; nothing was changed",
        )
    return header, _opened(file, header, data_key, path)


def _opened(file: BinaryIO, header: Header, data_key: bytes, path: object) -> Iterator[bytes]:
    facts, cipher, binding = header.facts, AESGCM(data_key), header.binding
    for number in range(facts.chunks):
        chunk = file.read(facts.chunk + TAG)
        try:
            yield cipher.decrypt(_nonce(facts, number), chunk, binding)
        except InvalidTag:
            begin = number * facts.chunk
            raise SealedFileError(
                f"{path} is damaged: chunk {number + 1} of {facts.chunks} was changed, or belongs elsewhere",
                given=f"what should be bytes {begin:,} to {min(begin + facts.chunk, facts.size):,} of {facts.name}",
                expected="the chunk as it was sealed, in its place",
                fix="bring the file back from a copy; nothing was changed",
            ) from None


def header_of(path: Path) -> Header:
    """The header of a file; needs no key.

    Raises:
        DataError: the file cannot be read.
        SealedFileError: it is no sealed file.
    """
    with _reading(path) as file:
        return read_header(file, path)


def write_opened(path: Path, ring: KeyRing, out: BinaryIO, digest: hashlib._Hash | None = None) -> Header:
    """Decrypt a file into another.

    Args:
        digest: is told the content too. Default: nobody is; every chunk is proved either way.

    Raises:
        As :func:`open_chunks`; DataError: the file cannot be read. What was written so far is to be thrown away.
    """
    with _reading(path) as file:
        header, chunks = open_chunks(file, ring, path)
        for chunk in chunks:
            if digest is not None:
                digest.update(chunk)
            out.write(chunk)
    return header


def rewrap_file(path: Path, ring: KeyRing) -> bool:
    """Wrap the data key of a file with the first key of the ring; the content stays as it is.

    The other slot is written first and flushed, then the old one is emptied: whenever this is interrupted, the file
    opens, and doing it again completes it.

    Returns:
        False: there was nothing to do.

    Raises:
        SealedFileError, SealKeyError: the file does not open with the keys at hand.
        OutputError: it cannot be written.
    """
    header = header_of(path)
    data_key, _ = ring.data_key(header, path)
    new = ring.sealing
    ids = [slot.key if slot is not None else "" for slot in header.slots]
    if sorted(ids) == ["", new.id]:
        return False
    with writing(path), path.open("r+b", buffering=0) as file:
        if new.id in ids and _opens(header, ids.index(new.id), ring, path):
            kept = ids.index(new.id)
        else:
            kept = ids.index("") if "" in ids else 1 - _opening_slot(header, ring, path)
            _write_slot(file, kept, Slot(new.id, new.wrap(data_key, header.binding)))
        _write_slot(file, 1 - kept, None)
    return True


def _opens(header: Header, number: int, ring: KeyRing, path: Path) -> bool:
    alone = (header.slots[0], None) if number == 0 else (None, header.slots[1])
    try:
        ring.data_key(replace(header, slots=alone), path)
    except SealedFileError:
        return False
    return True


def _opening_slot(header: Header, ring: KeyRing, path: Path) -> int:
    """The slot with the key at hand: of two that are full, the other is written over."""
    ids = {key.id for key in ring.keys}
    first = header.slots[0]
    return 0 if first is not None and first.key in ids and _opens(header, 0, ring, path) else 1


def _write_slot(file: BinaryIO, number: int, slot: Slot | None) -> None:
    file.seek(slot_place(number))
    file.write(pack_slot(slot))
    os.fsync(file.fileno())


def _nonce(facts: Facts, number: int) -> bytes:
    last = number == facts.chunks - 1
    return bytes.fromhex(facts.nonce) + number.to_bytes(4, "big") + (b"\1" if last else b"\0")


def _reading(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read", given=error.strerror or str(error)) from error
