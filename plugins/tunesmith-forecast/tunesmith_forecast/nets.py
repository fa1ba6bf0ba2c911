# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Linear models of time series: ``scratch:dlinear`` and ``scratch:nlinear``.

Zeng et al. 2023, "Are Transformers Effective for Time Series Forecasting?" (arXiv:2205.13504): hard to beat for their
size. Every series is read by the same weights, one at a time.

- ``dlinear`` takes a series apart: the trend is a moving average over ``kernel`` values (the ends are held, so that it
  has as many values as the series), the remainder is what is left. Each has a linear layer from C to H values; a
  forecast is their sum.
- ``nlinear`` takes the last value off, has one such layer, and puts the last value back.

Weights start at 0. The problem is linear, so no symmetry has to be broken, and a model that learned nothing says the
mean of what it read (``nlinear``: its last value).

Shapes: R rows of a batch, C context, H horizon.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from tunesmith.errors import ModelError
from tunesmith.models.source import ScratchOptions

__all__ = ["DLinear", "DLinearConfig", "NLinear", "NLinearConfig", "dlinear", "nlinear"]


class DLinearConfig(PreTrainedConfig):  # type: ignore[misc]
    """What the model needs to know.

    Attributes:
        context: C.
        horizon: H.
        kernel: values of the moving average.
    """

    model_type: ClassVar[str] = "forecast-dlinear"
    heads: ClassVar[dict[str, str]] = {"forecast": "DLinear"}

    context: int = 96
    horizon: int = 24
    kernel: int = 25


class NLinearConfig(PreTrainedConfig):  # type: ignore[misc]
    """What the model needs to know.

    Attributes:
        context: C.
        horizon: H.
    """

    model_type: ClassVar[str] = "forecast-nlinear"
    heads: ClassVar[dict[str, str]] = {"forecast": "NLinear"}

    context: int = 96
    horizon: int = 24


class _Linear(PreTrainedModel):  # type: ignore[misc]
    """What both have in common."""

    main_input_name = "values"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, values: torch.Tensor, **kwargs: Any) -> SequenceClassifierOutput:
        """Forecast.

        Args:
            values: float32 (R, C), standardized row by row.

        Returns:
            ``logits`` float32 (R, H), in the same units.
        """
        return SequenceClassifierOutput(logits=self._forecast(values))

    def _forecast(self, values: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class DLinear(_Linear):
    """Trend and remainder."""

    config_class = DLinearConfig

    def __init__(self, config: DLinearConfig) -> None:
        super().__init__(config)
        self.kernel = config.kernel
        self.trend = nn.Linear(config.context, config.horizon)
        self.remainder = nn.Linear(config.context, config.horizon)
        self.post_init()

    def _forecast(self, values: torch.Tensor) -> torch.Tensor:
        trend = moving_average(values, self.kernel)
        forecast: torch.Tensor = self.trend(trend) + self.remainder(values - trend)
        return forecast


class NLinear(_Linear):
    """Differences from the last value."""

    config_class = NLinearConfig

    def __init__(self, config: NLinearConfig) -> None:
        super().__init__(config)
        self.layer = nn.Linear(config.context, config.horizon)
        self.post_init()

    def _forecast(self, values: torch.Tensor) -> torch.Tensor:
        last = values[:, -1:]
        forecast: torch.Tensor = self.layer(values - last) + last
        return forecast


def moving_average(values: torch.Tensor, kernel: int) -> torch.Tensor:
    """Means over ``kernel`` neighbours, (R, C) to (R, C); before the first and behind the last value these stand in."""
    before = (kernel - 1) // 2
    held = functional.pad(values.unsqueeze(1), (before, kernel - 1 - before), mode="replicate")
    return functional.avg_pool1d(held, kernel, stride=1).squeeze(1)


def dlinear(options: ScratchOptions) -> DLinearConfig:
    """The registered architecture ``dlinear``; context and horizon come with the task."""
    _refuse_size(options)
    return DLinearConfig()


def nlinear(options: ScratchOptions) -> NLinearConfig:
    """The registered architecture ``nlinear``; context and horizon come with the task."""
    _refuse_size(options)
    return NLinearConfig()


def _refuse_size(options: ScratchOptions) -> None:
    if options.size is not None:
        raise ModelError(
            "the size of a linear forecast follows from how far it looks back and ahead",
            given=f"a size of {options.size:,} parameters",
            expected=f"scratch:{options.architecture}",
            fix="leave the size out; set plugins.forecast.context and plugins.forecast.horizon",
        )
