# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Names to specs to objects. Nothing is imported until it is used."""

from __future__ import annotations

import difflib
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce

from tunesmith._plugins import Host, PluginRecord, Provided, get_host
from tunesmith.errors import NotFoundError, PluginError

__all__ = ["Registry", "get_registry", "noting_use"]

_LISTED = (
    "task",
    "reader",
    "dataset",
    "model",
    "metric",
    "augmentation",
    "exporter",
    "objective",
    "transform",
    "tracker",
)
_ASIDE = ("strategy", "recipe_section")
"""A run may go on without these (``training/moving.py``): of a plugin that gives something else too, that is noted."""
_LISTS = {kind: f"tunesmith {kind}s list" for kind in _LISTED}


class Registry:
    """Looks things up by kind and name.

    The kinds are those of the specs in :mod:`tunesmith.plugin` (``TaskSpec.kind`` is ``task``). A full name
    (``plugin/name``) always resolves; a short name does while one plugin has it.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loaded: dict[tuple[str, str], object] = {}

    def all(self, kind: str) -> tuple[Provided, ...]:
        """Everything of one kind, the built-ins first.

        Raises:
            ValueError: there is no such kind.
        """
        return self._host.specs(kind)

    def find(self, kind: str, name: str) -> Provided:
        """What a name stands for.

        Raises:
            NotFoundError: nothing has that name, or more than one plugin does.
            ValueError: there is no such kind.
        """
        everything = self.all(kind)
        matches = [one for one in everything if name in (one.full_name, one.spec.name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise NotFoundError(
                f"more than one plugin has a {_word(kind)} of this name",
                given=name,
                expected=f"a full name: {' or '.join(map(str, matches))}",
                fix=f"write {matches[0].full_name} or {matches[1].full_name}",
            )
        raise self._not_found(kind, name, everything)

    def load(self, kind: str, name: str) -> object:
        """The object a name stands for; imported the first time, the same object every time.

        Raises:
            NotFoundError: as :meth:`find`.
            PluginError: its target cannot be imported.
        """
        provided = self.find(kind, name)
        used = _used.get()
        if used is not None and (kind not in _ASIDE or provided.plugin not in used):
            used[provided.plugin] = provided
        key = (kind, provided.full_name)
        if key not in self._loaded:
            # No lock around the import: it could deadlock with Python's own import locks, and importing
            # twice gives the same object anyway.
            self._loaded.setdefault(key, _import(kind, provided, provided.spec.target))
        return self._loaded[key]

    def load_target(self, provided: Provided, target: str) -> object:
        """Another object that a spec names, beside its ``target``.

        Raises:
            PluginError: it cannot be imported.
        """
        return _import(provided.spec.kind, provided, target)

    def _not_found(self, kind: str, name: str, everything: tuple[Provided, ...]) -> NotFoundError:
        names = [one.full_name for one in everything] + [one.spec.name for one in everything]
        near = difflib.get_close_matches(name, names, n=1)
        known = ", ".join(sorted(one.full_name for one in everything))
        advice = [f"did you mean {near[0]!r}?"] if near else []
        advice.append(f"see `{_LISTS.get(kind, 'tunesmith plugins list')}`")
        advice.extend(self._out_of_order(name.partition("/")[0] if "/" in name else None))
        expected = f"one of {known}" if known else f"no name: no plugin here has a {_word(kind)}"
        return NotFoundError(f"no {_word(kind)} of this name", given=name, expected=expected, fix=advice)

    def _out_of_order(self, plugin: str | None) -> list[str]:
        """Plugins that may hold the name but are not in use: all of them, or the one that was named."""
        return [
            f"the plugin {record.name!r} ({_owner(record)}) is {record.status}: {record.reason}"
            for record in self._host.records
            if record.status != "ok" and plugin in (None, record.name)
        ]


def _word(kind: str) -> str:
    return kind.replace("_", " ")


def _owner(one: Provided | PluginRecord) -> str:
    return f"{one.distribution} {one.version}".rstrip()


def _import(kind: str, provided: Provided, target: str) -> object:
    module, _, path = target.partition(":")
    try:
        return reduce(getattr, path.split("."), importlib.import_module(module))
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"the plugin {provided.plugin!r} ({_owner(provided)}) has a {_word(kind)} {provided.spec.name!r}"
            f" that cannot be loaded: {type(error).__name__}: {error}",
            given=target,
            expected="a module that can be imported and an attribute in it",
            fix=[
                f"see `tunesmith plugins doctor {provided.plugin}` for the whole traceback",
                f"then update or reinstall {provided.distribution}",
            ],
        ) from error


_used: ContextVar[dict[str, Provided] | None] = ContextVar("tunesmith.registry.used", default=None)


@contextmanager
def noting_use() -> Iterator[dict[str, Provided]]:
    """Within this block: of which plugins something is loaded, with one thing of each. By this thread, that is."""
    used: dict[str, Provided] = {}
    token = _used.set(used)
    try:
        yield used
    finally:
        _used.reset(token)


_registry: Registry | None = None
_making = threading.RLock()


def get_registry() -> Registry:
    """The registry of this process, over :func:`tunesmith._plugins.get_host`; made on first use."""
    global _registry
    with _making:
        if _registry is None:
            _registry = Registry(get_host())
        return _registry
