# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The outermost layer: every request gets an id, an answer, a line in the log and a place in the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunesmith.plugin import RequestEnding, RequestServed
from tunesmith.serve.exchange import Exchange
from tunesmith.serve.logs import LOGGER, log_failure, log_served
from tunesmith.serve.metrics import Metrics
from tunesmith.serve.problems import HttpError, http_error

__all__ = ["Front"]

_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]


class Front:
    """Nothing gets past it: an error without an answer becomes one, and the process goes on.

    Args:
        app: the layers below.
        metrics: told of every request that ended.
        observers: likewise; one that raises is logged once and asked no more.
        ending: told of every request once, before the last byte of its answer is sent; the answer waits for it, so
            that what it counts is counted when a client has the answer. It must not raise.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        observers: list[Callable[[RequestServed], None]],
        *,
        ending: Callable[[RequestEnding], None] | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._observers = observers
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"this server speaks HTTP, not {scope['type']}")
        exchange = Exchange.begin(scope)
        started, ended = False, self._ending is None

        def end() -> None:
            nonlocal ended
            if not ended and self._ending is not None:
                ended = True
                self._ending(exchange.ending())

        async def noted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", exchange.id.encode()), *_HEADERS]
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                end()
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            exchange.gone = True
            raise
        except Exception as error:
            problem = http_error(error, request_id=exchange.id)
            if problem.status_code == 500:
                log_failure(exchange.id, error)
            if not started and not exchange.gone:
                await _answer(problem, noted)
            exchange.status = exchange.status or problem.status_code
        finally:
            end()  # of an answer that never came to its last byte
            self._tell(exchange.served())

    def _tell(self, served: RequestServed) -> None:
        log_served(served)
        for observer in (self._metrics.served, *self._observers):
            try:
                observer(served)
            except Exception:
                LOGGER.exception("an observer failed and is asked no more")
                if observer in self._observers:
                    self._observers.remove(observer)


async def _answer(problem: HttpError, send: Send) -> None:
    body = problem.body()
    headers = [
        (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in (problem.headers or {}).items()
    ]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
