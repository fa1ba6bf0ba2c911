# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the target of each kind of spec must be, as far as that can be said without running it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from tunesmith._plugins.collect import short

__all__ = ["SORTS", "Sort", "wrong_sort"]


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of object.

    Attributes:
        words: for people: ``a subclass of tunesmith.tasks.Task``.
        base: the class it is a subclass of, or an instance of; looked up by name, since this room stands below the
            rooms that hold them. Empty: there is none.
        instance: it is an instance of ``base``.
        is_class: it is a class, whichever.
    """

    words: str
    base: str = ""
    instance: bool = False
    is_class: bool = False


def _subclass(base: str) -> Sort:
    return Sort(f"a subclass of {base.replace(':', '.')}", base)


_FUNCTION = Sort("a function")
_CLASS = Sort("a class", is_class=True)

SORTS: Mapping[str, Sort] = {
    "task": _subclass("tunesmith.tasks:Task"),
    "reader": _FUNCTION,
    "dataset": _FUNCTION,
    "model": _FUNCTION,
    "strategy": _CLASS,
    "engine": Sort("a function or a class"),
    "acceleration": _subclass("tunesmith.engine:Acceleration"),
    "metric": _FUNCTION,
    "augmentation": _subclass("tunesmith.tasks:Transform"),
    "exporter": _CLASS,
    "objective": _subclass("tunesmith.tasks:Objective"),
    "transform": _subclass("tunesmith.data:RowTransform"),
    "tracker": _subclass("tunesmith.training:Tracker"),
    "report_section": _subclass("tunesmith.evaluate:ReportSection"),
    "recipe_section": _subclass("tunesmith.recipe:Section"),
    "route": _FUNCTION,
    "access": Sort("a function or a class"),
    "scheduler": _subclass("tunesmith.engine:Scheduler"),
    "command": Sort("a typer.Typer", "typer:Typer", instance=True),
}
"""By kind of spec. A test holds this table against the kinds there are."""


def wrong_sort(kind: str, found: object) -> str:
    """What is wrong with a target in one line; empty where nothing is, or nothing can be said."""
    sort = SORTS.get(kind)
    if sort is None or _fits(sort, found):
        return ""
    what = f"the class {found.__qualname__}" if isinstance(found, type) else f"{short(found)}, a {type(found).__name__}"
    return f"it is {what}; expected {sort.words}"


def _fits(sort: Sort, found: object) -> bool:
    if not sort.base:
        return isinstance(found, type) if sort.is_class else callable(found)
    if not sort.instance and not isinstance(found, type):
        return False  # said without the base class, whose import may take seconds
    try:
        module, _, path = sort.base.partition(":")
        base = reduce(getattr, path.split("."), importlib.import_module(module))
    except (ImportError, AttributeError):
        return True  # the base class is not installed here: nothing can be said
    assert isinstance(base, type)
    return isinstance(found, base) if sort.instance else isinstance(found, type) and issubclass(found, base)
