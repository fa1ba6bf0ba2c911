# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows of a table with one label each, or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Origin, Row
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.tasks.cells import label_cell
from tunesmith.tasks.classification import Classification, ClassOutput
from tunesmith.tasks.sections import Section
from tunesmith.tasks.sections import Table as Drawn
from tunesmith.tasks.table import Table
from tunesmith.tasks.table_cells import Cell
from tunesmith.tasks.table_importance import importance

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["TabularClassification", "TabularExample"]


@dataclass(frozen=True, slots=True)
class TabularExample:
    """Cells and labels of a row.

    Attributes:
        cells: by column, without the label's.
        labels: ``None`` when it is only to be predicted.
        several: the labels were given as a list, or with a separator.
        origin: where the row stands.
    """

    cells: Mapping[str, Cell]
    labels: tuple[str, ...] | None
    several: bool
    origin: Origin


class TabularClassification(Classification[TabularExample]):
    """Which label, or labels, a row of a table has.

    Every column but the label's is read, as ``data.features`` and ``data.ignore`` say; what kind each is, is learned
    from the training rows and told. See :mod:`tunesmith.tasks.table_columns`.
    """

    columns = (
        Column(
            name="label",
            summary="the column to predict; every other column is learned from",
            target=True,
        ),
    )
    default_rows_per_batch = 64
    default_steps = 1500

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.table = Table(data, "label")

    def counted(self) -> list[str]:
        return self.table.counted()

    def parse(self, row: Row, *, labelled: bool = True) -> TabularExample:
        cells = self.table.read(row, labelled=labelled)
        if not labelled:
            return TabularExample(cells, None, False, row.origin)
        labels, several = label_cell(row, "label", self.data.label_separator)
        return TabularExample(cells, labels, several, row.origin)

    def fit(self, examples: Sequence[TabularExample]) -> None:
        super().fit(examples)
        for sentence in self.table.learn([(example.cells, example.origin) for example in examples]):
            self.note(sentence)

    def check(self, examples: Sequence[TabularExample], split: str) -> None:
        super().check(examples, split)
        self.table.check([(example.cells, example.origin) for example in examples], split)

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        examples, self._training = self._training or (), None
        config = self.table.model_config(source, len(examples))
        return models.load_weights(source, "tabular", **self.head_config(), **config)  # type: ignore[no-any-return]

    def encode(self, example: TabularExample, row: int) -> list[Encoded]:
        features = {**self.table.encode(example.cells, example.origin), **self.encode_label(example)}
        return [Encoded(features, length=1, targets=int(example.labels is not None), row=row)]

    def collate(self, items: Sequence[Encoded]) -> Batch:
        labels = self.collate_labels(items)
        return Batch(
            inputs=self.table.inputs(items),
            labels=labels,
            targets=0 if labels is None else len(items),
            tokens=len(items),
            rows=[item.row for item in items],
        )

    # ---- report --------------------------------------------------------------------------------

    def inspect(self, model: nn.Module, items: Sequence[Encoded], examples: Sequence[TabularExample]) -> list[Section]:
        labelled = [item for item in items if item.targets]
        if not labelled:
            return []
        drawn = importance(
            model,
            self.collate(labelled),
            self.table.columns,
            lambda batch: self.outputs(model, batch),
            self._errors,
            names=("loss", "share of wrong rows"),
        )
        return [drawn]

    def _errors(self, outputs: Sequence[ClassOutput]) -> tuple[float, float]:
        wrong = [self.decide(output) != output.truth for output in outputs]
        return float(np.mean([output.loss for output in outputs])), float(np.mean(wrong))

    def mistake_table(
        self, examples: Sequence[TabularExample], rows: Sequence[Sequence[str | float]], note: str
    ) -> Drawn:
        return Drawn(
            title="Worst mistakes",
            note=note,
            header=("where", "true", "predicted", "probability", "loss"),
            rows=[(str(example.origin), *row) for example, row in zip(examples, rows, strict=True)],
        )

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "table": self.table.state()}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        self.restore_labels(state, source)
        self.table.restore(state)
        return models.load_weights(source, "tabular", new_head=False, **self.head_config())  # type: ignore[no-any-return]
