# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hooks. They return descriptions only."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import ModelSpec, ReaderSpec, RecipeSectionSpec, TaskSpec, hookimpl


@hookimpl
def tunesmith_tasks() -> Iterable[TaskSpec]:
    """One task."""
    return [
        TaskSpec(
            name="forecasting",
            summary="The next values of a time series",
            target="tunesmith_forecast.task:Forecasting",
        )
    ]


@hookimpl
def tunesmith_readers() -> Iterable[ReaderSpec]:
    """One reader, by its own endings or by name (`data.format: series`)."""
    return [
        ReaderSpec(
            name="series",
            summary="Time series: a value a row, or a column a series; FILE#START:END for a span of time",
            target="tunesmith_forecast.reader:read",
            suffixes=(".series.csv", ".series.tsv", ".series.jsonl"),
            parts=True,
        )
    ]


@hookimpl
def tunesmith_models() -> Iterable[ModelSpec]:
    """Two architectures, made from scratch for every horizon."""
    return [
        ModelSpec(
            name="dlinear",
            summary="Forecasts: trend and remainder, a linear layer each",
            target="tunesmith_forecast.nets:dlinear",
            weights=False,
        ),
        ModelSpec(
            name="nlinear",
            summary="Forecasts: a linear layer over differences from the last value",
            target="tunesmith_forecast.nets:nlinear",
            weights=False,
        ),
    ]


@hookimpl
def tunesmith_recipe_sections() -> Iterable[RecipeSectionSpec]:
    """``plugins: {forecast: {context: 96, horizon: 24, season: 24}}``."""
    return [
        RecipeSectionSpec(
            name="forecast",
            summary="How far a forecast looks back and ahead",
            target="tunesmith_forecast.settings:ForecastSettings",
        )
    ]
