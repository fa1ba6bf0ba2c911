# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plugins for the length of a block: an object of this process, without anything installed."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import tunesmith.registry as registry_room
from tunesmith._plugins import Host, PluginRecord
from tunesmith._plugins import host as host_room
from tunesmith._plugins.discover import LIMIT, Candidate, scan
from tunesmith.errors import PluginError
from tunesmith.registry import Registry, get_registry

__all__ = ["candidates", "in_memory", "plugin_installed", "use_host", "watching"]

_added: list[Candidate] = []
"""Plugins of this process that are installed by a block around."""
_alone: list[bool] = []
"""For each block around: whether the installed distributions are left out."""
_watchers: list[Callable[[Host], Host]] = []


@contextmanager
def plugin_installed(plugin: object, *, name: str, alone: bool = True) -> Iterator[Registry]:
    """Within this block the process has this plugin, as if a package with its entry point were installed.

    Args:
        plugin: a module, or any object with hooks: ``types.SimpleNamespace(tunesmith_tasks=hookimpl(…))``.
        name: of the plugin, as the entry point would say.
        alone: without the plugins that are installed; those of blocks around stay.

    Yields:
        The registry of the block; :func:`tunesmith.registry.get_registry` gives the same.

    Raises:
        PluginError: the plugin cannot be used; says why.
    """
    candidate = Candidate(
        name=name,
        distribution=f"{name}-in-memory",
        version="0",
        target=getattr(plugin, "__name__", type(plugin).__name__),
        load=lambda: plugin,
    )
    _added.append(candidate)
    _alone.append(alone)
    try:
        host = Host(candidates(), environ=_without_limit())
        record = next(one for one in host.records if one.name == name)
        _refuse_broken(record)
        with use_host(host):
            yield get_registry()
    finally:
        _added.remove(candidate)
        _alone.pop()


@contextmanager
def use_host(host: Host) -> Iterator[None]:
    """Within this block this is the process's host, and the registry stands over it."""
    before = host_room._host, registry_room._registry
    for watch in _watchers:
        host = watch(host)
    host_room._host, registry_room._registry = host, Registry(host)
    try:
        yield
    finally:
        host_room._host, registry_room._registry = before


@contextmanager
def watching(watch: Callable[[Host], Host]) -> Iterator[None]:
    """Within this block the process's host, and every one that takes its place, is what ``watch`` makes of it."""
    with use_host(watch(host_room.get_host())):
        _watchers.append(watch)
        try:
            yield
        finally:
            _watchers.remove(watch)


def candidates() -> list[Candidate]:
    """The plugins there are: those of blocks around, and the installed ones unless a block leaves them out."""
    installed = [] if any(_alone) else scan(importlib.metadata.distributions())
    return [*installed, *_added]


def in_memory(name: str) -> bool:
    """Whether a block around has installed this plugin."""
    return any(one.name == name for one in _added)


def _without_limit() -> dict[str, str]:
    """TUNESMITH_PLUGINS limits what is installed, not what a test brings."""
    return {key: value for key, value in os.environ.items() if key != LIMIT}


def _refuse_broken(record: PluginRecord) -> None:
    if record.status != "ok":
        raise PluginError(
            f"the plugin {record.name!r} is {record.status}: {record.reason}",
            given=record.target,
            expected="an object whose hooks can be called",
            fix="correct the hook that is named",
        )
