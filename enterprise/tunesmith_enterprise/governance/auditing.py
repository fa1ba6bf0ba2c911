# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who did what with which model: written before it begins, and when it is done.

What cannot be written before an action begins keeps it from beginning: who asks for an audit log does not want work
that is not in it. What cannot be written later is logged, once, and the work goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import OutputError, TunesmithError
from tunesmith.plugin import Action, Deny, RequestServed, RunFinished
from tunesmith_enterprise.chained_log import EMPTY, ChainedLog
from tunesmith_enterprise.governance.granting import OWN, Granted
from tunesmith_enterprise.governance.tenants import tenant_of
from tunesmith_enterprise.governance.where import KEY
from tunesmith_enterprise.governance.who import who

__all__ = ["Auditing"]

_LISTED: Final = 50
"""Names of files, models and the like that a record holds at most; how many there were stands beside them."""
_LETTERS: Final = 1000
"""How much is kept of each of these."""

_log = logging.getLogger("tunesmith.enterprise.audit")


class Auditing:
    """The audit log of one process: asked by the gate, told by the observers."""

    def __init__(self) -> None:
        self._log: ChainedLog | None = None
        self._told = False
        self._lost = 0
        self._lock = threading.Lock()

    def begin(self, action: Action, path: Path, granted: Granted) -> Deny | None:
        """Write an action down that is about to begin; None: it is in the log.

        Args:
            path: of the log.
            granted: on what the action rests.
        """
        log = ChainedLog(path, fsync=True)
        try:
            if granted.kept and action.name not in OWN and log.head() == EMPTY:
                return Deny(
                    reason=f"the license has ended, and the audit log {path} would be a new one",
                    fix=["bring the log back, or ask the vendor for a renewal", _owner()],
                )
            log.append(action.name, **{**_described(action), "grant": granted.described(), "by": who()})
        except TunesmithError as error:
            reason = f"{_one_line(error)}; the settings ask for an audit log"
            return Deny(reason=reason, fix=[*error.fix, _owner()])
        except (OSError, ValueError) as error:
            return Deny(
                reason=f"the audit log {path} cannot be written: {_why(error)}",
                fix=[_mend(error, path), _owner()],
            )
        self._log = ChainedLog(path)
        return None

    def refused(self, action: Action, path: Path, reason: str, **facts: Any) -> None:
        """Write down that an action was refused. Best effort: it does not begin either way.

        Args:
            path: of the log.
            reason: as it was told.
            facts: what else there is to say of it.
        """
        told = {**_described(action), "action": action.name, "reason": reason[:_LETTERS], **facts, "by": who()}
        try:
            ChainedLog(path, fsync=True).append("refused", **told)
        except (OSError, ValueError, OutputError) as error:
            _log.warning("that something was refused is not in the audit log %s: %s", path, _why(error))

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
            tenant=event.tenant,
            model=event.model,
            adapter=event.adapter,
            prompt_tokens=event.prompt_tokens,
            cached_tokens=event.cached_tokens,
            completion_tokens=event.completion_tokens,
        )

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
        if not self._told:
            self._told = True
            _log.error("%s", text)


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
    if tenant := tenant_of(recipe):
        found["tenant"] = tenant
    return found | _listed("data", data.get("train") if isinstance(data, Mapping) else None)


def _listed(name: str, value: Any) -> dict[str, Any]:
    if value is None or isinstance(value, (bool, int)):
        return {name: value}
    if isinstance(value, (list, tuple)):
        shown = {name: [str(one)[:_LETTERS] for one in value[:_LISTED]]}
        return shown if len(value) <= _LISTED else {**shown, f"{name}_count": len(value)}
    return {name: str(value)[:_LETTERS]}


def _one_line(error: TunesmithError) -> str:
    return " ".join((error.what if error.given is None else f"{error.what}: {error.given}").split())


def _mend(error: Exception, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return f"make its folder: mkdir -p {path.parent}"
    return "make room for it, or make it writable"


def _why(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split("\n", 1)[0].split())


def _owner() -> str:
    return f"or ask whoever set {KEY} in [plugins.enterprise] of tunesmith.toml"


def _short(seconds: float) -> float:
    return round(seconds, 6)
