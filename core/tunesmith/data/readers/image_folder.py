# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Images as they lie on a disk: one folder a label, or single files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

__all__ = ["SUFFIXES", "holds_images", "read"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows ``{"image": Path, "label": folder name}`` of ``path/LABEL/*.png`` and the like, sorted by name.

    Images that lie directly in ``path`` have no label, which is enough to predict. Hidden files and
    the litter of file managers (``Thumbs.db``, ``desktop.ini``) are no images; any other file in a
    label's folder is a problem. Given an image file, that is the one row.

    Raises:
        DataError: no images, or both labelled and unlabelled ones.
    """
    if path.is_file():
        yield Row({"image": path}, Origin(str(path)))
        return
    loose = [entry for entry in _entries(path) if _is_image(entry)]
    labels = [entry for entry in _entries(path) if entry.is_dir()]
    if loose and labels:
        raise DataError(
            f"{path}: images both in the folder itself and in folders of labels",
            given=f"{loose[0].name} beside the folder {labels[0].name}/",
            expected="LABEL/image.png for every image, or images without labels alone",
        )
    if not loose and not labels:
        raise DataError(
            f"{path}: no images in this folder",
            expected=f"LABEL/image.png, with an ending of {' '.join(sorted(SUFFIXES))}",
        )
    for image in loose:
        yield Row({"image": image}, Origin(str(image)))
    for label in labels:
        yield from _labelled(label)


def holds_images(folder: Path) -> bool:
    """There is an image in ``folder`` or in a folder directly inside it."""
    entries = _entries(folder)
    return any(map(_is_image, entries)) or any(
        any(map(_is_image, _entries(entry))) for entry in entries if entry.is_dir()
    )


def _labelled(folder: Path) -> Iterator[Row | Problem]:
    entries = _entries(folder)
    if not entries:
        yield Problem(Origin(str(folder)), "the folder of this label holds no images")
    for entry in entries:
        if _is_image(entry):
            yield Row({"image": entry, "label": folder.name}, Origin(str(entry)))
        else:
            kind = "a folder inside a label's folder" if entry.is_dir() else "not an image, by its ending"
            yield Problem(Origin(str(entry)), f"{kind}; expected one of {' '.join(sorted(SUFFIXES))}")


def _entries(folder: Path) -> list[Path]:
    """What lies in ``folder``, sorted by name, without hidden files and litter."""
    try:
        found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read", given=error.strerror or str(error)) from error
    return [entry for entry in found if not entry.name.startswith(".") and entry.name.lower() not in _LITTER]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
