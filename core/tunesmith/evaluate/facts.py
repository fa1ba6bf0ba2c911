# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a run folder says about itself, read for people: the one source of the report and the model card.

A run of another version, or of a plugin that is no longer installed, may lack any of it; what is missing is left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunesmith.plugin import MetricSpec
from tunesmith.tasks.base import Metric, Task

if TYPE_CHECKING:
    from tunesmith.registry import Registry
    from tunesmith.runs import Run

__all__ = ["DataFile", "Figure", "RunFacts", "duration", "figure_text", "read_facts", "rows_text", "size_text"]

_SHARES = ("accuracy", "f1", "precision", "recall", "exact_match", "number_match")
"""Metrics between 0 and 1, by the end of their name; people read them in percent."""
_SPLITS = ("test", "validation", "train")


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of the finished model.

    Attributes:
        name: as the task calls it.
        summary: what it means; may be empty.
        split: the rows it was computed on.
        value: as a number.
        text: as people read it.
        before: the same for the model before training; ``None`` if it was not measured.
        rose: whether the value went up; ``None`` if that cannot be said.
        improved: whether training made it better; ``None`` if that cannot be said.
    """

    name: str
    summary: str
    split: str
    value: float
    text: str
    before: str | None
    rose: bool | None
    improved: bool | None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file the run read."""

    name: str
    rows: int | None
    size: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run for people.

    Attributes:
        name: of the run folder.
        generates: the task makes text; ``None`` if the task is not known here.
        unit: what the steps count: ``tokens``, or ``rows`` for images and tables.
        figures: of the last split in the order test, validation, train; the headline first.
        base_revision: commit on the hub; empty for a model that did not come from there.
        steps: records of ``metrics.jsonl``, one a logged step.
        evaluations: the same, one an evaluation.
        notes: counted facts people must know.
        rows: rows by split.
        environment: versions and machine.
    """

    name: str
    task: str
    model: str
    base_digest: str
    base_revision: str
    method: str
    parameters: int | None
    trainable: int | None
    generates: bool | None
    unit: str
    precision: str
    device: str
    seconds: float | None
    total_steps: int | None
    best_step: int | None
    figures: tuple[Figure, ...]
    steps: tuple[Mapping[str, Any], ...]
    evaluations: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    rows: Mapping[str, int]
    files: tuple[DataFile, ...]
    environment: Mapping[str, str]
    metrics: tuple[Metric, ...]

    @property
    def units_per_second(self) -> float | None:
        """Over the logged steps, padding not counted; ``None`` where nothing was logged."""
        seconds = sum(_float(record.get("seconds")) for record in self.steps)
        tokens = sum(_float(record.get("tokens")) for record in self.steps)
        return tokens / seconds if seconds > 0 and math.isfinite(seconds) and math.isfinite(tokens) else None


def read_facts(
    run: Run,
    *,
    before: Mapping[str, Mapping[str, float]] | None = None,
    registry: Registry | None = None,
) -> RunFacts:
    """Read a run folder.

    Args:
        run: the run.
        before: figures of the model before training, by split. Default: what the run measured at step 0.
        registry: where the task is looked up. Default: the process's registry.
    """
    manifest = run.manifest
    records = list(run.metrics())
    evaluations = tuple(record for record in records if record.get("kind") == "evaluation")
    task = _task(str(manifest.get("task", "")), registry)
    metrics: tuple[Metric, ...] = (*getattr(task, "metrics", ()), *getattr(task, "final_metrics", ()))
    metrics += _answer_metrics(evaluations, {metric.name for metric in metrics}, registry)
    model, data = _mapping(manifest.get("model")), _mapping(manifest.get("data"))
    return RunFacts(
        name=run.path.resolve().name,
        task=str(manifest.get("task", "unknown")),
        model=str(model.get("name", "unknown")),
        base_digest=str(model.get("digest") or ""),
        base_revision=str(model.get("revision") or ""),
        method=_name_of(manifest.get("method")),
        parameters=_int(model.get("parameters")),
        trainable=_int(model.get("trainable")),
        generates=None if task is None else bool(task.generates),
        unit="tokens" if getattr(task, "default_rows_per_batch", None) is None else "rows",
        precision=str(manifest.get("precision", "")),
        device=_name_of(manifest.get("device", "")),
        seconds=_number(manifest.get("seconds")),
        total_steps=_int(manifest.get("steps")),
        best_step=_int(manifest.get("best_step")),
        figures=_figures(manifest, before or _before(manifest, evaluations), metrics),
        steps=tuple(record for record in records if record.get("kind") == "step"),
        evaluations=evaluations,
        notes=tuple(
            dict.fromkeys(str(record.get("message", "")) for record in records if record.get("kind") == "note")
        ),
        rows={split: count for split in reversed(_SPLITS) if (count := _int(data.get(split)))},
        files=tuple(_file(_mapping(file)) for file in data.get("files", ()) or ()),
        environment=_environment(manifest),
        metrics=metrics,
    )


def figure_text(name: str, value: float) -> str:
    """A metric as people read it: ``92.8 %`` for shares, ``0.312`` for the rest."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if name.lower().endswith(_SHARES) and 0 <= value <= 1:
        return "100 %" if value == 1 else f"{value * 100:.1f} %" if value < 0.9995 else f"{value * 100:.2f} %"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", "−")


