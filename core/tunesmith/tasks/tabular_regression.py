# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows of a table with a number each.

The model learns the number standardized by the training rows' mean and standard deviation; everything people see is in
the number's own unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tunesmith.data.rows import Column, Origin, Row, RowError
from tunesmith.errors import DataError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks import metrics as figures
from tunesmith.tasks.base import Batch, Encoded, Metric, Task
from tunesmith.tasks.classification_report import MISTAKES_SHOWN
from tunesmith.tasks.sections import Section
from tunesmith.tasks.sections import Table as Drawn
from tunesmith.tasks.table import Table
from tunesmith.tasks.table_cells import Cell, cell_number, table_cell
from tunesmith.tasks.table_columns import shorten
from tunesmith.tasks.table_importance import importance
from tunesmith.tasks.table_state import state_scale

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["REGRESSION_METRICS", "NumberExample", "NumberOutput", "TabularRegression"]

REGRESSION_METRICS = (
    Metric(name="rmse", greater_is_better=False, summary="root of the mean squared error, in the target's unit"),
    Metric(name="mae", greater_is_better=False, summary="mean absolute error, in the target's unit"),
    Metric(name="r2", greater_is_better=True, summary="1 - squared error / squared distance from the rows' mean"),
    Metric(name="loss", greater_is_better=False, summary="mean squared error of the standardized target"),
)


@dataclass(frozen=True, slots=True)
class NumberExample:
    """Cells and target of a row.

    Attributes:
        cells: by column, without the target's.
        target: in its own unit; ``None`` when it is only to be predicted.
        origin: where the row stands.
    """

    cells: Mapping[str, Cell]
    target: float | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class NumberOutput:
    """What the model says about one row.

    Attributes:
        value: in the target's unit.
        loss: squared error of the standardized target; ``None`` where the target is unknown.
    """

    value: float
    loss: float | None


