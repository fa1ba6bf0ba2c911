# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Batch files: the same answers as over HTTP, one line each; what was killed goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from echo import Echo

from tunesmith.errors import DataError, OutputError
from tunesmith.serve.batch import run_batch


def line(number: int, text: str = "hello there", **changes: Any) -> dict[str, Any]:
    body = {"model": "echo", "messages": [{"role": "user", "content": text}]}
    return {
        "custom_id": f"r{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    } | changes


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return path


def read(path: Path) -> dict[str, Any]:
    return {record["custom_id"]: record["response"] for record in map(json.loads, path.read_text().splitlines())}


@pytest.fixture
def engine() -> Any:
    return Echo()


def test_every_request_is_answered_under_its_id(tmp_path: Path, engine: Echo) -> None:
    lines = [
        *(line(number, f"word{number}") for number in range(6)),
        line(6, url="/v1/completions", body={"model": "echo", "prompt": "one two"}),
        line(7, url="/v1/embeddings", body={"model": "echo", "input": ["a", "b"]}),
    ]
    seen: list[tuple[int, int]] = []
    result = run_batch(
        {"echo": engine},
        write(tmp_path / "in.jsonl", lines),
        tmp_path / "out.jsonl",
        at_once=3,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (result.done, result.failed, result.skipped) == (8, 0, 0)
    assert seen == [(number, 8) for number in range(1, 9)]
    answers = read(tmp_path / "out.jsonl")
    assert answers.keys() == {f"r{number}" for number in range(8)}
    assert answers["r4"]["status_code"] == 200
    assert "word4" in answers["r4"]["body"]["choices"][0]["message"]["content"]
    assert answers["r4"]["request_id"]
    assert len(answers["r7"]["body"]["data"]) == 2


def test_a_request_that_fails_leaves_the_others_alone(tmp_path: Path, engine: Echo) -> None:
    lines = [line(0), line(1, "/fail 1"), line(2, body=line(2)["body"] | {"model": "none"}), line(3)]
    result = run_batch({"echo": engine}, write(tmp_path / "in.jsonl", lines), tmp_path / "out.jsonl")
    assert (result.done, result.failed) == (2, 2)
    answers = read(tmp_path / "out.jsonl")
    assert (answers["r1"]["status_code"], answers["r2"]["status_code"]) == (500, 404)
    assert answers["r2"]["body"]["error"]["message"]
    assert "secret" not in (tmp_path / "out.jsonl").read_text()


def test_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    engine = Echo(slots=1, queue=1)
    lines = [line(number, "/count 2 0.01") for number in range(6)]
    result = run_batch({"echo": engine}, write(tmp_path / "in.jsonl", lines), tmp_path / "out.jsonl", at_once=6)
    assert (result.done, result.failed) == (6, 0)


def test_it_goes_on_where_it_was_killed(tmp_path: Path, engine: Echo) -> None:
    source, out = write(tmp_path / "in.jsonl", [line(number) for number in range(5)]), tmp_path / "out.jsonl"
    run_batch({"echo": engine}, source, out)
    whole = out.read_text().splitlines()
    failed = json.loads(whole[1])
    failed["response"]["status_code"] = 500
    out.write_text("\n".join([whole[0], json.dumps(failed), whole[2]]) + "\n" + whole[3][:25])
    with pytest.raises(OutputError, match="is there") as caught:
        run_batch({"echo": engine}, source, out)
    assert "go on with it: --resume" in str(caught.value)
    result = run_batch({"echo": engine}, source, out, resume=True)
    assert (result.done, result.skipped) == (3, 2)
    assert {name: answer["status_code"] for name, answer in read(out).items()} == {f"r{n}": 200 for n in range(5)}
    again = run_batch({"echo": engine}, source, out, resume=True)
    assert (again.done, again.skipped) == (0, 5)


def test_another_file_is_not_gone_on_with(tmp_path: Path, engine: Echo) -> None:
    out = write(tmp_path / "out.jsonl", [{"text": "mine"}])
    with pytest.raises(OutputError, match="is not the answers of a batch"):
        run_batch({"echo": engine}, write(tmp_path / "in.jsonl", [line(0)]), out, resume=True)
    assert json.loads(out.read_text()) == {"text": "mine"}


def test_lines_that_are_no_requests_are_all_named_and_nothing_is_asked(tmp_path: Path, engine: Echo) -> None:
    lines = [
        line(0),
        "{",
        "[]",
        line(2, custom_id=""),
        line(3, method="GET"),
        line(4, url="/admin/adapters/load"),
        line(5, body="x"),
        line(6, extra=1),
        line(7, body={"model": "echo", "messages": [], "stream": True}),
        line(0),
        '{"custom_id": "a", "custom_id": "b"}',
    ]
    with pytest.raises(DataError, match=r"10 lines of .* are no requests") as caught:
        run_batch({"echo": engine}, write(tmp_path / "in.jsonl", lines), tmp_path / "out.jsonl")
    told = {problem.origin.line: problem.message for problem in caught.value.problems}
    assert told.keys() == set(range(2, 12))
    for number, words in {
        2: "no JSON",
        3: "a JSON list instead of an object",
        5: "method is POST; given: 'GET'",
        6: "url is one of",
        8: "unknown: extra",
        9: "leave stream out",
        10: "custom_id 'r0' is that of line 1 too",
        11: "comes twice",
    }.items():
        assert words in told[number]
    assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(DataError, match="cannot be read"):
        run_batch({"echo": engine}, tmp_path / "none.jsonl", tmp_path / "out.jsonl")
