# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""An engine that hands requests over to a server with OpenAI's API: llama.cpp's, vLLM, another Tunesmith.

What that server knows of the model (template, stop tokens) is its own. Each request has a connection; when it is
cancelled, the connection is closed, which is how such servers learn of it.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any
from urllib.parse import urlsplit

from tunesmith.engine.answers import Generation, Token
from tunesmith.engine.protocol import EngineInfo, EngineStats
from tunesmith.engine.remote_words import LONGEST_LINE, body_of, message_of, read_answer
from tunesmith.engine.requests import GenerateRequest, Prompt, Request
from tunesmith.engine.stream import Stream
from tunesmith.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    DrainingError,
    ModelError,
    OfflineError,
    RequestError,
    TunesmithError,
    UnfinishedError,
)

__all__ = ["KEY_VARIABLE", "RemoteEngine"]

KEY_VARIABLE = "TUNESMITH_REMOTE_KEY"
"""Environment variable with the key that is sent to the other server, if it wants one."""

_FEATURES = frozenset({"choices", "logit_bias", "penalties", "constraint"})
_SECONDS = 600.0


class _Work:
    """A request under way.

    Attributes:
        socket: open to the other server; ``None`` before and after.
    """

    def __init__(self, request: GenerateRequest, stream: Stream, timeout: float | None) -> None:
        self.request = request
        self.stream = stream
        self.deadline = time.monotonic() + (_SECONDS if timeout is None else timeout)
        self.cancelled = False
        self.socket: socket | None = None

    def tell(self, token: Token) -> None:
        """Hand a token on.

        Raises:
            CancelledError: nobody waits for it any more.
        """
        if self.cancelled:
            raise CancelledError("the request was cancelled", fix="send it again")
        self.stream.push(token)

    @property
    def remaining(self) -> float:
        """Seconds, more than 0."""
        return max(0.001, self.deadline - time.monotonic())


