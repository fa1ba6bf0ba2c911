# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""An engine without a model: it says what it was told, as slowly and as badly as a test wants.

The last message (or the prompt) may begin with a command:

=================  ============================================================================
``/count N S``      N tokens, S seconds apart
``/hold N``         N tokens, and then nothing more until the engine's ``gate`` is opened
``/fail N``         N tokens, and then an error with secrets in it
``/say TEXT``       TEXT, character by character
``/length``         three tokens, cut by their number
``/busy`` ``/large`` ``/late``  refused: the queue is full, the request too large, its time up
=================  ============================================================================

Anything else is said back word by word; so is all of it where ``commands`` is false.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunesmith.engine.answers import Choice, Embeddings, Generation, Predictions, Ranking, Token, TokenScore, Usage
from tunesmith.engine.protocol import EngineInfo, EngineStats, conversation
from tunesmith.engine.requests import EmbedRequest, GenerateRequest, PredictRequest, RankRequest
from tunesmith.engine.stream import Stream
from tunesmith.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    DrainingError,
    ModelError,
    RequestError,
    TooLargeError,
)

FEATURES = frozenset(
    {"choices", "logprobs", "constraint", "tools", "logit_bias", "penalties", "adapters", "token_prompts"}
)
SECRET = "/srv/models/secret-path and a prompt"


class Echo:
    """Implements the whole ``Engine`` protocol; one thread a request."""

    def __init__(
        self,
        name: str = "echo",
        *,
        kinds: Sequence[str] = ("generate", "predict", "embed", "rank"),
        features: frozenset[str] = FEATURES,
        chats: bool = True,
        slots: int = 4,
        queue: int = 4,
        task: str = "chat",
        room: int = 10**6,
        commands: bool = True,
    ) -> None:
        self.info = EngineInfo(
            name=name,
            task=task,
            kinds=frozenset(kinds),
            chats=chats,
            features=features,
            context=1000,
            labels=("no", "yes"),
            created=1_700_000_000,
        )
        self.gate = threading.Event()
        self.asked: list[Any] = []
        self.timeouts: list[float | None] = []
        self.closed = False
        self._slots = threading.Semaphore(slots)
        self._room = slots + queue
        self._lock = threading.Lock()
        self._cancelled: set[int] = set()
        self._draining = False
        self._open: dict[int, Stream] = {}
        self._counts = dict.fromkeys(("running", "waiting", "done", "cancelled", "failed", "made"), 0)
        self.adapters: dict[str, Path] = {}
        self.slots = slots
        self.room = room
        self.commands = commands

    # ---- the protocol ----

    def submit(self, request: Any, *, timeout: float | None = None) -> Stream:
        if self._draining:
            raise DrainingError("the engine is about to stop")
        text = _text(request) if self.commands else f" {_text(request)}"  # a command stands at the beginning
        if text.startswith("/busy"):
            raise BusyError("the queue is full", retry_after=2.5, fix="ask again later")
        if text.startswith("/large"):
            raise TooLargeError("the request needs more memory than there is", given="9 GB", expected="at most 1 GB")
        if len(text) > 1000 and isinstance(request, GenerateRequest):
            raise RequestError("the prompt is too long", parameter="prompt", given="1,001 tokens", expected="1,000")
        if isinstance(request, GenerateRequest) and (request.max_new_tokens or 0) > self.room:
            raise RequestError("they do not fit", parameter="max_new_tokens", expected=f"at most {self.room}")
        with self._lock:
            if self._counts["running"] + self._counts["waiting"] >= self._room:
                raise BusyError("the queue is full", retry_after=1)
            self._counts["waiting"] += 1
            self.asked.append(request)
            self.timeouts.append(timeout)
            del self.asked[:-100], self.timeouts[:-100]  # an hour of requests is no leak of the server's
            stream = Stream(lambda stream: self._cancelled.add(stream.id))
            self._open[stream.id] = stream
        until = None if timeout is None else time.monotonic() + timeout
        threading.Thread(target=self._work, args=(stream, request, text, until), daemon=True).start()
        return stream

    def tokenize(self, prompt: Any) -> tuple[int, ...]:
        messages = conversation(prompt)
        text = prompt if messages is None else "".join(f"<{each['role']}>{each['content']}" for each in messages)
        return tuple(text.encode())

    def detokenize(self, ids: Sequence[int]) -> str:
        if max(ids) > 255:
            raise RequestError("no such token", parameter="ids", given=max(ids), expected="0 to 255")
        return bytes(ids).decode(errors="replace")

    def stats(self) -> EngineStats:
        with self._lock:
            counts = dict(self._counts)
        return EngineStats(
            running=counts["running"],
            waiting=counts["waiting"],
            slots=self.slots,
            slots_used=counts["running"],
            cache_tokens=4000,
            cache_tokens_used=100 * counts["running"],
            done=counts["done"],
            cancelled=counts["cancelled"],
            failed=counts["failed"],
            completion_tokens=counts["made"],
            adapters=tuple(self.adapters),
        )

    def load_adapter(self, name: str, path: Path) -> None:
        if not path.is_dir():
            raise ModelError("this is no adapter", given=path)
        self.adapters[name] = path

    def unload_adapter(self, name: str) -> None:
        del self.adapters[name]

    def drain(self, timeout: float | None = None) -> bool:
        self._draining = True
        return not self._open

    def close(self) -> None:
        self.closed = True
        for stream in list(self._open.values()):
            stream.cancel()

    # ---- the work ----

    def _work(self, stream: Stream, request: Any, text: str, until: float | None) -> None:
        def ended() -> bool:
            if stream.id in self._cancelled:
                raise CancelledError("the request was cancelled")
            if text.startswith("/late") or (until is not None and time.monotonic() > until):
                raise DeadlineError("the time was up", fix="ask for less")
            return False

        state = "waiting"
        try:
            while not ended() and not self._slots.acquire(timeout=0.005):
                pass
            with self._lock:
                self._counts["waiting"] -= 1
                self._counts["running"] += 1
            state = "running"
            try:
                answer = self._answer(stream, request, text, ended)
            finally:
                self._slots.release()
            outcome, error = "done", None
        except CancelledError as cancelled:
            outcome, error, answer = "cancelled", cancelled, None
        except Exception as failed:
            outcome, error, answer = "failed", failed, None
        with self._lock:
            self._counts[state] -= 1
            self._counts[outcome] += 1
            self._open.pop(stream.id)
            self._cancelled.discard(stream.id)
        if error is None:
            stream.finish(answer)
        else:
            stream.fail(error)

    def _answer(self, stream: Stream, request: Any, text: str, ended: Any) -> Any:
        if isinstance(request, GenerateRequest):
            return self._generation(stream, request, text, ended)
        for _ in _waits(text, self.gate):
            ended()
        if text.startswith("/fail"):
            raise RuntimeError(SECRET)
        if isinstance(request, PredictRequest):
            rows = tuple(
                {"label": "yes", "probability": 0.75, "probabilities": {"yes": 0.75, "no": 0.25}} for _ in request.rows
            )
            return Predictions(rows, Usage(7))
        if isinstance(request, EmbedRequest):
            vectors = np.asarray([[0.6, 0.8 if i % 2 else -0.8] for i in range(len(request.texts))], dtype=np.float32)
            return Embeddings(vectors, Usage(5))
        assert isinstance(request, RankRequest)
        return Ranking(tuple(len(document) / 10 for document in request.documents), Usage(3))

    def _generation(self, stream: Stream, request: GenerateRequest, text: str, ended: Any) -> Generation:
        words, delay, hold, fail, finish = _script(text)
        words = words[: request.max_new_tokens or len(words)]
        finish = "length" if len(words) == request.max_new_tokens else finish
        said: list[list[Token]] = [[] for _ in range(request.choices)]
        for number, word in enumerate(words):
            if delay:
                time.sleep(delay)
            for choice in range(request.choices):
                ended()
                last = number == len(words) - 1 and not hold and not fail
                token = self._token(request, number, word, choice, finish if last else None)
                said[choice].append(token)
                stream.push(token)
                with self._lock:
                    self._counts["made"] += 1
        while hold and not self.gate.is_set():
            ended()
            time.sleep(0.002)
        ended()
        if fail:
            raise RuntimeError(SECRET)
        if not words or hold:
            for choice in range(request.choices):
                said[choice].append(Token(id=0, text="", logprob=0.0, finish=finish, choice=choice))
                stream.push(said[choice][-1])
        choices = tuple(Choice("".join(token.text for token in each), finish, tuple(each)) for each in said)
        return Generation(choices, Usage(11, 4, sum(map(len, said))))

    def _token(self, request: GenerateRequest, number: int, word: str, choice: int, finish: str | None) -> Token:
        score, others = None, ()
        if request.logprobs is not None:
            score = TokenScore(number, word.encode(), -0.5)
            others = tuple(TokenScore(i, f"t{i}".encode(), -1.0 - i) for i in range(request.logprobs))
        return Token(id=number, text=word, logprob=-0.5, finish=finish, choice=choice, score=score, alternatives=others)


