# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What both forms have in common: lines of bytes as text, and what was met in them that people should know."""

from __future__ import annotations

import codecs
import gzip
import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from tunesmith.data.rows import half_character
from tunesmith.errors import DataError

__all__ = ["CLASSES", "Tally", "byte_lines", "check_encoding", "decode", "fault_of"]

CLASSES = (
    "体育",
    "娱乐",
    "家居",
    "彩票",
    "房产",
    "教育",
    "时尚",
    "时政",
    "星座",
    "游戏",
    "社会",
    "科技",
    "股票",
    "财经",
)
"""The 14 classes of the whole collection: sports, entertainment, home, lottery, property, education, fashion, politics,
horoscopes, games, society, technology, stocks, finance."""

WIDE = "\u3000"
"""The full-width space, with which Chinese texts are indented."""

MARK = "\ufeff"
"""The byte order mark as a character."""

_LONGEST = 1_000_000  # bytes of a line; a title has some hundred
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")  # tab, line ends, vertical tab and form feed do occur in texts
_logger = logging.getLogger("tunesmith.thucnews")  # below the logger whose warnings the command line prints


@dataclass(slots=True)
class Tally:
    """What was set right in a file, or passed over, without a row being lost.

    Attributes:
        blank: lines with nothing on them.
        marks: byte order marks that do not stand at the start of a file, as where files were put together.
        wide: lines with full-width spaces at an end, which were taken off.
        returns: lines that end in CR LF. Common, and harmless.
    """

    blank: int = 0
    marks: int = 0
    wide: int = 0
    returns: int = 0

    def sentences(self) -> list[str]:
        """Each count that is not 0, in words."""
        words = {
            "blank": "{} passed over that hold nothing",
            "marks": "{} with a byte order mark, which was taken off",
            "wide": "{} with full-width spaces at an end, which were taken off",
            "returns": "{} ending in CR LF, which was taken off",
        }
        counts = {field.name: getattr(self, field.name) for field in fields(self)}
        return [
            words[name].format(f"{count:,} {'line' if count == 1 else 'lines'}")
            for name, count in counts.items()
            if count
        ]

    def tell(self, where: Path) -> None:
        """Log what people should know of it as a warning; what is harmless only for those who debug."""
        told = Tally(self.blank, self.marks).sentences()
        if told:
            _logger.warning("%s: %s", where, "; ".join(told))
        quiet = Tally(wide=self.wide, returns=self.returns).sentences()
        if quiet:
            _logger.debug("%s: %s", where, "; ".join(quiet))


def check_encoding(encoding: str) -> None:
    """Lines are cut before they are decoded, so that one broken line costs one row.

    Raises:
        DataError: no encoding of this name, or one in which a line end is more than one byte.
    """
    try:
        fits = "\n".encode(encoding) == b"\n"
    except (LookupError, ValueError):
        fits = False
    if not fits:
        raise DataError(
            "data.encoding: THUCNews cannot be read in this encoding",
            given=encoding,
            expected="utf-8, in which it is published, or gb18030 for copies that somebody converted",
            fix="leave data.encoding out",
        )


def byte_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file (also ``.gz``) with their ends; never more than one in memory.

    Raises:
        DataError: it cannot be read, or a line is longer than any title.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST + 1):
                number += 1
                if len(line) > _LONGEST:
                    raise DataError(
                        f"{path}:{number}: the line is too long for a title",
                        given=f"more than {_LONGEST:,} bytes without a line end",
                        expected="a title and the number of its class a line",
                        fix="check that this is the right file, and not a packed one",
                    )
                yield line
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise DataError(f"{path}: cannot be read", given=reason or str(error)) from error


def decode(data: bytes, encoding: str) -> str:
    """The text of some bytes.

    Raises:
        ValueError: they are not in this encoding; its text says where, and what they look like.
    """
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        hint = ""
        if codecs.lookup(encoding).name == "utf-8":
            try:
                data.decode("gb18030")
                hint = "; looks like gb18030: set data.encoding=gb18030"
            except UnicodeDecodeError:
                pass
        given = data[error.start : error.start + 4].hex(" ")
        raise ValueError(f"not {encoding} at byte {error.start:,} (bytes {given}){hint}") from None


def fault_of(text: str) -> str | None:
    """Why a text is none that a model could read: half a character, or binary junk."""
    half = half_character(text)
    if half is not None:
        return f"half a character ({half}), which is no text"
    junk = _CONTROL.search(text)
    return None if junk is None else f"a control character (U+{ord(junk.group()):04X}), which no text holds"