def duration(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 12 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rows_text(count: int, split: str = "") -> str:
    """``1 row``, ``3,080 test rows``."""
    return f"{count:,} {split} {'row' if count == 1 else 'rows'}".replace("  ", " ")


def size_text(size: float) -> str:
    """Bytes as people read them: ``812 B``, ``3.4 MB`` (powers of ten)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} B" if unit == "B" else f"{size:,.1f} {unit}"


def _figures(
    manifest: Mapping[str, Any], before: Mapping[str, Mapping[str, float]], metrics: Sequence[Metric]
) -> tuple[Figure, ...]:
    final = _mapping(manifest.get("metrics"))
    split = next((name for name in (*_SPLITS, *final) if _mapping(final.get(name))), None)
    if split is None:
        return ()
    known = {metric.name: metric for metric in metrics}
    values = {name: _float(value) for name, value in _mapping(final[split]).items()}
    order = [name for name in known if name in values] + [name for name in values if name not in known]
    return tuple(_figure(name, split, values[name], known.get(name), before.get(split, {}).get(name)) for name in order)


def _figure(name: str, split: str, value: float, metric: Metric | None, before: float | None) -> Figure:
    known = before is not None and math.isfinite(value) and math.isfinite(before) and value != before
    rose = value > before if known and before is not None else None
    up = metric.greater_is_better if metric else _goes_up(name)
    return Figure(
        name=name,
        summary=metric.summary if metric else "",
        split=split,
        value=value,
        text=figure_text(name, value),
        before=None if before is None else figure_text(name, before),
        rose=rose,
        improved=None if rose is None or up is None else rose is up,
    )


def _goes_up(name: str) -> bool | None:
    if name.lower().endswith(_SHARES):
        return True
    return False if name.lower().endswith(("loss", "perplexity")) else None


def _before(manifest: Mapping[str, Any], evaluations: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, float]]:
    if told := _mapping(manifest.get("before")):
        return {str(split): _mapping(metrics) for split, metrics in told.items()}
    first = [record for record in evaluations if record.get("step") == 0]
    return {str(record.get("split")): _mapping(record.get("metrics")) for record in first}


def _answer_metrics(
    evaluations: Sequence[Mapping[str, Any]], known: Collection[str], registry: Registry | None
) -> tuple[Metric, ...]:
    """What is registered of the figures that the task itself does not know: those of generated answers."""
    from tunesmith.errors import NotFoundError
    from tunesmith.registry import get_registry

    names = dict.fromkeys(str(name) for record in evaluations for name in _mapping(record.get("metrics")))
    found = []
    for name in (name for name in names if name not in known):
        try:
            spec = (registry or get_registry()).find("metric", name).spec
        except NotFoundError:
            continue
        if isinstance(spec, MetricSpec):
            up = spec.greater_is_better
            found.append(Metric(name=name, greater_is_better=up, summary=spec.summary))
    return tuple(found)


def _task(name: str, registry: Registry | None) -> type[Task[Any, Any]] | None:
    from tunesmith.errors import NotFoundError, PluginError
    from tunesmith.registry import get_registry

    if not name:
        return None
    try:
        task: Any = (registry or get_registry()).load("task", name)
    except (NotFoundError, PluginError):
        return None
    return task if isinstance(task, type) and issubclass(task, Task) else None


def _file(file: Mapping[str, Any]) -> DataFile:
    size = _number(file.get("bytes"))
    return DataFile(
        name=str(file.get("name", "")),
        rows=_int(file.get("rows")),
        size="" if size is None else size_text(size),
        sha256=str(file.get("sha256") or ""),
    )


def _environment(manifest: Mapping[str, Any]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for key in ("environment", "versions"):
        for name, value in _mapping(manifest.get(key)).items():
            inner = _mapping(value)
            facts.update({str(part): str(text) for part, text in inner.items()} if inner else {str(name): str(value)})
    for key in ("threads", "seed"):
        if manifest.get(key) is not None:
            facts[key] = str(manifest[key])
    return facts


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name_of(value: Any) -> str:
    return str(_mapping(value).get("name", value if not isinstance(value, Mapping) else "unknown"))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _int(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and math.isfinite(number) else None


def _float(value: Any) -> float:
    """A logged number; JSON has no NaN, so logs may hold ``null`` or a text instead."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
