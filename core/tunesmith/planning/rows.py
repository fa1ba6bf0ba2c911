# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What happens to rows on their way to the model: which are cut or skipped and why, and which occur twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.data import Splits
from tunesmith.errors import DataError
from tunesmith.planning.facts import Finding, LengthBar, Repeats
from tunesmith.tasks.base import Encoded, Task

__all__ = ["find_repeats", "findings_of", "length_bars", "unusable_rows"]

SPLITS = ("train", "validation", "test")
SHOWN = 5
BARS = 12
_NUMBERS = re.compile(r"\d[\d,]*")
_PLURALS = {"are": "i", "were": "wa", "have": "ha"}  # like "is", "was" and "has" without their s


def findings_of(task: Task[Any, Any], splits: Splits[Any]) -> tuple[Finding, ...]:
    """Every sentence of ``task.counted()``, with the rows it counts.

    A task counts without remembering where. So every row is encoded once more, and a row belongs to the sentences whose
    first number it moved. Nothing is encoded where nothing was counted. The task's counters are wrong afterwards.
    """
    said = {_key(sentence): sentence for sentence in task.counted()}
    found: dict[str, list[str]] = {key: [] for key in said}
    if not said:
        return ()
    before = _first_numbers(task.counted())
    for split in SPLITS:
        for row, example in enumerate(getattr(splits, split)):
            try:
                task.encode(example, row)
            except DataError:  # the job would have stopped at it before there was a plan
                continue
            after = _first_numbers(task.counted())
            for key, number in after.items():
                if number != before.get(key) and key in found:
                    found[key].append(str(example.origin))
            before = after
    return tuple(Finding(said[key], len(rows), tuple(rows[:SHOWN])) for key, rows in found.items())


def unusable_rows(splits: Splits[Any], items: Mapping[str, Sequence[Encoded]]) -> dict[str, int]:
    """Rows by split that no item came of."""
    counts = {}
    for split in SPLITS:
        used = {item.row for item in items[split]}
        counts[split] = len(getattr(splits, split)) - len(used)
    return {split: count for split, count in counts.items() if count}


def find_repeats(splits: Splits[Any], items: Mapping[str, Sequence[Encoded]]) -> Repeats:
    """Rows whose features are equal, byte by byte."""
    rows: dict[str, int] = {}
    shared: dict[str, int] = {}
    first: list[tuple[str, str]] = []
    training: dict[bytes, int] = {}
    for split in SPLITS:
        examples = getattr(splits, split)
        seen: dict[bytes, int] = {}
        for row, digest in _digests(items[split]):
            earlier, where = seen.get(digest), split
            if earlier is not None:
                rows[split] = rows.get(split, 0) + 1
            elif split != "train" and digest in training:
                shared[split] = shared.get(split, 0) + 1
                earlier, where = training[digest], "train"
            if earlier is not None and len(first) < SHOWN:
                first.append((str(examples[row].origin), str(getattr(splits, where)[earlier].origin)))
            seen.setdefault(digest, row)
        if split == "train":
            training = seen
    return Repeats(rows, shared, tuple(first))


def length_bars(lengths: NDArray[np.int64]) -> tuple[LengthBar, ...]:
    """At most twelve bars of like width, from the shortest to the longest; none where all have length 1."""
    low, high = int(lengths.min()), int(lengths.max())
    if high <= 1:
        return ()
    width = -(-(high - low + 1) // BARS)
    counts = np.bincount((lengths - low) // width)
    return tuple(
        LengthBar(low + place * width, min(high, low + (place + 1) * width - 1), int(count))
        for place, count in enumerate(counts)
    )


def _digests(items: Iterable[Encoded]) -> Iterable[tuple[int, bytes]]:
    """Row and digest of all its items; the items of a row follow each other."""
    row, digest = -1, blake2b(digest_size=16)
    for item in items:
        if item.row != row:
            if row >= 0:
                yield row, digest.digest()
            row, digest = item.row, blake2b(digest_size=16)
        for name, array in sorted(item.features.items()):
            if name not in ("span", "bytes"):  # where a piece of text stood, not what it is
                digest.update(f"{name}{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
    if row >= 0:
        yield row, digest.digest()


def _key(sentence: str) -> str:
    """The sentence whatever it counts: ``1 row is skipped`` and ``2 rows are skipped`` are the same."""
    words = _NUMBERS.sub("#", sentence).split()
    return " ".join(_PLURALS.get(word, word.rstrip("s")) for word in words)


def _first_numbers(sentences: Sequence[str]) -> dict[str, str]:
    return {_key(sentence): found[0] for sentence in sentences if (found := _NUMBERS.search(sentence))}
