# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Routes and observers of plugins."""

from __future__ import annotations

import logging
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

import tunesmith
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import DeniedError, NotFoundError, PluginError
from tunesmith.plugin import Deny, RequestEnding, RequestServed, RouteSpec, hookimpl
from tunesmith.registry import Registry
from tunesmith.serve import AdapterSource, Application, Keys, serve
from tunesmith.serve.plugins import Observing
from tunesmith.serve.schema import Body
from tunesmith.serve.service import service_of

HERE = __name__


class CountBody(Body):
    text: str


class CountAnswer(BaseModel):
    words: int


async def count(request: Request, body: CountBody) -> CountAnswer:
    return CountAnswer(words=len(body.text.split()))


async def names(request: Request) -> Response:
    service, exchange = service_of(request)
    return JSONResponse({"models": list(service.models.names()), "id": exchange.id})


async def broken(request: Request) -> Response:
    raise RuntimeError("secret words")


def not_async(request: Request) -> Response:
    return Response()


def routes() -> list[RouteSpec]:
    return [
        RouteSpec(name="count", summary="Counts words", target=f"{HERE}:count"),
        RouteSpec(name="names", summary="Who is here", target=f"{HERE}:names", method="GET", access="admin"),
        RouteSpec(name="broken", summary="-", target=f"{HERE}:broken", method="GET"),
        RouteSpec(name="not-async", summary="-", target=f"{HERE}:not_async"),
    ]


