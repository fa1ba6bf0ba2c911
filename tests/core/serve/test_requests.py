# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What every request goes through: ids, bodies, clients that go, the log, the figures, and those who watch."""

import asyncio
import io
import json
import logging
import re
import time

import pytest
from conftest import client_of, settled
from echo import SECRET, Echo
from test_chat import chat, error

from tunesmith.serve import Application, Limits, RequestServed
from tunesmith.serve.logs import LOGGER, JsonLines

PATH = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}


# ---- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{", "line 1"),
        (b'{"model": "a", "model": "b"}', "twice"),
        (b'{"temperature": NaN}', "NaN"),
        (b"[" * 100, "line 1"),
        (b"[" * 70 + b"]" * 70, "64 deep"),
        (b'{"model": "\xff"}', "UTF-8"),
        (b'{"model": "\\ud800"}', "surrogate"),
    ],
)
def test_a_body_that_is_no_json(ask, engine, content, word):
    assert error(ask(PATH, content=content, headers=JSON), 400, None, word)["code"] == "invalid_json"
    assert engine.asked == []


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"null", b"1", b""])
def test_json_that_is_no_object(ask, content):
    error(ask(PATH, content=content, headers=JSON), 400, None, "the body")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken(ask, kind):
    content = json.dumps(chat()).encode()
    error(ask(PATH, content=content, headers={"Content-Type": kind}), 415, None, "application/json")


def test_a_compressed_body_is_not_opened(ask):
    error(ask(PATH, content=b"x", headers=JSON | {"Content-Encoding": "gzip"}), 415, None, "uncompressed")


def test_a_body_is_bounded_with_and_without_a_length(engine):
    app = Application({"echo": engine}, limits=Limits(body_bytes=100))

    async def pieces():
        for _ in range(5):
            yield b" " * 50

    async def go():
        async with client_of(app) as client:
            return [
                await client.post(PATH, content=b" " * 101, headers=JSON),
                await client.post(PATH, content=pieces(), headers=JSON),
            ]

    for response in asyncio.run(go()):
        assert error(response, 413, None, "at most 100")["code"] == "body_too_large"


# ---- clients that go, and answers that take too long -------------------------------------------


def call(app, path=PATH, body=None, gone=None, receive_delay=None):
    """The application as a server calls it; the client goes when ``gone`` says so. Gives what was sent."""
    content = json.dumps(body).encode()
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("localhost", 80), "client": ("a", 1),
    }  # fmt: skip
    sent = []
    first = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive():
        if receive_delay:
            await asyncio.sleep(receive_delay)
        if first:
            return first.pop()
        while not (gone and gone(sent)):
            await asyncio.sleep(0.002)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))
    return sent


