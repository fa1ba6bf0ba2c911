# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What plugins add to a server: routes and an access that were named at its start, and observers of requests."""

from __future__ import annotations

import inspect
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunesmith._plugins import Host, get_host
from tunesmith.errors import PluginError
from tunesmith.plugin import RequestEnding, RequestServed, RouteSpec
from tunesmith.registry import Registry, get_registry
from tunesmith.serve.callers import Access, Asked
from tunesmith.serve.keys import Caller
from tunesmith.serve.logs import LOGGER

__all__ = ["Observing", "PluginAccess", "PluginRoute", "find_access", "find_routes", "teller_of_endings"]


@dataclass(frozen=True, slots=True)
class PluginRoute:
    """A route of a plugin.

    Attributes:
        path: ``/plugins/<plugin>/<name>``.
        endpoint: as FastAPI takes it.
    """

    path: str
    method: Literal["GET", "POST"]
    access: Literal["use", "admin"]
    summary: str
    endpoint: Callable[..., Any]


def find_routes(names: Sequence[str], registry: Registry | None = None) -> tuple[PluginRoute, ...]:
    """The routes of these names, each once.

    Raises:
        NotFoundError: no plugin has a route of that name.
        PluginError: its target cannot be imported, or is no async function.
    """
    registry = registry or get_registry()
    found: dict[str, PluginRoute] = {}
    for name in names:
        provided = registry.find("route", name)
        spec, endpoint = provided.spec, registry.load("route", name)
        assert isinstance(spec, RouteSpec)
        if not inspect.iscoroutinefunction(endpoint):
            raise PluginError(
                f"the route {name!r} of the plugin {provided.plugin!r} cannot be used",
                given=f"{spec.target}, a {type(endpoint).__name__}",
                expected="an async function, as FastAPI takes one",
                fix=f"update or correct the plugin {provided.plugin!r}",
            )
        path = f"/plugins/{provided.full_name}"
        found[path] = PluginRoute(path, spec.method, spec.access, spec.summary, endpoint)
    return tuple(found.values())


class PluginAccess:
    """A plugin's access, and its name.

    Args:
        name: ``plugin/name``.
    """

    def __init__(self, name: str, access: Access) -> None:
        self.name = name
        self._access = access

    async def identify(self, asked: Asked) -> Caller:
        """Who asks.

        Raises:
            AccessError: see :class:`~tunesmith.serve.Access`.
            PluginError: the plugin gave something else.
        """
        caller: object = await self._access.identify(asked)
        if not isinstance(caller, Caller) or caller.scope not in ("use", "admin"):
            raise PluginError(
                f"the access {self.name!r} did not say who asks",
                given=type(caller).__name__,
                expected="a tunesmith.serve.Caller of the scope use or admin, or an AccessError",
                fix=f"update or correct the plugin {self.name.partition('/')[0]!r}",
            )
        return caller


def find_access(name: str, registry: Registry | None = None) -> PluginAccess:
    """The access of this name, made anew.

    Raises:
        NotFoundError: no plugin has an access of that name.
        PluginError: its target cannot be imported, or what it gives has no async ``identify``.
        Exception: what making it raises, as it is: a plugin says there what it lacks.
    """
    registry = registry or get_registry()
    provided = registry.find("access", name)
    make: Any = registry.load("access", name)
    access = make()
    if not inspect.iscoroutinefunction(getattr(access, "identify", None)):
        raise PluginError(
            f"the access {name!r} of the plugin {provided.plugin!r} cannot be used",
            given=f"{provided.spec.target}, which gives a {type(access).__name__}",
            expected="an object with `async def identify(asked)`, as tunesmith.serve.Access has it",
            fix=f"update or correct the plugin {provided.plugin!r}",
        )
    return PluginAccess(provided.full_name, access)


class Observing:
    """Tells plugins of requests in a thread of its own: whatever they take, no answer waits for it.

    Args:
        host: of the plugins. Default: the process's.
        room: facts that may wait to be told; what comes while it is full is dropped, counted and logged.
    """

    def __init__(self, host: Host | None = None, *, room: int = 10_000) -> None:
        self._host = host or get_host()
        self._waiting: queue.Queue[RequestServed] = queue.Queue(room)
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def wanted(self) -> bool:
        """Whether some plugin wants to know."""
        return self._host.observed(RequestServed)

    def __call__(self, served: RequestServed) -> None:
        """From the server's thread; returns at once."""
        if self._thread is None:
            # A daemon: an observer that hangs must not keep the process.
            self._thread = threading.Thread(target=self._tell, name="request-observers", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(served)
        except queue.Full:
            self.dropped += 1
            if self.dropped.bit_count() == 1:  # the first, the second, the fourth …
                LOGGER.warning("plugins are slower than requests come: %d were not told to them", self.dropped)

    def _tell(self) -> None:
        while True:
            self._host.notify(self._waiting.get())
            self._waiting.task_done()

    def join(self, seconds: float | None = None) -> None:
        """Wait until everything so far is told.

        Args:
            seconds: at most; an observer that hangs must not keep the process. Default: for ever.
        """
        with self._waiting.all_tasks_done:
            self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, seconds)


def teller_of_endings(host: Host | None = None) -> Callable[[RequestEnding], None] | None:
    """What tells plugins that a request is ending; None: none of them wants to know."""
    host = host or get_host()
    return host.notify if host.observed(RequestEnding) else None
