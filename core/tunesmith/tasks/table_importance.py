# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What each column is worth to a trained model: its error with the column's cells shuffled among the rows.

Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324; Fisher et al. 2019, arXiv:1801.01489). Of columns
that say the same, each may look worthless, since the other still says it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.tasks.base import Batch
from tunesmith.tasks.sections import Table as Drawn
from tunesmith.tasks.table_columns import AnyColumn

if TYPE_CHECKING:
    from torch import nn

__all__ = ["importance"]

REPEATS = 5
MOST_CELLS = 2_000_000
"""Rows × columns × repeats that are computed; of more, fewer rows are taken, evenly spread over the split."""
LEAST_ROWS = 200
AT_ONCE = 4096
"""Rows of one pass through the model."""


def importance(
    model: nn.Module,
    batch: Batch,
    columns: Sequence[AnyColumn],
    outputs: Callable[[Batch], list[Any]],
    figures: Callable[[list[Any]], Sequence[float]],
    *,
    names: Sequence[str],
    seed: int = 0,
) -> Drawn:
    """A table of the columns, most important first.

    Args:
        model: on any device.
        batch: all rows of a split, on the host; ``inputs`` holds ``numbers`` and ``categories``.
        columns: in the order of these inputs.
        outputs: what the model says of a batch.
        figures: figures of outputs, errors: less is better. The first decides the order.
        names: of the figures.
        seed: of the permutations; each column and repeat has its own.
    """
    import torch

    device = next(model.parameters()).device
    rows = len(batch.rows)
    most = max(LEAST_ROWS, MOST_CELLS // (REPEATS * max(1, len(columns))))
    taken = torch.arange(0, rows, -(-rows // most))
    inputs = {name: tensor[taken] for name, tensor in batch.inputs.items()}
    labels = None if batch.labels is None else batch.labels[taken]

    def scored(changed: dict[str, torch.Tensor]) -> np.ndarray[Any, Any]:
        found: list[Any] = []
        for start in range(0, len(taken), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            some = {name: tensor[part] for name, tensor in changed.items()}
            size = len(some["numbers"])
            here = Batch(some, None if labels is None else labels[part], size, size, list(range(size)))
            with torch.inference_mode():
                found += outputs(here.to(device))
        return np.asarray(figures(found), dtype=np.float64)

    whole = scored(inputs)
    found: list[tuple[np.ndarray[Any, Any], tuple[str | float, ...]]] = []
    for place, column in enumerate(columns):
        name, index = _input_of(place, inputs["numbers"].shape[1])
        rises = []
        for repeat in range(REPEATS):
            order = np.random.default_rng([seed, place, repeat]).permutation(len(taken))
            shuffled = inputs[name].clone()
            shuffled[:, index] = shuffled[torch.from_numpy(order), index]
            rises.append(scored({**inputs, name: shuffled}) - whole)
        mean, spread = np.mean(rises, axis=0), np.std(rises, axis=0)
        cells = [round(float(value), 4) for pair in zip(mean, spread, strict=True) for value in pair]
        found.append((mean, (column.name, column.kind, *cells)))
    found.sort(key=lambda one: -one[0][0])
    heads = [head for one in names for head in (f"{one} rises by", "±")]
    some_rows = "all rows" if len(taken) == rows else f"{len(taken):,} of {rows:,} rows"
    return Drawn(
        title="Importance of the columns",
        note=f"How much worse the answers get when a column's cells are shuffled among the rows: mean and standard "
        f"deviation of {REPEATS} shuffles of {some_rows}. Of columns that say the same, each may look worthless.",
        header=("column", "kind", *heads),
        rows=[row for _, row in found],
    )


def _input_of(place: int, numbers: int) -> tuple[str, int]:
    return ("numbers", place) if place < numbers else ("categories", place - numbers)
