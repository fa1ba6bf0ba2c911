# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Amounts as colors: blue speaks for the answer, orange against it; the stronger, the fuller.

Shapes: H height, W width, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tunesmith.tasks.images import png_bytes
from tunesmith_explain.attributions import Attribution

__all__ = ["AGAINST", "FOR", "blended", "heat_png"]

FOR = (31, 95, 139)
AGAINST = (196, 90, 22)
"""Told apart by people who do not see red and green, too. The colors of the report."""
_HIGH = 99.5
"""Percentile of the amounts that is drawn in full: one extreme pixel would leave the others pale."""
_LEAST_SIDE = 112
"""Pixels; smaller images are enlarged, each pixel to a square, so that they stay sharp."""

_Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def blended(amounts: np.ndarray[Any, Any], under: np.ndarray[Any, Any]) -> _Pixels:
    """uint8 (H, W, 3): amounts (H, W) over a picture (H, W, 3) of 0 to 255."""
    size = np.abs(amounts)
    full = float(np.percentile(size, _HIGH)) or float(size.max(initial=0.0)) or 1.0
    strength = np.clip(size / full, 0, 1)[..., None] ** 0.75
    colors = np.where((amounts >= 0)[..., None], np.array(FOR), np.array(AGAINST))
    pixels: _Pixels = np.round(under * (1 - strength) + colors * strength).astype(np.uint8)
    return pixels


def heat_png(one: Attribution) -> bytes:
    """A PNG of an image: on the left what the model saw, on the right what each pixel adds."""
    assert one.heat is not None
    assert one.pixels is not None
    picture = one.pixels.astype(np.float64)
    if picture.shape[2] == 1:
        picture = picture.repeat(3, axis=2)
    gray = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    faded = 255 - (255 - gray) * 0.25  # pale, so that the colors are those of the amounts alone
    gap = np.full((len(gray), max(1, gray.shape[1] // 16), 3), 255.0)
    both = np.concatenate([picture, gap, blended(one.heat, faded).astype(np.float64)], axis=1).astype(np.uint8)
    times = max(1, -(-_LEAST_SIDE // max(1, len(gray))))
    return png_bytes(both.repeat(times, axis=0).repeat(times, axis=1))
