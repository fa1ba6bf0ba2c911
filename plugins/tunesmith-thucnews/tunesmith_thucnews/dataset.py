# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``dataset:thucnews#SPLIT``: the copy on this machine, in whichever form it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tunesmith.data.rows import Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith_thucnews.folders import article_rows, is_articles
from tunesmith_thucnews.lines import Tally
from tunesmith_thucnews.terms import HOME, require_terms
from tunesmith_thucnews.titles import CLASS_FILE, title_rows

__all__ = ["FILES", "VARIABLE", "data_folder", "split_rows", "thucnews"]

VARIABLE = "TUNESMITH_THUCNEWS"
"""Environment variable: the folder with the copy."""

FILES = {"train": "train.txt", "validation": "dev.txt", "test": "test.txt"}


def thucnews(split: str) -> Iterator[Row | Problem]:
    """The rows of ``train``, ``validation`` or ``test``.

    Raises:
        DataError: the terms are not accepted, there is no copy, or it lacks this split.
    """
    require_terms()
    tally, folder = Tally(), data_folder()
    yield from split_rows(folder, split, tally)
    tally.tell(folder)


def split_rows(folder: Path, split: str, tally: Tally) -> Iterator[Row | Problem]:
    """The rows of a split of a copy, whether the terms are accepted or not; counts into ``tally``."""
    options = ReadOptions()
    if is_articles(folder):
        return article_rows(folder, options, tally, split)
    file = folder / FILES[split]
    if not file.is_file():
        raise DataError(
            f"{folder}: this copy of THUCNews has no {split} split",
            given=f"no {FILES[split]} in it",
            expected=", ".join(FILES.values()),
            fix="copy the file there, or cut the split off the training rows: data.split." + f"{split}=0.1"
            if split != "train"
            else "copy the file there",
        )
    return title_rows(file, options, tally)


def data_folder() -> Path:
    """Where the copy lies.

    Raises:
        DataError: the variable is not set, or leads to no copy.
    """
    named = os.environ.get(VARIABLE)
    folder = Path(named).expanduser() if named else None
    if folder is not None:
        for place in (folder, folder / "data", folder / "THUCNews", folder / "THUCNews" / "data"):
            if (place / CLASS_FILE).is_file() or is_articles(place):
                return place
    raise DataError(
        "there is no copy of THUCNews to read",
        given=f"{VARIABLE}={named}, where there is none" if named else f"{VARIABLE} is not set",
        expected=f"a folder with the 14 folders of articles, or with {CLASS_FILE}, {', '.join(FILES.values())}",
        fix=[
            f"get the collection from its authors: {HOME}",
            f"then set {VARIABLE} to its folder: export {VARIABLE}=FOLDER",
        ],
    )
