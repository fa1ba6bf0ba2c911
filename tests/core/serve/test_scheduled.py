# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Classes of requests over HTTP: who may name which, what the engine is told, and a scheduler's figures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from echo import Echo

from tunesmith.engine import Measure, Origin, Scheduler, Times
from tunesmith.engine.requests import OWN
from tunesmith.errors import BusyError, DeadlineError, DeniedError
from tunesmith.serve import Application, server
from tunesmith.serve.keys import Caller
from tunesmith.serve.problems import HttpError, http_error
from tunesmith.serve.scheduled import origin_of

Ask = Callable[..., Any]
CHAT = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "echo", "prompt": "hello"},
    "/v1/responses": {"model": "echo", "input": "hello"},
    "/v1/embeddings": {"model": "echo", "input": "hello"},
    "/v1/classify": {"model": "echo", "input": "hello"},
    "/v1/score": {"model": "echo", "text_1": "hello", "text_2": "you"},
    "/v1/rerank": {"model": "echo", "query": "hello", "documents": ["you"]},
}


class Two(Scheduler):
    """Two classes, and a figure of each kind."""

    classes = ("interactive", "batch")
    fails = False

    def measures(self) -> Sequence[Measure]:
        if self.fails:
            raise ZeroDivisionError("secret words")
        times = Times((0.1, 1.0))
        times.add(0.5)
        return [
            Measure(name="waiting", text="That wait", labels=("class",), values={("interactive",): 2, ("batch",): 5}),
            Measure(name="refusals", text="Refused", kind="counter", labels=("reason",), values={("quota",): 3}),
            Measure(
                name="wait_seconds", text="Waited", kind="histogram", labels=("class",), values={("batch",): times}
            ),
        ]


@pytest.fixture
def scheduled(engine: Echo) -> Application:
    return Application({"echo": engine}, scheduler=Two())


@pytest.mark.parametrize("path", BODIES)
def test_every_route_tells_the_engine_the_class_that_was_named(
    scheduled: Application, engine: Echo, ask: Ask, path: str
) -> None:
    assert ask(path, BODIES[path] | {"service_tier": "batch"}, of=scheduled).status_code == 200
    assert ask(path, BODIES[path] | {"service_tier": "auto"}, of=scheduled).status_code == 200
    assert ask(path, BODIES[path], of=scheduled).status_code == 200
    assert [asked.origin for asked in engine.asked] == [Origin("", "batch"), Origin(), Origin()]


def test_a_class_that_there_is_not_is_refused_with_those_that_there_are(scheduled: Application, ask: Ask) -> None:
    answer = ask("/v1/chat/completions", CHAT | {"service_tier": "flex"}, of=scheduled)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, "service_tier", "invalid_value")
    assert error["message"] == ("no such class of requests; given: flex; expected: interactive, batch, auto, default")


@pytest.mark.parametrize("path", BODIES)
def test_without_a_scheduler_there_is_one_service(ask: Ask, engine: Echo, path: str) -> None:
    answer = ask(path, BODIES[path] | {"service_tier": "flex"})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, "service_tier", "unsupported_parameter")
    assert error["message"] == "service_tier is not supported here: there is one service"
    assert ask(path, BODIES[path] | {"service_tier": "default"}).status_code == 200
    assert [asked.origin for asked in engine.asked] == [Origin()]


def test_who_may_use_which_class() -> None:
    classes = ("interactive", "batch")
    free = Caller("ada", "use", tenant="acme")
    bound = Caller("bob", "use", tenant="acme", classes=("batch", "gone"))
    stranger = Caller("eve", "use", tenant="acme", classes=("gone",))
    assert origin_of(free, None, classes) == Origin("acme", "")
    assert origin_of(free, "interactive", classes) == Origin("acme", "interactive")
    assert origin_of(bound, None, classes) == Origin("acme", "batch")
    assert origin_of(bound, "auto", classes) == Origin("acme", "batch")
    assert origin_of(bound, "batch", classes) == Origin("acme", "batch")
    assert origin_of(bound, None, ()) == Origin("acme", "")
    assert origin_of(None, "default", (*classes, "default")) == Origin("", "default")  # a class of that name
    for caller, wanted in ((bound, "interactive"), (stranger, None)):
        with pytest.raises(HttpError) as caught:
            origin_of(caller, wanted, classes)
        assert (caught.value.status_code, caught.value.told.code) == (403, "class_not_allowed")
    assert "given: interactive; you may use: batch" in str(http_error(_error(bound, "interactive", classes)).told)


def test_no_caller_is_taken_for_the_server_itself() -> None:
    for classes in ((), ("interactive",)):
        with pytest.raises(HttpError) as caught:
            origin_of(Caller("eve", "use", tenant=OWN.tenant), None, classes)
        assert (caught.value.status_code, caught.value.told.code) == (403, "tenant_not_allowed")


def _error(caller: Caller, wanted: str, classes: Sequence[str]) -> HttpError:
    with pytest.raises(HttpError) as caught:
        origin_of(caller, wanted, classes)
    return caught.value


def test_its_figures_are_among_the_servers(scheduled: Application, ask: Ask) -> None:
    lines = ask("/metrics", of=scheduled).text.splitlines()
    for line in (
        'tunesmith_scheduler_waiting{class="interactive"} 2.0',
        'tunesmith_scheduler_refusals_total{reason="quota"} 3.0',
        'tunesmith_scheduler_wait_seconds_bucket{class="batch",le="0.1"} 0.0',
        'tunesmith_scheduler_wait_seconds_bucket{class="batch",le="1.0"} 1.0',
        'tunesmith_scheduler_wait_seconds_count{class="batch"} 1.0',
        'tunesmith_scheduler_wait_seconds_sum{class="batch"} 0.5',
    ):
        assert line in lines


def test_figures_that_fail_are_left_out_and_logged_once(
    engine: Echo, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = Two()
    scheduler.fails = True
    app = Application({"echo": engine}, scheduler=scheduler)
    logging.getLogger("tunesmith.serve").propagate = True
    with caplog.at_level(logging.ERROR):
        texts = [ask("/metrics", of=app).text for _ in range(2)]
    assert all("tunesmith_engine_waiting" in text and "scheduler" not in text for text in texts)
    assert sum("the scheduler has no figures" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DeniedError("this tenant is not known here", given="eve", fix="ask the owner"), 403, "denied"),
        (BusyError("the tenant's tokens are used up", retry_after=41.2), 429, "busy"),
        (DeadlineError("it could not be answered in time", given="9 s of waiting"), 504, "deadline_exceeded"),
    ],
)
def test_what_a_queue_refuses_has_its_status(
    engine: Echo, ask: Ask, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(engine, "submit", refuse)
    answer = ask("/v1/chat/completions", CHAT, of=Application({"echo": engine}, scheduler=Two()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == ("42" if status == 429 else None)
    assert getattr(error, "what", "") in answer.json()["error"]["message"]


def test_a_scheduler_is_closed_behind_the_engines_when_the_server_has_ended(
    monkeypatch: pytest.MonkeyPatch, engine: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[str] = []

    class Keeping(Two):
        def close(self) -> None:
            closed.append("scheduler")
            raise OSError("no room")

    monkeypatch.setattr(engine, "close", lambda: closed.append("engine"))
    monkeypatch.setattr(server.Server, "run", lambda self, sockets: None)
    server.serve({"echo": engine}, port=0, scheduler=Keeping())
    assert closed == ["engine", "scheduler"]
    assert "the scheduler could not be closed" in capsys.readouterr().err