@pytest.mark.parametrize("text", ["/hold 0", "/hold 2"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_cancels(app, engine, text, stream):
    def gone(sent):
        return engine.stats().running and (not stream or text == "/hold 0" or len(sent) > 1)

    sent = call(app, body=chat(text, stream=stream), gone=gone)
    assert stream or not sent
    stats = settled(engine)
    assert (stats.cancelled, stats.done, stats.slots_used) == (1, 0, 0)
    assert app.in_flight == 0


def test_a_client_that_goes_while_the_engine_reads_the_prompt(engine):
    """Submitting takes a while; the stream that comes back too late is cancelled as well."""
    import threading

    submit, began = engine.submit, threading.Event()

    def slow(request, *, timeout=None):
        began.set()
        threading.Event().wait(0.1)
        return submit(request, timeout=timeout)

    engine.submit = slow
    call(Application({"echo": engine}), body=chat("/hold 0"), gone=lambda sent: began.is_set())
    threading.Event().wait(0.2)
    assert settled(engine).cancelled == 1


def test_a_body_that_does_not_come_is_408(engine):
    app = Application({"echo": engine}, limits=Limits(body_seconds=0.02))
    sent = call(app, body=chat(), receive_delay=5)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_has_its_time(ask, engine, stream):
    app = Application({"echo": engine}, limits=Limits(request_seconds=0.1))
    assert error(ask(PATH, chat("/hold 0", stream=stream), of=app), 504)["code"] == "deadline_exceeded"
    assert settled(engine).running == 0


def test_an_engine_that_does_not_keep_the_time_is_left(ask, engine, monkeypatch):
    monkeypatch.setattr("tunesmith.serve.intake._GRACE", 0.05)
    submit = engine.submit
    engine.submit = lambda request, *, timeout=None: submit(request)
    app = Application({"echo": engine}, limits=Limits(request_seconds=0.05))
    error(ask(PATH, chat("/hold 0"), of=app), 504, None, "0.05 seconds")
    assert settled(engine).cancelled == 1


def test_a_silent_stream_is_kept_alive(ask, engine, monkeypatch):
    monkeypatch.setattr("tunesmith.serve.sse.PING_SECONDS", 0.05)
    import threading

    threading.Timer(0.2, engine.gate.set).start()
    text = ask(PATH, chat("/hold 0", stream=True)).text
    assert text.startswith(": waiting\n\n")
    assert text.endswith("data: [DONE]\n\n")


def test_so_many_at_once_and_no_more(engine):
    app = Application({"echo": engine}, limits=Limits(requests=2))

    async def go():
        async with client_of(app) as client:
            held = [asyncio.ensure_future(client.post(PATH, json=chat("/hold 0"))) for _ in range(2)]
            while app.in_flight < 2:
                await asyncio.sleep(0.005)
            refused = await client.post(PATH, json=chat())
            looked = await client.get("/health/live")
            engine.gate.set()
            return refused, looked, await asyncio.gather(*held)

    refused, looked, held = asyncio.run(go())
    assert error(refused, 429)["code"] == "busy"
    assert refused.headers["retry-after"] == "1"
    assert looked.status_code == 200
    assert [response.status_code for response in held] == [200, 200]
    assert app.in_flight == 0


def test_draining(ask, app):
    assert ask("/health/ready").json() == {"status": "ready"}
    app.drain()
    response = ask("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "draining"})
    assert ask("/health/live").json() == {"status": "live"}
    assert error(ask(PATH, chat()), 503)["code"] == "draining"
    assert ask("/v1/models").status_code == 200


# ---- ids, log, figures, observers --------------------------------------------------------------


def test_every_answer_has_an_id(ask):
    first, second = (ask("/health/live").headers["x-request-id"] for _ in range(2))
    assert re.fullmatch(r"req-[0-9a-f]{24}", first)
    assert first != second
    assert ask("/nothing", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    for wrong in ("a b", "a" * 65, "x\ty", ""):
        assert ask("/health/live", headers={"X-Request-Id": wrong}).headers["x-request-id"].startswith("req-")


def test_answers_are_not_guessed_at_and_not_kept(ask):
    headers = ask("/v1/models").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.fixture
def log(monkeypatch):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    monkeypatch.setattr(LOGGER, "handlers", [handler])
    monkeypatch.setattr(LOGGER, "propagate", False)
    LOGGER.setLevel(logging.INFO)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_for_every_request_and_nothing_of_its_text(ask, log):
    ask(PATH, chat("a-secret-prompt", user="a-secret-user"), headers={"X-Request-Id": "mine"})
    (line,) = log()
    assert {name: line[name] for name in ("event", "id", "method", "route", "status", "model")} == {
        "event": "request", "id": "mine", "method": "POST", "route": PATH, "status": 200, "model": "echo",
    }  # fmt: skip
    assert (line["prompt_tokens"], line["cached_tokens"], line["completion_tokens"]) == (11, 4, 1)
    assert "secret" not in json.dumps(line)


def test_a_client_cannot_write_lines(ask, log):
    ask(PATH, chat() | {"model": 'x\n{"event": "forged"}\x1b[2J'})
    ask("/v1/models/%1b[2J%22,%22event%22:%22forged")
    assert [line["event"] for line in log()] == ["request", "request"]
    assert [line["route"] for line in log()] == [PATH, "/v1/models/{name:path}"]


def test_a_failure_is_logged_with_its_place_and_without_its_words(ask, log):
    response = ask(PATH, chat("/fail 0"))
    failure, request = log()
    assert (failure["event"], failure["error"], failure["id"]) == ("failure", "RuntimeError", request["id"])
    assert request["id"] in response.json()["error"]["message"]
    assert "echo.py" in failure["places"][-1]
    assert SECRET not in json.dumps(failure)


def test_observers_are_told_and_one_that_fails_is_dropped(engine, ask, log):
    told: list[RequestServed] = []

    def failing(served):
        raise RuntimeError("mine")

    app = Application({"echo": engine}, observers=[failing, told.append])
    for _ in range(2):
        assert ask(PATH, chat(), of=app).status_code == 200
    assert [(each.route, each.status, each.model, each.completion_tokens) for each in told] == [
        (PATH, 200, "echo", 2)
    ] * 2
    assert [line["event"] for line in log() if line["event"] != "request"] == [
        "an observer failed and is asked no more"
    ]


def test_a_client_that_went_is_499(app, engine, log):
    call(app, body=chat("/hold 0"), gone=lambda sent: engine.stats().running)
    assert [line["status"] for line in log()] == [499]


def test_figures(ask, app, engine):
    ask(PATH, chat("a b c", stream=True))
    ask(PATH, chat("/busy"))
    ask("/nothing")
    text = ask("/metrics").text
    for line in (
        f'tunesmith_http_requests_total{{route="{PATH}",status="200"}} 1.0',
        f'tunesmith_http_requests_total{{route="{PATH}",status="429"}} 1.0',
        'tunesmith_http_requests_total{route="(none)",status="404"} 1.0',
        'tunesmith_time_to_first_token_seconds_count{model="echo"} 1.0',
        'tunesmith_time_between_tokens_seconds_count{model="echo"} 2.0',
        'tunesmith_engine_slots{model="echo"} 4.0',
        'tunesmith_engine_cache_tokens{model="echo"} 4000.0',
        'tunesmith_engine_cache_tokens_used{model="echo"} 0.0',
        'tunesmith_engine_waiting{model="echo"} 0.0',
        'tunesmith_engine_completion_tokens_total{model="echo"} 3.0',
        'tunesmith_engine_requests_total{model="echo",outcome="done"} 1.0',
        "tunesmith_http_requests_in_flight 0.0",
    ):
        assert line in text, line


def test_two_applications_have_figures_of_their_own(ask, app):
    ask(PATH, chat())
    assert 'status="200"' not in ask("/metrics", of=Application({"other": Echo()})).text


def test_the_api_describes_itself(ask):
    told = ask("/openapi.json").json()
    chat_body = told["components"]["schemas"]["ChatBody"]
    assert chat_body["additionalProperties"] is False
    assert chat_body["properties"]["store"]["enum"] == [False, None]
    operation = told["paths"][PATH]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("ChatBody")
    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("ChatAnswer")
    assert operation["responses"]["400"]["content"]["application/json"]["schema"]["$ref"].endswith("ErrorAnswer")
    for path in ("/docs", "/redoc"):
        assert ask(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, {"messages": [1] * 2048}),
        (PATH, {"messages": [{"role": "user", "content": [1] * 2048}]}),
        (PATH, {"messages": [1] * 300_000}),
        (PATH, {"messages": chat()["messages"], "stop": [1] * 300_000}),
        (PATH, {"messages": chat()["messages"], "tools": [{}] * 300_000}),
        (PATH, {f"name{number}": 1 for number in range(100_000)}),
        (PATH, {"messages": chat()["messages"], "logit_bias": {str(number): 1000 for number in range(4000)}}),
        ("/v1/completions", {"prompt": [-1] * 260_000}),
        ("/v1/completions", {"prompt": [[]] * 2048}),
        ("/v1/completions", {"prompt": [1] * 300_000}),
        ("/v1/responses", {"input": [{}] * 300_000}),
        ("/v1/classify", {"input": [1] * 2048}),
        ("/v1/rerank", {"query": "q", "documents": [1] * 300_000}),
        ("/detokenize", {"tokens": [-1] * 262_144}),
    ],
    ids=lambda value: value if isinstance(value, str) else ", ".join(list(value)[:2]),
)
def test_a_thousand_mistakes_cost_no_more_than_one(ask, engine, path, body):
    """Processor time, which other work does not touch. A complaint for each would take minutes and gigabytes."""
    start = time.process_time()
    response = ask(path, {"model": "echo"} | body)
    assert response.status_code in (400, 422)
    assert len(response.text) < 1000
    assert time.process_time() - start < 3
    assert engine.asked == []


def test_token_ids_are_bounded_and_many_are_taken(ask):
    assert ask("/detokenize", {"model": "echo", "tokens": [97] * 262_144}).status_code == 200
    told = error(ask("/detokenize", {"model": "echo", "tokens": [97] * 262_145}), 422, "tokens", "at most 262,144")
    assert told["code"] == "limit_exceeded"
    assert ask("/v1/embeddings", {"model": "echo", "input": [7] * 5000}).status_code == 200
    error(ask("/v1/embeddings", {"model": "echo", "input": [[7] * 200_000] * 2}), 422, "input", "at most 262,144")


def test_the_bodies_under_way_are_bounded_together(engine):
    app = Application({"echo": engine}, limits=Limits(bodies_bytes=5000))

    async def go():
        async with client_of(app) as client:
            first = chat("/hold 0")
            first["messages"].insert(0, {"role": "system", "content": "x" * 3000})
            held = asyncio.ensure_future(client.post(PATH, json=first))
            while not engine.stats().running:
                await asyncio.sleep(0.005)
            refused = await client.post(PATH, json=chat() | {"x": "y" * 4000})
            small = await client.post(PATH, json=chat("small"))
            engine.gate.set()
            large = await held and await client.post(PATH, json=chat() | {"x": "y" * 9000})
            return refused, small, large

    refused, small, large = asyncio.run(go())
    assert error(refused, 429, None, "bodies under way")["code"] == "busy"
    assert small.status_code == 200
    error(large, 400, "x", "unknown parameter")  # one is always taken, however large