class RemoteEngine:
    """An ``Engine`` that another server is behind.

    Args:
        address: ``http://HOST:PORT/v1#MODEL``, or ``https``: where the API begins, and what the model is called there.
        name: of the model, as clients ask for it. Default: as it is called there.
        slots: requests under way at once.
        waiting: requests in the queue at most.
        key: that is sent to the other server. Default: what the environment variable says, if anything.

    Raises:
        ModelError: no such address.
    """

    def __init__(
        self, address: str, *, name: str | None = None, slots: int = 8, waiting: int = 128, key: str | None = None
    ) -> None:
        self._url = _checked(address)
        self._model = self._url.fragment
        self._info = EngineInfo(
            name=name or self._model,
            task="chat",
            kinds=frozenset({"generate"}),
            chats=True,
            features=_FEATURES,
            created=int(time.time()),
        )
        self._key = os.environ.get(KEY_VARIABLE, "") if key is None else key
        self._slots, self._limit = slots, waiting
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=f"tunesmith-remote {self._info.name}")
        self._changed = threading.Condition()
        self._works: dict[Stream, _Work] = {}
        self._running = 0
        self._counts = {"done": 0, "cancelled": 0, "failed": 0, "prompt_tokens": 0, "completion_tokens": 0}
        self._draining = self._closed = False

    @property
    def info(self) -> EngineInfo:
        """What it serves."""
        return self._info

    # ---- requests --------------------------------------------------------------------------------

    def submit(self, request: Request, *, timeout: float | None = None) -> Stream:
        """As :meth:`tunesmith.engine.Engine.submit`."""
        if not isinstance(request, GenerateRequest):
            raise RequestError(
                f"{self._info.name} does not answer such requests",
                given=type(request).__name__,
                expected="GenerateRequest",
                fix="ask a model whose task answers this",
            )
        self._words(request)  # what cannot be said in OpenAI's words is refused before anything is begun
        stream = Stream(self._cancel)
        work = _Work(request, stream, timeout)
        with self._changed:
            if self._draining or self._closed:
                raise DrainingError(f"{self._info.name} takes no more requests: it is about to stop")
            if len(self._works) - self._running >= self._limit:
                raise BusyError(
                    f"{self._info.name} has too much to do",
                    retry_after=1.0,
                    given=f"{len(self._works) - self._running:,} requests waiting",
                    expected=f"fewer than {self._limit:,}",
                    fix="send it again later",
                )
            self._works[stream] = work
            self._pool.submit(self._run, work)
        return stream

    def _cancel(self, stream: Stream) -> None:
        with self._changed:
            work = self._works.get(stream)
            if work is not None:
                work.cancelled = True
                _hang_up(work.socket)

    def _run(self, work: _Work) -> None:
        with self._changed:
            self._running += 1
        answer: Generation | None = None
        error: BaseException | None = None
        try:
            answer = self._ask(work)
        except TunesmithError as found:
            error = found
        except (OSError, HTTPException, ValueError) as found:
            error = self._lost(work, found)
        if work.cancelled:
            error = CancelledError("the request was cancelled", fix="send it again")
        self._end(work, answer, error)

    def _end(self, work: _Work, answer: Generation | None, error: BaseException | None) -> None:
        with self._changed:
            self._running -= 1
            del self._works[work.stream]
            if error is None and answer is not None:
                self._counts["done"] += 1
                self._counts["prompt_tokens"] += answer.usage.prompt_tokens
                self._counts["completion_tokens"] += answer.usage.completion_tokens
            else:
                self._counts["cancelled" if isinstance(error, CancelledError) else "failed"] += 1
            self._changed.notify_all()
        if error is None and answer is not None:
            work.stream.finish(answer)
        else:
            work.stream.fail(error)

    def _ask(self, work: _Work) -> Generation:
        if work.cancelled or time.monotonic() > work.deadline:
            raise DeadlineError("the request's time is up", fix="give it more time, or ask for less")
        path, body = self._words(work.request)
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=work.remaining)
        try:
            connection.connect()
            with self._changed:
                work.socket = connection.sock  # the connection forgets it when the answer begins
            headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            connection.request("POST", self._url.path.rstrip("/") + path, json.dumps(body).encode(), headers)
            with connection.getresponse() as response:  # it holds the connection after the connection was closed
                if response.status != 200:
                    raise self._refused(response)
                return read_answer(work.request, response, work.tell)
        finally:
            with self._changed:
                work.socket = None
            connection.close()

    def _words(self, request: GenerateRequest) -> tuple[str, dict[str, Any]]:
        """Path and body of a request; servers that know more than OpenAI's words are told more.

        Raises:
            RequestError: what it asks for has no words there.
        """
        return body_of(request, self._model)

    def _refused(self, response: HTTPResponse) -> TunesmithError:
        """What another status than 200 means."""
        said = message_of(response.read(LONGEST_LINE))
        where = f"the server behind {self._info.name}"
        if response.status == 429:
            return BusyError(f"{where} has too much to do", retry_after=1.0, given=said, fix="send it again later")
        if response.status in (400, 404, 413, 422):
            return RequestError(f"{where} refuses the request", given=said, fix="change the request")
        return UnfinishedError(f"{where} did not answer", given=f"status {response.status}: {said}")

    def _lost(self, work: _Work, error: Exception) -> TunesmithError:
        """What it means that the connection failed."""
        if time.monotonic() > work.deadline:
            return DeadlineError("the request's time is up", fix="give it more time, or ask for less")
        return OfflineError(
            f"the server behind {self._info.name} cannot be reached, or broke off",
            given=f"{type(error).__name__}: {error}",
            expected=f"OpenAI's API at {self._url.scheme}://{self._url.netloc}{self._url.path}",
            fix="see that it runs, and that the address is right",
        )

    # ---- what only the other server knows --------------------------------------------------------

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """Not known here.

        Raises:
            RequestError: always.
        """
        raise self._unknown()

    def detokenize(self, ids: Sequence[int]) -> str:
        """Not known here.

        Raises:
            RequestError: always.
        """
        raise self._unknown()

    def load_adapter(self, name: str, path: Path) -> None:
        """Not possible from here.

        Raises:
            RequestError: always.
        """
        raise self._unknown()

    def unload_adapter(self, name: str) -> None:
        """Not possible from here.

        Raises:
            RequestError: always.
        """
        raise self._unknown()

    def _unknown(self) -> RequestError:
        return RequestError(
            f"{self._info.name} is answered by another server, which alone knows its tokens and adapters",
            given=self._info.name,
            expected="a model of this process",
            fix="ask that server",
        )

    # ---- the end ---------------------------------------------------------------------------------

    def stats(self) -> EngineStats:
        """As :meth:`tunesmith.engine.Engine.stats`."""
        with self._changed:
            return EngineStats(
                running=self._running,
                waiting=len(self._works) - self._running,
                slots=self._slots,
                slots_used=self._running,
                done=self._counts["done"],
                cancelled=self._counts["cancelled"],
                failed=self._counts["failed"],
                prompt_tokens=self._counts["prompt_tokens"],
                completion_tokens=self._counts["completion_tokens"],
            )

    def drain(self, timeout: float | None = None) -> bool:
        """As :meth:`tunesmith.engine.Engine.drain`."""
        with self._changed:
            self._draining = True
            return self._changed.wait_for(lambda: not self._works, timeout)

    def close(self) -> None:
        """As :meth:`tunesmith.engine.Engine.close`."""
        with self._changed:
            self._closed = True
            for work in self._works.values():
                work.cancelled = True
                _hang_up(work.socket)
        self._pool.shutdown(wait=True)


def _checked(address: str) -> Any:
    url = urlsplit(address)
    if url.scheme not in ("http", "https") or not url.hostname or not url.fragment or url.query or url.username:
        raise ModelError(
            "this is not the address of a model behind OpenAI's API",
            given=address,
            expected="http://HOST:PORT/v1#MODEL, or https",
            fix=f"name the model behind #; a key goes into the environment variable {KEY_VARIABLE}",
        )
    return url


def _hang_up(open_socket: socket | None) -> None:
    if open_socket is not None:
        with suppress(OSError):
            open_socket.shutdown(SHUT_RDWR)
