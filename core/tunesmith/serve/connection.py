# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Connections that cannot be held for ever: bounds that uvicorn does not have."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tunesmith.serve.limits import Limits

__all__ = ["Connection", "connection_with"]

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\nretry-after: 1\r\n"
    b'content-length: 110\r\n\r\n{"error":{"message":"too many connections are open","type":"server_error",'
    b'"param":null,"code":"connections"}}    '
)


class Connection(H11Protocol):
    """One client's connection.

    A client must send its request line and headers in time, read its answer in time, and is sent away where too many
    others are there. Bodies have their own time (``Intake``).
    """

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._headers_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        if len(self.connections) >= self._limits.connections:
            self.transport = transport
            transport.write(_FULL)
            self._close(transport)
            return
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self.flow is None:  # sent away
            return
        super().data_received(data)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or was sent away."""
        for timer in (self._headers_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        """Start the clock where a request may be half there, and stop it where it is there whole."""
        cycle: RequestResponseCycle | None = self.cycle
        answering = cycle is not None and not cycle.response_complete
        if answering or self.timeout_keep_alive_task is not None or self.transport.is_closing():
            if self._headers_timer is not None:
                self._headers_timer.cancel()
                self._headers_timer = None
        elif self._headers_timer is None:
            self._headers_timer = self.loop.call_later(self._limits.header_seconds, self._late)

    def _late(self) -> None:
        self._close(self.transport)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for a while."""
        super().timeout_keep_alive_handler()
        self._close(self.transport)

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:  # in the middle of an answer to an earlier request
            self.transport.abort()
        else:
            self._close(self.transport)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _close(self, transport: asyncio.Transport) -> None:
        """Close, and wait for what is still to be read only so long."""
        transport.close()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_seconds, transport.abort)


def connection_with(limits: Limits) -> Any:
    """What uvicorn takes as its ``http`` protocol."""
    return partial(Connection, limits=limits)
