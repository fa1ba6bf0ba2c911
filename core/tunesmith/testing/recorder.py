# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What hooks were called with, for tests that want to know."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from tunesmith._plugins import Host, collect
from tunesmith._plugins import host as host_room
from tunesmith._plugins.collect import Enrolled
from tunesmith._plugins.gate import Gate
from tunesmith._plugins.kinds import AUTHORIZE, OBSERVE, PROVIDE
from tunesmith.plugin import Action, Event, Spec
from tunesmith.testing.installed import watching

__all__ = ["HookCall", "HookRecorder"]

T = TypeVar("T", bound=Event)


@dataclass(frozen=True, slots=True)
class HookCall:
    """A plugin's hook was called.

    Attributes:
        hook: its name.
        plugin: whose.
        given: the event or action; None for hooks that provide.
        answer: what came back: of a gate its answers, of a hook that provides its specs.
        error: what it raised.
    """

    hook: str
    plugin: str
    given: Event | Action | None
    answer: Any = None
    error: BaseException | None = None


class HookRecorder:
    """Within its block, everything that hooks of the process are called with is kept, in order.

    Events and actions are kept whether or not a plugin takes them. Hooks that provide are asked once, when plugins are
    loaded: to see that, open :func:`tunesmith.testing.plugin_installed` inside the block.

    Attributes:
        calls: the calls of plugins' hooks, a :class:`HookCall` each.
    """

    def __init__(self) -> None:
        self.calls: list[HookCall] = []
        self._events: list[Event] = []
        self._actions: list[Action] = []
        self._open = ExitStack()

    def __enter__(self) -> HookRecorder:
        self._open.enter_context(watching(self._watch))
        before = vars(host_room).get("ask", collect.ask)  # of another recorder around, or the host's own

        def ask(plugin: Enrolled) -> list[Spec]:
            specs: list[Spec] = before(plugin)
            for hook, kind in PROVIDE.items():
                if hook in plugin.hooks:
                    given = tuple(spec for spec in specs if isinstance(spec, kind))
                    self.calls.append(HookCall(hook, plugin.name, None, given))
            return specs

        vars(host_room)["ask"] = ask
        self._open.callback(vars(host_room).__setitem__, "ask", before)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def events(self, kind: type[T]) -> list[T]:
        """The events of this class, in order; ``tunesmith.plugin.Event`` for all."""
        return [event for event in self._events if isinstance(event, kind)]

    def actions(self, name: str | None = None) -> list[Action]:
        """What gates were to be asked about, in order; of this name, or all."""
        return [action for action in self._actions if name in (None, action.name)]

    def asked(self, plugin: str) -> list[str]:
        """The hooks with which this plugin was asked what it provides, in order."""
        return [call.hook for call in self.calls if call.plugin == plugin and call.hook in PROVIDE]

    def clear(self) -> None:
        """Forget what was kept so far."""
        for kept in (self.calls, self._events, self._actions):
            kept.clear()

    def _watch(self, host: Host) -> Host:
        watched = copy.copy(host)  # a host never changes once it is made
        watched._observers = {
            event: [
                (f"{__name__}", self._keep_event),
                *((plugin, self._kept(plugin, OBSERVE[event], call, "event")) for plugin, call in callers),
            ]
            for event, callers in host._observers.items()
        }
        first = Gate(__name__, self._keep_action)
        others = [Gate(gate.plugin, self._kept(gate.plugin, AUTHORIZE, gate.ask, "action")) for gate in host._gates]
        watched._gates = [first, *others]
        return watched

    def _keep_event(self, *, event: Event) -> None:
        self._events.append(event)

    def _keep_action(self, *, action: Action) -> list[object]:
        self._actions.append(action)
        return []

    def _kept(self, plugin: str, hook: str, call: Callable[..., Any], word: str) -> Callable[..., Any]:
        def recorded(**given: Any) -> Any:
            try:
                answer = call(**given)
            except BaseException as error:
                self.calls.append(HookCall(hook, plugin, given[word], error=error))
                raise
            self.calls.append(HookCall(hook, plugin, given[word], answer))
            return answer

        return recorded
