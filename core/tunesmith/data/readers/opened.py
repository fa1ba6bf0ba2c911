# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Opening users' files: gzip checked by its magic, text decoded strictly, every failure with place and fix."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tunesmith.data.readers.encodings import byte_order_mark, guess_encoding, kind_of_binary
from tunesmith.errors import DataError

__all__ = ["control_character", "read_bytes", "read_text", "text_lines"]

_CHUNK = 1 << 20
_LONGEST_LINE = 100_000_000  # characters
_UNPACKED, _RATIO = 2**30, 200  # bytes that any file may unpack to; a larger one may be so many times its packed size
_GZIP_MAGIC = b"\x1f\x8b"
# C0 controls that no text holds. Tab, the line ends, vertical tab and form feed do occur (old books).
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


def control_character(text: str) -> str | None:
    """The first control character that marks ``text`` as binary junk, as ``U+0000``; ``None`` if it has none."""
    match = _CONTROL.search(text)
    return None if match is None else f"U+{ord(match.group()):04X}"


def read_bytes(path: Path) -> bytes:
    """The whole file, unpacked when its name ends in ``.gz``.

    Raises:
        DataError: unreadable, not gzip although named so, or truncated.
    """
    return b"".join(_chunks(path))


def read_text(path: Path, encoding: str) -> str:
    """The whole file as text, line ends as they are, without a byte order mark.

    Raises:
        DataError: as :func:`text_lines`.
    """
    return "".join(_decoded(path, encoding))


def text_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a file with their line ends; only ``\\n`` ends a line, as in every counting editor.

    Raises:
        DataError: unreadable, empty, not text, truncated, or not in ``encoding``; with byte and line.
    """
    rest: list[str] = []  # parts of a line that has not ended yet
    held = number = 0
    for text in _decoded(path, encoding):
        first, *others = text.split("\n")
        rest.append(first)
        held += len(first)
        if held > _LONGEST_LINE:
            raise DataError(
                f"{path}:{number + 1}: the line is too long to be read",
                given=f"more than {_LONGEST_LINE:,} characters without a line end",
                expected="rows on lines of their own",
                fix="check the file's format; other formats: data.format=NAME",
            )
        if not others:
            continue
        lines = ["".join(rest), *others]
        rest = [lines.pop()]
        held = len(rest[0])
        number += len(lines)
        for line in lines:
            yield line + "\n"
    if held:
        yield "".join(rest)


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            head = file.read(len(_GZIP_MAGIC))
            file.seek(0)
            if path.suffix.lower() != ".gz":
                yield from _pieces(file)
                return
            if head != _GZIP_MAGIC:
                raise DataError(
                    f"{path}: the name ends in .gz, and the file is not gzip",
                    given="an empty file" if not head else f"first bytes {head.hex(' ')}",
                    expected=f"first bytes {_GZIP_MAGIC.hex(' ')}",
                    fix="rename the file after what it holds, or download it again",
                )
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield from _measured(path, _pieces(unpacked))
    except EOFError as error:
        raise DataError(
            f"{path}: the gzip file is truncated",
            given=f"{path.stat().st_size:,} bytes that end in the middle of the packed data",
            fix="copy or download it again; `gzip -t` tests a file",
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path}: the gzip file is damaged", given=str(error), fix="copy or download it again; `gzip -t` tests it"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read", given=error.strerror or str(error)) from error


def _pieces(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


def _measured(path: Path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of a packed file while they can be data: gzip packs zeros to a thousandth, and text to a tenth."""
    packed, size = path.stat().st_size, 0
    for piece in pieces:
        size += len(piece)
        if size > _UNPACKED and size > _RATIO * packed:
            raise DataError(
                f"{path}: the gzip file unpacks to more than it can hold of data",
                given=f"{packed:,} bytes that unpack to more than {size:,}",
                expected=f"at most {_RATIO} times its size, or {_UNPACKED:,} bytes",
                fix="if it is meant to be so, unpack it yourself (`gzip -d`) and give the file",
            )
        yield piece


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    try:
        "a".encode(encoding)  # refuses codecs that are not for text, such as base64
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):
        raise DataError(
            f"data.encoding: no text encoding is called {encoding!r}",
            given=encoding,
            expected="a name that Python knows, e.g. utf-8, cp1252, utf-16, gb18030, shift_jis",
        ) from None
    # utf-8-sig drops a byte order mark
    decoder = codecs.getincrementaldecoder("utf-8-sig" if codec.name == "utf-8" else codec.name)("strict")

    fed = lines = 0
    for chunk in _chunks(path):
        if fed == 0:
            _check_head(path, chunk, codec.name)
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _wrong_encoding(path, encoding, error, fed + len(chunk) - len(error.object), lines) from error
        fed += len(chunk)
        lines += text.count("\n")
        yield text
    if fed == 0:
        raise DataError(f"{path}: the file is empty", given="0 bytes", fix="check that it was written completely")
    try:
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, encoding, error, fed - len(error.object), lines) from error


def _check_head(path: Path, head: bytes, encoding: str) -> None:
    kind = kind_of_binary(head)
    if kind is not None:
        raise DataError(
            f"{path}: this is {kind}, not text",
            given=f"first bytes {head[:4].hex(' ')}",
            fix=[
                "give the file the ending of what it holds (.gz, .parquet …)",
                "or export it as CSV, JSONL or Parquet first",
            ],
        )
    mark = byte_order_mark(head)
    if mark is not None and not encoding.startswith(mark):
        raise DataError(
            f"{path}: wrong encoding: read as {encoding}, and the file starts with the byte order mark of {mark}",
            given=f"first bytes {head[:4].hex(' ')}",
            expected=f"text in {encoding}",
            fix=f"set data.encoding={mark}",
        )


def _wrong_encoding(path: Path, encoding: str, error: UnicodeDecodeError, start: int, lines: int) -> DataError:
    """``start`` is the offset in the file of the bytes that the decoder held, ``lines`` the lines before them."""
    held: bytes = error.object
    line = lines + held.count(b"\n", 0, error.start) + 1
    around = held[max(0, error.start - 2000) : error.start + 2000]
    guess = guess_encoding(around, tried=encoding)
    if guess is not None and control_character(around.decode(guess, "ignore")) is not None:
        fix = "looks like binary junk, not text: mend the file, or say what it is with data.format=NAME"
    else:
        fix = f"looks like {guess}: set data.encoding={guess}" if guess else "set data.encoding to the file's encoding"
    return DataError(
        f"{path}:{line}: wrong encoding: not {encoding} at byte {start + error.start:,}",
        given=f"bytes {held[error.start : error.start + 4].hex(' ')} ({error.reason})",
        expected=f"text in {encoding} (data.encoding)",
        fix=fix,
    )
