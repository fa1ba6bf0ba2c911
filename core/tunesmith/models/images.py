# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What an image model expects of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tunesmith.errors import ModelError
from tunesmith.models.check import read_json
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
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def image_settings(source: ModelSource, model: Any) -> ImageSettings:
    """From the model's ``preprocessor_config.json``, or from its configuration where it has none.

    Raises:
        ModelError: neither says how large an image is.
    """
    config = model.config
    channels = int(getattr(config, "num_channels", 3))
    folder = source.base.folder if source.base is not None else source.folder
    file = None if folder is None else folder / "preprocessor_config.json"
    values = read_json(file) if file is not None and file.is_file() else {}
    size = _size_of(values) or _sides(getattr(config, "image_size", None))
    if size is None:
        raise ModelError(
            f"{source.name} does not say how large its images are",
            given="no `size` in preprocessor_config.json, no image_size in config.json",
            expected="preprocessor_config.json with size: {height, width}",
            fix="copy preprocessor_config.json of the original model into the folder",
        )
    mean, std = _normalization(values) if values else (None, None)
    return ImageSettings(
        height=size[0],
        width=size[1],
        channels=channels,
        mean=_per_channel(mean or getattr(config, "image_mean", None), channels),
        std=_per_channel(std or getattr(config, "image_std", None), channels),
    )


def _size_of(values: dict[str, Any]) -> tuple[int, int] | None:
    """A center crop, where there is one, decides over the size before it."""
    crop = _sides(values.get("crop_size")) if values.get("do_center_crop") else None
    return crop or _sides(values.get("size"))


def _sides(value: Any) -> tuple[int, int] | None:
    if isinstance(value, dict):
        edge = value.get("shortest_edge")
        value = [value.get("height", edge), value.get("width", edge)]
    if isinstance(value, int):
        value = [value, value]
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(side, int) for side in value):
        return value[0], value[1]
    return None


def _normalization(values: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and std for pixels scaled to 0…1, whatever scale the model's own preprocessing uses.

    Theirs is ``(255 · pixel · rescale_factor - offset - mean) / std``.
    """
    factor = 255 * float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 255.0
    offset = 1.0 if values.get("rescale_offset") else 0.0
    normalize = values.get("do_normalize", True)
    mean = _floats(values.get("image_mean"), 0.5) if normalize else [0.0]
    std = _floats(values.get("image_std"), 0.5) if normalize else [1.0]
    return [(value + offset) / factor for value in mean], [value / factor for value in std]


def _floats(value: Any, default: float) -> list[float]:
    if value is None:
        return [default]
    return [float(one) for one in value] if isinstance(value, (list, tuple)) else [float(value)]


def _per_channel(values: Any, channels: int) -> tuple[float, ...]:
    listed = _floats(values, 0.5)
    return tuple(listed) if len(listed) == channels else tuple(listed[:1] * channels)
