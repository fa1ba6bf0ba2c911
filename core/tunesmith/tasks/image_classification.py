# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Images with one label each, or several.

Shapes: R rows of a batch, C channels, H height, W width.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Origin, Row
from tunesmith.errors import ModelError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.tasks.cells import label_cell
from tunesmith.tasks.classification import Classification
from tunesmith.tasks.images import Picture, Pixels, png_bytes, read_picture
from tunesmith.tasks.sections import Table
from tunesmith.tasks.state import state_floats, state_int, state_ints, state_text

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.models import ImageSettings
    from tunesmith.models.source import ModelSource

__all__ = ["ImageClassification", "ImageExample"]

MEASURED = 10_000
"""Mean and deviation are taken from at most this many training images, evenly spread over them."""
LONGEST_SIDE = 128
"""Pixels, of what a net from scratch reads; at the size of photographs one step would fill the memory."""


@dataclass(frozen=True, slots=True)
class ImageExample:
    """A picture and its labels.

    Attributes:
        image: decoded once, whole.
        labels: ``None`` when it is only to be predicted.
        several: the labels were given as a list, or with a separator.
        origin: where the row stands.
    """

    image: Picture
    labels: tuple[str, ...] | None
    several: bool
    origin: Origin


class ImageClassification(Classification[ImageExample]):
    """Which label, or labels, an image has.

    Images are resized and cropped as the model's own preprocessing says, else resized to what the model reads without
    keeping their proportions. A net from scratch reads the most common size of the training images (the longer side at
    most ``LONGEST_SIDE``), in gray when all of them are, normalized by their own mean and deviation.
    """

    columns = (
        Column(
            name="image", summary="a file, its bytes or pixels", aliases=("image", "img", "picture", "file", "path")
        ),
        Column(
            name="label",
            summary="its label; several as a list, or with data.label_separator",
            target=True,
            aliases=("label", "category", "class", "target"),
        ),
    )
    default_rows_per_batch = 128
    augments = "image"

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self._settings: ImageSettings | None = None
        self._images = 0
        self._resized = 0

    @property
    def settings(self) -> ImageSettings:
        """What the model reads; set by ``build`` and ``restore``."""
        if self._settings is None:
            raise RuntimeError("build() or restore() must come first")
        return self._settings

    def counted(self) -> list[str]:
        if not self._resized:
            return []
        size = f"{self.settings.height} × {self.settings.width}"
        how = "resized" if self.settings.resize is None else "resized and cropped"
        return [f"{self._resized:,} of {self._images:,} images {how} to {size} pixels"]

    def parse(self, row: Row, *, labelled: bool = True) -> ImageExample:
        image = read_picture(row.values.get("image"), Path(row.origin.file).parent)
        if not labelled:
            return ImageExample(image, None, False, row.origin)
        labels, several = label_cell(row, "label", self.data.label_separator)
        return ImageExample(image, labels, several, row.origin)

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        examples, self._training = self._training or (), None
        if source.scratch is None:
            model: nn.Module = models.load_weights(source, "image-classification", **self.head_config())
            self._settings = models.image_settings(source, model)
            return model
        self._settings = settings = _measure(examples)
        return models.load_weights(  # type: ignore[no-any-return]
            source,
            "image-classification",
            **self.head_config(),
            image_size=(settings.height, settings.width),
            num_channels=settings.channels,
            image_mean=list(settings.mean),
            image_std=list(settings.std),
        )

    def encode(self, example: ImageExample, row: int) -> list[Encoded]:
        """uint8 pixels; they are normalized when a batch is made, since floats would take four times the memory."""
        settings, image = self.settings, example.image
        self._images += 1
        self._resized += (image.height, image.width) != (settings.height, settings.width)
        features = {"pixels": self._pixels(image), **self.encode_label(example)}
        return [Encoded(features, length=1, targets=int(example.labels is not None), row=row)]

    def _pixels(self, image: Picture) -> Pixels:
        """uint8 (H, W, C), RGB: what the model sees of a picture."""
        settings = self.settings
        return image.pixels(
            settings.height,
            settings.width,
            settings.channels,
            resize=settings.resize,
            resample=settings.resample,
        )

    def augmented(self, item: Encoded, examples: Sequence[ImageExample], change: Callable[[Pixels], Pixels]) -> Encoded:
        return dataclasses.replace(item, features={**item.features, "pixels": change(item.features["pixels"])})

    def collate(self, items: Sequence[Encoded]) -> Batch:
        import torch

        pixels = torch.from_numpy(np.stack([item.features["pixels"] for item in items])).permute(0, 3, 1, 2)
        if self.settings.bgr:
            pixels = pixels.flip(1)
        mean = torch.tensor(self.settings.mean).view(1, -1, 1, 1)
        std = torch.tensor(self.settings.std).view(1, -1, 1, 1)
        labels = self.collate_labels(items)
        return Batch(
            inputs={"pixel_values": ((pixels.float() / 255 - mean) / std).contiguous()},
            labels=labels,
            targets=0 if labels is None else len(items),
            tokens=len(items),
            rows=[item.row for item in items],
        )

    # ---- report --------------------------------------------------------------------------------

    def mistake_table(
        self, examples: Sequence[ImageExample], rows: Sequence[Sequence[str | float]], note: str
    ) -> Table:
        return Table(
            title="Worst mistakes",
            note=note,
            header=("where", "true", "predicted", "probability", "loss"),
            rows=[(str(example.origin), *row) for example, row in zip(examples, rows, strict=True)],
            images=[png_bytes(self._pixels(example.image)) for example in examples],
        )

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        settings = dataclasses.asdict(self.settings)
        return {**super().state(), **{key: list(v) if isinstance(v, tuple) else v for key, v in settings.items()}}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        self.restore_labels(state, source)
        model: nn.Module = models.load_weights(source, "image-classification", new_head=False, **self.head_config())
        self._settings = _saved_settings(state) if "height" in state else models.image_settings(source, model)
        return model


