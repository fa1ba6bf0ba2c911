# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The data that comes with the package: small, written for this project, under its licence."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files

from tunesmith.data.rows import Row
from tunesmith.errors import NotFoundError, Origin

__all__ = ["support"]

_SPLITS = ("train", "test")


def support(split: str) -> Iterator[Row]:
    """Short messages to a shop's customer support, sorted into six intents.

    Args:
        split: ``train`` (300 rows, 50 an intent) or ``test`` (90 rows, 15 an intent).

    Yields:
        Rows with ``text`` and ``label``; the origin's line is the line of the CSV file, the header being line 1.

    Raises:
        NotFoundError: there is no such split.
    """
    if split not in _SPLITS:
        raise NotFoundError(
            "the dataset tunesmith/support has no such split",
            given=split,
            expected=" or ".join(_SPLITS),
            fix="write dataset:tunesmith/support#train",
        )
    # A resource, not a path: the package may lie in an archive.
    text = (files("tunesmith") / "assets" / "support" / f"{split}.csv").read_text("utf-8")
    reader = csv.DictReader(text.splitlines())
    for values in reader:
        yield Row(values, Origin(f"dataset:tunesmith/support#{split}", reader.line_num))
