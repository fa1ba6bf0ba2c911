# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What every native engine does alike: a queue with an end, one thread that computes, cancelling, draining, closing."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from tunesmith.engine.protocol import EngineInfo, EngineStats
from tunesmith.engine.requests import Prompt, Request
from tunesmith.engine.stream import Stream
from tunesmith.errors import BusyError, DeadlineError, DrainingError, RequestError, TunesmithError

__all__ = ["Counts", "ThreadedEngine", "Work"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """Of all requests so far; see :class:`~tunesmith.engine.protocol.EngineStats`."""

    done: int = 0
    cancelled: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class Work:
    """A request that was taken.

    Attributes:
        stream: where its answer goes.
        deadline: by ``time.monotonic``; ``None``: none.
        cancelled: its caller has given it up.
    """

    def __init__(self, stream: Stream, timeout: float | None) -> None:
        self.stream = stream
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.cancelled = False

    def gone(self) -> bool:
        """Whether it was cancelled or has run out of time."""
        return self.cancelled or (self.deadline is not None and time.monotonic() > self.deadline)


W = TypeVar("W", bound=Work)


class ThreadedEngine(ABC, Generic[W]):
    """An ``Engine`` whose requests are computed by a thread of its own.

    Args:
        info: what it serves.
        waiting: requests in the queue at most.
    """

    def __init__(self, info: EngineInfo, *, waiting: int) -> None:
        self._info = info
        self._limit = waiting
        self._waiting: deque[W] = deque()
        self._running: list[W] = []
        self._counts = Counts()
        self._changed = threading.Condition()
        self._draining = self._closed = False
        self._thread = threading.Thread(target=self._serve, name=f"tunesmith-engine {info.name}", daemon=True)

    @property
    def info(self) -> EngineInfo:
        """What it serves."""
        return self._info

    # ---- what each engine does its own way -------------------------------------------------------

    @abstractmethod
    def _take(self, request: Request, stream: Stream, timeout: float | None) -> W:
        """Check a request; called in the caller's thread.

        Raises:
            RequestError: it asks for what cannot be done.
        """

    @abstractmethod
    def _begin(self) -> None:
        """Move requests from ``_waiting`` to ``_running``, as many as there is room for; with ``_changed`` held."""

    @abstractmethod
    def _step(self) -> None:
        """Compute a little of what is running."""

    @abstractmethod
    def _leave(self, work: W) -> None:
        """Give back what a request holds; it was running."""

    # ---- requests --------------------------------------------------------------------------------

    def submit(self, request: Request, *, timeout: float | None = None) -> Stream:
        """As :meth:`tunesmith.engine.Engine.submit`."""
        stream = Stream(self._cancel)
        self._refuse_when_full(request)  # before anything is computed for it
        work = self._take(request, stream, timeout)
        with self._changed:
            self._refuse_when_full(request)
            self._waiting.append(work)
            self._changed.notify_all()
        return stream

    def _refuse_when_full(self, request: Request) -> None:
        with self._changed:
            if self._draining or self._closed:
                raise DrainingError(
                    f"{self._info.name} takes no more requests: it is about to stop", fix="send it to another server"
                )
            if len(self._waiting) >= self._limit:
                raise BusyError(
                    f"{self._info.name} has too much to do",
                    retry_after=1.0,
                    given=f"{len(self._waiting):,} requests waiting",
                    expected=f"fewer than {self._limit:,}",
                    fix="send it again later",
                )

    def _cancel(self, stream: Stream) -> None:
        with self._changed:
            for work in (*self._waiting, *self._running):
                if work.stream is stream:
                    work.cancelled = True
            self._changed.notify_all()

    def _refuse_kind(self, request: Request) -> RequestError:
        kinds = ", ".join(sorted(self._info.kinds))
        return RequestError(
            f"{self._info.name} does not answer such requests",
            given=type(request).__name__,
            expected=f"a request of a kind it takes: {kinds}",
            fix="ask a model whose task answers this",
        )

    # ---- words: engines without a tokenizer have none --------------------------------------------

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """As :meth:`tunesmith.engine.Engine.tokenize`."""
        raise self._no_words()

    def detokenize(self, ids: Sequence[int]) -> str:
        """As :meth:`tunesmith.engine.Engine.detokenize`."""
        raise self._no_words()

    def _no_words(self) -> RequestError:
        return RequestError(
            f"{self._info.name} does not read prompts",
            given=f"a model of the task {self._info.task}",
            expected="a model that writes text",
        )

    # ---- adapters: engines that take none --------------------------------------------------------

    def load_adapter(self, name: str, path: Path) -> None:
        """As :meth:`tunesmith.engine.Engine.load_adapter`."""
        raise self._no_adapters(name)

    def unload_adapter(self, name: str) -> None:
        """As :meth:`tunesmith.engine.Engine.unload_adapter`."""
        raise self._no_adapters(name)

    def _no_adapters(self, name: str | None) -> RequestError:
        return RequestError(
            f"{self._info.name} takes no adapters",
            parameter="adapter",
            given=name,
            expected="none",
            fix="serve a run that was trained with `method: lora` by itself",
        )

    # ---- the thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        with torch.inference_mode():
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._waiting or self._running)
                    if self._closed:
                        break
                    gone = self._take_gone()
                for work in gone:
                    work.stream.fail(None if work.cancelled else _too_late())
                try:
                    with self._changed:
                        self._begin()
                    self._step()
                except Exception as error:
                    _log.exception("%s: a step failed; the requests under way were ended", self._info.name)
                    self._end_all(error)
        self._end_all(None)
        self._release()

    def _release(self) -> None:
        """Give back what the engine itself holds; its thread's last act."""

    def _take_gone(self) -> list[W]:
        """Take out what was cancelled and what has run out of time."""
        gone = [work for work in (*self._waiting, *self._running) if work.gone()]
        for work in gone:
            if work in self._running:
                self._running.remove(work)
                self._leave(work)
            else:
                self._waiting.remove(work)
            if work.cancelled:
                self._counts.cancelled += 1
            else:
                self._counts.failed += 1
        if gone:
            self._changed.notify_all()
        return gone

    def _finish(self, work: W, answer: Any) -> None:
        """A running request has its whole answer, or the error that ended it."""
        with self._changed:
            self._running.remove(work)
            self._leave(work)
            if isinstance(answer, BaseException):
                self._counts.failed += 1
            else:
                self._counts.done += 1
            self._changed.notify_all()
        if isinstance(answer, BaseException):
            work.stream.fail(answer)
        else:
            work.stream.finish(answer)

    def _end_all(self, error: Exception | None) -> None:
        """End every request under way; without an error, those that wait too."""
        reason = error
        if error is not None and not isinstance(error, TunesmithError):
            reason = RuntimeError(f"a step of the engine failed: {type(error).__name__}")
            reason.__cause__ = error
        with self._changed:
            ended = [*self._running, *(() if error else self._waiting)]
            for work in self._running:
                self._leave(work)
            self._running.clear()
            if error is None:
                self._waiting.clear()
                self._counts.cancelled += len(ended)
            else:
                self._counts.failed += len(ended)
            self._changed.notify_all()
        for work in ended:
            work.stream.fail(reason)

    # ---- how it is doing -------------------------------------------------------------------------

    def stats(self) -> EngineStats:
        """As :meth:`tunesmith.engine.Engine.stats`."""
        with self._changed:
            return replace(
                self._more_stats(), running=len(self._running), waiting=len(self._waiting), **asdict(self._counts)
            )

    def _more_stats(self) -> EngineStats:
        """What an engine has beyond requests and tokens."""
        return EngineStats()

    def drain(self, timeout: float | None = None) -> bool:
        """As :meth:`tunesmith.engine.Engine.drain`."""
        with self._changed:
            self._draining = True
            return self._changed.wait_for(lambda: not self._waiting and not self._running, timeout)

    def close(self) -> None:
        """As :meth:`tunesmith.engine.Engine.close`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread and self._thread.ident is not None:
            self._thread.join()


def _too_late() -> DeadlineError:
    """The time a request was given is up, in words."""
    return DeadlineError("the request's time is up", fix="give it more time, or ask for fewer tokens")
