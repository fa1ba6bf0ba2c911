# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What every native engine does alike: a queue with an end, one thread that computes, cancelling, draining, closing."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch

from tunesmith.engine.protocol import EngineInfo, EngineStats
from tunesmith.engine.requests import Prompt, Request
from tunesmith.engine.scheduling import Outcome, Queue, Ticket
from tunesmith.engine.stream import Stream
from tunesmith.errors import DeadlineError, DrainingError, RequestError, TunesmithError

__all__ = ["Counts", "ThreadedEngine", "Work"]

_log = logging.getLogger(__name__)

_PATIENCE = 0.02
"""Seconds between two questions to a queue that holds back what waits while nothing is under way."""


@dataclass(slots=True)
class Counts:
    """Of all requests so far; see :class:`~tunesmith.engine.protocol.EngineStats`."""

    done: int = 0
    cancelled: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class Work(Ticket):
    """A request that was taken.

    Attributes:
        stream: where its answer goes.
        cancelled: its caller has given it up.
    """

    def __init__(self, stream: Stream, timeout: float | None) -> None:
        super().__init__(None if timeout is None else time.monotonic() + timeout)
        self.stream = stream
        self.cancelled = False

    def gone(self) -> bool:
        """Whether it was cancelled or has run out of time."""
        return self.cancelled or (self.deadline is not None and time.monotonic() > self.deadline)


W = TypeVar("W", bound=Work)


class ThreadedEngine(ABC, Generic[W]):
    """An ``Engine`` whose requests are computed by a thread of its own.

    Args:
        info: what it serves.
        queue: in which order.
    """

    def __init__(self, info: EngineInfo, *, queue: Queue) -> None:
        self._info = info
        self._queue = queue
        self._told_of_queue = False  # in the log, that it has failed
        self._waiting: list[W] = []  # the oldest first
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
    def _has_room(self) -> bool:
        """Whether one more request may be under way; with ``_changed`` held, as the next two."""

    @abstractmethod
    def _start(self, work: W) -> None:
        """Begin a request, which is in ``_running`` now; or go on with one that has given its place up."""

    @abstractmethod
    def _pause(self, work: W) -> None:
        """Give back the place of a request, and keep what it has made."""

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
        caller = getattr(request, "cache_salt", "")
        with self._changed:
            self._refuse_at_the_end()
            self._queue.check(request.origin, caller, self._waiting)  # before anything is computed for it
        work = self._take(request, stream, timeout)
        work.origin, work.caller = request.origin, caller
        with self._changed:
            self._refuse_at_the_end()
            self._queue.add(work, self._waiting)
            self._waiting.append(work)
            self._changed.notify_all()
        return stream

    def _refuse_at_the_end(self) -> None:
        if self._draining or self._closed:
            raise DrainingError(
                f"{self._info.name} takes no more requests: it is about to stop", fix="send it to another server"
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
                    if self._running:
                        self._tell_queue(self._queue.stepped, self._running)
                    gone = self._take_gone()
                for work in gone:
                    work.stream.fail(None if work.cancelled else _too_late())
                try:
                    with self._changed:
                        self._begin()
                        if not self._running:  # the queue holds back what waits
                            self._changed.wait(_PATIENCE)
                            continue
                except Exception as error:
                    _log.exception("%s: a request could not be begun; those under way were ended", self._info.name)
                    self._end_all(error, waiting=not self._running)
                    continue
                try:
                    self._step()
                except Exception as error:
                    _log.exception("%s: a step failed; the requests under way were ended", self._info.name)
                    self._end_all(error)
        self._end_all(None, waiting=True)
        self._release()

    def _begin(self) -> None:
        """Move requests between ``_waiting`` and ``_running``, as the queue says and as there is room; with
        ``_changed`` held."""
        may_pause = len(self._running)  # so often, whatever the queue says
        while True:
            room = self._has_room()
            leaves = self._queue.preempt(self._waiting, self._running, room) if may_pause > 0 else None
            if leaves is not None:
                may_pause -= 1
                self._give_way(cast(W, leaves))
                continue
            ticket = self._queue.next(self._waiting, self._running) if room and self._waiting else None
            if ticket is None:
                return
            work = cast(W, ticket)
            self._waiting.remove(work)
            self._running.append(work)
            self._start(work)

    def _give_way(self, work: W) -> None:
        self._running.remove(work)
        self._pause(work)
        work.paused += 1
        insort(self._waiting, work, key=lambda each: each.arrived)

    def _tell_queue(self, tell: Callable[..., None], *facts: Any) -> None:
        """What it makes of it is its own: a queue that fails here must not keep a request from its end."""
        try:
            tell(*facts)
        except Exception:
            if not self._told_of_queue:
                self._told_of_queue = True
                _log.exception("%s: its scheduler failed, and this is not told again", self._info.name)

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
                if work.paused:
                    self._leave(work)
            self._count(work, "cancelled" if work.cancelled else "failed")
        if gone:
            self._changed.notify_all()
        return gone

    def _finish(self, work: W, answer: Any) -> None:
        """A running request has its whole answer, or the error that ended it."""
        with self._changed:
            self._running.remove(work)
            self._leave(work)
            self._count(work, "failed" if isinstance(answer, BaseException) else "done")
            self._changed.notify_all()
        if isinstance(answer, BaseException):
            work.stream.fail(answer)
        else:
            work.stream.finish(answer)

    def _count(self, work: W, outcome: Outcome) -> None:
        setattr(self._counts, outcome, getattr(self._counts, outcome) + 1)
        self._tell_queue(self._queue.ended, work, outcome)

    def _end_all(self, error: Exception | None, *, waiting: bool = False) -> None:
        """End every request under way, and perhaps those that wait; without an error they were cancelled."""
        reason = error
        if error is not None and not isinstance(error, TunesmithError):
            reason = RuntimeError(f"a step of the engine failed: {type(error).__name__}")
            reason.__cause__ = error
        with self._changed:
            ended = [*self._running, *(self._waiting if waiting else ())]
            for work in ended:
                if work in self._running or work.paused:
                    self._leave(work)
            self._running.clear()
            if waiting:
                self._waiting.clear()
            for work in ended:
                self._count(work, "failed" if error else "cancelled")
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
