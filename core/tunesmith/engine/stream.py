# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One request under way, seen from both sides: the engine's thread fills it, the caller reads it.

The caller may be a thread (``for token in stream``, ``stream.result()``) or a coroutine (``async for``, ``await
stream``). Nothing here blocks the engine: tokens wait for a slow reader, at most as many as the request may make. Who
waits for the whole answer is woken once, at its end.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from tunesmith.engine.answers import Answer, Token
from tunesmith.engine.waking import Waiter, bell_of
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
        self._lock = threading.RLock()  # a reader that is thrown away may be so in the middle of a push
        self._news = threading.Condition(self._lock)  # for threads that wait for a token
        self._end_came = threading.Condition(self._lock)  # for threads that wait for the whole answer
        self._threads = 0  # that wait for a token
        self._readers: list[Waiter] = []  # coroutines that wait for a token
        self._others: list[Waiter] = []  # coroutines that wait for the whole answer
        self._tokens: deque[Token] = deque()
        self._begun = False
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._done = False

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
        with self._lock:
            if not self._end_came.wait_for(lambda: self._done, timeout):
                raise TimeoutError(f"no whole answer after {timeout:g} seconds; the request goes on")
        return self._outcome()

    def take(self) -> list[Token]:
        """All tokens that are there and have not been handed out, without waiting for any."""
        with self._lock:
            tokens = list(self._tokens)
            self._tokens.clear()
        return tokens

    def __iter__(self) -> Iterator[Token]:
        """Tokens as they are made. Leaving the loop early cancels the request."""
        try:
            while True:
                with self._lock:
                    self._threads += 1
                    try:
                        self._news.wait_for(lambda: self._tokens or self._done)
                    finally:
                        self._threads -= 1
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
            while not self._done:
                await self._wait(self._others, lambda: self._done)
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._outcome()

    async def __aiter__(self) -> AsyncIterator[Token]:
        try:
            while True:
                await self._wait(self._readers, lambda: self._tokens or self._done)
                with self._lock:
                    token = self._tokens.popleft() if self._tokens else None
                if token is not None:
                    yield token
                elif self._done:
                    self._outcome()
                    return
        finally:
            self.cancel()

    async def bursts(self, *, patient: bool = False) -> AsyncIterator[list[Token]]:
        """Tokens as they are made, each time all that are there, at least one. Leaving the loop early cancels the
        request.

        Args:
            patient: many readers cost less where each can wait a little: all but the first token and the end of the
                answer may come up to 10 ms after they were made, or half a millisecond for each reader.
        """
        try:
            while True:
                await self._wait(self._readers, lambda: self._tokens or self._done, patient=patient)
                done = self._done  # before: a token may come between the two looks, the other way round
                tokens = self.take()
                if tokens:
                    yield tokens
                elif done:
                    self._outcome()
                    return
        finally:
            self.cancel()

    async def _wait(self, waiters: list[Waiter], holds: Callable[[], Any], *, patient: bool = False) -> None:
        """Until it holds, or perhaps shortly before."""
        with self._lock:
            if holds():
                return
            loop = asyncio.get_running_loop()
            waiter = bell_of(loop).waiter(loop, patient=patient)
            waiters.append(waiter)
        try:
            await waiter.woken
        finally:
            with self._lock:
                waiters.remove(waiter)

    def _outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._answer

    # ---- the engine's side ---------------------------------------------------------------------

    def push(self, token: Token) -> None:
        """One more token."""
        with self._lock:
            if self._done:
                return
            self._tokens.append(token)
            if self._threads:
                self._news.notify_all()
            for waiter in tuple(self._readers):
                waiter.wake(at_once=not self._begun)
            self._begun = True

    def finish(self, answer: Answer) -> None:
        """The whole answer. What ended before stays as it ended."""
        self._end(answer, None)

    def fail(self, error: BaseException | None = None) -> None:
        """No whole answer will come. Default: the request was cancelled."""
        self._end(None, error or CancelledError("the request was cancelled", fix="send it again"))

    def _end(self, answer: Answer | None, error: BaseException | None) -> None:
        with self._lock:
            if self._done:
                return
            self._answer, self._error, self._done = answer, error, True
            self._news.notify_all()
            self._end_came.notify_all()
            for waiter in (*self._readers, *self._others):
                waiter.wake()
