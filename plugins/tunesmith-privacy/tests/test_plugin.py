# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The ways in: through the host, from the terminal, over HTTP."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from tunesmith._plugins import get_host
from tunesmith.errors import DataError, RecipeError, RequestError
from tunesmith.registry import get_registry
from tunesmith_privacy import route
from tunesmith_privacy.cli import app
from tunesmith_privacy.route import Body, detect


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        json.dumps({"text": "write to a@example.com, or call (415) 555-2671", "label": "x"})
        + "\n"
        + json.dumps({"text": "nothing", "messages": [{"role": "user", "content": "b@example.com"}]})
        + "\n"
    )
    return path


def scan(*given: object) -> Any:
    return CliRunner().invoke(app, ["scan", *map(str, given)])


def test_the_host_loads_it() -> None:
    (record,) = [record for record in get_host().records if record.name == "privacy"]
    assert (record.status, record.reason) == ("ok", "")
    assert dict(record.provides) == {
        "transform": ("mask-pii",),
        "command": ("privacy",),
        "route": ("detect",),
        "strategy": ("dp",),
        "recipe_section": ("privacy",),
    }


def test_every_target_can_be_loaded() -> None:
    registry = get_registry()
    for kind, name in (("transform", "mask-pii"), ("route", "privacy/detect"), ("strategy", "privacy/dp")):
        assert registry.load(kind, name) is not None


def test_declaring_imports_nothing_heavy() -> None:
    code = (
        "import sys, tunesmith_privacy.plugin; "
        "heavy = {'presidio_analyzer', 'spacy', 'opacus', 'typer', 'numpy', 'torch', 'pydantic'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


# ---- tunesmith privacy scan ------------------------------------------------------------------------------------------


def test_scan_lists_where_it_stands_with_nothing_of_it(rows: Path) -> None:
    result = scan(rows)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{rows}:1: text: EMAIL_ADDRESS 1.00  write to <EMAIL_ADDRESS>, or call <PHONE_NUMBER>",
        f"{rows}:1: text: PHONE_NUMBER 0.40  …EMAIL_ADDRESS>, or call <PHONE_NUMBER>",
        f"{rows}:2: messages[0].content: EMAIL_ADDRESS 1.00  <EMAIL_ADDRESS>",
    ]
    assert "3 found in 2 of 2 rows: 2 EMAIL_ADDRESS, 1 PHONE_NUMBER" in result.stderr
    assert "example.com" not in result.output


def test_scan_for_programs(rows: Path) -> None:
    result = scan(rows, "--json", "--entity", "PHONE_NUMBER")
    (found,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert found == {
        "file": str(rows),
        "line": 1,
        "where": "text",
        "entity": "PHONE_NUMBER",
        "start": 32,
        "end": 46,
        "score": 0.4,
        "excerpt": "…a@example.com, or call <PHONE_NUMBER>",
    }


def test_scan_fails_when_asked_to_and_something_is_found(rows: Path, tmp_path: Path) -> None:
    assert scan(rows, "--fail").exit_code == 2
    (tmp_path / "clean.csv").write_text("text\nfine\n")
    clean = scan(tmp_path / "clean.csv", "--fail")
    assert (clean.exit_code, clean.stdout) == (0, "")
    assert "nothing found in 1 row" in clean.stderr


def test_scan_of_plain_text_says_the_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("first\n\nmail a@example.com\n")
    assert f"{tmp_path / 'notes.txt'}:3: text: EMAIL_ADDRESS" in scan(tmp_path / "notes.txt").stdout


def test_scan_skips_nothing_in_silence(tmp_path: Path, rows: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\nnot json\n{"text": "half \\ud83d"}\n')
    result = scan(tmp_path / "bad.jsonl")
    assert result.exit_code == 1
    assert "not looked at: " in result.stderr
    assert "bad.jsonl:2" in result.stderr
    assert "bad.jsonl:3: half of a character" in result.stderr
    absent = scan(rows, "--column", "body")
    assert absent.exit_code == 1
    assert "no row has the column 'body'" in absent.stderr


def test_scan_explains_what_it_cannot_do(tmp_path: Path, rows: Path) -> None:
    assert isinstance(scan(tmp_path / "none.csv").exception, DataError)
    wrong = scan(rows, "--entity", "NAME")
    assert isinstance(wrong.exception, RecipeError)
    assert "privacy scan: nothing here finds this kind of personal data: given NAME" in str(wrong.exception)


# ---- the route -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client() -> TestClient:
    server = FastAPI()
    server.add_api_route("/detect", detect, methods=["POST"])
    return TestClient(server)


def test_the_route_finds_and_masks(client: TestClient) -> None:
    answer = client.post("/detect", json={"text": "I am a@example.com", "replace": "[{entity}]"})
    assert answer.status_code == 200
    assert answer.json() == {
        "found": [{"entity": "EMAIL_ADDRESS", "start": 5, "end": 18, "score": 1.0}],
        "masked": "I am [EMAIL_ADDRESS]",
    }


@pytest.mark.parametrize(
    "body", [{}, {"text": "x", "model": "os"}, {"text": "x" * 10_001}, {"text": "x", "min_score": 2}]
)
def test_the_route_refuses_what_it_does_not_know(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/detect", json=body).status_code == 422


def test_the_route_says_what_is_wrong_with_a_request() -> None:
    for body, words in (
        ({"entities": ["NAME"]}, "nothing here finds this kind of personal data: given NAME"),
        ({"language": "../en"}, "body.language"),
        ({"replace": "{text}"}, "no other field"),
    ):
        with pytest.raises(RequestError, match=words):
            asyncio.run(detect(None, Body(text="x", **body)))  # type: ignore[arg-type]


def test_the_route_leaves_the_event_loop_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    seen: list[threading.Thread] = []
    inner = route._answer

    def answer(body: Body) -> Any:
        seen.append(threading.current_thread())
        return inner(body)

    monkeypatch.setattr(route, "_answer", answer)
    asyncio.run(detect(None, Body(text="x")))  # type: ignore[arg-type]
    assert seen[0] is not threading.main_thread()
