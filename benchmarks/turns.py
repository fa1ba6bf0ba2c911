# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Engines in one process that answer turn about, so that what else the machine does falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

__all__ = ["turn_about"]

T = TypeVar("T")


def turn_about(
    engines: Mapping[str, Any], turns: int, answered: Callable[[Any], tuple[T, Any]], alike: Sequence[str]
) -> dict[str, list[T]]:
    """Figures of all turns of each engine; all of them are closed in the end.

    Args:
        engines: by name.
        turns: that are counted, behind one in which caches fill.
        answered: an engine's figures of one answer, and the answer.
        alike: names of those that have to give the same answer.

    Raises:
        AssertionError: they did not.
    """
    figures: dict[str, list[T]] = {name: [] for name in engines}
    try:
        for turn in range(turns + 1):
            answers = {}
            for name, engine in engines.items():
                found, answers[name] = answered(engine)
                time.sleep(0.05)  # threads that look for more work fall asleep
                if turn:
                    figures[name].append(found)
            for name in alike[1:]:
                if answers[name] != answers[alike[0]]:
                    raise AssertionError(f"{name} gave another answer than {alike[0]}")
    finally:
        for engine in engines.values():
            engine.close()
    return figures
