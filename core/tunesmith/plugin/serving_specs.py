# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a plugin hands over to a server: inert, frozen descriptions, as the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tunesmith.plugin.specs import Spec

__all__ = ["AccelerationSpec", "AccessSpec", "EngineSpec", "RouteSpec", "SchedulerSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec(Spec):
    """What answers requests in the place of the native engines, asked for as ``NAME:ADDRESS`` where a model is named.

    The target is a function ``(address, *, name, slots, waiting) -> Engine`` (:class:`tunesmith.engine.Engine`), or a
    class. ``name`` is what clients call the model, or None; ``slots`` how many answers may be under way, ``waiting``
    how many requests may wait.
    """

    kind: ClassVar[str] = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccelerationSpec(Spec):
    """A faster way to the same answers (``tunesmith serve MODEL --accelerate NAME``); the target is a subclass of
    :class:`tunesmith.engine.Acceleration`, made with what stands behind a colon after the name.
    """

    kind: ClassVar[str] = "acceleration"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec(Spec):
    """A route of the server, at ``/plugins/<plugin>/<name>``, for ``tunesmith serve --route <plugin>/<name>``.

    The target is an async function as FastAPI takes one: ``(request: Request)`` or ``(request: Request, body: Body)``
    with a pydantic model, giving a ``Response`` or a pydantic model. Nothing is served that was not named at the start.

    Attributes:
        method: ``GET`` or ``POST``.
        access: ``use``: whoever may use the models; ``admin``: administrators only.
    """

    kind: ClassVar[str] = "route"

    method: Literal["GET", "POST"] = "POST"
    access: Literal["use", "admin"] = "use"

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        self._check(self.method in ("GET", "POST"), "method must be 'GET' or 'POST'", self.method)
        self._check(self.access in ("use", "admin"), "access must be 'use' or 'admin'", self.access)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSpec(Spec):
    """Who may ask a server, for ``tunesmith serve --access <plugin>/<name>``, in place of its keys.

    The target is a function or a class that is called once, without arguments, when a server starts, and gives an
    object with the :class:`tunesmith.serve.Access` protocol.
    """

    kind: ClassVar[str] = "access"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSpec(Spec):
    """In which order engines compute requests, for ``tunesmith serve --scheduler <plugin>/<name>``; the target is a
    subclass of :class:`tunesmith.engine.Scheduler`, made once, without arguments, before the first model is loaded.
    """

    kind: ClassVar[str] = "scheduler"
