# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Parts cut off the training rows, and a look for rows that are in two parts."""

from __future__ import annotations

import json
import random
from collections.abc import Hashable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.rows import Column, Origin, Row
from tunesmith.errors import DataError, RecipeError

if TYPE_CHECKING:
    from tunesmith.recipe.schema import DataSection

__all__ = ["check_shares", "cut_documents", "repeated_rows", "split_places"]


def check_shares(section: DataSection) -> None:
    """A split comes from files or from a share, not both.

    Raises:
        RecipeError: both.
    """
    for split in ("validation", "test"):
        sources, share = getattr(section, split), getattr(section.split, split)
        if sources and share:
            raise RecipeError(
                f"data.{split} and data.split.{split} exclude each other",
                given=f"data.{split}={', '.join(sources)} and data.split.{split}={share:g}",
                expected="files for the split, or a share of the training rows",
                fix=f"remove one, e.g. --set data.split.{split}=0",
            )
    if section.test and section.split.folds is not None:
        raise RecipeError(
            "data.test and data.split.folds exclude each other",
            given=f"data.test={', '.join(section.test)} and data.split.folds={section.split.folds}",
            expected="rows for the test split, or a fold of the training rows",
            fix="--set data.test=[]",
        )


def split_places(count: int, shares: Mapping[str, float], seed: int) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
    """Draw parts of ``count`` rows at random; every part keeps the order of the files.

    The same rows, shares and seed give the same parts on every platform and version of Python.

    Args:
        shares: part to share of all rows, 0 to below 1; a share of 0 gives no part.

    Returns:
        The places of each part's rows, ``train`` with the rest, and notes.

    Raises:
        DataError: a part that was asked for would be empty.
    """
    # Only random() itself is promised to stay the same between versions of Python; shuffle() is not.
    draw = random.Random(seed).random
    order = np.argsort(np.fromiter((draw() for _ in range(count)), np.float64, count=count), kind="stable")
    parts: dict[str, NDArray[np.int64]] = {}
    taken = 0
    for part, share in shares.items():
        if share:
            size = round(share * count)
            parts[part] = np.sort(order[taken : taken + size])
            taken += size
    parts["train"] = np.sort(order[taken:])
    _check_parts(parts, shares, f"{count:,} {'row' if count == 1 else 'rows'}")
    sizes = ", ".join(f"{part} {len(found):,}" for part, found in sorted(parts.items(), key=lambda item: -len(item[1])))
    return parts, [f"{count:,} rows split at random with seed {seed}: {sizes}"]


def cut_documents(rows: Sequence[Row], shares: Mapping[str, float]) -> tuple[dict[str, list[Row]], list[str]]:
    """Cut the end off each long text: validation, and the test part at the very end.

    A share is of the document's characters, rounded down to the start of a line (to the character in a text
    of one line). Nothing is lost: the parts put together are the document.

    Raises:
        DataError: a part that was asked for would be empty.
    """
    parts: dict[str, list[Row]] = {part: [] for part in ("train", *(part for part, share in shares.items() if share))}
    notes = []
    for row in rows:
        text: str = row.values["text"]
        last = _line_start(text, 1 - shares["test"])
        middle = min(last, _line_start(text, 1 - shares["test"] - shares["validation"]))
        places = {"train": (0, middle), "validation": (middle, last), "test": (last, len(text))}
        told = []
        for part, (start, end) in places.items():
            if start < end:
                # Every column that holds the text, also one that a mapping added.
                values = {name: text[start:end] if value == text else value for name, value in row.values.items()}
                line = (row.origin.line or 1) + text.count("\n", 0, start)
                parts[part].append(Row(values, Origin(row.origin.file, line)))
                told.append(f"{part} from line {line:,} ({end - start:,} characters)")
        notes.append(f"{row.origin.file}: one text, cut in order: {', '.join(told)}")
    _check_parts(parts, shares, f"{len(rows)} {'text' if len(rows) == 1 else 'texts'} of few lines")
    return parts, notes


def repeated_rows(parts: Mapping[str, Sequence[Row]], columns: Sequence[Column]) -> list[str]:
    """Count held-out rows whose input is also a training row's: they are kept, and make a score too good.

    Rows are compared by the columns that are no target, or by all where the task names none; images in
    folders are not compared.
    """
    names = [column.name for column in columns if not column.target]
    inputs = {part: [_input(row, names) for row in parts[part]] for part in ("validation", "test")}
    wanted = {key for keys in inputs.values() for key in keys} - {None}
    # Held-out rows are few and are remembered; the training rows, which may be many, pass by once.
    known = {key for row in parts["train"] if (key := _input(row, names)) in wanted} if wanted else set()
    notes = []
    for part in ("validation", "test"):
        count = sum(key in known for key in inputs[part])
        if count:
            verb = "is" if count == 1 else "are"
            notes.append(f"{count:,} of {len(parts[part]):,} {part} rows {verb} also in the training rows; kept")
    return notes


def _line_start(text: str, share: float) -> int:
    """The last start of a line within the first ``share`` of the text."""
    target = round(len(text) * share)
    return target if target == len(text) else (text.rfind("\n", 0, target) + 1 or target)


def _check_parts(parts: Mapping[str, Sized], shares: Mapping[str, float], given: str) -> None:
    empty = [part for part in ("train", *shares) if part in parts and not len(parts[part])]
    if empty:
        asked = ", ".join(f"data.split.{part}={share:g}" for part, share in shares.items() if share)
        raise DataError(
            f"data.split: nothing would be left for {' and '.join(empty)}",
            given=f"{asked} of {given}",
            expected="at least one row in every part",
            fix="give more rows, other shares, or files of their own (data.validation, data.test)",
        )


def _input(row: Row, names: Sequence[str]) -> Hashable:
    found = [row.values[name] for name in names if row.values.get(name) is not None] or list(row.values.values())
    keys = tuple(map(_key, found))
    return None if None in keys else keys


def _key(value: Any) -> Hashable:
    if isinstance(value, (str, bytes, int, float)):
        return value
    if isinstance(value, (list, dict)):
        return json.dumps(value, sort_keys=True, default=str)
    return (value.shape, value.tobytes()) if hasattr(value, "tobytes") else None
