# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the model sees of a row and which of its tokens carry a loss; whether it learns to stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from tunesmith.planning.facts import Piece, Sample, StopToken
from tunesmith.tasks.base import Encoded, Task
from tunesmith.tasks.supervised import IGNORED

__all__ = ["samples_of", "stop_token"]

LONGEST = 400
"""Tokens of a sample that are shown."""
_TOGETHER = 256


def samples_of(task: Task[Any, Any], examples: Sequence[Any], count: int) -> tuple[Sample, ...]:
    """Training rows, evenly spread over them; none for tasks without a tokenizer."""
    tokenizer = getattr(task, "tokenizer", None)
    if tokenizer is None or not count:
        return ()
    samples = []
    for row in np.unique(np.linspace(0, len(examples) - 1, count, dtype=np.int64)).tolist():
        encoded = task.encode(examples[row], row)
        if encoded and "input_ids" in encoded[0].features:
            samples.append(_sample(task, tokenizer, encoded[0], str(examples[row].origin)))
    return tuple(samples)


def stop_token(task: Task[Any, Any], items: Sequence[Encoded]) -> StopToken | None:
    """How many training rows end with a stop token that carries a loss; ``None`` for tasks that do not generate."""
    if not task.generates or not hasattr(task, "stop_tokens"):
        return None
    stops = task.stop_tokens()
    rows = trained = 0
    for together in _last_of_each_row(items):
        labels = task.collate(together).labels
        if labels is None or labels.dim() != 2:
            return None
        for line in labels.numpy():
            learned = line[line != IGNORED]
            rows += 1
            trained += bool(learned.size and int(learned[-1]) in stops)
    tokenizer: Any = getattr(task, "tokenizer", None)
    return StopToken(rows, trained, tuple(tokenizer.convert_ids_to_tokens(sorted(stops))))


def _last_of_each_row(items: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    """A long text is cut into pieces, and only the last can hold its end."""
    held: list[Encoded] = []
    for _, group in groupby(items, key=lambda item: item.row):
        *_, last = group
        held.append(last)
        if len(held) == _TOGETHER:
            yield held
            held = []
    if held:
        yield held


def _sample(task: Task[Any, Any], tokenizer: Any, item: Encoded, origin: str) -> Sample:
    batch = task.collate([item])
    ids = np.asarray(item.features["input_ids"]).reshape(-1)
    labels = None if batch.labels is None or batch.labels.dim() != 2 else batch.labels[0].numpy()
    if labels is None:
        return Sample(origin, _pieces(tokenizer, ids, np.zeros(len(ids), bool)), _answer(task, item))
    if task.generates and len(labels) == len(ids) - 1:  # labels say what comes after each token
        return Sample(origin, _pieces(tokenizer, ids, np.concatenate([[False], labels != IGNORED])))
    if not task.generates and len(labels) == len(ids):  # and here what each token is
        return Sample(origin, _pieces(tokenizer, ids, labels != IGNORED))
    source = _pieces(tokenizer, ids, np.zeros(len(ids), bool))
    target = labels[labels != IGNORED]
    if not task.generates or not len(target):
        return Sample(origin, source)
    return Sample(origin, source + _pieces(tokenizer, target, np.ones(len(target), bool)))


def _pieces(
    tokenizer: Any, ids: np.ndarray[Any, Any], trained: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[Piece, ...]:
    """Runs of tokens that are treated alike; decoded together, since a token alone may be half a character."""
    shown = list(zip(ids.tolist(), trained.tolist(), strict=True))[:LONGEST]
    runs = [(key, [token for token, _ in group]) for key, group in groupby(shown, key=lambda pair: pair[1])]
    pieces = [Piece(tokenizer.decode(run), len(run), key) for key, run in runs]
    if len(ids) > LONGEST:
        pieces.append(Piece(f" … and {len(ids) - LONGEST:,} more tokens", 0, False))
    return tuple(pieces)


def _answer(task: Task[Any, Any], item: Encoded) -> str | None:
    labels = getattr(task, "labels", None)
    label = item.features.get("label")
    if label is None:
        return None
    if not labels:
        return str(label.tolist())
    if label.ndim == 0:
        return str(labels[int(label)])
    return ", ".join(labels[place] for place in np.flatnonzero(label).tolist()) or "(none)"
