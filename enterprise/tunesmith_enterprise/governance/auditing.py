# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who did what with which model: written before it begins, and when it is done.

The license is asked for at the start of an action and never within one. A run that is resumed brings the grant of its
start; a process that was granted the feature once keeps it, so that a search with many runs is not refused in the
middle. What cannot be written before an action begins keeps it from beginning: who asks for an audit log does not want
work that is not in it. What cannot be written later is logged, once, and the work goes on.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import OutputError, TunesmithError
from tunesmith.plugin import Action, Allow, Deny, RequestServed, RunFinished
from tunesmith_enterprise.chained_log import EMPTY, ChainedLog
from tunesmith_enterprise.entitlement.grant import Grant
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.governance.where import KEY
from tunesmith_enterprise.recorded import grants_of, recorded

__all__ = ["FEATURE", "Auditing"]

FEATURE: Final = "governance"
_OWN: Final = frozenset({"open", "export"})
"""Actions by which people come to models that are there: written into the log, and refused for want of no license."""
_LISTED: Final = 50
"""Names of files, models and the like that a record holds at most; how many there were stands beside them."""
_LETTERS: Final = 1000
"""How much is kept of each of these."""
_ASKED: Final = "asked for now"

_log = logging.getLogger("tunesmith.enterprise.audit")


class Auditing:
    """The audit log of one process: asked by the gate, told by the observers."""

    def __init__(self) -> None:
        self._log: ChainedLog | None = None
        self._grant: Grant | None = None
        self._told: set[str] = set()
        self._lost = 0
        self._lock = threading.Lock()

    def authorize(self, action: Action, path: Path) -> Allow | Deny:
        """Whether an action may begin; it is in the log when it may.

        Args:
            path: of the log.
        """
        log = ChainedLog(path, fsync=True)
        earlier = recorded(action)
        try:
            grant, how = self._granted(action, earlier)
            kept = grant is not None and how == _ASKED and grant.effect == "kept"
            if kept and action.name not in _OWN and log.head() == EMPTY:
                return Deny(
                    reason=f"the license has ended, and the audit log {path} would be a new one",
                    fix=["bring the log back, or ask the vendor for a renewal", _owner()],
                )
            log.append(action.name, **{**_described(action), "grant": {**_basis(grant), "how": how}, "by": _who()})
        except TunesmithError as error:
            reason = f"{_one_line(error)}; the settings ask for an audit log"
            return Deny(reason=reason, fix=[*error.fix, _owner()])
        except (OSError, ValueError) as error:
            return Deny(
                reason=f"the audit log {path} cannot be written: {_why(error)}",
                fix=["make room for it, or make it writable", _owner()],
            )
        self._log = ChainedLog(path)
        if grant is None:
            return Allow(record={"grants": earlier})
        self._grant = grant
        self._tell(grant.notes if how == _ASKED else ())
        others = [one for one in earlier if one != grant.to_json()]
        return Allow(record={"grants": [*others, grant.to_json()]})

    def stop(self) -> None:
        """The settings ask for no log any more."""
        self._log = None

    def run_finished(self, event: RunFinished) -> None:
        """A run of this process has ended."""
        self._add("run-finished", run=event.run, status=event.status, steps=event.steps, seconds=_short(event.seconds))

    def request_served(self, event: RequestServed) -> None:
        """A server of this process has answered. No text of it is known here, and none is written."""
        self._add(
            "request-served",
            id=event.id,
            method=event.method,
            route=event.route,
            status=event.status,
            seconds=_short(event.seconds),
            caller=event.caller,
            model=event.model,
            adapter=event.adapter,
            prompt_tokens=event.prompt_tokens,
            cached_tokens=event.cached_tokens,
            completion_tokens=event.completion_tokens,
        )

    def _granted(self, action: Action, earlier: list[Any]) -> tuple[Grant | None, str]:
        """A grant, and where it is from; None: there is none, and people come to what they made without it too.

        Raises:
            LicenseError: there is none.
        """
        for grant in grants_of(earlier):
            if grant.covers(FEATURE, {}):
                return grant, "of the start of the run"
        if action.name == "open" and self._grant is not None:
            return self._grant, "of what this process did before"
        from tunesmith_enterprise import require

        try:
            return require(FEATURE), _ASKED
        except LicenseError as error:
            if self._grant is not None:
                return self._grant, "of what this process did before"
            if action.name in _OWN:
                return None, f"none: {error.code}"
            raise

    def _add(self, event: str, **fields: Any) -> None:
        log = self._log
        if log is None:
            return
        try:
            with self._lock:
                if self._lost:
                    log.append("lost", records=self._lost)
                    self._lost = 0
                log.append(event, **fields)
        except (OSError, ValueError, OutputError) as error:
            with self._lock:
                self._lost += 1
            self._report(
                f"the audit log {log.path} cannot be written: {_why(error)}; the work goes on, what is not written is "
                "counted, and this is not told again"
            )

    def _report(self, text: str) -> None:
        if "audit log" not in self._told:
            self._told.add("audit log")
            _log.error("%s", text)

    def _tell(self, notes: tuple[str, ...]) -> None:
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                _log.warning("%s", note)


def _described(action: Action) -> dict[str, Any]:
    details: dict[str, Any] = {"subject": action.subject[:_LETTERS]}
    for name, value in action.details.items():
        if name == "recipe":
            details |= _of_recipe(value)
        elif name != "allowed":
            details |= _listed(name, value)
    return details


def _of_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What tells recipes apart, and what people ask for first: the whole one stands in the run."""
    text = json.dumps(recipe, sort_keys=True, default=str)
    data = recipe.get("data") or {}
    found: dict[str, Any] = {"recipe_sha256": hashlib.sha256(text.encode()).hexdigest(), "task": recipe.get("task")}
    for name, part, key in (("model", recipe.get("model"), "name"), ("method", recipe.get("method"), "name")):
        found[name] = str(part.get(key)) if isinstance(part, Mapping) else str(part)
    return found | _listed("data", data.get("train") if isinstance(data, Mapping) else None)


def _listed(name: str, value: Any) -> dict[str, Any]:
    if value is None or isinstance(value, (bool, int)):
        return {name: value}
    if isinstance(value, (list, tuple)):
        shown = {name: [str(one)[:_LETTERS] for one in value[:_LISTED]]}
        return shown if len(value) <= _LISTED else {**shown, f"{name}_count": len(value)}
    return {name: str(value)[:_LETTERS]}


def _basis(grant: Grant | None) -> dict[str, Any]:
    if grant is None:
        return {"state": "none", "effect": "off", "basis": []}
    return {
        "state": grant.state,
        "effect": grant.effect,
        "basis": [{"id": one.id, "serial": one.serial} for one in grant.basis],
    }


def _who() -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as containers have them
        user = str(getattr(os, "getuid", lambda: "unknown")())
    return {"user": user, "host": socket.gethostname(), "pid": os.getpid()}


def _one_line(error: TunesmithError) -> str:
    return " ".join((error.what if error.given is None else f"{error.what}: {error.given}").split())


def _why(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split("\n", 1)[0].split())


def _owner() -> str:
    return f"or ask whoever set {KEY} in [plugins.enterprise] of tunesmith.toml"


def _short(seconds: float) -> float:
    return round(seconds, 6)
