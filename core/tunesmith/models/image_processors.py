# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``preprocessor_config.json``: how a model of the hub has its images resized, cropped and scaled.

The file says which of transformers' image processors made it, and what that processor leaves to its defaults is not in
the file. :data:`_PROCESSORS` holds these defaults, and the few processors that compute something of their own. A step
that is switched on and not known here is an error: an image prepared otherwise than in training is a wrong answer that
nobody sees. ``tests/core/models/test_image_processors.py`` compares the pixels with transformers' own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tunesmith.errors import ModelError

__all__ = ["FILTERS", "LARGEST_SIDE", "Preparation", "read_preparation"]

FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Names of Pillow's filters, in the order of the numbers that ``resample`` holds."""
LARGEST_SIDE = 4096
"""Of what a model reads, in pixels. A larger number in a file is damage, or meant to fill the memory."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_DONE = frozenset({"resize", "center_crop", "rescale", "normalize", "flip_channel_order"})
_HARMLESS = frozenset({"convert_rgb", "reduce_labels", "reduce_zero_label"})  # nothing to do for RGB, or for one label

Sides = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """From pixels 0…255 of any size to what a model reads: resize, crop the centre, scale, normalize.

    Attributes:
        height: of what the model reads, in pixels.
        width: in pixels.
        resize: before the crop: ``(height, width)``, or the length of the shorter side, proportions kept; 0 leaves the
            image as it is; ``None`` resizes to what the model reads at once, proportions not kept.
        resample: one of :data:`FILTERS`.
        bgr: the channels are in reverse order.
        mean: for pixels scaled to 0…1, per channel.
        std: the divisor after the mean.
    """

    height: int
    width: int
    resize: Sides | int | None
    resample: str
    bgr: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Processor:
    """Defaults of one of transformers' image processors.

    Attributes:
        size: a number is the shorter side, proportions kept.
        crop: ``(height, width)`` of the crop at the centre.
        crops: whether it crops unless told otherwise.
        own: what it computes in a way of its own.
        crop_pct: the crop's part of the resized image.
    """

    size: int | Sides = (224, 224)
    crop: Sides = (224, 224)
    crops: bool = False
    resample: str = "bicubic"
    statistics: tuple[tuple[float, ...], tuple[float, ...]] = _HALF
    own: Literal["", "convnext", "levit", "poolformer", "efficientnet", "mobilevit"] = ""
    crop_pct: float | None = None


_PROCESSORS = {
    "vit": _Processor(resample="bilinear"),
    "beit": _Processor(),
    "bit": _Processor(size=224, crops=True, statistics=_CLIP),
    "clip": _Processor(size=224, crops=True, statistics=_CLIP),
    "convnext": _Processor(size=384, own="convnext", crop_pct=224 / 256),
    "deit": _Processor(size=(256, 256), crops=True),
    "efficientnet": _Processor(size=(346, 346), crop=(289, 289), own="efficientnet"),
    "levit": _Processor(size=224, crops=True, statistics=_IMAGENET, own="levit"),
    "mobilenetv1": _Processor(size=256, crops=True, resample="bilinear"),
    "mobilenetv2": _Processor(size=256, crops=True, resample="bilinear"),
    "mobilevit": _Processor(size=224, crop=(256, 256), crops=True, own="mobilevit"),
    "poolformer": _Processor(size=224, crops=True, statistics=_IMAGENET, own="poolformer", crop_pct=0.9),
    "pvt": _Processor(statistics=_IMAGENET),
    "segformer": _Processor(size=(512, 512), resample="bilinear", statistics=_IMAGENET),
    "siglip": _Processor(),
}
_UNNAMED = _Processor(resample="bilinear")
# These turn images into something else than one picture of a fixed size, or in another order.
_OTHERS = frozenset({"donut", "gemma3", "imagegpt", "perceiver", "siglip2", "textnet"})
_NAME = re.compile(r"(?P<name>\w+?)(?:ImageProcessor|FeatureExtractor)(?:Fast|Pil)?\Z")


def read_preparation(values: Mapping[str, Any], *, name: str, size: Sides | None = None) -> Preparation | None:
    """What ``preprocessor_config.json`` says; ``None`` where nothing says how large an image is.

    Args:
        values: the content of the file.
        name: the model as the user wrote it, for messages.
        size: ``(height, width)`` by the model's configuration, for a file that gives none.

    Raises:
        ModelError: a value cannot be used, or images are prepared in a way that is not known here.
    """
    known = _processor(values, name)
    _refuse_other_steps(values, name)
    written = values.get("size")
    default = size if known is _UNNAMED else known.size
    chosen = default if written is None else _size(written, known, name)
    if chosen is None:
        return None
    resize, read = _resizing(values, chosen, known, name)
    mean, std = _normalization(values, known, name)
    return Preparation(
        height=read[0],
        width=read[1],
        resize=None if resize == read else resize,
        resample=_filter(values.get("resample", known.resample), name),
        bgr=_on(values, "do_flip_channel_order", known.own == "mobilevit"),
        mean=mean,
        std=std,
    )


def _processor(values: Mapping[str, Any], name: str) -> _Processor:
    written = values.get("image_processor_type") or values.get("feature_extractor_type") or ""
    match = _NAME.match(written) if isinstance(written, str) else None
    family = match["name"].lower() if match else ""
    if family in _OTHERS:
        raise _wrong(name, "image_processor_type", written, f"one of {', '.join(sorted(_PROCESSORS))}")
    return _PROCESSORS.get(family, _UNNAMED)


def _on(values: Mapping[str, Any], key: str, default: bool) -> bool:
    """A switch; to transformers ``null`` is off, and not the default."""
    return bool(values.get(key, default))


def _refuse_other_steps(values: Mapping[str, Any], name: str) -> None:
    steps = {key.removeprefix("do_") for key, value in values.items() if key.startswith("do_") and value}
    other = sorted(steps - _DONE - _HARMLESS)
    if other:
        raise _wrong(name, f"do_{other[0]}", "true", f"no other steps than {', '.join(sorted(_DONE))}")


# ---- sizes ---------------------------------------------------------------------------------------


def _size(value: Any, known: _Processor, name: str) -> int | Sides:
    """The shorter side, or ``(height, width)``."""
    if isinstance(value, Mapping):
        value = {key: side for key, side in value.items() if side is not None}
        if value.keys() == {"shortest_edge"}:
            return _pixels(value["shortest_edge"], name)
        if value.keys() == {"height", "width"}:
            return _pixels(value["height"], name), _pixels(value["width"], name)
    elif isinstance(value, (list, tuple)) and len(value) == 2:
        return _pixels(value[0], name), _pixels(value[1], name)
    elif isinstance(value, int):
        # Files from before sizes had keys: what a single number meant is up to the processor.
        side = _pixels(value, name)
        return side if isinstance(known.size, int) else (side, side)
    raise _wrong(name, "size", value, "{height, width} or {shortest_edge}")


def _pixels(value: Any, name: str) -> int:
    if type(value) is not int or not 0 < value <= LARGEST_SIDE:
        raise _wrong(name, "size", value, f"a whole number of pixels, at most {LARGEST_SIDE}")
    return value


def _resizing(
    values: Mapping[str, Any], size: int | Sides, known: _Processor, name: str
) -> tuple[Sides | int | None, Sides]:
    """What to resize to, and the ``(height, width)`` that is left after the crop."""
    resize: int | Sides = size
    pct = _crop_pct(values, known, name)
    if known.own == "convnext" and isinstance(size, int):
        # Below 384 the shorter side is a crop of a larger one; from there on the image is warped to a square.
        return (int(size / pct), (size, size)) if pct and size < 384 else ((size, size), (size, size))
    if known.own == "levit" and isinstance(size, int):
        resize = int(256 / 224 * size)
    if known.own == "poolformer" and pct:
        scaled = [int(side / pct) for side in ((size,) if isinstance(size, int) else size)]
        resize = scaled[0] if len(set(scaled)) == 1 else (scaled[0], scaled[1])
    crops = _on(values, "do_center_crop", known.crops)
    crop = _crop_size(values, known, name) if crops else None
    if not _on(values, "do_resize", True):
        resize = 0 if crop else resize
    # Without a crop a model could read any shape; a batch needs one, so the middle of what it would read is taken.
    return resize, crop or ((size, size) if isinstance(size, int) else size)


def _crop_size(values: Mapping[str, Any], known: _Processor, name: str) -> Sides:
    value = values.get("crop_size")
    if value is None:
        return known.crop
    sides = _size(value, _UNNAMED, name)
    return (sides, sides) if isinstance(sides, int) else sides


def _crop_pct(values: Mapping[str, Any], known: _Processor, name: str) -> float | None:
    if known.crop_pct is None:
        return None
    value = values.get("crop_pct", known.crop_pct)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0.1 <= value <= 1:
        raise _wrong(name, "crop_pct", value, "a number from 0.1 to 1")
    return float(value)


def _filter(value: Any, name: str) -> str:
    if type(value) is int and 0 <= value < len(FILTERS):
        return FILTERS[value]
    if isinstance(value, str) and value.lower() in FILTERS:
        return value.lower()
    raise _wrong(name, "resample", value, ", ".join(f"{number} ({label})" for number, label in enumerate(FILTERS)))


# ---- values --------------------------------------------------------------------------------------


def _normalization(
    values: Mapping[str, Any], known: _Processor, name: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std for pixels scaled to 0…1, whatever scale the model's own preprocessing uses.

    Theirs is ``(255 · pixel · rescale_factor - offset - mean) / std``; EfficientNet's divides by std once more.
    """
    factor = 255.0
    if _on(values, "do_rescale", True):
        factor *= _floats(values.get("rescale_factor"), (1 / 255,), "rescale_factor", name)[0]
    offset = 1.0 if values.get("rescale_offset") else 0.0
    normalizes = known.own != "mobilevit" and _on(values, "do_normalize", True)
    mean = _floats(values.get("image_mean"), known.statistics[0], "image_mean", name) if normalizes else (0.0,)
    std = _floats(values.get("image_std"), known.statistics[1], "image_std", name)
    again = std if known.own == "efficientnet" and _on(values, "include_top", True) else (1.0,) * len(std)
    divisors = [
        (one if normalizes else 1.0) * two / factor if factor else 0.0 for one, two in zip(std, again, strict=True)
    ]
    if not all(divisors):
        raise _wrong(name, "image_std or rescale_factor", "0", "a number above 0 to divide by")
    return tuple((value + offset) / factor for value in mean), tuple(divisors)


def _floats(value: Any, default: tuple[float, ...], key: str, name: str) -> tuple[float, ...]:
    if value is None:
        return default
    items = value if isinstance(value, (list, tuple)) else [value]
    if not items or not all(type(item) in (int, float) and math.isfinite(item) for item in items):
        raise _wrong(name, key, value, "a number, or a list of them")
    return tuple(float(item) for item in items)


def _wrong(name: str, key: str, given: object, expected: str) -> ModelError:
    return ModelError(
        f"{name} prepares its images in a way that is not known here",
        given=f"{key}: {str(given)[:200]} in preprocessor_config.json",
        expected=expected,
        fix="choose another image model, or correct preprocessor_config.json if it is damaged",
    )
