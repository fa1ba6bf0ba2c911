# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The body of a request, read whole and within bounds; and the client, watched until it has its answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunesmith.errors import DeadlineError
from tunesmith.serve.exchange import Exchange, exchange_of
from tunesmith.serve.limits import Limits
from tunesmith.serve.problems import HttpError, draining

__all__ = ["Intake"]

_GRACE = 5.0  # seconds: an engine ends a late request itself, and says so in the answer's own form


class Intake:
    """Lets in as many requests as there may be, reads their bodies, and ends them when their client has gone.

    Attributes:
        in_flight: requests under way, those for health and metrics not counted.
        draining: nothing new is taken.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self.in_flight = 0
        self._held = 0  # bytes of the bodies under way
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            if _length(scope):
                raise HttpError(400, "only POST takes a body here", code="unexpected_body", headers=_CLOSE)
            await self._app(scope, receive, send)
            return
        if self.draining:
            raise draining("the server is about to stop; to do: ask another, or again later")
        if self.in_flight >= self._limits.requests:
            raise _busy(f"{self.in_flight} requests are under way, and that is how many may be")
        self.in_flight += 1
        try:
            exchange = exchange_of(scope)
            exchange.deadline = time.monotonic() + self._limits.request_seconds
            body = await self._body(scope, receive)
            await self._watched(scope, receive, send, body)
        finally:
            for stream in exchange_of(scope).streams:
                stream.cancel()
            self.in_flight -= 1
            self._held -= exchange_of(scope).body_bytes

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        _check_headers(scope)
        length, most = _length(scope), self._limits.body_bytes
        if length is not None and length > most:
            raise _too_long(f"{length:,}", most)
        parts: list[bytes] = []
        size, until = 0, time.monotonic() + self._limits.body_seconds
        while True:
            try:
                message = await asyncio.wait_for(receive(), until - time.monotonic())
            except (asyncio.TimeoutError, TimeoutError):
                raise HttpError(
                    408,
                    f"the body did not arrive within {self._limits.body_seconds:g} seconds",
                    kind="timeout_error",
                    code="body_timeout",
                    headers=_CLOSE,
                ) from None
            if message["type"] == "http.disconnect":
                exchange_of(scope).gone = True
                raise HttpError(400, "the body ended before its length", code="incomplete_body")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            self._hold(exchange_of(scope), len(parts[-1]))
            if size > most:
                raise _too_long(f"{size:,} and more", most)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _hold(self, exchange: Exchange, size: int) -> None:
        if self._held > exchange.body_bytes and self._held + size > self._limits.bodies_bytes:  # one is always taken
            raise _busy(f"the bodies under way hold {self._held:,} bytes, and that is how many they may")
        exchange.body_bytes += size
        self._held += size

    async def _watched(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        """Run the application, and cancel it when the client goes or the time is up."""
        exchange, answered = exchange_of(scope), asyncio.Event()
        ahead: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            if ahead:
                return ahead.pop()
            await answered.wait()  # never: only this class looks out for a client that goes
            return {"type": "http.disconnect"}

        work = asyncio.ensure_future(self._app(scope, replay, send))
        watch = asyncio.ensure_future(_gone(receive))
        try:
            seconds = (exchange.remaining or 0) + _GRACE
            await asyncio.wait({work, watch}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
                return
            exchange.gone = watch.done()
            await _end(work)
            if not exchange.gone:
                raise DeadlineError(
                    f"no whole answer within {self._limits.request_seconds:g} seconds", fix="ask for less at once"
                )
        finally:
            await _end(work)
            await _end(watch)


_CLOSE = {"Connection": "close"}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Future[None]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at, so that nobody complains that it never was


def _length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            with suppress(ValueError):
                return int(value)
    return None


def _check_headers(scope: Scope) -> None:
    headers = dict(scope["headers"])
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if encoding != "identity":
        raise HttpError(
            415,
            f"bodies are taken as they are; given: Content-Encoding: {encoding[:40]}; to do: send it uncompressed",
            code="content_encoding",
            headers=_CLOSE,
        )
    kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpError(
            415,
            f"bodies are JSON here; given: Content-Type: {kind[:80] or 'none'}; expected: application/json",
            code="content_type",
            headers=_CLOSE,
        )


def _busy(message: str) -> HttpError:
    headers = {"Retry-After": "1", "Connection": "close"}
    return HttpError(429, f"{message}; to do: ask again later", kind="rate_limit_error", code="busy", headers=headers)


def _too_long(size: str, most: int) -> HttpError:
    return HttpError(
        413,
        f"the body is too large; given: {size} bytes; expected: at most {most:,}",
        code="body_too_large",
        headers=_CLOSE,
    )
