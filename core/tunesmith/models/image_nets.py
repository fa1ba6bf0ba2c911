# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Two image classifiers small enough for a laptop: ``scratch:cnn`` and ``scratch:mlp``.

They are ordinary ``PreTrainedModel`` classes, so that saving, loading, adapters and checkpoints work as for any
other model. Neither uses batch normalization: its running statistics depend on how a step is cut into parts and on the
order of the rows, and a step's result must depend on neither.

Shapes: R rows of a batch, C channels, H height, W width, K labels.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from tunesmith.errors import ModelError
from tunesmith.models.source import ScratchOptions

__all__ = ["CnnConfig", "CnnForImageClassification", "ImageNetConfig", "MlpConfig", "MlpForImageClassification"]

_GRID = 7
"""The CNN's pooled feature map is at most 7×7: what a 28×28 image gives; larger images are averaged down to it."""


class ImageNetConfig(PreTrainedConfig):  # type: ignore[misc]
    """What both nets need to know.

    Attributes:
        image_size: (H, W) in pixels.
        num_channels: C; 1 is grayscale, 3 is RGB.
        image_mean: per channel, subtracted from pixels scaled to 0…1.
        image_std: per channel, the divisor after that.
        width: channels of the first convolution (CNN) or units of the second hidden layer (MLP).
        dropout: in front of the output layer.
    """

    image_size: list[int] | tuple[int, ...] = (28, 28)
    num_channels: int = 1
    image_mean: list[float] | tuple[float, ...] | None = None
    image_std: list[float] | tuple[float, ...] | None = None
    width: int = 32
    dropout: float = 0.0

    def __post_init__(self, **kwargs: Any) -> None:
        self.image_size = [int(side) for side in self.image_size]
        self.image_mean = [0.5] * self.num_channels if self.image_mean is None else list(self.image_mean)
        self.image_std = [0.5] * self.num_channels if self.image_std is None else list(self.image_std)
        super().__post_init__(**kwargs)


class CnnConfig(ImageNetConfig):
    """Configuration of :class:`CnnForImageClassification`."""

    model_type: ClassVar[str] = "tunesmith-cnn"
    heads: ClassVar[dict[str, str]] = {"image-classification": "CnnForImageClassification"}


class MlpConfig(ImageNetConfig):
    """Configuration of :class:`MlpForImageClassification`; ``width`` is 128 by default."""

    model_type: ClassVar[str] = "tunesmith-mlp"
    heads: ClassVar[dict[str, str]] = {"image-classification": "MlpForImageClassification"}

    width: int = 128


class _ImageNet(PreTrainedModel):  # type: ignore[misc]
    """A body that turns pixels into features, dropout, and a linear output layer."""

    base_model_prefix = "body"
    main_input_name = "pixel_values"
    body: nn.Module

    def __init__(self, config: ImageNetConfig) -> None:
        super().__init__(config)
        self.body, features = self._make_body(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(features, config.num_labels)
        self.post_init()

    @staticmethod
    def _make_body(config: ImageNetConfig) -> tuple[nn.Module, int]:
        """The layers under the output, and how many features they give."""
        raise NotImplementedError

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # He et al. 2015, arXiv:1502.01852: the variance that rectified layers keep.
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(
        self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None, **kwargs: Any
    ) -> ImageClassifierOutput:
        """Classify.

        Args:
            pixel_values: float (R, C, H, W), normalized with the configuration's mean and std.
            labels: int64 (R,): the output then holds the mean cross-entropy.

        Returns:
            ``logits`` float (R, K), and ``loss`` where labels are given.
        """
        logits = self.classifier(self.dropout(self.body(pixel_values)))
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return ImageClassifierOutput(loss=loss, logits=logits)


class CnnForImageClassification(_ImageNet):
    """Four 3×3 convolutions in two pooled pairs, one hidden layer of 4 × width units.

    With the defaults and 28×28 grayscale images: 467,818 parameters for ten labels.
    """

    config_class = CnnConfig

    @staticmethod
    def _make_body(config: ImageNetConfig) -> tuple[nn.Module, int]:
        height, width = (side // 4 for side in config.image_size)
        if not (height and width):
            raise ModelError(
                "the images are too small for the cnn, which halves them twice",
                given=f"{config.image_size[0]} × {config.image_size[1]} pixels",
                expected="at least 4 × 4 pixels",
                fix="use model: scratch:mlp, or larger images",
            )
        grid = (min(height, _GRID), min(width, _GRID))
        pooled: list[nn.Module] = [] if grid == (height, width) else [nn.AdaptiveAvgPool2d(grid)]
        first, second, hidden = config.width, 2 * config.width, 4 * config.width
        body = nn.Sequential(
            *_convolution(config.num_channels, first),
            *_convolution(first, first),
            nn.MaxPool2d(2),
            *_convolution(first, second),
            *_convolution(second, second),
            nn.MaxPool2d(2),
            *pooled,
            nn.Flatten(),
            nn.Linear(second * grid[0] * grid[1], hidden),
            nn.ReLU(),
        )
        return body, hidden


class MlpForImageClassification(_ImageNet):
    """Two hidden layers, of 2 × width and width units.

    With the defaults and 28×28 grayscale images: 235,146 parameters for ten labels.
    """

    config_class = MlpConfig

    @staticmethod
    def _make_body(config: ImageNetConfig) -> tuple[nn.Module, int]:
        height, width = config.image_size
        body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(config.num_channels * height * width, 2 * config.width),
            nn.ReLU(),
            nn.Linear(2 * config.width, config.width),
            nn.ReLU(),
        )
        return body, config.width


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.ReLU()


def cnn(options: ScratchOptions) -> CnnConfig:
    """The registered architecture ``cnn``; image size and channels come with the data."""
    _refuse_size(options)
    return CnnConfig()


def mlp(options: ScratchOptions) -> MlpConfig:
    """The registered architecture ``mlp``; image size and channels come with the data."""
    _refuse_size(options)
    return MlpConfig()


def _refuse_size(options: ScratchOptions) -> None:
    if options.size is not None:
        raise ModelError(
            f"the {options.architecture} comes in one size, which depends on the images",
            given=f"a size of {options.size:,} parameters",
            expected=f"scratch:{options.architecture}",
            fix=f"leave the size out: model: scratch:{options.architecture}",
        )