class TabularRegression(Task[NumberExample, NumberOutput]):
    """Which number belongs to a row of a table. The columns are read as in ``tabular-classification``."""

    columns = (
        Column(
            name="target",
            summary="the column of numbers to predict; every other column is learned from",
            target=True,
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = REGRESSION_METRICS
    default_rows_per_batch = 64
    default_steps = 1500

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.table = Table(data, "target")
        self.mean, self.scale = 0.0, 1.0
        self._rows = 0

    def counted(self) -> list[str]:
        return self.table.counted()

    # ---- rows ----------------------------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> NumberExample:
        cells = self.table.read(row, labelled=labelled)
        return NumberExample(cells, _target(row) if labelled else None, row.origin)

    def fit(self, examples: Sequence[NumberExample]) -> None:
        targets = np.asarray([example.target for example in examples], dtype=np.float64)
        self.mean, self.scale = float(targets.mean()), float(targets.std())
        if len(set(targets.tolist())) < 2:
            raise DataError(
                "the target is the same in every training row",
                given=f"{targets[0]:g} in {len(targets):,} rows",
                expected="at least two different numbers",
                fix="check that data.columns.target names the right column",
            )
        for sentence in self.table.learn([(example.cells, example.origin) for example in examples]):
            self.note(sentence)
        self._rows = len(examples)

    def check(self, examples: Sequence[NumberExample], split: str) -> None:
        self.table.check([(example.cells, example.origin) for example in examples], split)

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        config = self.table.model_config(source, self._rows)
        return models.load_weights(source, "tabular", num_labels=1, **config)  # type: ignore[no-any-return]

    def encode(self, example: NumberExample, row: int) -> list[Encoded]:
        features = self.table.encode(example.cells, example.origin)
        if example.target is not None:
            features["target"] = np.asarray((example.target - self.mean) / self.scale, dtype=np.float32)
        return [Encoded(features, length=1, targets=int(example.target is not None), row=row)]

    def collate(self, items: Sequence[Encoded]) -> Batch:
        import torch

        labelled = all("target" in item.features for item in items)
        return Batch(
            inputs=self.table.inputs(items),
            labels=torch.from_numpy(np.stack([item.features["target"] for item in items])) if labelled else None,
            targets=len(items) if labelled else 0,
            tokens=len(items),
            rows=[item.row for item in items],
        )

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        if batch.labels is None:
            raise ValueError("this batch has no targets, so it has no loss")
        return (self._answers(model, batch) - batch.labels).square().sum()

    def outputs(self, model: nn.Module, batch: Batch) -> list[NumberOutput]:
        answers = self._answers(model, batch)
        values = (answers.double() * self.scale + self.mean).tolist()
        if batch.labels is None:
            return [NumberOutput(value, None) for value in values]
        losses = (answers - batch.labels).square().tolist()
        return [NumberOutput(*parts) for parts in zip(values, losses, strict=True)]

    def _answers(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Standardized, float32 (R,)."""
        answers: torch.Tensor = model(**batch.inputs).logits
        return answers.float().squeeze(-1)

    # ---- answers -------------------------------------------------------------------------------

    def answer(self, output: NumberOutput) -> dict[str, Any]:
        return {"value": output.value}

    def score(self, outputs: Sequence[NumberOutput], examples: Sequence[NumberExample]) -> dict[str, float]:
        pairs = _known(outputs, examples)
        truth = np.asarray([example.target for _, example in pairs], dtype=np.float64)
        predicted = np.asarray([output.value for output, _ in pairs], dtype=np.float64)
        return {
            "rmse": figures.root_mean_squared_error(truth, predicted),
            "mae": figures.mean_absolute_error(truth, predicted),
            "r2": figures.r2(truth, predicted),
            "loss": _mean_loss([output for output, _ in pairs]),
        }

    def sections(self, outputs: Sequence[NumberOutput], examples: Sequence[NumberExample]) -> list[Section]:
        if all(example.target is None for example in examples):
            return []
        pairs = sorted(_known(outputs, examples), key=lambda pair: -_distance(*pair))[:MISTAKES_SHOWN]
        return [
            Drawn(
                title="Greatest errors",
                note=f"Of {len(examples):,} rows, those whose predicted number is farthest from the true one.",
                header=("where", "true", "predicted", "error"),
                rows=[
                    (
                        str(example.origin),
                        float(example.target or 0),
                        output.value,
                        output.value - (example.target or 0),
                    )
                    for output, example in pairs
                ],
            )
        ]

    def inspect(self, model: nn.Module, items: Sequence[Encoded], examples: Sequence[NumberExample]) -> list[Section]:
        labelled = [item for item in items if item.targets]
        if not labelled:
            return []
        drawn = importance(
            model,
            self.collate(labelled),
            self.table.columns,
            lambda batch: self.outputs(model, batch),
            self._errors,
            names=("rmse",),
        )
        return [drawn]

    def _errors(self, outputs: Sequence[NumberOutput]) -> tuple[float]:
        return (self.scale * math.sqrt(_mean_loss(outputs)),)

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale, "table": self.table.state()}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        self.mean, self.scale = state_scale(state)
        self.table.restore(state)
        return models.load_weights(source, "tabular", new_head=False, num_labels=1)  # type: ignore[no-any-return]


def _target(row: Row) -> float:
    cell = table_cell("target", row.values.get("target"))
    if cell is None:
        raise RowError("target is missing; rows without it cannot be learned from or scored, only predicted")
    number = cell_number(cell)
    if number is None:
        raise RowError(f"target is {shorten(cell)}; a number was expected")
    return number


def _mean_loss(outputs: Sequence[NumberOutput]) -> float:
    return float(np.mean([output.loss or 0.0 for output in outputs], dtype=np.float64))


def _known(
    outputs: Sequence[NumberOutput], examples: Sequence[NumberExample]
) -> list[tuple[NumberOutput, NumberExample]]:
    pairs = [(o, e) for o, e in zip(outputs, examples, strict=True) if e.target is not None]
    if not pairs:
        raise ValueError("none of these rows has a target to score against")
    return pairs


def _distance(output: NumberOutput, example: NumberExample) -> float:
    return abs(output.value - (example.target or 0.0))
