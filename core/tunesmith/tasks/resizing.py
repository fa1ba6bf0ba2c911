# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a picture of any size to the size a model reads: resized, then cropped at the center, as transformers does it.

Sizes are ``(height, width)`` in pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

__all__ = ["resized"]

MOST_PIXELS = 64_000_000
"""Of a resized picture before its crop. A strip of 1 × 10,000 pixels would become 256 × 2,560,000."""

Size = tuple[int, int]


def resized(image: Image, size: Size, resize: Size | int | None, resample: str) -> Image:
    """``image`` at ``size``.

    Args:
        resize: before the crop: ``(height, width)``, or the length of the shorter side, proportions kept; 0: not
            resized. ``None``: to ``size`` at once.
        resample: Pillow's name of the filter, in any case.
    """
    from PIL.Image import Resampling

    method = Resampling[resample.upper()]
    target = size if resize is None else _target(image, resize)
    if target == (image.height, image.width):
        return _center(image, size)
    if target[0] * target[1] > MOST_PIXELS:
        return _center(_middle(image, target, size, method), size)
    return _center(image.resize(target[::-1], method), size)


def _target(image: Image, resize: Size | int) -> Size:
    if isinstance(resize, tuple):
        return resize
    if resize == 0:
        return image.height, image.width
    shorter, longer = sorted(image.size)
    long = int(resize * longer / shorter)
    return (long, resize) if image.width <= image.height else (resize, long)


def _center(image: Image, size: Size) -> Image:
    """The middle of a picture, on black where it is too small."""
    if size == (image.height, image.width):
        return image
    top, left = (_offset(whole, part) for whole, part in zip((image.height, image.width), size, strict=True))
    return image.crop((left, top, left + size[1], top + size[0]))


def _offset(whole: int, part: int) -> int:
    return (whole - part) // 2 if whole >= part else -((part - whole + 1) // 2)


def _middle(image: Image, target: Size, size: Size, method: Resampling) -> Image:
    """The middle of ``image`` resized to ``target``, without the rest of it."""
    top, left = (max(0, (whole - part) // 2) for whole, part in zip(target, size, strict=True))
    height, width = min(target[0], size[0]), min(target[1], size[1])
    down, across = image.height / target[0], image.width / target[1]
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    return image.resize((width, height), method, box=box)
