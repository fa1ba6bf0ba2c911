# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attributions of whole rows: :func:`attribute`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.engine.items import run_items
from tunesmith.errors import DataError, Problem
from tunesmith.tasks.base import Encoded, Task
from tunesmith.tasks.classification import Classification
from tunesmith.tasks.image_classification import ImageClassification
from tunesmith.tasks.table_cells import cell_text
from tunesmith.tasks.text_classification import TextClassification
from tunesmith_explain.attributions import Attribution, Piece
from tunesmith_explain.integrated import checked_steps, integrate, total, undisturbed
from tunesmith_explain.questions import chosen_baseline, question_of
from tunesmith_explain.word_scores import token_spans, word_pieces

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["attribute", "attribute_items"]


def attribute(
    task: Task[Any, Any],
    model: nn.Module,
    examples: Sequence[Any],
    *,
    steps: int = 32,
    baseline: str | None = None,
) -> list[Attribution]:
    """What the answers to some rows rest on, by integrated gradients.

    For every row the label that the model gives, and the true one where it is known and another; with several labels a
    row all of these, and the most likely one where the model gives none. For numbers the number. The same comes out
    every time, and the model is left as it was. Nothing else may use the model meanwhile.

    Args:
        task: as saved with the model, e.g. ``tunesmith.load(RUN).definition``.
        model: the network, on any device, e.g. ``tunesmith.load(RUN).module``.
        examples: as ``task.parse`` gives them.
        steps: points of the integral. The time grows with them, and the error shrinks.
        baseline: the input that says nothing. Texts: ``pad`` (default) or ``mask``; images: ``black`` (default) or
            ``mean``; tables: ``mean``.

    Returns:
        In the order of the rows, predicted labels first; a row that the task reads in parts has those of every part.

    Raises:
        ModelError: a task that cannot be explained, no such baseline, or steps out of range.
        DataError: rows that cannot be encoded.
    """
    chosen_baseline(task, baseline)  # before the rows are looked at
    items = task.encode_all(examples)
    missing = sorted(set(range(len(examples))) - {item.row for item in items})
    if missing:
        raise DataError(
            f"{len(missing):,} of {len(examples):,} rows cannot be explained",
            fix="shorten these rows or leave them out",
            problems=[Problem(examples[row].origin, "longer than the model reads") for row in missing],
        )
    return attribute_items(task, model, items, examples, steps=steps, baseline=baseline)


def attribute_items(
    task: Task[Any, Any],
    model: nn.Module,
    items: Sequence[Encoded],
    examples: Sequence[Any],
    *,
    steps: int = 32,
    baseline: str | None = None,
) -> list[Attribution]:
    """As :func:`attribute`, of rows that are encoded: ``item.row`` is an index of ``examples``."""
    name, steps = chosen_baseline(task, baseline), checked_steps(steps)
    device = next(model.parameters()).device
    outputs = run_items(model, task, items, device=device)
    parts = Counter(item.row for item in items)
    seen: Counter[int] = Counter()
    reached: dict[int, int] = {}
    found: list[Attribution] = []
    with undisturbed(model):
        for item, output in zip(items, outputs, strict=True):
            example = examples[item.row]
            place: dict[str, Any] = {
                "row": item.row,
                "origin": example.origin,
                "part": seen[item.row],
                "parts": parts[item.row],
            }
            seen[item.row] += 1
            spans = None
            if isinstance(task, TextClassification):
                ids = item.features["input_ids"].tolist()
                spans = token_spans(task.tokenizer, example.text, ids, reached.get(item.row, 0))
                reached[item.row] = max((span[0] for span in spans if span), default=0) if parts[item.row] > 1 else 0
            question = question_of(task, model, item, name, device)
            for target, told in _targets(task, output, example):
                amounts, value, start = integrate(question, target, steps)
                shown = _shown(task, item, example, amounts, spans)
                delta = total(amounts) - (value - start)
                numbers: dict[str, Any] = {"value": value, "baseline_value": start, "delta": delta, "steps": steps}
                found.append(Attribution(**place, **told, **numbers, **shown))
    return found


def _targets(task: Task[Any, Any], output: Any, example: Any) -> list[tuple[int | None, dict[str, Any]]]:
    """Which answers of a row are divided, and what is known of each."""
    if not isinstance(task, Classification):
        facts = {"label": None, "predicted": True, "true": None, "probability": None, "target": example.target}
        return [(None, facts)]
    decided = task.decide(output)
    true = None if example.labels is None else {task.labels.index(label) for label in example.labels}
    asked = dict.fromkeys([*decided, *sorted(true or ())])
    if not decided:  # several labels a row, none of them given: the nearest to it
        asked.setdefault(int(output.logits.argmax()))
    return [
        (
            label,
            {
                "label": task.labels[label],
                "predicted": label in decided,
                "true": None if true is None else label in true,
                "probability": float(output.probabilities[label]),
            },
        )
        for label in asked
    ]


def _shown(
    task: Task[Any, Any], item: Encoded, example: Any, amounts: list[torch.Tensor], spans: Any
) -> dict[str, Any]:
    """Amounts as what people know: words, columns, pixels."""
    if isinstance(task, TextClassification):
        scores = amounts[0].sum(-1).double().numpy()
        pieces, rest = word_pieces(example.text, spans, scores)
        return {"pieces": pieces, "rest": rest, "text": example.text}
    if isinstance(task, ImageClassification):
        heat = amounts[0].sum(0).numpy().astype(np.float32)
        return {"heat": heat, "pixels": item.features["pixels"]}
    scores = np.concatenate([part.sum(-1).double().numpy() for part in amounts])
    columns = task.table.columns  # type: ignore[attr-defined]
    pieces = tuple(
        Piece(column.name, float(score), cell=cell_text(example.cells.get(column.name)) or "")
        for column, score in zip(columns, scores, strict=True)
    )
    return {"pieces": pieces}
