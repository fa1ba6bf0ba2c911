# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the bytes of a text file look like, for error messages only: nothing is ever decoded on a guess."""

from __future__ import annotations

import codecs

__all__ = ["byte_order_mark", "guess_encoding", "kind_of_binary"]

# UTF-32 first: its little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)

_MAGIC = (
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a zip file (an Excel workbook?)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ARROW1", "an Arrow file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
)

# Codec, and the characters a text in it is mostly made of beside ASCII. The first that fits wins, so the
# order goes from scripts that are hard to hit by accident to those that are easy.
_SCRIPTS: tuple[tuple[str, tuple[tuple[int, int], ...], float], ...] = (
    ("utf-8", ((0x80, 0x10FFFF),), 1.0),
    ("shift_jis", ((0x3041, 0x30FF),), 0.3),
    ("euc_jp", ((0x3041, 0x30FF),), 0.3),
    ("euc_kr", ((0xAC00, 0xD7A3),), 0.9),
    ("gb18030", ((0x4E00, 0x9FA5), (0x3000, 0x303F), (0xFF00, 0xFFEF)), 0.9),
    ("cp1251", ((0x0410, 0x044F),), 0.9),
)


def byte_order_mark(head: bytes) -> str | None:
    """The encoding that a byte order mark at the start of a file declares."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def kind_of_binary(head: bytes) -> str | None:
    """What a file is, by its first bytes, when it is a well-known binary format."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def guess_encoding(sample: bytes, *, tried: str) -> str | None:
    """A codec that decodes all of ``sample`` to plausible text.

    Args:
        sample: bytes around a place that ``tried`` could not decode.
        tried: the codec that failed; never the answer.
    """
    if sample.count(0) > len(sample) // 4:
        return "utf-16-le" if sample[1::2].count(0) >= sample[::2].count(0) else "utf-16-be"
    failed = codecs.lookup(tried).name
    if not _lonely_high_bytes(sample):
        for name, ranges, share in _SCRIPTS:
            if codecs.lookup(name).name != failed and _mostly(sample, name, ranges) >= share:
                return name
    for name in ("cp1252", "latin-1"):
        if codecs.lookup(name).name != failed and _decodes(sample, name):
            return name
    return None


def _lonely_high_bytes(sample: bytes) -> bool:
    """Most non-ASCII bytes stand alone, as accents in a Western text do; other scripts use runs of them."""
    high = [index for index, byte in enumerate(sample) if byte >= 0x80]
    places = set(high)
    alone = sum(index - 1 not in places and index + 1 not in places for index in high)
    return alone * 2 > len(high)


def _mostly(sample: bytes, name: str, ranges: tuple[tuple[int, int], ...]) -> float:
    """Share of the non-ASCII characters that lie in ``ranges``; 0 where the sample does not decode."""
    # The sample was cut out of a file: a broken character at either end says nothing about the rest.
    text = next((sample[cut:].decode(name, "ignore") for cut in range(3) if _decodes(sample[cut:], name)), "")
    foreign = [ord(char) for char in text if ord(char) >= 0x80]
    inside = sum(any(low <= point <= high for low, high in ranges) for point in foreign)
    return inside / len(foreign) if foreign else 0.0


def _decodes(sample: bytes, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    try:
        decoder.decode(sample)
    except UnicodeDecodeError:
        return False
    return True
