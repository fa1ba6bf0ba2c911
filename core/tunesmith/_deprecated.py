# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is on its way out: since when, until when, and what takes its place.

A deprecation carries the release in which it goes. A test fails once the running version has reached one, so that
nothing outstays its notice (docs/explanation/deprecation.md). Functions, arguments and fields of specs:
:meth:`Deprecation.function`, :meth:`~Deprecation.argument`, :meth:`~Deprecation.tell`. Hooks: :data:`OLD_HOOKS`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

__all__ = ["OLD_HOOKS", "Deprecation", "TunesmithDeprecationWarning", "deprecated", "deprecations", "overdue"]

P = ParamSpec("P")
R = TypeVar("R")


class TunesmithDeprecationWarning(DeprecationWarning):
    """Something of Tunesmith's is used that goes in a later release. The text names it, the release, and what to do."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """One thing that goes.

    Attributes:
        what: as its users know it: ``tunesmith.load(fast=…)``, ``the hook tunesmith_loaders``.
        since: release in which it was deprecated, e.g. ``0.3``.
        removed_in: release in which it is gone, e.g. ``0.5``.
        use: what takes its place.
    """

    what: str
    since: str
    removed_in: str
    use: str

    def __str__(self) -> str:
        return f"{self.what} is deprecated since {self.since} and goes in {self.removed_in}; use {self.use}"

    def tell(self, where: str = "", *, level: int = 2) -> None:
        """Warn whoever called the caller, as where a spec finds an old field of its own given.

        Args:
            where: who uses it, where a place in the code says too little: ``the plugin 'audit'``.
            level: of ``warnings.warn``, counted from the caller of this method.
        """
        text = f"{where}: {self}" if where else str(self)
        warnings.warn(text, TunesmithDeprecationWarning, stacklevel=level + 1)

    def function(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorates a function, or a method, that goes as a whole."""

        @functools.wraps(function)
        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            self.tell()
            return function(*args, **kwargs)

        return told

    def argument(self, name: str, becomes: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorates a function one of whose keyword arguments goes.

        Args:
            name: of the argument.
            becomes: its new name, under which the value is handed on. None: it is handed on as it is.
        """

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            @functools.wraps(function)
            def told(*args: P.args, **kwargs: P.kwargs) -> R:
                if name in kwargs:
                    self.tell()
                    if becomes is not None:
                        if becomes in kwargs:
                            raise TypeError(f"{function.__name__}() got both {becomes!r} and {name!r}, its old name")
                        kwargs[becomes] = kwargs.pop(name)
                return function(*args, **kwargs)

            return told

        return decorate


_known: list[Deprecation] = []


def deprecated(what: str, *, since: str, removed_in: str, use: str) -> Deprecation:
    """Deprecate something, and remember it, so that its end is not missed.

    Raises:
        ValueError: it would go before, or in, the release that deprecates it.
    """
    if _release(removed_in) <= _release(since):
        raise ValueError(
            f"{what}: removed_in must be later than since, given since {since} and removed_in {removed_in}"
        )
    found = Deprecation(what, since, removed_in, use)
    _known.append(found)
    return found


def deprecations() -> tuple[Deprecation, ...]:
    """Those of the modules that are imported, and those of hooks."""
    return (*_known, *(old for _, old in OLD_HOOKS.values()))


def overdue(known: Iterable[Deprecation], version: str) -> list[Deprecation]:
    """Those whose release has come: development versions and candidates of it count as the release."""
    return [one for one in known if _release(version) >= _release(one.removed_in)]


def _release(version: str) -> tuple[int, ...]:
    from packaging.version import Version

    release = list(Version(version).release)
    while release and not release[-1]:
        release.pop()  # 0.5 and 0.5.0 are one release
    return tuple(release)


OLD_HOOKS: Mapping[str, tuple[str, Deprecation]] = {}
"""Names that hooks had: old name to the new one and its deprecation. A plugin that implements a hook under its old name
is still asked, with a warning that names the plugin."""
