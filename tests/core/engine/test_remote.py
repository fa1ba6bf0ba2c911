# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Handing over to another server, and everything that server may do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tunesmith.engine import Constraint, Engine, GenerateRequest, PredictRequest, Sampling
from tunesmith.engine.remote import KEY_VARIABLE, RemoteEngine
from tunesmith.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    DrainingError,
    ModelError,
    OfflineError,
    RequestError,
    UnfinishedError,
)


class Server(ThreadingHTTPServer):
    """Answers every request by ``script``, and remembers what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.script: Callable[[Handler], None] = lambda handler: handler.stream("one ", "two")
        self.gone = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1#there"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers.get("Authorization", "")))
        self.server.script(self)

    def begin(self, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

    def event(self, data: Any) -> None:
        self.wfile.write(b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n")
        self.wfile.flush()

    def stream(self, *texts: str, finish: str | None = "stop", choices: int = 1) -> None:
        self.begin()
        self.wfile.write(b": a comment\n\n")
        for text in texts:
            for number in range(choices):
                self.event({"choices": [{"index": number, "delta": {"content": text}, "finish_reason": None}]})
        if finish:
            for number in range(choices):
                self.event({"choices": [{"index": number, "delta": {}, "finish_reason": finish}]})
            self.event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2 * choices}})
            self.event(b"[DONE]")

    def refuse(self, status: int, message: str) -> None:
        self.begin(status)
        self.wfile.write(json.dumps({"error": {"message": message}}).encode())

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.gone.set()
    running.shutdown()
    running.server_close()


@pytest.fixture
def engine(server: Server) -> Iterator[RemoteEngine]:
    opened = RemoteEngine(server.address, slots=2, waiting=2)
    yield opened
    opened.close()


TALK = ({"role": "user", "content": "hi"},)


def test_it_is_an_engine_and_called_as_there(engine: RemoteEngine) -> None:
    assert isinstance(engine, Engine)
    assert (engine.info.name, engine.info.chats) == ("there", True)


def test_a_conversation_is_said_in_openais_words(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    engine = RemoteEngine(server.address, name="mine")
    server.script = lambda handler: handler.stream("one ", "two", choices=2)
    request = GenerateRequest(
        prompt=TALK,
        max_new_tokens=9,
        choices=2,
        stop_strings=("x",),
        sampling=Sampling(temperature=0.5, top_p=0.9, seed=7, presence_penalty=1.0, logit_bias=((3, -5.0),)),
        constraint=Constraint("json_schema", '{"type": "object"}'),
    )
    stream = engine.submit(request)
    assert [(token.choice, token.text) for token in stream if token.text] == [
        (0, "one "),
        (1, "one "),
        (0, "two"),
        (1, "two"),
    ]
    whole = stream.result(5)
    assert [choice.text for choice in whole.choices] == ["one two", "one two"]
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (5, 4)
    ((path, body, key),) = server.asked
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert body == {
        "model": "there",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "max_tokens": 9,
        "n": 2,
        "stop": ["x"],
        "presence_penalty": 1.0,
        "logit_bias": {"3": -5.0},
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
    }
    assert engine.stats().done == 1
    engine.close()


def test_a_key_of_its_own_stands_before_the_environments(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "theirs")
    engine = RemoteEngine(server.address, key="mine")
    engine.submit(GenerateRequest(prompt=TALK)).result(5)
    engine.close()
    assert server.asked[0][2] == "Bearer mine"


def test_a_text_goes_to_completions(engine: RemoteEngine, server: Server) -> None:
    def script(handler: Handler) -> None:
        handler.begin()
        handler.event({"choices": [{"index": 0, "text": "more", "finish_reason": "length"}]})
        handler.event(b"[DONE]")

    server.script = script
    whole = engine.submit(GenerateRequest(prompt="once")).result(5)
    assert (whole.text, whole.choices[0].finish) == ("more", "length")
    assert server.asked[0][0] == "/v1/completions"


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"prompt": (1, 2)}, "prompt"),
        ({"logprobs": 1}, "logprobs"),
        ({"adapter": "a"}, "adapter"),
        ({"tools": ({"type": "function"},)}, "tools"),
        ({"stop_tokens": frozenset({1})}, "stop_tokens"),
        ({"sampling": Sampling(top_k=3)}, "top_k"),
        ({"sampling": Sampling(repetition_penalty=1.5)}, "repetition_penalty"),
        ({"constraint": Constraint("regex", "a")}, "constraint"),
    ],
)
def test_what_has_no_words_there_is_refused_and_not_left_out(
    engine: RemoteEngine, server: Server, more: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(RequestError, match=f"{parameter} cannot be said") as caught:
        engine.submit(GenerateRequest(**({"prompt": "x"} | more)))
    assert caught.value.parameter == parameter
    assert not server.asked


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (lambda handler: handler.refuse(400, "no such parameter"), RequestError, "no such parameter"),
        (lambda handler: handler.refuse(429, "full"), BusyError, "full"),
        (lambda handler: handler.refuse(500, "oh"), UnfinishedError, "status 500: oh"),
        (lambda handler: handler.stream("one", finish=None), UnfinishedError, "broke off"),
        (lambda handler: (handler.begin(), handler.event(b"{no json")), OfflineError, "JSONDecodeError"),
        (
            lambda handler: (handler.begin(), handler.event({"error": {"message": "x"}})),
            UnfinishedError,
            "failed in the",
        ),
        (lambda handler: (handler.begin(), handler.event(b"x" * 2**21)), OfflineError, "an event of more than"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), OfflineError, "BadStatusLine"),
    ],
)
def test_a_server_that_fails(
    engine: RemoteEngine, server: Server, script: Any, kind: type[Exception], words: str
) -> None:
    server.script = script
    with pytest.raises(kind) as caught:
        engine.submit(GenerateRequest(prompt="x")).result(10)
    assert words in str(caught.value)
    server.script = lambda handler: handler.stream("fine")
    assert engine.submit(GenerateRequest(prompt="x")).result(10).text == "fine"
    assert (engine.stats().failed, engine.stats().done, engine.stats().running) == (1, 1, 0)


def test_no_server_at_all() -> None:
    engine = RemoteEngine("http://127.0.0.1:9/v1#none")
    with pytest.raises(OfflineError, match="cannot be reached") as caught:
        engine.submit(GenerateRequest(prompt="x")).result(10)
    assert "http://127.0.0.1:9/v1" in str(caught.value)
    engine.close()


def slow(handler: Handler) -> None:
    """One piece, and then nothing until the client has gone."""
    handler.begin()
    handler.event({"choices": [{"index": 0, "delta": {"content": "first"}, "finish_reason": None}]})
    handler.server.gone.wait(10)


def test_cancelled_the_connection_is_closed(engine: RemoteEngine, server: Server) -> None:
    server.script = slow
    stream = engine.submit(GenerateRequest(prompt=TALK))
    assert next(iter(stream)).text == "first"
    stream.cancel()
    with pytest.raises(CancelledError):
        stream.result(5)
    assert engine.stats().cancelled == 1


def test_its_time_is_up(engine: RemoteEngine, server: Server) -> None:
    server.script = slow
    with pytest.raises(DeadlineError, match="time is up"):
        engine.submit(GenerateRequest(prompt=TALK), timeout=0.2).result(5)


def test_full_drained_and_closed(engine: RemoteEngine, server: Server) -> None:
    server.script = slow
    streams = [engine.submit(GenerateRequest(prompt=TALK)) for _ in range(2)]
    end = time.monotonic() + 5
    while engine.stats().running < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    streams += [engine.submit(GenerateRequest(prompt=TALK)) for _ in range(2)]
    with pytest.raises(BusyError, match="has too much to do"):
        engine.submit(GenerateRequest(prompt=TALK))
    assert not engine.drain(0.05)
    with pytest.raises(DrainingError):
        engine.submit(GenerateRequest(prompt=TALK))
    engine.close()
    for stream in streams:
        with pytest.raises(CancelledError):
            stream.result(5)


@pytest.mark.parametrize(
    "address", ["there", "http://host/v1", "ftp://host/v1#m", "http://user:word@host/v1#m", "http://host/v1?key=1#m"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ModelError, match="not the address of a model") as caught:
        RemoteEngine(address)
    assert KEY_VARIABLE in str(caught.value)


def test_what_only_the_other_server_knows(engine: RemoteEngine) -> None:
    for call in (
        lambda: engine.tokenize("x"),
        lambda: engine.detokenize([1]),
        lambda: engine.load_adapter("a", __file__),  # type: ignore[arg-type]
        lambda: engine.unload_adapter("a"),
    ):
        with pytest.raises(RequestError, match="answered by another server"):
            call()
    with pytest.raises(RequestError, match="does not answer such requests"):
        engine.submit(PredictRequest(rows=("x",)))
