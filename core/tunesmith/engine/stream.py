# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One request under way, seen from both sides: the engine's thread fills it, the caller reads it.

The caller may be a thread (``for token in stream``, ``stream.result()``) or a coroutine (``async for``, ``await
stream``). Nothing here blocks the engine: tokens wait for a slow reader, at most as many as the request may make.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from tunesmith.engine.answers import Answer, Token
from tunesmith.errors import CancelledError

__all__ = ["Stream"]

_numbers = itertools.count(1)


class Stream:
    """The answer to one request, as it comes.

    Each token is handed out once, to whoever asks first. Only ``GenerateRequest`` has tokens; every request has a
    result. Reading after an error, or the result of a failed request, raises that error.

    Attributes:
        id: of the request, unique within the process.
    """

    def __init__(self, cancel: Callable[[Stream], None] | None = None) -> None:
        self.id = next(_numbers)
        self._cancel = cancel
        self._changed = threading.Condition()
        self._tokens: deque[Token] = deque()
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._done = False
        self._wakers: set[Callable[[], None]] = set()

    # ---- the caller's side ---------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether the engine has ended with it, well or not."""
        return self._done

    def cancel(self) -> None:
        """Tell the engine to stop; what it holds for the request is given back at its next step. May come twice."""
        if not self._done and self._cancel is not None:
            self._cancel(self)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the whole answer: ``Generation``, ``Predictions``, ``Embeddings`` or ``Ranking``.

        Raises:
            TimeoutError: it is not there after ``timeout`` seconds; the request goes on.
            TunesmithError: the request failed.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._done, timeout):
                raise TimeoutError(f"no whole answer after {timeout:g} seconds; the request goes on")
        return self._outcome()

    def __iter__(self) -> Iterator[Token]:
        """Tokens as they are made. Leaving the loop early cancels the request."""
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._tokens or self._done)
                    token = self._tokens.popleft() if self._tokens else None
                if token is None:
                    self._outcome()
                    return
                yield token
        finally:
            self.cancel()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        try:
            await self._until(lambda: self._done)
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._outcome()

    async def __aiter__(self) -> AsyncIterator[Token]:
        try:
            while True:
                await self._until(lambda: bool(self._tokens) or self._done)
                with self._changed:
                    token = self._tokens.popleft() if self._tokens else None
                if token is None:
                    self._outcome()
                    return
                yield token
        finally:
            self.cancel()

    async def _until(self, holds: Callable[[], bool]) -> None:
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(event.set)

        while True:
            with self._changed:
                if holds():
                    return
                event.clear()
                self._wakers.add(wake)
            try:
                await event.wait()
            finally:
                with self._changed:
                    self._wakers.discard(wake)

    def _outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._answer

    # ---- the engine's side ---------------------------------------------------------------------

    def push(self, token: Token) -> None:
        """One more token."""
        with self._changed:
            if not self._done:
                self._tokens.append(token)
                self._wake()

    def finish(self, answer: Answer) -> None:
        """The whole answer. What ended before stays as it ended."""
        self._end(answer, None)

    def fail(self, error: BaseException | None = None) -> None:
        """No whole answer will come. Default: the request was cancelled."""
        self._end(None, error or CancelledError("the request was cancelled", fix="send it again"))

    def _end(self, answer: Answer | None, error: BaseException | None) -> None:
        with self._changed:
            if not self._done:
                self._answer, self._error, self._done = answer, error, True
                self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        for waker in self._wakers:
            try:
                waker()
            except RuntimeError:
                continue  # its event loop is closed: nobody waits there any more
