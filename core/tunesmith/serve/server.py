# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The process: a socket, signals, and an end without lost answers."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import FrameType

import uvicorn

from tunesmith._plugins import authorize
from tunesmith.engine.protocol import Engine
from tunesmith.engine.scheduling import Scheduler
from tunesmith.errors import RequestError
from tunesmith.plugin import Action, RequestServed
from tunesmith.serve import scheduled
from tunesmith.serve.access import is_address, is_loopback
from tunesmith.serve.app import Application
from tunesmith.serve.callers import Access, check_one
from tunesmith.serve.connection import connection_with
from tunesmith.serve.keys import ADMIN_VARIABLE, USE_VARIABLE, Keys
from tunesmith.serve.limits import Limits
from tunesmith.serve.logs import LOGGER, log_to
from tunesmith.serve.models import AdapterSource
from tunesmith.serve.plugins import find_access

__all__ = ["Server", "check_address", "serve"]


class Server(uvicorn.Server):
    """Uvicorn, which on the first signal takes nothing new and ends when everything is answered.

    Args:
        drain_seconds: that answers under way have after the first signal. A second signal cuts them.
        announce: called with the address when the server answers.
    """

    def __init__(
        self,
        application: Application,
        *,
        drain_seconds: float,
        announce: Callable[[str], None] = lambda address: None,
    ) -> None:
        limits = application.limits
        super().__init__(
            uvicorn.Config(
                application,
                http=connection_with(limits),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                h11_max_incomplete_event_size=limits.header_bytes,
                timeout_keep_alive=max(1, round(limits.idle_seconds)),
                timeout_graceful_shutdown=1,
            )
        )
        self._application = application
        self._drain_seconds = drain_seconds
        self._announce = announce
        self._end: float | None = None  # of the monotonic clock

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            self._announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal."""
        if self._end is not None:
            self.should_exit = self.force_exit = True
            return
        self._application.drain()
        self._end = time.monotonic() + self._drain_seconds
        facts = {"signal": signal.Signals(sig).name, "in_flight": self._application.in_flight}
        LOGGER.info("draining", extra={"facts": facts})

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end."""
        if self._end is not None and (self._application.in_flight == 0 or time.monotonic() >= self._end):
            self.should_exit = True
        return await super().on_tick(counter)


def check_address(host: str, keys: Keys, access: Access | None = None) -> str:
    """The numeric address of a host to listen on; refused where everybody could reach it from elsewhere.

    Raises:
        RequestError: no such host; or another address than this machine's own, and neither keys nor an access.
    """
    try:
        address = host if is_address(host) else str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise RequestError(
            f"there is no such address to listen on: {error}", parameter="host", given=host, fix="choose another --host"
        ) from None
    if not is_loopback(address) and not keys and access is None:
        raise RequestError(
            "a server that others can reach needs a key",
            parameter="host",
            given=f"--host {host}, and no keys",
            expected="127.0.0.1, or at least one key",
            fix=[
                f"--key-file FILE, with lines such as: use KEY; or set {USE_VARIABLE} or {ADMIN_VARIABLE}",
                "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good key",
            ],
        )
    return address


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listening = socket.create_server((address, port), family=family, backlog=256)
    except OSError as error:
        raise RequestError(
            f"the address cannot be listened on: {error.strerror}",
            parameter="port",
            given=f"{address}, port {port}",
            expected="a port that is free, and an address of this machine",
            fix="choose another --port or --host; --port 0 takes any that is free",
        ) from None
    # Connections inherit it. asyncio sets it only on sockets that say IPPROTO_TCP, which these do not; and without it
    # the body of an answer waits for the acknowledgement of its head, which the other side puts off for 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def serve(
    engines: Mapping[str, Engine],
    *,
    adapters: Sequence[AdapterSource] = (),
    keys: Keys | None = None,
    access: Access | str | None = None,
    limits: Limits | None = None,
    scheduler: Scheduler | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    drain_seconds: float = 30,
    page: bool = True,
    routes: Sequence[str] = (),
    observers: Sequence[Callable[[RequestServed], None]] = (),
    announce: Callable[[str], None] = lambda address: None,
) -> None:
    """Answer over HTTP until a signal (SIGTERM, SIGINT) comes; then close the engines. Blocks.

    Args:
        engines: by the name they are served under.
        adapters: that may be loaded, and are.
        keys: who may ask; default: everybody on this machine.
        access: says who may ask, in place of keys: an object, or the name of a plugin's.
        limits: for every request.
        scheduler: that the engines were opened with; it is closed after them.
        host: to listen on; another than this machine's own needs a key.
        port: likewise; 0: any that is free.
        drain_seconds: that answers under way have after the first signal; a second one cuts them.
        page: the playground at ``/``.
        routes: of plugins, by name.
        observers: called with a ``RequestServed`` after every request.
        announce: called with the server's address when it answers.

    Raises:
        RequestError: an address that is not safe or not free, a name that is taken twice, or keys and an access.
        NotFoundError: an adapter is for a model that is not served, or no plugin has a route or access of that name.
        PluginError: a plugin's route or access cannot be used.
        ModelError: an adapter does not fit its model.
        DeniedError: a gate does not let it happen.
    """
    with ExitStack() as stack:
        if scheduler is not None:
            stack.callback(scheduled.close, scheduler)
        for engine in engines.values():
            stack.callback(engine.close)
        check_one(keys, access)
        access = find_access(access) if isinstance(access, str) else access
        facts: dict[str, object] = {"host": host, "port": port, "models": list(engines)}
        if access is not None:
            facts["access"] = getattr(access, "name", type(access).__qualname__)
        authorize(Action(name="serve", subject=", ".join(engines), details=facts))
        for source in adapters:  # the models were opened before, each with its own question
            authorize(Action(name="open", subject=str(source.path)))
        address = check_address(host, keys or Keys(), access)
        log_to()
        application = Application(
            engines,
            adapters=adapters,
            keys=keys,
            access=access,
            limits=limits,
            scheduler=scheduler,
            loopback=is_loopback(address),
            page=page,
            routes=routes,
            observers=observers,
        )
        stack.callback(application.finish)
        listening = stack.enter_context(_listen(address, port))
        Server(application, drain_seconds=drain_seconds, announce=announce).run([listening])
