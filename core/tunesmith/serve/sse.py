# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Server-sent events, as OpenAI's clients read them (html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from json import JSONEncoder
from json.encoder import encode_basestring
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tunesmith.serve.exchange import exchange_of
from tunesmith.serve.logs import log_failure
from tunesmith.serve.problems import http_error

__all__ = ["DONE", "EventStream", "event", "plain_json", "quoted"]

DONE = b"data: [DONE]\n\n"
PING_SECONDS = 15.0

plain_json = JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""A value as JSON without spaces. ``json.dumps`` makes an encoder at every call that is not as it is by default."""

quoted = encode_basestring
"""A text as ``plain_json`` writes it."""


def event(data: Any, name: str) -> bytes:
    """One event with a name and a JSON value."""
    return f"event: {name}\ndata: {plain_json(data)}\n\n".encode()


class EventStream(Response):
    """An answer in pieces.

    The status is sent with the first piece: what goes wrong before is an ordinary error with a status of its own, and
    what goes wrong later is an event with an error. While nothing comes, a comment is sent every 15 seconds, so that
    proxies do not take the connection for dead.

    Args:
        events: pieces, ready to be sent.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._events = events
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ping = asyncio.ensure_future(self._ping(send))
        try:
            async for piece in self._events:
                await self._start(send)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except Exception as error:
            if not self._started:
                raise
            exchange = exchange_of(scope)
            problem = http_error(error, request_id=exchange.id)
            if problem.status_code == 500:
                log_failure(exchange.id, error)
            await send({"type": "http.response.body", "body": b"data: " + problem.body() + b"\n\n", "more_body": True})
        finally:
            ping.cancel()
        await self._start(send)
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send) -> None:
        if not self._started:
            self._started = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _ping(self, send: Send) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            await self._start(send)
            await send({"type": "http.response.body", "body": b": waiting\n\n", "more_body": True})
