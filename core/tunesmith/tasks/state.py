# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Reading a task's saved state defensively: a wrong value is an error with words, never a surprise later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tunesmith.errors import ModelError

__all__ = ["state_above_zero", "state_floats", "state_int", "state_ints", "state_text"]


def state_int(state: Mapping[str, Any], key: str) -> int:
    """A positive whole number."""
    value = state.get(key)
    if type(value) is not int or value < 1:
        raise _wrong(key, value, "a whole number above 0")
    return value


def state_ints(state: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """Whole numbers, 0 or more."""
    value = state.get(key)
    if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
        raise _wrong(key, value, "a list of whole numbers")
    return tuple(value)


def state_floats(state: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Numbers."""
    value = state.get(key)
    if not isinstance(value, list) or not all(type(item) in (int, float) for item in value):
        raise _wrong(key, value, "a list of numbers")
    return tuple(float(item) for item in value)


def state_above_zero(state: Mapping[str, Any], key: str) -> float:
    """A finite number above 0."""
    value = state.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise _wrong(key, value, "a finite number above 0")
    return float(value)


def state_text(state: Mapping[str, Any], key: str) -> str:
    """Text that is not empty."""
    value = state.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(key, value, "text")
    return value


def _wrong(key: str, value: Any, expected: str) -> ModelError:
    return ModelError(
        f"rendering.json: {key!r} cannot be used",
        given=repr(value)[:200],
        expected=expected,
        fix="save the model again; rendering.json is written with it and should not be edited",
    )
