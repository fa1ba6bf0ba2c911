# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""MNIST-style idx: an image file and, beside it, the file of its labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.data.readers.opened import read_bytes
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["labels_file", "read"]

_UBYTE = 0x08


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows ``{"image": uint8 array (H, W), "label": digits as text}``; an origin's line is the 1-based image.

    Given ``NAME-images-idx3-ubyte[.gz]``; the labels are read from ``NAME-labels-idx1-ubyte[.gz]`` beside
    it. Without that file the rows have an image only, which is enough to predict.

    Raises:
        DataError: wrong magic, truncated, or not as many labels as images.
    """
    if "images" not in path.name and "labels" in path.name:
        raise DataError(
            f"{path}: this is a file of labels",
            expected="the file of images; its labels are found beside it",
            fix=f"give {path.name.replace('labels', 'images').replace('idx1', 'idx3')}",
        )
    images = _array(path, axes=3)
    partner = labels_file(path)
    labels = None if partner is None else _array(partner, axes=1).tolist()
    if labels is not None and len(labels) != len(images):
        raise DataError(
            f"{path}: {len(images):,} images, and {len(labels):,} labels in {partner}",
            expected="one label for every image",
            fix="check that the two files belong together",
        )
    file = str(path)
    for index, image in enumerate(images):
        origin = Origin(file, index + 1)
        yield Row({"image": image} if labels is None else {"image": image, "label": str(labels[index])}, origin)


def labels_file(images: Path) -> Path | None:
    """The file of labels beside a file of images, packed or not; ``None`` where there is none."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    if name == images.name:
        return None
    plain = name.removesuffix(".gz")
    choices = (images.with_name(name), images.with_name(plain), images.with_name(plain + ".gz"))
    return next((choice for choice in choices if choice.is_file()), None)


def _array(path: Path, axes: int) -> NDArray[np.uint8]:
    """The array in an idx file. Layout: 0, 0, element type, axes, then each axis as a 4-byte big-endian number."""
    import numpy as np

    data = read_bytes(path)
    if not data:
        raise DataError(f"{path}: the file is empty", given="0 bytes", expected=f"an idx{axes} file")
    magic = bytes((0, 0, _UBYTE, axes))
    if data[:4] != magic:
        raise DataError(
            f"{path}: not an idx file of {'images' if axes == 3 else 'labels'}",
            given=f"first bytes {data[:4].hex(' ')}",
            expected=f"first bytes {magic.hex(' ')} (unsigned bytes, {axes} axes)",
            fix="unpack it, or give it the ending .gz, if it is packed" if data[:2] == b"\x1f\x8b" else None,
        )
    start = 4 + 4 * axes
    shape = [int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4)]
    expected = start + math.prod(shape)
    if len(data) != expected:
        raise DataError(
            f"{path}: the idx file is {'truncated' if len(data) < expected else 'too long'}",
            given=f"{len(data):,} bytes",
            expected=f"{expected:,} bytes for {' × '.join(map(str, shape))}",
            fix="copy or download it again",
        )
    if 0 in shape:
        raise DataError(f"{path}: the idx file holds nothing", given=" × ".join(map(str, shape)))
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
