# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Priority in a real engine and a real server, in memory."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from licensed import Machine

pytest.importorskip("fastapi", reason="needs the extra serve")

from tunesmith.engine import Engine, GenerateRequest, Origin, Sampling, Stream, open_engine
from tunesmith.errors import BusyError, DeadlineError, DeniedError
from tunesmith.serve import Application
from tunesmith.serve.callers import Asked
from tunesmith.serve.keys import Caller
from tunesmith.testing import tiny_llama
from tunesmith_cli.main import main
from tunesmith_enterprise.priority.plan import read_plan
from tunesmith_enterprise.priority.scheduler import Ordering

httpx = pytest.importorskip("httpx2", reason="needs the extra test")

PLAN: dict[str, Any] = {
    "classes": {"interactive": {"rank": 0, "may_preempt": True}, "batch": {"rank": 1}},
    "tenants": {"acme": {}, "bolt": {"tokens_per_day": 600, "classes": ["batch"]}},
    "others": "refuse",
}
SAMPLING = Sampling(seed=3, temperature=1.2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def ordering() -> Ordering:
    return Ordering(read_plan(PLAN))


@pytest.fixture
def engine(folder: Path, ordering: Ordering) -> Iterator[Engine]:
    opened = open_engine(folder, name="tiny", slots=2, waiting=400, scheduler=ordering)
    yield opened
    opened.close()


def ask(number: int, name: str, count: int = 60, tenant: str = "acme") -> GenerateRequest:
    return GenerateRequest(
        prompt=tuple((number + 3 * n) % 90 for n in range(9)), max_new_tokens=count, sampling=SAMPLING,
        stop_tokens=frozenset(), origin=Origin(tenant, name),
    )  # fmt: skip


def ids(stream: Stream) -> list[int]:
    return [token.id for token in stream.result(60).choices[0].tokens]


def figure(ordering: Ordering, name: str) -> dict[tuple[str, ...], Any]:
    return dict(next(one for one in ordering.measures() if one.name == name).values)


def until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.002)