def _text(request: Any) -> str:
    if isinstance(request, GenerateRequest):
        messages = conversation(request.prompt)
        if messages is not None:
            return str(messages[-1].get("content", ""))
        return request.prompt if isinstance(request.prompt, str) else bytes(request.prompt).decode()  # type: ignore[arg-type]
    if isinstance(request, RankRequest):
        return request.query
    first = (request.rows if isinstance(request, PredictRequest) else request.texts)[0]
    return first if isinstance(first, str) else ""


def _script(text: str) -> tuple[list[str], float, bool, bool, str]:
    """Words, seconds between them, whether to hold or fail behind them, and how they end."""
    command, _, rest = text.partition(" ")
    if command == "/count":
        number, _, seconds = rest.partition(" ")
        return [f"w{i} " for i in range(int(number))], float(seconds or 0), False, False, "stop"
    if command in ("/hold", "/fail"):
        return [f"w{i} " for i in range(int(rest or 0))], 0, command == "/hold", command == "/fail", "stop"
    if command == "/say":
        return list(rest), 0, False, False, "stop"
    if command == "/length":
        return ["one ", "two ", "three"], 0, False, False, "length"
    if not text.split(" "):
        return [], 0, False, False, "stop"
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:], 0, False, False, "stop"


def _waits(text: str, gate: threading.Event) -> Iterator[None]:
    while text.startswith("/hold") and not gate.is_set():
        time.sleep(0.002)
        yield
