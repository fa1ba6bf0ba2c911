# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of a figure of generated answers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tunesmith.plugin import MetricSpec
from tunesmith.testing.findings import Check, Finding

__all__ = ["metric_checks"]

_TRUTH = ("The kettle holds 3 liters.", "It boils at 96 degrees", "No, after 12 minutes it is cold.", "yes 7")
_GARBAGE: dict[str, Sequence[str]] = {
    "empty texts": ("",) * len(_TRUTH),
    "the answers of other rows": (*_TRUTH[1:], _TRUTH[0]),
    "answers without end": tuple(f"{text} " + "and 1 more " * 40 for text in _TRUTH),
    "signs": ("\x00", "?!", "\u202e", "0"),
}


def metric_checks(check: Callable[[str, Callable[[Any, Any], Iterator[Finding]]], Check]) -> Iterator[Check]:
    yield check("direction", _direction)


def _direction(spec: MetricSpec, function: Any) -> Iterator[Finding]:
    perfect = _call(function, _TRUTH)
    if not _is_number(perfect):
        yield _no_number("the references themselves", perfect)
        return
    if _call(function, _TRUTH) != perfect:
        yield Finding(
            problem="it does not give the same figure twice",
            given=f"{perfect} at first, for the same answers",
            expected="the same figure",
            fix="leave chance and what was seen before out of it",
        )
    for words, answers in _GARBAGE.items():
        value = _call(function, answers)
        if not _is_number(value):
            yield _no_number(words, value)
        elif value > perfect if spec.greater_is_better else value < perfect:
            yield Finding(
                problem="worse answers get the better figure",
                given=f"{value:.4g} for {words}, {perfect:.4g} for the references themselves",
                expected=f"greater_is_better={spec.greater_is_better} says that nothing beats the references",
                fix="correct the function, or greater_is_better of the MetricSpec",
            )
            return


def _call(function: Any, answers: Sequence[str]) -> Any:
    options: dict[str, Any] = {"examples": [object()] * len(_TRUTH), "tokenize": "13a"}
    taken = inspect.signature(function).parameters
    return function(list(answers), list(_TRUTH), **{name: value for name, value in options.items() if name in taken})


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _no_number(words: str, value: Any) -> Finding:
    return Finding(
        problem="it gives no figure",
        given=f"{value!r:.100} for {words}",
        expected="a finite number, whatever a model writes",
        fix="look at empty answers first, and turn numpy's numbers into float",
    )
