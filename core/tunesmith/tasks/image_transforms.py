# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Transforms of images, as the model sees them: resized, not yet normalized.

Where a picture is moved or turned, what comes in from outside goes on as its outermost pixels: a frame of zeros would
be an edge that no picture has, whatever its background.

Shapes: H height, W width, C channels; pixels are uint8 (H, W, C).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tunesmith.tasks.images import Pixels, as_image, as_pixels
from tunesmith.tasks.transforms import Transform

__all__ = ["Brightness", "Contrast", "Erase", "Flip", "Rotate", "Shift"]

Random = np.random.Generator


class Flip(Transform):
    """Left and right change sides. Not for digits, letters and whatever else has a side."""

    probability: float = Field(default=0.5, ge=0, le=1)
    """Chance that a row is changed at all."""

    def change(self, value: Pixels, random: Random) -> Pixels:
        return value[:, ::-1]


class Shift(Transform):
    """Moved, each way by a whole number of pixels (as the padded crops of He et al. 2015, arXiv:1512.03385)."""

    pixels: int = Field(default=2, ge=1)
    """Moved by at most this many, up or down and to a side, all distances being equally likely."""

    def change(self, value: Pixels, random: Random) -> Pixels:
        down, right = random.integers(-self.pixels, self.pixels, size=2, endpoint=True).tolist()
        return _window(value, -down, -right, *value.shape[:2])


class Rotate(Transform):
    """Turned around the center, with bilinear interpolation (as in Simard et al. 2003)."""

    degrees: float = Field(default=10.0, gt=0, le=180)
    """Turned by at most this angle, either way, all angles being equally likely."""

    def change(self, value: Pixels, random: Random) -> Pixels:
        from PIL.Image import Resampling

        angle = random.uniform(-self.degrees, self.degrees)
        height, width = value.shape[:2]
        sine, cosine = abs(math.sin(math.radians(angle))), abs(math.cos(math.radians(angle)))
        # How far the turned frame reaches beyond the upright one, and a pixel to interpolate with.
        above = max(0, math.ceil((width * sine + height * cosine - height) / 2)) + 1
        beside = max(0, math.ceil((height * sine + width * cosine - width) / 2)) + 1
        wide = _window(value, -above, -beside, height + 2 * above, width + 2 * beside)
        turned = as_pixels(as_image(wide).rotate(angle, resample=Resampling.BILINEAR))
        return turned[above : above + height, beside : beside + width]


class Brightness(Transform):
    """Every pixel times one number (as in Howard 2013, arXiv:1312.5402)."""

    amount: float = Field(default=0.2, gt=0, le=1)
    """The number is between 1 - amount and 1 + amount."""

    def change(self, value: Pixels, random: Random) -> Pixels:
        factor = random.uniform(1 - self.amount, 1 + self.amount)
        return _looked_up(value, np.arange(256) * factor)


class Contrast(Transform):
    """Every pixel's distance from the picture's mean times one number (as in Howard 2013, arXiv:1312.5402)."""

    amount: float = Field(default=0.2, gt=0, le=1)
    """The number is between 1 - amount and 1 + amount."""

    def change(self, value: Pixels, random: Random) -> Pixels:
        factor, mean = random.uniform(1 - self.amount, 1 + self.amount), float(value.mean())
        return _looked_up(value, mean + (np.arange(256) - mean) * factor)


class Erase(Transform):
    """A rectangle of noise somewhere in the picture (Zhong et al. 2017, arXiv:1708.04896).

    Its height is 0.3 to 3.3 times its width, as in the paper, on a logarithmic scale, so that upright and lying ones
    are equally likely. A side that would be longer than the picture's is as long as the picture's.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    """Chance that a row is changed at all."""
    smallest: float = Field(default=0.02, gt=0, le=1)
    """The rectangle's least share of the picture's area."""
    largest: float = Field(default=0.4, gt=0, le=1)
    """The rectangle's greatest share of the picture's area."""

    @model_validator(mode="after")
    def _in_order(self) -> Erase:
        if self.smallest > self.largest:
            raise ValueError(f"smallest is {self.smallest:g} and largest is {self.largest:g}; it must not be less")
        return self

    def change(self, value: Pixels, random: Random) -> Pixels:
        height, width, channels = value.shape
        area = random.uniform(self.smallest, self.largest) * height * width
        aspect = 0.3 ** random.uniform(-1, 1)
        tall = min(height, max(1, round(math.sqrt(area * aspect))))
        wide = min(width, max(1, round(math.sqrt(area / aspect))))
        top, left = random.integers(height - tall, endpoint=True), random.integers(width - wide, endpoint=True)
        erased: Pixels = value.copy()
        erased[top : top + tall, left : left + wide] = random.integers(256, size=(tall, wide, channels), dtype=np.uint8)
        return erased


def _window(pixels: Pixels, top: int, left: int, height: int, width: int) -> Pixels:
    """A part of the picture's plane, in which the outermost pixels go on without end."""
    rows = np.arange(top, top + height).clip(0, pixels.shape[0] - 1)
    columns = np.arange(left, left + width).clip(0, pixels.shape[1] - 1)
    return pixels.take(rows, axis=0).take(columns, axis=1)


def _looked_up(pixels: Pixels, levels: NDArray[np.floating]) -> Pixels:
    """Every pixel replaced by the level, (256,), that belongs to its own; rounded, and cut to 0 … 255."""
    found: Pixels = np.rint(levels).clip(0, 255).astype(np.uint8)[pixels]
    return found
