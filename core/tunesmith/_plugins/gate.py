# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Gates: plugins that are asked before something happens. What fails here fails closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith._plugins.collect import failure, short
from tunesmith.errors import DeniedError
from tunesmith.plugin import ACTIONS, Action, Allow, Deny

__all__ = ["Gate", "ask_gates"]


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of a plugin: ``ask(action=…)`` gives what it answered, as pluggy does: in a list, without ``None``."""

    plugin: str
    ask: Callable[..., list[object]]


def ask_gates(gates: Iterable[Gate], action: Action) -> dict[str, Mapping[str, Any]]:
    """Ask the gates, in turn, until one says no.

    Returns:
        What those that let it pass want recorded, by plugin.

    Raises:
        DeniedError: one says no, raises, exits, or answers neither ``None`` nor an ``Allow`` nor a ``Deny``.
    """
    records: dict[str, Mapping[str, Any]] = {}
    for gate in gates:
        try:
            answers = gate.ask(action=action)
        except (Exception, SystemExit) as error:
            raise _failed(gate, action, f"it failed: {failure(error)}") from error
        for answer in answers:
            if isinstance(answer, Allow):
                records[gate.plugin] = answer.record
                continue
            if not isinstance(answer, Deny):
                raise _failed(gate, action, f"it answered {short(answer)}")
            raise DeniedError(
                f"the plugin {gate.plugin!r} does not let this happen: {answer.reason}",
                given=_told(action),
                expected="an action that it lets pass",
                fix=answer.fix or f"ask whoever set up the plugin {gate.plugin!r}",
            )
    return records


def _failed(gate: Gate, action: Action, what: str) -> DeniedError:
    return DeniedError(
        f"the plugin {gate.plugin!r} was asked whether this may happen, and {what}; so it does not happen",
        given=_told(action),
        expected="tunesmith_authorize to answer None, or an Allow or a Deny of tunesmith.plugin",
        fix=[f"update or correct the plugin {gate.plugin!r}: `tunesmith plugins doctor {gate.plugin}`", "or remove it"],
    )


def _told(action: Action) -> str:
    return f"{action.name} ({ACTIONS.get(action.name, 'another action')}): {action.subject}"
