# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows for the golden set of a model that came without one: of the run's own data where it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.errors import TunesmithError

if TYPE_CHECKING:
    from tunesmith.export.subject import Subject
    from tunesmith.recipe import Recipe

__all__ = ["sample_examples"]

_ROWS = 64
_TEXTS = (
    "Where is my parcel? It was meant to be here on Monday.",
    "Once upon a time, there was a little girl",
    "I was charged 12.50 € twice – please pay one of them back.",
    "The quick brown fox jumps over the lazy dog.",
)
_CONTEXT = "The parcel was sent on 3 May from Lyon. It weighs two kilograms and is expected in Berlin on Monday."


def sample_examples(subject: Subject) -> Iterator[tuple[list[Any], str]]:
    """Examples of the task, and where they are from: a split's name, at last ``built-in``."""
    from tunesmith.engine.inputs import parse_inputs

    if subject.run is not None:
        recipe = subject.run.recipe()
        for split in ("test", "validation", "train"):
            rows = _rows_of(subject, recipe, split)
            try:
                examples = parse_inputs(subject.task, rows) if rows else []
            except (TunesmithError, TypeError):
                continue  # moved or changed since; the built-in rows do as well
            if examples:
                yield examples, split
    rows = _built_in(subject.task)
    yield (parse_inputs(subject.task, rows) if rows else []), "built-in"


def _rows_of(subject: Subject, recipe: Recipe, split: str) -> list[Any]:
    from tunesmith.data.rows import Row
    from tunesmith.data.sources import find_sources, read_source

    sources = getattr(recipe.data, split)
    if not sources:
        return []
    try:
        first = find_sources(sources, recipe.data, subject.registry)[0]
        rows: Iterator[Any] = read_source(first, recipe.data, subject.registry)
        return [row for row in islice(rows, _ROWS) if isinstance(row, Row)]
    except (TunesmithError, OSError):
        return []


def _built_in(task: Any) -> list[Any]:
    inputs = {column.name for column in task.columns if not column.target}
    if task.generates:
        return [[{"role": "user", "content": text}] for text in _TEXTS] if _chats(task) else list(_TEXTS)
    if "image" in inputs:
        settings = task.settings
        noise = np.random.default_rng(0)
        shape = (settings.height, settings.width, settings.channels)
        return [noise.integers(0, 256, shape, dtype=np.uint8) for _ in _TEXTS]
    if {"question", "context"} <= inputs:
        return [{"question": text, "context": _CONTEXT} for text in _TEXTS]
    if (len(inputs) >= 1 and "text" in inputs) or "anchor" in inputs:
        return list(_TEXTS)
    return []


def _chats(task: Any) -> bool:
    return bool(getattr(task, "prompt_form", "") == "messages")
