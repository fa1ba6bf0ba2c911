# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The host: loads plugins, asks them what they provide, tells them what happens, and asks them whether it may.

Every step is taken plugin by plugin. Whatever goes wrong with one (importing, registering, providing) ends
in its record and leaves the others as they are; a plugin that fails halfway provides nothing at all.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import tunesmith
from tunesmith._plugins.collect import Refused, ask, enroll, failure
from tunesmith._plugins.discover import BUILTIN, Candidate, judge, scan
from tunesmith._plugins.gate import Gate, ask_gates
from tunesmith._plugins.kinds import AUTHORIZE, KINDS, OBSERVE
from tunesmith._plugins.records import PluginRecord, Provided
from tunesmith.errors import PluginError
from tunesmith.plugin import Action, Event

__all__ = ["Host", "get_host"]

_log = logging.getLogger("tunesmith.plugins")


class Host:
    """All plugins of one process. Immutable once made, so threads may share it.

    Args:
        found: the entry points to consider. Default: those of every installed distribution.
        environ: where ``TUNESMITH_PLUGINS`` is read from. Default: ``os.environ``.
    """

    def __init__(self, found: Iterable[Candidate] | None = None, *, environ: Mapping[str, str] | None = None) -> None:
        found = scan(importlib.metadata.distributions()) if found is None else found
        environ = os.environ if environ is None else environ
        self._observers: dict[type[Event], list[tuple[str, Callable[..., object]]]] = {event: [] for event in OBSERVE}
        self._gates: list[Gate] = []
        provided: list[Provided] = []
        records: list[PluginRecord] = []
        for candidate, settled in [(_builtin(), None), *judge(found, environ)]:
            record, specs = (settled, []) if settled else self._take(candidate)
            records.append(record)
            provided.extend(specs)
        self._records = tuple(records)
        self._specs = {kind: tuple(one for one in provided if one.spec.kind == kind) for kind in KINDS}
        self._reported: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """Every plugin found, the built-ins first, then by name, whatever its status."""
        return self._records

    def specs(self, kind: str) -> tuple[Provided, ...]:
        """Everything of one kind, in the order of the plugins.

        Raises:
            ValueError: there is no such kind.
        """
        if kind not in self._specs:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, given {kind!r}")
        return self._specs[kind]

    def notify(self, event: Event) -> None:
        """Hand an event to every plugin that observes it.

        What a plugin raises (``SystemExit`` included) is logged the first time, with its traceback, and
        goes no further. ``KeyboardInterrupt`` is the user's, not the plugin's, and passes.

        Raises:
            TypeError: no hook takes events of this class.
        """
        callers = self._observers.get(type(event))
        if callers is None:
            raise TypeError(f"no hook takes events of class {type(event).__name__}")
        for plugin, call in callers:
            try:
                call(event=event)
            except (Exception, SystemExit) as error:
                self._report(plugin, OBSERVE[type(event)], error)

    def observed(self, event: type[Event]) -> bool:
        """Whether some plugin takes events of this class."""
        return bool(self._observers.get(event))

    def authorize(self, action: Action) -> dict[str, Mapping[str, Any]]:
        """Ask every gate whether something may happen that is about to.

        Returns:
            What gates that let it pass want recorded, by plugin.

        Raises:
            DeniedError: a gate says no, or fails: then nobody knows what it would have said.
        """
        return ask_gates(self._gates, action)

    def _take(self, candidate: Candidate) -> tuple[PluginRecord, list[Provided]]:
        """Import, register and ask one plugin. It comes in whole or not at all."""
        started = time.perf_counter()
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results, which other programs read
                plugin = enroll(candidate)
                specs = ask(plugin)
        except Refused as refused:
            record = candidate.record("broken", refused.reason, refused.traceback)
            return replace(record, seconds=time.perf_counter() - started), []
        for event, hook in OBSERVE.items():
            if hook in plugin.hooks:
                self._observers[event].append((candidate.name, getattr(plugin.callers, hook)))
        gate = AUTHORIZE in plugin.hooks
        if gate:
            self._gates.append(Gate(candidate.name, getattr(plugin.callers, AUTHORIZE)))
        provides: dict[str, tuple[str, ...]] = {}
        for spec in specs:
            provides[spec.kind] = (*provides.get(spec.kind, ()), spec.name)
        observes = tuple(hook for hook in OBSERVE.values() if hook in plugin.hooks)
        provided = [Provided(spec, candidate.name, candidate.distribution, candidate.version) for spec in specs]
        seconds = time.perf_counter() - started
        record = candidate.record("ok")
        return replace(record, provides=provides, observes=observes, gate=gate, seconds=seconds), provided

    def _report(self, plugin: str, hook: str, error: BaseException) -> None:
        with self._lock:
            if (plugin, hook) in self._reported:
                return
            self._reported.add((plugin, hook))
        _log.error(
            "plugin %r failed in %s: %s; the job goes on, and this is not reported again",
            plugin,
            hook,
            failure(error),
            exc_info=error,
        )


def _builtin() -> Candidate:
    target = "tunesmith._plugins.builtin"
    return Candidate(
        name=BUILTIN,
        distribution="tunesmith",
        version=tunesmith.__version__,
        target=target,
        load=lambda: importlib.import_module(target),
    )


_host: Host | None = None
_making = threading.RLock()
_busy = False


def get_host() -> Host:
    """The host of this process, made on first use. Threads that come at once get the same one.

    Raises:
        PluginError: a plugin calls this while it is being loaded; that breaks this plugin and no other.
    """
    global _busy, _host
    with _making:
        if _host is None:
            if _busy:  # the same thread again: the lock lets nobody else in
                raise PluginError(
                    "a plugin asked for the plugins while it was being loaded",
                    fix="ask in the function that needs them, not when the module is imported",
                )
            _busy = True
            try:
                _host = Host()
            finally:
                _busy = False
        return _host
