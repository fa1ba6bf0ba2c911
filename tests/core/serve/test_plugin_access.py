# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A plugin says who may ask: what it is told, what its answers open, and that its mistakes open nothing."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi import Request
from fastapi.responses import JSONResponse, Response

import tunesmith
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import DeniedError, NotFoundError, PluginError, RequestError
from tunesmith.plugin import AccessSpec, Deny, RequestServed, RouteSpec, hookimpl
from tunesmith.registry import Registry
from tunesmith.serve import AccessError, AdapterSource, Application, Asked, Caller, Keys, serve
from tunesmith.serve.exchange import Exchange
from tunesmith.serve.models import Models
from tunesmith.serve.plugins import find_access
from tunesmith.serve.problems import HttpError
from tunesmith.serve.server import check_address
from tunesmith.serve.service import service_of

HERE = __name__
TOKEN = "a-token-that-nobody-sees"


class Badges:
    """Answers as its ``answers`` say, by token."""

    answers: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[Asked]] = []

    async def identify(self, asked: Asked) -> Caller:
        self.asked.append(asked)
        answer = self.answers.get(asked.token, AccessError("no badge that is known here", code="no_badge"))
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]


class Nothing:
    pass


def lacking() -> Any:
    raise RequestError("there is no list of badges", fix="make one")


