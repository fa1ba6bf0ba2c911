# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Clients that ask for streamed answers, each its next when it has the last: one light process, alike for all servers.

It reads ``{"port": …, "path": …, "body": …, "prompts": […], "clients": …, "answers": …, "seconds": …}`` from its
standard input and prints figures. Bare sockets and one ``select``: what it takes itself is taken from the server, where
both share the cores.

An answer is whole when it says ``finish_reason: length`` and ended well; anything else is a failure. A 429 is asked
again when the server says so (``Retry-After``), and counted; the time to the first token counts from the first try.
"""

from __future__ import annotations

import heapq
import json
import re
import selectors
import socket
import sys
import time
from typing import Any

__all__ = ["Load"]

_EVENT = b"data: {"
_LENGTH = re.compile(rb'"finish_reason": ?"length"')
_RETRY = re.compile(rb"retry-after: *(\d+(?:\.\d+)?)", re.IGNORECASE)


class Asked:
    """One try to get one answer."""

    __slots__ = ("begun", "got", "last", "rest", "socket", "status", "tail", "tries")

    def __init__(self, begun: float, tries: int) -> None:
        self.begun = begun
        self.tries = tries
        self.socket: Any = None
        self.status = b""
        self.got = 0  # events
        self.last = 0.0  # when the last one came
        self.rest = b""  # the beginning of an event that is not here whole
        self.tail = b""  # the end of the answer


class Load:
    """All clients."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._address = ("127.0.0.1", asked["port"])
        self._requests = []
        for prompt in asked["prompts"]:
            body = json.dumps({**asked["body"], "prompt": prompt}).encode()
            head = (
                f"POST {asked['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            self._requests.append(head.encode() + body)
        self._clients, self._left, self._until = asked["clients"], asked["answers"], time.monotonic() + asked["seconds"]
        self._selector = selectors.DefaultSelector()
        self._later: list[tuple[float, int, Asked]] = []  # to be tried again
        self._number = 0
        self.first: list[float] = []
        self.between: list[float] = []
        self.whole = self.failed = self.refused = self.events = 0

    def run(self) -> dict[str, float]:
        begun = time.monotonic()
        for _ in range(min(self._clients, self._left)):
            self._next()
        while self._selector.get_map() or self._later:
            now = time.monotonic()
            if now > self._until:
                self._give_up()
                break
            while self._later and self._later[0][0] <= now:
                self._ask(heapq.heappop(self._later)[2])
            wait = min(1.0, self._later[0][0] - now) if self._later else 1.0
            for key, _ in self._selector.select(max(0.0, wait)):
                self._read(key.data)
        seconds = time.monotonic() - begun
        return {
            "seconds": seconds,
            "whole": self.whole,
            "failed": self.failed,
            "refused": self.refused,
            "events": self.events,
            "first_p50_ms": share(self.first, 0.5) * 1000,
            "first_p99_ms": share(self.first, 0.99) * 1000,
            "between_p50_ms": share(self.between, 0.5) * 1000,
            "between_p99_ms": share(self.between, 0.99) * 1000,
            "client_seconds": time.process_time(),
        }

    def _next(self) -> None:
        if self._left > 0:
            self._left -= 1
            self._ask(Asked(time.monotonic(), 0))

    def _ask(self, asked: Asked) -> None:
        try:
            asked.socket = socket.create_connection(self._address, 10)
            asked.socket.sendall(self._requests[self._number % len(self._requests)])
        except OSError:
            self._failed(asked)
            return
        self._number += 1
        asked.socket.setblocking(False)
        self._selector.register(asked.socket, selectors.EVENT_READ, asked)

    def _read(self, asked: Asked) -> None:
        try:
            data = asked.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended(asked)
            return
        if not asked.status:
            asked.status = data.split(b" ", 2)[1] if data.startswith(b"HTTP/1.") else b"?"
        text = asked.rest + data
        events = text.count(_EVENT)
        asked.rest = text[-len(_EVENT) + 1 :]  # too short to hold a whole one
        asked.tail = (asked.tail + data)[-2048:]
        if events:
            now = time.monotonic()
            if asked.got:
                self.between.append(now - asked.last)
            else:
                self.first.append(now - asked.begun)
            self.between.extend([0.0] * (events - 1))  # they came together
            asked.got += events
            asked.last = now

    def _ended(self, asked: Asked) -> None:
        self._selector.unregister(asked.socket)
        asked.socket.close()
        self.events += asked.got
        if asked.status == b"429":
            self.refused += 1
            wait = _RETRY.search(asked.tail)
            again = Asked(asked.begun, asked.tries + 1)
            heapq.heappush(self._later, (time.monotonic() + float(wait[1] if wait else 1), self._number, again))
            self._number += 1
            return
        if asked.status == b"200" and _LENGTH.search(asked.tail):
            self.whole += 1
        else:
            print(f"status {asked.status!r}, {asked.got} events: {asked.tail[-300:]!r}", file=sys.stderr, flush=True)
            self.failed += 1
        self._next()

    def _failed(self, asked: Asked) -> None:
        if asked.socket is not None:
            asked.socket.close()
        self.failed += 1
        self._next()

    def _give_up(self) -> None:
        under_way = list(self._selector.get_map().values())
        for key in under_way:
            self._selector.unregister(key.fileobj)
            key.data.socket.close()
        self.failed += len(under_way) + len(self._later) + self._left


def share(values: list[float], part: float) -> float:
    """The value that this part of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


if __name__ == "__main__":
    print(json.dumps(Load(json.load(sys.stdin)).run()))
