# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The next values of a time series.

A row is a whole series. It is read in windows of C values and the H that follow, each in its own scale, so neither the
unit of a series nor where it stands matters. Everything people see is in the unit of the series.

Shapes: R rows of a batch, C context, H horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tunesmith.data.rows import Column, Row, RowError
from tunesmith.errors import DataError, ModelError
from tunesmith.recipe import plugin_settings
from tunesmith.recipe.schema import DataSection, Recipe
from tunesmith.tasks import Batch, Encoded, Metric, Section, Task
from tunesmith_forecast import figures
from tunesmith_forecast.cells import number_of
from tunesmith_forecast.figures import METRICS, Forecast
from tunesmith_forecast.settings import ForecastSettings
from tunesmith_forecast.windows import Series, floors, naive_scale, standardize, target_places

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["Forecasting"]

_PLUGIN = "forecast"


class Forecasting(Task[Series, Forecast]):
    """What comes next. ``plugins.forecast`` of the recipe says how far it looks back and ahead."""

    columns = (
        Column(name="values", summary="a series as a list of numbers; CSV files: data.format: series, --format series"),
        Column(name="series", summary="its name", optional=True),
        Column(
            name="start", summary="place of the first value to forecast; those in front are only read", optional=True
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        *METRICS,
        Metric(name="loss", greater_is_better=False, summary="mean squared error of the standardized values"),
    )
    default_rows_per_batch = 64
    default_steps = 600
    rate_scale = 5.0  # the problem is linear and well scaled

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.settings = ForecastSettings()
        self._series = self._short = self._flat = 0

    def take_settings(self, recipe: Recipe) -> None:
        """Take ``plugins.forecast``; called once, before any row is parsed.

        Raises:
            RecipeError: keys or values that it does not take.
        """
        self.settings = plugin_settings(recipe, _PLUGIN, ForecastSettings)

    def counted(self) -> list[str]:
        need = self.settings.context + self.settings.horizon
        sentences = []
        if self._short:
            sentences.append(
                f"{self._short:,} of {self._series:,} series left out: too short for a window of {need:,} values"
            )
        if self._flat:
            sentences.append(f"{self._flat:,} of {self._series:,} series do not move before they are forecast: no MASE")
        return sentences

    # ---- rows ----------------------------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> Series:
        given = row.values.get("values")
        if isinstance(given, np.ndarray):
            values = given
        else:
            if not isinstance(given, (list, tuple)):
                raise RowError(f"values is {_kind(given)}; a list of numbers was expected")
            values = np.empty(len(given))
            for place, cell in enumerate(given):
                try:
                    values[place] = number_of(cell)
                except ValueError as error:
                    raise RowError(f"values[{place}] {error}") from None
        context = self.settings.context
        if not labelled and len(values) < context:
            raise RowError(f"there are {len(values):,} values; a forecast is made from the last {context:,}")
        name = row.values.get("series")
        return Series("" if name is None else str(name), values, _start(row, len(values)), labelled, row.origin)

    def fit(self, examples: Sequence[Series]) -> None:
        if not any(map(self._places, examples)):
            settings = self.settings
            raise DataError(
                "no training series is long enough for one window",
                given=f"{len(examples):,} series, the longest of {max(map(len, examples), default=0):,} values",
                expected=f"at least {settings.context} + {settings.horizon} values (context and horizon)",
                fix="look back or ahead less far: --set plugins.forecast.context=N --set plugins.forecast.horizon=N",
            )

    def check(self, examples: Sequence[Series], split: str) -> None:
        if not examples:
            return
        if not any(map(self._places, examples)):
            raise DataError(
                f"no {split} series is long enough for one window",
                given=f"{len(examples):,} series, at most {max(len(x) - x.start for x in examples):,} to forecast",
                expected=f"at least {self.settings.horizon} to forecast, with {self.settings.context} in front of them",
                fix="hold out a longer span (FILE#START:END), or look back or ahead less far",
            )
        figures.scales_of([one for one in examples if self._places(one)], self.settings.context, self.settings.season)

    def _places(self, series: Series) -> range:
        return target_places(series, self.settings.context, self.settings.horizon)

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        if source.scratch is None:
            raise ModelError(
                "a linear forecast fits the context and horizon it was made for, and is made anew for every job",
                given=source.name,
                expected="model: scratch:dlinear or scratch:nlinear",
                fix="train from scratch; it takes seconds",
            )
        from tunesmith import models

        settings = self.settings
        shape = {"context": settings.context, "horizon": settings.horizon}
        model: nn.Module = models.load_weights(source, "forecast", **shape)  # type: ignore[arg-type]
        return model

    def encode(self, example: Series, row: int) -> list[Encoded]:
        """One item a window. Its arrays are views: a series is in memory once, however many windows it has."""
        context, horizon = self.settings.context, self.settings.horizon
        places = self._places(example)
        self._series += 1
        if not places:
            self._short += 1
            return []
        self._flat += example.labelled and naive_scale(example, context, self.settings.season) == 0
        least = floors(example.values)
        items = []
        for place in places:
            features = {
                "context": example.values[place - context : place],
                "place": np.asarray(place, dtype=np.int64),
                "floor": least[place],
            }
            if example.labelled:
                features["target"] = example.values[place : place + horizon]
            items.append(Encoded(features, length=1, targets=horizon if example.labelled else 0, row=row))
        return items

    def collate(self, items: Sequence[Encoded]) -> Batch:
        import torch

        def stacked(name: str) -> np.ndarray[Any, Any]:
            return np.stack([item.features[name] for item in items])

        values, shift, scale = standardize(stacked("context"), stacked("floor"))
        labels = None
        if all("target" in item.features for item in items):
            # A series that never moved has no scale; what it does later cannot be learned from, and is masked by NaN.
            divisor = np.where(scale > 0, scale, np.nan)[:, None]
            labels = torch.from_numpy(((stacked("target") - shift[:, None]) / divisor).astype(np.float32))
        return Batch(
            inputs={"values": torch.from_numpy(values.astype(np.float32))},
            labels=labels,
            targets=0 if labels is None else labels.numel(),
            tokens=len(items),
            rows=[item.row for item in items],
            extra={"shift": shift, "scale": scale, "place": stacked("place")},
        )

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        if batch.labels is None:
            raise ValueError("this batch has no targets, so it has no loss")
        return _squares(self._said(model, batch), batch.labels).sum()

    def outputs(self, model: nn.Module, batch: Batch) -> list[Forecast]:
        said = self._said(model, batch)
        scale, shift = (batch.extra[name][:, None] for name in ("scale", "shift"))
        values = said.detach().double().cpu().numpy() * scale + shift
        if batch.labels is None:
            losses: list[float | None] = [None] * len(values)
        else:
            losses = _squares(said.detach(), batch.labels).mean(dim=1).tolist()
        places = batch.extra["place"].tolist()
        return [Forecast(*parts) for parts in zip(values, places, losses, strict=True)]

    def _said(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Standardized, float32 (R, H)."""
        said: torch.Tensor = model(**batch.inputs).logits
        return said.float()

    # ---- answers -------------------------------------------------------------------------------

    def answer(self, output: Forecast) -> dict[str, Any]:
        return {"forecast": output.values.tolist()}

    def score(self, outputs: Sequence[Forecast], examples: Sequence[Series]) -> dict[str, float]:
        return figures.scores(outputs, self._measured(outputs, examples))

    def sections(self, outputs: Sequence[Forecast], examples: Sequence[Series]) -> list[Section]:
        if not any(example.labelled for example in examples):
            return []
        return figures.sections(outputs, examples, self._measured(outputs, examples), self.settings.season)

    def _measured(self, outputs: Sequence[Forecast], examples: Sequence[Series]) -> figures.Measured:
        return figures.measure(outputs, examples, self.settings.context, self.settings.season)

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return self.settings.model_dump(mode="json")

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        try:
            self.settings = ForecastSettings.model_validate(dict(state))
        except ValueError as error:
            raise ModelError(
                "rendering.json: how far the forecast looks cannot be used",
                given=repr(dict(state))[:200],
                expected="context, horizon and season, as they were saved",
                fix="save the model again; rendering.json is written with it and should not be edited",
            ) from error
        model: nn.Module = models.load_weights(
            source,
            "forecast",  # type: ignore[arg-type]
            new_head=False,
            context=self.settings.context,
            horizon=self.settings.horizon,
        )
        return model


def _squares(said: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Squared errors (R, H); 0 where the label is NaN, and no gradient there."""
    known = ~labels.isnan()
    return (said - labels.nan_to_num()).square() * known


def _start(row: Row, count: int) -> int:
    start = row.values.get("start")
    if start is None:
        return 0
    if isinstance(start, bool) or not isinstance(start, int) or not 0 <= start <= count:
        raise RowError(f"start is {start!r}; a place from 0 to {count:,}, the number of values, was expected")
    return start


def _kind(value: object) -> str:
    return "missing" if value is None else f"{type(value).__name__} ({str(value)[:40]!r})"
