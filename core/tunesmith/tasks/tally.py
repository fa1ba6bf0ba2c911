# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What encoding counts, taken out of a task and put back: rows may be encoded in parts, elsewhere, or earlier.

A task names its counters in ``Task.tallied``. A counter is an ``int`` (added), a ``Lengths`` of
:mod:`tunesmith.tasks.lengths` (rows and over are added, the longest wins), or an int64 array that is ``None`` before
anything was counted (added).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tunesmith.tasks.base import Task
from tunesmith.tasks.lengths import Lengths

__all__ = ["add_tally", "blank_copy", "can_tally", "tally_of"]

AnyTask = Task[Any, Any]


def can_tally(task: AnyTask) -> bool:
    """Whether the task's own class names its counters, and leaves it to us in which order its rows are encoded."""
    return type(task).__dict__.get("tallied") is not None and type(task).encode_all is Task.encode_all


def blank_copy(task: AnyTask, *, without: tuple[object, ...] = ()) -> AnyTask:
    """The same task with nothing counted; the tokenizer and other settings are shared.

    Args:
        without: objects that the copy is not to hold, such as the training examples; their attributes become ``None``.
    """
    blank = copy.copy(task)
    blank._notes = []
    for name in _names(task):
        value = getattr(task, name)
        if isinstance(value, Lengths):
            setattr(blank, name, dataclasses.replace(value, rows=0, over=0, longest=0))
        else:
            setattr(blank, name, 0 if isinstance(value, int) else None)
    for name, value in vars(task).items():
        if any(value is one for one in without):
            setattr(blank, name, None)
    return blank


def tally_of(task: AnyTask) -> dict[str, Any]:
    """What was counted and noted so far, as JSON."""
    return {"notes": list(task._notes), **{name: _as_json(getattr(task, name)) for name in _names(task)}}


def add_tally(task: AnyTask, tally: Mapping[str, Any]) -> None:
    """Count what another copy of the task counted."""
    for text in tally["notes"]:
        task.note(text)
    for name in _names(task):
        held, more = getattr(task, name), tally[name]
        if isinstance(held, Lengths):
            held.rows += more["rows"]
            held.over += more["over"]
            held.longest = max(held.longest, more["longest"])
        elif isinstance(held, int):
            setattr(task, name, held + more)
        elif more is not None:
            counts = np.asarray(more, dtype=np.int64)
            setattr(task, name, counts if held is None else held + counts)


def _names(task: AnyTask) -> tuple[str, ...]:
    return type(task).tallied or ()


def _as_json(value: Any) -> Any:
    if isinstance(value, Lengths):
        return {"rows": value.rows, "over": value.over, "longest": value.longest}
    if isinstance(value, (bool, int, np.integer)):
        return int(value)
    if value is None or isinstance(value, np.ndarray):
        return None if value is None else value.tolist()
    raise TypeError(f"a counter of type {type(value).__name__}: int, Lengths or an array of int64 was expected")
