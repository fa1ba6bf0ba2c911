# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What plugins add to a server: routes that were named at its start, and observers of requests."""

from __future__ import annotations

import inspect
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunesmith._plugins import Host, get_host
from tunesmith.errors import PluginError
from tunesmith.plugin import RequestServed, RouteSpec
from tunesmith.registry import Registry, get_registry
from tunesmith.serve.logs import LOGGER

__all__ = ["Observing", "PluginRoute", "find_routes"]


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

    def join(self) -> None:
        """Wait until everything so far is told."""
        self._waiting.join()
