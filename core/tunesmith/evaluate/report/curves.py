# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The curves of a run, from the records of ``metrics.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.evaluate.facts import RunFacts
from tunesmith.evaluate.report.charts import LineChart, Series, line_chart, smooth

__all__ = ["curves"]

_SMALL = {"width": 300.0, "height": 180.0}


def curves(facts: RunFacts) -> tuple[LineChart | None, list[LineChart]]:
    """The loss, large; and the metrics, learning rate and gradient norm, small."""
    loss = line_chart("Loss", _losses(facts), last=_last(facts))
    small = [_metric(facts, name) for name in _metric_names(facts)]
    small.append(_step_value(facts, "learning_rate", "Learning rate"))
    small.append(_step_value(facts, "grad_norm", "Gradient norm"))
    return loss, [chart for chart in small if chart is not None]


def _last(facts: RunFacts) -> float:
    return max((_step(record) for record in (*facts.steps, *facts.evaluations)), default=1.0)


def _losses(facts: RunFacts) -> list[Series]:
    points = _points(facts.steps, "loss")
    series = []
    if len(points) >= 20:
        series += [Series("training", "raw", points), Series("training, smoothed", "main", smooth(points))]
    elif points:
        series.append(Series("training", "main", points, dots=True))
    validation = _evaluated(facts, "loss")
    if validation:
        series.append(Series("validation", "second", validation, dots=True))
    return series


def _metric_names(facts: RunFacts) -> list[str]:
    """Metrics worth a curve: evaluated more than once, in the task's order, at most four."""
    present = {name for record in facts.evaluations for name in _metrics(record)} - {"loss"}
    order = [metric.name for metric in facts.metrics if metric.name in present]
    order += sorted(present - set(order))
    return [name for name in order if len(_evaluated(facts, name)) > 1][:4]


def _metric(facts: RunFacts, name: str) -> LineChart | None:
    title = name.replace("_", " ").capitalize()
    return line_chart(
        title, [Series("validation", "second", _evaluated(facts, name), dots=True)], last=_last(facts), **_SMALL
    )


def _step_value(facts: RunFacts, key: str, title: str) -> LineChart | None:
    return line_chart(title, [Series(title.lower(), "main", _points(facts.steps, key))], last=_last(facts), **_SMALL)


def _evaluated(facts: RunFacts, name: str) -> list[tuple[float, float]]:
    records = [record for record in facts.evaluations if record.get("split") == "validation"]
    return sorted((_step(record), _float(_metrics(record)[name])) for record in records if name in _metrics(record))


def _points(records: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    return sorted(((_step(record), _float(record[key])) for record in records if key in record), key=lambda p: p[0])


def _metrics(record: Mapping[str, Any]) -> Mapping[str, Any]:
    metrics = record.get("metrics")
    return metrics if isinstance(metrics, Mapping) else {}


def _step(record: Mapping[str, Any]) -> float:
    return _float(record.get("step", 0))


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