def test_the_first_class_takes_a_place_at_once_and_what_gave_way_says_the_same(
    folder: Path, engine: Engine, ordering: Ordering
) -> None:
    plain = open_engine(folder)
    expected = [ids(plain.submit(ask(number, ""))) for number in range(7)]
    plain.close()
    batch = [engine.submit(ask(number, "batch")) for number in range(5)]
    until(lambda: engine.stats().running == 2)
    ended: list[str] = []
    first = [engine.submit(ask(number, "interactive")) for number in (5, 6)]
    threads = [
        threading.Thread(target=lambda s=stream, n=name: (s.result(60), ended.append(n)))
        for name, streams in (("batch", batch), ("first", first))
        for stream in streams
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended[:2] == ["first", "first"]
    assert [ids(stream) for stream in (*batch, *first)] == expected
    assert figure(ordering, "preemptions") == {("tiny", "interactive"): 0, ("tiny", "batch"): 2}
    assert figure(ordering, "tokens") == {("tiny", "acme", "batch"): 5 * 69, ("tiny", "acme", "interactive"): 2 * 69}
    assert all(count == 0 for count in figure(ordering, "waiting").values())
    assert all(count == 0 for count in figure(ordering, "running").values())


def test_many_threads_at_once_never_use_more_than_the_quota(engine: Engine, ordering: Ordering) -> None:
    streams: list[Stream] = []
    refused: list[BusyError] = []
    together = threading.Barrier(12)

    def submit(number: int) -> None:
        together.wait()
        for _ in range(4):
            try:
                streams.append(engine.submit(ask(number, "batch", 41, "bolt")))
            except BusyError as error:
                refused.append(error)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(streams) == 12  # of 50 tokens each: 600
    assert len(refused) == 36
    assert all(7000 < error.retry_after <= 7200 for error in refused)  # a twelfth of a day
    for stream in streams:
        stream.result(60)
    assert figure(ordering, "tokens") == {("tiny", "bolt", "batch"): 600}


def test_a_cancelled_request_gives_its_tokens_back(engine: Engine, ordering: Ordering) -> None:
    streams = [engine.submit(ask(number, "batch", 70, "bolt")) for number in range(4)]
    assert figure(ordering, "quota_tokens_left")["bolt",] < 300
    for stream in streams:
        stream.cancel()
    assert engine.drain(20)
    assert figure(ordering, "quota_tokens_left")["bolt",] > 450


def test_whose_time_is_up_is_told_so_while_it_waits_and_while_it_is_under_way(folder: Path) -> None:
    ordering = Ordering(read_plan({"classes": {"hurried": {"deadline_seconds": 0.05}, "slow": {"rank": 1}}}))
    engine = open_engine(folder, slots=1, scheduler=ordering)
    try:
        streams = [engine.submit(ask(number, "hurried", 119)) for number in range(12)]
        errors = []
        for stream in streams:
            try:
                assert len(ids(stream)) == 119
            except DeadlineError as error:
                errors.append(error)
        assert errors
        assert all("time is up" in error.what for error in errors)
        assert figure(ordering, "deadlines_missed")[engine.info.name, "hurried"] == len(errors)
    finally:
        engine.close()


# ---- over HTTP -------------------------------------------------------------------------------------------------------


class Badges:
    """Who asks is what the token says."""

    async def identify(self, asked: Asked) -> Caller:
        return Caller(asked.token, "use", tenant=asked.token)


def answers(app: Application, *asked: tuple[str, dict[str, Any]]) -> tuple[list[Any], str]:
    """Of requests at once, each of a tenant; and `/metrics` behind them."""

    async def go() -> tuple[list[Any], str]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            sent = [
                client.post(
                    "/v1/completions",
                    json={"model": "tiny", "prompt": "ab", "max_tokens": 5} | body,
                    headers={"Authorization": f"Bearer {tenant}"},
                )
                for tenant, body in asked
            ]
            found = list(await asyncio.gather(*sent))
            return found, (await client.get("/metrics", headers={"Authorization": "Bearer acme"})).text

    return asyncio.run(go())


def test_over_http_tenants_and_classes_are_told_apart_and_shown(engine: Engine, ordering: Ordering) -> None:
    app = Application({"tiny": engine}, access=Badges(), scheduler=ordering)
    found, figures = answers(
        app,
        ("acme", {"service_tier": "interactive"}),
        ("acme", {"service_tier": "batch"}),
        ("acme", {}),
        ("bolt", {}),
        ("bolt", {"service_tier": "interactive"}),
        ("eve", {}),
        ("acme", {"service_tier": "gold"}),
        ("bolt", {"max_tokens": 100, "n": 7}),
    )
    assert [answer.status_code for answer in found] == [200, 200, 200, 200, 403, 403, 400, 400]
    messages = [answer.json()["error"]["message"] for answer in found[4:]]
    assert messages[0].startswith("requests of bolt may not be of this class; given: interactive; expected: batch")
    assert messages[1].startswith("this tenant is not known here; given: eve")
    assert "expected: interactive, batch, auto, default" in messages[2]
    assert messages[3].startswith("bolt may not use so many tokens at once")
    assert found[7].json()["error"]["param"] == "max_tokens"
    used = found[3].json()["usage"]["total_tokens"]
    lines = figures.splitlines()
    for line in (
        'tunesmith_scheduler_waiting{class="interactive",model="tiny"} 0.0',
        f'tunesmith_scheduler_tokens_total{{class="batch",model="tiny",tenant="bolt"}} {float(used)}',
        'tunesmith_scheduler_refusals_total{class="interactive",reason="class"} 1.0',
        'tunesmith_scheduler_refusals_total{class="",reason="tenant"} 1.0',
        'tunesmith_scheduler_refusals_total{class="batch",reason="quota"} 1.0',
        'tunesmith_scheduler_wait_seconds_count{class="interactive",model="tiny"} 2.0',
    ):
        assert line in lines
    # Whether one had to give way depends on which of them came first.
    assert any(line.startswith('tunesmith_scheduler_preemptions_total{class="batch",model="tiny"} ') for line in lines)


def test_over_http_a_quota_says_when_to_come_again(engine: Engine, ordering: Ordering) -> None:
    app = Application({"tiny": engine}, access=Badges(), scheduler=ordering)
    found, _ = answers(app, *[("bolt", {"max_tokens": 100, "prompt": "a" * 20})] * 6)
    assert {answer.status_code for answer in found} == {200, 429}
    busy = next(answer for answer in found if answer.status_code == 429)
    assert "bolt has used its tokens of this day" in busy.json()["error"]["message"]
    told = re.search(r"send it again in ([\d,]+) s", busy.json()["error"]["message"])
    assert told
    assert abs(int(busy.headers["Retry-After"]) - int(told[1].replace(",", ""))) <= 1


def test_an_engine_asked_from_python_knows_the_same_rules(engine: Engine) -> None:
    with pytest.raises(DeniedError, match="this tenant is not known here"):
        engine.submit(ask(1, "batch", tenant="eve"))


def test_the_command_refuses_to_start_without_a_license(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.settings("[plugins.enterprise.priority.classes.all]\n")
    machine.delete()
    code = main(["serve", "tunesmith/tiny", "--scheduler", "enterprise/priority", "--port", "0"])
    assert code == 22
    assert "the feature priority needs a license, and none was found" in capsys.readouterr().err
