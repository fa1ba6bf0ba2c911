# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The columns of a table as JSON, and back without trust."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from tunesmith.errors import ModelError
from tunesmith.tasks.state import state_floats, state_text
from tunesmith.tasks.table_columns import AnyColumn, CategoryColumn, NumberColumn

__all__ = ["columns_from_state", "columns_to_state", "state_scale"]


def columns_to_state(columns: Sequence[AnyColumn]) -> list[dict[str, Any]]:
    """One object a column; ``edges`` mark one of numbers, ``values`` one of categories."""
    return [
        {"name": one.name, "mean": one.mean, "scale": one.scale, "edges": list(one.edges), "missing": one.missing}
        if isinstance(one, NumberColumn)
        else {"name": one.name, "values": list(one.values), "missing": one.missing}
        for one in columns
    ]


def columns_from_state(state: Mapping[str, Any]) -> list[AnyColumn]:
    """The columns under the key ``table``.

    Raises:
        ModelError: no columns, one twice, or one that cannot be.
    """
    saved = state.get("table")
    if not isinstance(saved, list) or not saved or not all(isinstance(one, Mapping) for one in saved):
        raise _wrong("table", saved, "a list of columns")
    columns = [_column(one) for one in saved]
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        raise _wrong("table", names, "every column once")
    return columns


def state_scale(state: Mapping[str, Any]) -> tuple[float, float]:
    """``mean`` and ``scale``: what a number is standardized by."""
    mean, scale = state_floats({"mean and scale": [state.get("mean"), state.get("scale")]}, "mean and scale")
    if not (math.isfinite(mean) and math.isfinite(scale) and scale > 0):
        raise _wrong("mean and scale", [mean, scale], "finite numbers, the scale above 0")
    return mean, scale


def _column(saved: Mapping[str, Any]) -> AnyColumn:
    name, missing = state_text(saved, "name"), saved.get("missing")
    if type(missing) is not int or missing < 0:
        raise _wrong("missing", missing, "a number of rows")
    if "edges" not in saved:
        values = saved.get("values")
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise _wrong("values", values, "a list of texts")
        return CategoryColumn(name, tuple(values), missing)
    mean, scale = state_scale(saved)
    edges = state_floats(saved, "edges")
    if len(edges) < 2 or not all(a < b for a, b in pairwise(edges)):
        raise _wrong("edges", list(edges), "at least two numbers, ascending")
    return NumberColumn(name, mean, scale, edges, missing)


def _wrong(key: str, value: object, expected: str) -> ModelError:
    return ModelError(
        f"rendering.json: {key!r} cannot be used",
        given=repr(value)[:200],
        expected=expected,
        fix="save the model again; rendering.json is written with it and should not be edited",
    )
