# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whole articles, as the authors publish them: a folder a class, a file an article, its first line the title."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith_thucnews.lines import CLASSES, MARK, WIDE, Tally, check_encoding, decode, fault_of
from tunesmith_thucnews.terms import require_terms

__all__ = ["SPLITS", "article_rows", "is_articles", "read", "split_of"]

SPLITS = ("train", "validation", "test")
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """The reader ``thucnews-folder``: rows ``{"text": whole article, "title": its first line, "label": its folder}``.

    In the order of the names. Article by article: of what lies in the folders only the names of one class are in
    memory. Hidden files and the litter of file managers are no articles; anything else that is none is a problem.

    Raises:
        DataError: the terms are not accepted, or this is no such folder.
    """
    require_terms()
    tally = Tally()
    yield from article_rows(path, options, tally)
    tally.tell(path)


def article_rows(path: Path, options: ReadOptions, tally: Tally, split: str | None = None) -> Iterator[Row | Problem]:
    """What :func:`read` gives, whether the terms are accepted or not; counts into ``tally``.

    Args:
        split: only its articles (:func:`split_of`); the others are not opened. Default: all.
    """
    check_encoding(options.encoding)
    _check_folder(path)
    for entry in _entries(path):
        if entry.name in CLASSES and entry.is_dir():
            yield from _of_class(Path(entry.path), options.encoding, tally, split)
        elif split in (None, SPLITS[0]):  # told once, not with every split
            yield Problem(Origin(entry.path), f"not a folder of one of the 14 classes: {', '.join(CLASSES)}")


def split_of(label: str, name: str) -> str:
    """To which split an article belongs: by a digest of its class and file name, so always and everywhere the same.

    Eight of ten are ``train``, one each ``validation`` and ``test``. What other articles there are does not matter.
    """
    drawn = int.from_bytes(hashlib.blake2b(f"{label}/{name}".encode(), digest_size=8).digest(), "big") % 10
    return SPLITS[0] if drawn < 8 else SPLITS[drawn - 7]


def is_articles(path: Path) -> bool:
    """There is a folder of one of the classes in it."""
    return any((path / name).is_dir() for name in CLASSES)


def _of_class(folder: Path, encoding: str, tally: Tally, split: str | None) -> Iterator[Row | Problem]:
    label = folder.name
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read", given=error.strerror or str(error)) from error
    for name in names:
        if name.startswith(".") or name.lower() in _LITTER:
            continue
        if split is None or split_of(label, name) == split:
            yield _article(folder / name, label, encoding, tally)


def _article(file: Path, label: str, encoding: str, tally: Tally) -> Row | Problem:
    origin = Origin(str(file))
    try:
        text = decode(file.read_bytes(), encoding)
    except IsADirectoryError:
        return Problem(origin, "a folder inside the folder of a class; expected files, one an article")
    except OSError as error:
        return Problem(origin, f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        return Problem(origin, str(error))
    fault = fault_of(text)
    if fault is not None:
        return Problem(origin, fault)
    lines = []
    for number, line in enumerate(text.split("\n")):
        bare = line.lstrip(MARK) if number == 0 else line
        tally.returns += bare.endswith("\r")
        stripped = bare.strip()
        tally.wide += bool(stripped) and (bare[0] == WIDE or bare.rstrip("\r").endswith(WIDE))
        if stripped:
            lines.append(stripped)
    if not lines:
        return Problem(origin, "there is nothing in it; expected an article, its first line the title")
    return Row({"text": "\n".join(lines), "title": lines[0], "label": label}, origin)


def _check_folder(path: Path) -> None:
    if path.is_dir() and is_articles(path):
        return
    inside = [entry.name for entry in _entries(path) if is_articles(Path(entry.path))] if path.is_dir() else []
    raise DataError(
        f"{path}: not the folder of THUCNews",
        given="no folder" if not path.is_dir() else "no folder of one of its classes in it",
        expected=f"folders {', '.join(CLASSES)}, with a .txt file an article",
        fix=f"give {path / inside[0]}"
        if inside
        else "unpack the archive, and give the folder that these folders are in",
    )


def _entries(path: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted by name, without hidden files and litter."""
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{path}: the folder cannot be read", given=error.strerror or str(error)) from error
    return [entry for entry in found if not entry.name.startswith(".") and entry.name.lower() not in _LITTER]