def _measure(examples: Sequence[ImageExample]) -> ImageSettings:
    """The most common size, and the pixels' mean and deviation per channel, of the training images."""
    from tunesmith.models import ImageSettings

    # Equally common sizes: the larger one, so that the choice does not hang on the order of the rows.
    sizes = Counter((example.image.height, example.image.width) for example in examples)
    (height, width), _ = max(sizes.items(), key=lambda item: (item[1], item[0]))
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    channels = max(example.image.channels for example in examples)
    step = -(-len(examples) // MEASURED)
    count, total, squares = 0, np.zeros(channels), np.zeros(channels)
    for example in examples[::step]:
        pixels = example.image.pixels(height, width, channels).astype(np.float64) / 255
        count += height * width
        total += pixels.sum(axis=(0, 1))
        squares += (pixels**2).sum(axis=(0, 1))
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    deviation[deviation < 1 / 255] = 1.0  # all pixels alike: nothing to scale
    return ImageSettings(
        height=height, width=width, channels=channels, mean=tuple(mean.tolist()), std=tuple(deviation.tolist())
    )


def _saved_settings(state: Mapping[str, Any]) -> ImageSettings:
    from tunesmith.models import ImageSettings

    settings = ImageSettings(
        height=state_int(state, "height"),
        width=state_int(state, "width"),
        channels=state_int(state, "channels"),
        mean=state_floats(state, "mean"),
        std=state_floats(state, "std"),
        resize=_saved_resize(state),
        resample=state_text(state, "resample") if "resample" in state else "bilinear",
        bgr=state.get("bgr") is True,
    )
    _check_saved(settings)
    return settings


def _saved_resize(state: Mapping[str, Any]) -> tuple[int, int] | int | None:
    """Models saved before there was a choice were resized at once, as ``None`` says."""
    value = state.get("resize")
    if value is None:
        return None
    if type(value) is int and value == 0:
        return 0
    if isinstance(value, list):
        height, width = state_ints(state, "resize") if len(value) == 2 else (0, 0)
        return (height, width)
    return state_int(state, "resize")


def _check_saved(settings: ImageSettings) -> None:
    from tunesmith.models.image_processors import FILTERS, LARGEST_SIDE

    resize = settings.resize if isinstance(settings.resize, tuple) else (settings.resize or 1,)
    sides = (settings.height, settings.width, *resize)
    if not 1 <= min(sides) <= max(sides) <= LARGEST_SIDE or settings.channels not in (1, 3):
        raise _unusable(
            "height, width, channels and resize", sides, f"sides of 1 to {LARGEST_SIDE} pixels, 1 or 3 channels"
        )
    if settings.resample not in FILTERS:
        raise _unusable("resample", settings.resample, f"one of {', '.join(FILTERS)}")
    if not len(settings.mean) == len(settings.std) == settings.channels or 0 in settings.std:
        given = f"mean {list(settings.mean)}, std {list(settings.std)}, channels {settings.channels}"
        raise _unusable("mean and std", given, "a mean and a std above 0 for each channel")


def _unusable(what: str, given: object, expected: str) -> ModelError:
    return ModelError(
        f"rendering.json: {what} cannot be used",
        given=given,
        expected=expected,
        fix="save the model again; rendering.json is written with it and should not be edited",
    )