def specs() -> list[AccessSpec]:
    targets = {"badge": "Badges", "nothing": "Nothing", "lacking": "lacking"}
    return [AccessSpec(name=name, summary="-", target=f"{HERE}:{target}") for name, target in targets.items()]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a process whose only plugin is this module."""
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])
    monkeypatch.setattr(Badges, "answers", {})
    monkeypatch.setattr(Badges, "asked", [])

    def used(**hooks: Any) -> None:
        all_hooks = {"tunesmith_access": specs, **hooks}
        plugin = SimpleNamespace(**{name: hookimpl(function) for name, function in all_hooks.items()})
        made = Host(
            [Candidate(name="demo", distribution="demo", version="1", target=HERE, load=lambda: plugin)], environ={}
        )
        monkeypatch.setattr(host, "_host", made)
        monkeypatch.setattr(tunesmith.registry, "_registry", Registry(made))

    used()
    return used


@pytest.fixture
def guarded(use: Any, engine: Any) -> Application:
    return Application({"echo": engine, "other": engine}, access=find_access("demo/badge"))


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


CHAT = {"model": "echo", "messages": [{"role": "user", "content": "a b"}]}


def test_it_is_told_the_head_of_a_request_and_shows_no_token(guarded: Any, ask: Any) -> None:
    Badges.answers = {TOKEN: Caller("ada", "use")}
    assert ask("/v1/models/echo", of=guarded, headers={**bearer(), "X-Team": "blue"}).status_code == 200
    ask("/admin/adapters", of=guarded, headers={"Authorization": f"Basic {TOKEN}"})
    ask("/no/such/path", of=guarded)
    first, second, third = Badges.asked
    assert (first.method, first.route, first.needs, first.token) == ("GET", "/v1/models/{name:path}", "use", TOKEN)
    assert first.headers["x-team"] == "blue"
    assert TOKEN not in repr(first)
    assert (second.route, second.needs, second.token) == ("/admin/adapters", "admin", "")
    assert (third.route, third.needs) == ("", "use")


def test_public_routes_are_open_without_asking_it(guarded: Any, ask: Any) -> None:
    for path in ("/", "/health/live", "/health/ready"):
        assert ask(path, of=guarded).status_code == 200
    assert Badges.asked == []


def test_a_scope_opens_what_it_opens_with_keys(guarded: Any, ask: Any) -> None:
    Badges.answers = {"ada": Caller("ada", "admin"), "bo": Caller("bo", "use")}
    assert ask("/admin/adapters", of=guarded, headers=bearer("ada")).status_code == 200
    refused = ask("/admin/adapters", of=guarded, headers=bearer("bo"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "admin_only")
    assert "--key-file" not in refused.text


@pytest.mark.parametrize(
    ("status", "kind", "header"),
    [
        (401, "authentication_error", "www-authenticate"),
        (403, "permission_error", ""),
        (429, "rate_limit_error", "retry-after"),
        (503, "server_error", "retry-after"),
    ],
)
def test_a_refusal_is_in_the_form_of_the_server(guarded: Any, ask: Any, status: Any, kind: str, header: str) -> None:
    error = AccessError(
        "your badge is worn", status=status, code="worn", retry_after=1.2 if status > 403 else None, fix="ask for one"
    )
    Badges.answers = {TOKEN: error}
    refused = ask("/v1/chat/completions", CHAT, of=guarded, headers=bearer())
    assert refused.status_code == status
    assert refused.json()["error"] == {
        "message": "your badge is worn; to do: ask for one",
        "type": kind,
        "param": None,
        "code": "worn",
    }
    assert [name for name in ("www-authenticate", "retry-after") if name in refused.headers] == [header] * bool(header)
    if status > 403:
        assert refused.headers["retry-after"] == "2"


def test_another_status_is_no_refusal() -> None:
    with pytest.raises(ValueError, match="401, 403, 429 or 503, given 200"):
        AccessError("come in", status=200)  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [RuntimeError(TOKEN), None, "ada", Caller("ada", "everything")])  # type: ignore[arg-type]
def test_a_mistake_of_it_lets_nobody_in(guarded: Any, ask: Any, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    Badges.answers = {TOKEN: answer}
    with caplog.at_level(logging.ERROR, "tunesmith.serve"):
        refused = ask("/v1/chat/completions", CHAT, of=guarded, headers=bearer())
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "internal_error")
    assert TOKEN not in refused.text + caplog.text
    Badges.answers = {TOKEN: Caller("ada", "use")}
    assert ask("/v1/models", of=guarded, headers=bearer()).status_code == 200


def test_who_may_ask_some_models_sees_and_asks_no_others(guarded: Any, ask: Any) -> None:
    Badges.answers = {TOKEN: Caller("ada", "use", models=("other",))}
    listed = ask("/v1/models", of=guarded, headers=bearer()).json()
    assert [one["id"] for one in listed["data"]] == ["other"]
    told = set()
    for path, body in (
        ("/v1/models/echo", None),
        ("/v1/models/none", None),
        ("/v1/chat/completions", CHAT),
        ("/tokenize", {"model": "echo", "prompt": "a"}),
        ("/detokenize", {"model": "echo", "tokens": [1]}),
    ):
        refused = ask(path, body, of=guarded, headers=bearer())
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed"), path
        told.add(refused.json()["error"]["message"].replace("none", "echo"))
    assert told == {"you may not ask this model; given: echo; you may ask: other"}
    assert ask("/v1/chat/completions", {**CHAT, "model": "other"}, of=guarded, headers=bearer()).status_code == 200


async def look(request: Request) -> Response:
    service, _ = service_of(request)
    known = [*service.models.engines, *service.models.names()]
    return JSONResponse({"known": known, "found": service.models.find(request.query_params["model"]).name})


def test_a_route_of_a_plugin_finds_the_models_that_its_caller_may_ask(use: Any, engine: Any, ask: Any) -> None:
    use(tunesmith_routes=lambda: [RouteSpec(name="look", summary="-", target=f"{HERE}:look", method="GET")])
    app = Application({"echo": engine, "other": engine}, access=find_access("badge"), routes=["look"])
    Badges.answers = {TOKEN: Caller("ada", "use", models=("other",)), "all": Caller("bo", "use")}
    refused = ask("/plugins/demo/look?model=echo", of=app, headers=bearer())
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    assert refused.json()["error"]["message"] == "no such model; given: echo; served here: other"
    found = ask("/plugins/demo/look?model=other", of=app, headers=bearer()).json()
    assert found == {"known": ["other", "other"], "found": "other"}
    assert ask("/plugins/demo/look?model=echo", of=app, headers=bearer("all")).json()["found"] == "echo"


def test_who_may_ask_one_adapter_loads_and_unloads_no_other(engine: Any, tmp_path: Path) -> None:
    whole = Models({"echo": engine}, [AdapterSource(name, tmp_path, "echo") for name in ("legal", "shop")])
    whole.load_all()
    some = whole.only(Caller("a", "admin", models=("echo:legal",)).may_ask)
    assert (some.names(), list(some.engines), some.find("legal").adapter) == (["echo:legal"], [], "legal")
    for change in (some.load, some.unload):
        with pytest.raises(HttpError, match=r"no such adapter; given: shop; listed .*: echo:legal$"):
            change("shop")
    some.unload("legal")
    assert whole.names() == ["echo", "echo:shop"]
    assert [loaded for _, loaded in some.adapters()] == [False]


def test_a_model_is_asked_with_all_its_adapters_or_with_one() -> None:
    assert Caller("a", "use", models=("chat",)).may_ask("chat", "legal")
    assert Caller("a", "use", models=("chat:legal",)).may_ask("chat", "legal")
    assert not Caller("a", "use", models=("chat:legal",)).may_ask("chat")
    assert Caller("a", "use").may_ask("chat", "legal")


def test_callers_of_one_name_and_two_tenants_share_no_prefixes() -> None:
    made = [Exchange("r", "POST", caller=Caller("ada", "use", tenant=tenant)) for tenant in ("", "red", "blue")]
    assert len({one.cache_salt for one in made}) == 3


def test_observers_and_figures_know_who_asked_and_for_whom(guarded: Any, ask: Any) -> None:
    told: list[RequestServed] = []
    guarded.observers.append(told.append)
    known = Caller("bo", "use", tenant="red")
    Badges.answers = {
        "ada": Caller("ada", "use", tenant="blue"),
        "bo": AccessError("not for you", status=403, caller=known),
    }
    ask("/v1/chat/completions", CHAT, of=guarded, headers=bearer("ada"))
    ask("/v1/models", of=guarded, headers=bearer("bo"))
    ask("/v1/models", of=guarded, headers=bearer())
    assert [(one.caller, one.tenant, one.status) for one in told] == [
        ("ada", "blue", 200),
        ("bo", "red", 403),
        ("", "", 401),
    ]
    figures = ask("/metrics", of=guarded, headers=bearer("ada")).text
    assert 'tunesmith_caller_requests_total{caller="ada",status="200",tenant="blue"} 1.0' in figures
    assert 'tunesmith_caller_requests_total{caller="bo",status="403",tenant="red"} 1.0' in figures
    tokens = told[0].prompt_tokens + told[0].completion_tokens
    assert f'tunesmith_caller_tokens_total{{caller="ada",tenant="blue"}} {tokens}.0' in figures
    assert TOKEN not in figures


def test_callers_without_end_share_a_row(guarded: Any, ask: Any) -> None:
    for number in range(1100):
        guarded.metrics.served(
            RequestServed(id="1", method="GET", route="/", status=200, seconds=0.1, caller=f"user {number}")
        )
    text = guarded.metrics.text().decode()
    assert text.count("tunesmith_caller_requests_total{") == 1001
    assert 'tunesmith_caller_requests_total{caller="(others)",status="200",tenant="(others)"} 100.0' in text


def test_without_an_access_nobody_is_counted_by_name(engine: Any, ask: Any) -> None:
    app = Application({"echo": engine}, keys=Keys.read(None, {"TUNESMITH_SERVE_KEY": TOKEN}))
    assert "tunesmith_caller" not in ask("/metrics", of=app, headers=bearer()).text


def test_keys_and_an_access_together_are_refused(use: Any, engine: Any) -> None:
    keys = Keys.read(None, {"TUNESMITH_SERVE_KEY": TOKEN})
    with pytest.raises(RequestError) as caught:
        Application({"echo": engine}, keys=keys, access=find_access("badge"))
    assert "keys or an access, and not both" in str(caught.value)
    assert "Keys(TUNESMITH_SERVE_KEY: use), and an access" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_an_access_that_is_not_there_or_cannot_be_used(use: Any) -> None:
    with pytest.raises(NotFoundError, match="no access of this name"):
        find_access("bagde")
    with pytest.raises(PluginError) as caught:
        find_access("nothing")
    assert "the access 'nothing' of the plugin 'demo' cannot be used" in str(caught.value)
    assert "async def identify(asked)" in str(caught.value)
    with pytest.raises(RequestError, match="there is no list of badges"):
        find_access("lacking")


def test_beyond_this_machine_an_access_does_for_a_key(use: Any) -> None:
    with pytest.raises(RequestError, match="needs a key"):
        check_address("0.0.0.0", Keys())
    assert check_address("0.0.0.0", Keys(), find_access("badge")) == "0.0.0.0"


@pytest.mark.parametrize(("access", "name"), [("badge", "demo/badge"), (Badges(), "Badges")])
def test_a_gate_is_told_which_access_there_is(use: Any, engine: Any, access: Any, name: str) -> None:
    asked: list[Any] = []

    def authorize(action: Any) -> Deny:
        asked.append(action)
        return Deny(reason="not on this machine")

    use(tunesmith_authorize=authorize)
    with pytest.raises(DeniedError, match="not on this machine"):
        serve({"echo": engine}, port=0, access=access)
    assert asked[0].details["access"] == name
    assert engine.closed
