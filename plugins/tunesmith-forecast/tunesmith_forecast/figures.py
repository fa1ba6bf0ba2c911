# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How far forecasts are from what came, and from what a forecast without any model would have said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunesmith.errors import DataError
from tunesmith.tasks import Metric, Section, Table
from tunesmith_forecast.windows import Series, naive_forecast, naive_scale

__all__ = ["METRICS", "Forecast", "Measured", "measure", "scales_of", "scores", "sections"]

Floats = NDArray[np.float64]

METRICS = (
    Metric(
        name="mase",
        greater_is_better=False,
        summary="mean absolute error / that of the one-season naive forecast of the values known before",
    ),
    Metric(name="mae", greater_is_better=False, summary="mean absolute error, in the unit of the series"),
    Metric(name="mse", greater_is_better=False, summary="mean squared error, in the unit of the series"),
    Metric(name="smape", greater_is_better=False, summary="200 |error| / (|true| + |forecast|), mean in percent"),
    Metric(
        name="naive_mase", greater_is_better=False, summary="mase of the seasonal naive forecast of the same windows"
    ),
)
WORST, STEPS = 10, 12


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the model says about one window.

    Attributes:
        values: float64 (H,), in the unit of the series.
        place: of the first of them in the series.
        loss: mean squared error of the standardized values; ``None`` where they are not known.
    """

    values: Floats
    place: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Windows and their errors. Shapes: N windows, H horizon.

    Attributes:
        truth, model, naive: (N, H).
        scale: what MASE divides by, (N,); NaN for a series that has not moved.
    """

    truth: Floats
    model: Floats
    naive: Floats
    scale: Floats

    def of(self, said: Floats) -> dict[str, float]:
        """The figures of forecasts (N, H)."""
        error = np.abs(said - self.truth)
        size = np.abs(said) + np.abs(self.truth)
        return {
            "mase": float(np.nanmean(error.mean(axis=1) / self.scale)),
            "mae": float(error.mean()),
            "mse": float((error**2).mean()),
            "smape": float((200 * error / np.where(size > 0, size, 1.0)).mean()),
        }


def scales_of(examples: Sequence[Series], context: int, season: int) -> dict[int, float]:
    """What MASE divides by, by the ``id`` of each series.

    Raises:
        DataError: 0 for all of them, so that there is no scale to measure by.
    """
    scales = {id(one): naive_scale(one, context, season) for one in {id(one): one for one in examples}.values()}
    if not any(scales.values()):
        raise DataError(
            "there is nothing to measure forecasts by: no series changes from one season to the next",
            given=f"{len(scales):,} series, season {season}",
            expected="a series of which the naive forecast (the value of one season ago) is wrong at times",
            fix="set another plugins.forecast.season, or give other series or a later start (FILE#START:END)",
        )
    return scales


def measure(outputs: Sequence[Forecast], examples: Sequence[Series], context: int, season: int) -> Measured:
    """The windows whose true values are known.

    Raises:
        DataError: as :func:`scales_of`.
    """
    pairs = [(output, one) for output, one in zip(outputs, examples, strict=True) if one.labelled]
    scales = scales_of([one for _, one in pairs], context, season)
    horizon = len(pairs[0][0].values)
    return Measured(
        truth=np.stack([one.values[output.place : output.place + horizon] for output, one in pairs]),
        model=np.stack([output.values for output, _ in pairs]),
        naive=np.stack([naive_forecast(one, output.place, horizon, season) for output, one in pairs]),
        scale=np.asarray([scales[id(one)] or np.nan for _, one in pairs]),
    )


def scores(outputs: Sequence[Forecast], measured: Measured) -> dict[str, float]:
    """Every figure of ``METRICS``, and the loss."""
    losses = [output.loss for output in outputs if output.loss is not None]
    return {
        **measured.of(measured.model),
        "naive_mase": measured.of(measured.naive)["mase"],
        "loss": float(np.mean(losses)),
    }


def sections(outputs: Sequence[Forecast], examples: Sequence[Series], measured: Measured, season: int) -> list[Section]:
    """The model beside the naive forecast: over all, by how far ahead, and where it is worst."""
    model, naive = measured.of(measured.model), measured.of(measured.naive)
    better = model["mase"] < naive["mase"]
    flat = int(np.isnan(measured.scale).sum())
    note = f"Of {len(measured.truth):,} windows. " + (
        f"The model's errors are {model['mase'] / naive['mase']:.0%} of the naive forecast's."
        if better and naive["mase"] > 0
        else "The model is no better than the naive forecast: these series may hold nothing that it could learn."
    )
    if flat:
        note += f" MASE leaves out {flat:,} of series that have not moved."
    names = list(model)
    return [
        Table(
            title="Beside the naive forecast",
            note=note,
            header=("", *names),
            rows=[
                ("model", *(model[name] for name in names)),
                (f"value {season} {'step' if season == 1 else 'steps'} ago", *(naive[name] for name in names)),
            ],
        ),
        _by_step(measured),
        _worst(outputs, examples, measured),
    ]


def _by_step(measured: Measured) -> Table:
    horizon = measured.truth.shape[1]
    steps = sorted({round(step) for step in np.linspace(1, horizon, min(horizon, STEPS))})
    error, naive = (np.abs(said - measured.truth).mean(axis=0) for said in (measured.model, measured.naive))
    return Table(
        title="How far ahead",
        note="Mean absolute error of the first value ahead, and of those further on.",
        header=("step", "model", "naive"),
        rows=[(step, float(error[step - 1]), float(naive[step - 1])) for step in steps],
    )


def _worst(outputs: Sequence[Forecast], examples: Sequence[Series], measured: Measured) -> Table:
    known = [(output, one) for output, one in zip(outputs, examples, strict=True) if one.labelled]
    error, naive = (np.abs(said - measured.truth).mean(axis=1) for said in (measured.model, measured.naive))
    ratio = np.where(np.isnan(measured.scale), 0.0, error / np.nan_to_num(measured.scale, nan=1.0))
    rows = []
    for place in np.argsort(-ratio, kind="stable")[:WORST]:
        output, one = known[place]
        where = f"{one.origin}, value {output.place + 1:,}"
        rows.append((one.name, where, float(ratio[place]), float(error[place]), float(naive[place])))
    return Table(
        title="Worst windows",
        note="By error in the scale of their series; each by its first value that was forecast.",
        header=("series", "where", "mase", "mean error", "naive error"),
        rows=rows,
    )
