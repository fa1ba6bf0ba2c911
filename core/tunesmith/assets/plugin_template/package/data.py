# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The rows that come with this plugin, made up for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

from tunesmith.data.rows import Origin, Row
from tunesmith.errors import NotFoundError

__all__ = ["reviews"]

_SPLITS = ("train", "test")


def reviews(split: str) -> Iterator[Row]:
    """Short reviews of kettles: `text`, and `<< column >>` from 1 to 5.

    Args:
        split: `train` (20 rows, 4 a rating) or `test` (10 rows, 2 a rating).

    Raises:
        NotFoundError: there is no such split.
    """
    if split not in _SPLITS:
        # An error says what was given, what was expected and what to do: whoever reads it may not know this file.
        raise NotFoundError(
            "the dataset << name >> has no such split",
            given=split,
            expected=" or ".join(_SPLITS),
            fix="write dataset:<< name >>#train",
        )
    # A resource and not a path: the package may lie in an archive. Nothing is fetched, so it works offline.
    text = (files("tunesmith_example") / f"{split}.jsonl").read_text("utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        # The origin stands in every message about this row.
        yield Row(json.loads(line), Origin("dataset:<< name >>#" + split, number))