def demo(**hooks: Any) -> Host:
    plugin = SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})
    return Host(
        [Candidate(name="demo", distribution="demo", version="1", target=HERE, load=lambda: plugin)], environ={}
    )


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a process whose only plugin has these hooks."""
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])

    def used(**hooks: Any) -> None:
        made = demo(**hooks)
        monkeypatch.setattr(host, "_host", made)
        monkeypatch.setattr(tunesmith.registry, "_registry", Registry(made))

    return used


# ---- routes ----------------------------------------------------------------------------------------------------------


def test_a_route_is_served_where_it_was_named_and_nowhere_else(use: Any, engine: Any, ask: Any) -> None:
    use(tunesmith_routes=routes)
    app = Application({"echo": engine}, routes=["count", "demo/broken"])
    answered = ask("/plugins/demo/count", {"text": "a b c"}, of=app)
    assert (answered.status_code, answered.json()) == (200, {"words": 3})
    assert answered.headers["x-request-id"]
    assert ask("/plugins/demo/names", of=app).status_code == 404
    assert ask("/plugins/demo/count", {"text": "a"}, of=Application({"echo": engine})).status_code == 404


def test_a_route_goes_through_all_layers(use: Any, engine: Any, ask: Any) -> None:
    use(tunesmith_routes=routes)
    app = Application({"echo": engine}, routes=["count", "broken"])
    assert ask("/plugins/demo/count", {"text": "a", "more": 1}, of=app).status_code == 400
    assert (
        ask("/plugins/demo/count", content=b"{", headers={"content-type": "application/json"}, of=app).json()["error"][
            "code"
        ]
        == "invalid_json"
    )
    failed = ask("/plugins/demo/broken", of=app)
    assert failed.status_code == 500
    assert "secret" not in failed.text
    assert ask("/v1/models", of=app).status_code == 200
    operation = ask("/openapi.json", of=app).json()["paths"]["/plugins/demo/count"]["post"]
    assert operation["summary"] == "Counts words"


def test_who_may_use_a_route(use: Any, engine: Any, ask: Any) -> None:
    use(tunesmith_routes=routes)
    keys = Keys.read(None, {"TUNESMITH_SERVE_KEY": "k" * 32, "TUNESMITH_SERVE_ADMIN_KEY": "a" * 32})
    app = Application({"echo": engine}, routes=["count", "names"], keys=keys)
    for path, body in (("/plugins/demo/count", {"text": "a"}), ("/plugins/demo/names", None)):
        assert ask(path, body, of=app).status_code == 401
    use_key, admin = ({"Authorization": f"Bearer {letter * 32}"} for letter in "ka")
    assert ask("/plugins/demo/count", {"text": "a"}, of=app, headers=use_key).status_code == 200
    assert ask("/plugins/demo/names", of=app, headers=use_key).status_code == 403
    assert ask("/plugins/demo/names", of=app, headers=admin).json()["models"] == ["echo"]
    # Without any key nobody is an administrator.
    assert ask("/plugins/demo/names", of=Application({"echo": engine}, routes=["names"])).status_code == 403


def test_routes_that_are_not_there_or_cannot_be_used(use: Any, engine: Any) -> None:
    use(tunesmith_routes=routes)
    with pytest.raises(NotFoundError, match="no route of this name"):
        Application({"echo": engine}, routes=["coun"])
    with pytest.raises(PluginError) as caught:
        Application({"echo": engine}, routes=["not-async"])
    assert "the route 'not-async' of the plugin 'demo' cannot be used" in str(caught.value)
    assert "an async function, as FastAPI takes one" in str(caught.value)


# ---- observers -------------------------------------------------------------------------------------------------------


def test_plugins_are_told_of_requests_in_a_thread_of_their_own(use: Any, engine: Any, ask: Any) -> None:
    told: list[tuple[RequestServed, str]] = []
    use(tunesmith_request_served=lambda event: told.append((event, threading.current_thread().name)))
    app = Application({"echo": engine})
    assert ask("/v1/models", of=app).status_code == 200
    assert ask("/nothing", of=app).status_code == 404
    app.observers[0].join()  # type: ignore[attr-defined]
    assert [(event.route, event.status, thread) for event, thread in told] == [
        ("/v1/models", 200, "request-observers"),
        ("", 404, "request-observers"),
    ]


def test_without_an_observer_there_is_no_thread(use: Any, engine: Any, ask: Any) -> None:
    use()
    app = Application({"echo": engine})
    assert ask("/v1/models", of=app).status_code == 200
    assert app.observers == []


def test_an_observer_that_fails_is_logged_once_and_told_again(
    use: Any, engine: Any, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def failing(event: RequestServed) -> None:
        calls.append(1)
        raise SystemExit("mine")

    use(tunesmith_request_served=failing)
    app = Application({"echo": engine})
    with caplog.at_level(logging.ERROR, "tunesmith.plugins"):
        for _ in range(3):
            assert ask("/v1/models", of=app).status_code == 200
        app.observers[0].join()  # type: ignore[attr-defined]
    assert len(calls) == 3
    assert [record.message for record in caplog.records].count(
        "plugin 'demo' failed in tunesmith_request_served: SystemExit: mine; the job goes on, and this is not reported"
        " again"
    ) == 1


def test_an_observer_that_hangs_costs_no_answer_and_what_it_misses_is_counted() -> None:
    release, begun = threading.Event(), threading.Event()

    def slow(event: RequestServed) -> None:
        begun.set()
        release.wait(10)

    observing = Observing(demo(tunesmith_request_served=slow), room=2)
    served = RequestServed(id="1", method="GET", route="/", status=200, seconds=0.1)
    observing(served)
    assert begun.wait(5)
    for _ in range(5):
        observing(served)
    assert observing.dropped == 3
    release.set()
    observing.join()


# ---- the gate --------------------------------------------------------------------------------------------------------


def test_an_ending_request_is_told_once_before_its_last_byte_is_sent(use: Any, engine: Any, ask: Any) -> None:
    told: list[RequestEnding] = []
    sent: list[tuple[str, int]] = []
    use(tunesmith_request_ending=lambda event: told.append(event))
    app = Application({"echo": engine})

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def noted(message: Any) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body")
            sent.append(("last" if last else "before", len(told)))
            await send(message)

        await app(scope, receive, noted)

    body = {"model": "echo", "messages": [{"role": "user", "content": "one two"}]}
    for stream in (False, True):
        answer = ask("/v1/chat/completions", {**body, "stream": stream}, of=watched)
        assert answer.status_code == 200
    assert ask("/nothing", of=watched).status_code == 404
    assert [count for kind, count in sent if kind == "last"] == [1, 2, 3]
    assert {count for kind, count in sent if kind == "before"} == {0, 1, 2}
    assert [(event.route, event.status, event.model) for event in told] == [
        ("/v1/chat/completions", 200, "echo"),
        ("/v1/chat/completions", 200, "echo"),
        ("", 404, ""),
    ]
    assert [event.completion_tokens > 0 for event in told] == [True, True, False]


def test_what_fails_while_a_request_ends_costs_no_answer(
    use: Any, engine: Any, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(event: RequestEnding) -> None:
        raise RuntimeError("mine")

    use(tunesmith_request_ending=failing)
    app = Application({"echo": engine})
    assert [ask("/v1/models", of=app).status_code for _ in range(3)] == [200, 200, 200]
    assert len([one for one in caplog.records if "failed in tunesmith_request_ending" in one.getMessage()]) == 1


def test_a_server_that_ends_tells_observers_of_the_last_requests(use: Any, engine: Any, ask: Any) -> None:
    told: list[str] = []
    use(tunesmith_request_served=lambda event: time.sleep(0.05) or told.append(event.route))
    app = Application({"echo": engine})
    for _ in range(3):
        ask("/v1/models", of=app)
    app.finish()
    assert told == ["/v1/models"] * 3


def test_a_gate_may_refuse_to_serve_and_the_engines_are_closed(use: Any, engine: Any) -> None:
    asked: list[Any] = []

    def authorize(action: Any) -> Deny:
        asked.append(action)
        return Deny(reason="not on this machine")

    use(tunesmith_authorize=authorize)
    with pytest.raises(DeniedError, match="not on this machine"):
        serve({"echo": engine}, port=0)
    assert (asked[0].name, asked[0].subject) == ("serve", "echo")
    assert dict(asked[0].details) == {"host": "127.0.0.1", "port": 0, "models": ["echo"]}
    assert engine.closed


def test_gates_are_asked_for_each_adapter_before_it_is_loaded(use: Any, engine: Any, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def authorize(action: Any) -> Deny | None:
        asked.append((action.name, action.subject))
        return Deny(reason="not this one") if action.subject == str(tmp_path / "b") else None

    use(tunesmith_authorize=authorize)
    adapters = [AdapterSource(name, tmp_path / name, "echo") for name in ("a", "b", "c")]
    with pytest.raises(DeniedError, match="not this one"):
        serve({"echo": engine}, adapters=adapters, port=0)
    assert asked == [("serve", "echo"), *(("open", str(tmp_path / name)) for name in ("a", "b"))]
    assert engine.closed
