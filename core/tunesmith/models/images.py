# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What an image model expects of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tunesmith.errors import ModelError
from tunesmith.models.check import read_json
from tunesmith.models.image_processors import LARGEST_SIDE, read_preparation
from tunesmith.models.source import ModelSource

__all__ = ["ImageSettings", "image_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What an image model reads: pixels scaled to 0…1, then ``(pixel - mean) / std`` per channel.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 is grayscale, 3 is RGB.
        mean: per channel.
        std: per channel.
        resize: before the center is cropped to ``height`` × ``width``: ``(height, width)``, or the length of the
            shorter side, proportions kept; 0 leaves the image as it is. ``None``: resized to ``height`` × ``width`` at
            once, proportions not kept.
        resample: Pillow's name of the filter.
        bgr: the model reads the channels in reverse order.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: tuple[int, int] | int | None = None
    resample: str = "bilinear"
    bgr: bool = False


def image_settings(source: ModelSource, model: Any) -> ImageSettings:
    """From the model's ``preprocessor_config.json``, or from its configuration where it has none.

    Raises:
        ModelError: neither says how large an image is, or the images are prepared in a way that is not known here.
    """
    config = model.config
    channels = getattr(config, "num_channels", 3)
    if channels not in (1, 3):
        raise ModelError(
            f"{source.name} does not read pictures",
            given=f"num_channels: {channels} in config.json",
            expected="1 (gray) or 3 (color)",
            fix="choose another image model",
        )
    folder = source.base.folder if source.base is not None else source.folder
    file = None if folder is None else folder / "preprocessor_config.json"
    values = read_json(file) if file is not None and file.is_file() else {}
    size = _sides(getattr(config, "image_size", None))
    preparation = read_preparation(values, name=source.name, size=size) if values else None
    if preparation is not None:
        return ImageSettings(
            height=preparation.height,
            width=preparation.width,
            channels=channels,
            mean=_per_channel(preparation.mean, channels),
            std=_per_channel(preparation.std, channels),
            resize=preparation.resize,
            resample=preparation.resample,
            bgr=preparation.bgr,
        )
    if size is None:
        raise ModelError(
            f"{source.name} does not say how large its images are",
            given="no `size` in preprocessor_config.json, no usable image_size in config.json",
            expected="preprocessor_config.json with size: {height, width}",
            fix="copy preprocessor_config.json of the original model into the folder",
        )
    return ImageSettings(
        height=size[0],
        width=size[1],
        channels=channels,
        mean=_per_channel(getattr(config, "image_mean", None), channels),
        std=_per_channel(getattr(config, "image_std", None), channels),
    )


def _sides(value: Any) -> tuple[int, int] | None:
    sides = [value, value] if isinstance(value, int) else value
    if isinstance(sides, (list, tuple)) and len(sides) == 2 and all(_is_side(side) for side in sides):
        return sides[0], sides[1]
    return None


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 < value <= LARGEST_SIDE


def _per_channel(values: Any, channels: int) -> tuple[float, ...]:
    listed = [0.5] if values is None else [float(value) for value in values]
    return tuple(listed) if len(listed) == channels else tuple(listed[:1] * channels)
