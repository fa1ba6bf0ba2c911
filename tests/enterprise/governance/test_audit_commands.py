# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith audit``: what it prints, and with which exit code. It needs no license."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunesmith.errors import OutputError, RequestError
from tunesmith_cli.main import main
from tunesmith_enterprise.chained_log import ChainedLog
from tunesmith_enterprise.governance.commands import app


@pytest.fixture
def log(tmp_path: Path) -> ChainedLog:
    log = ChainedLog(tmp_path / "audit.jsonl")
    for number in range(3):
        log.append("train" if number else "open", subject=f"runs/{number}", words='a, "b" and \x1b[2J')
    return log


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_a_sound_log(log: ChainedLog) -> None:
    code, said = run("verify", log.path)
    assert code == 0
    assert "3, all as they were written" in said
    assert f"3:{log.head().sha256}" in said


def test_a_changed_log_is_named_by_line_and_the_exit_code_says_so(log: ChainedLog) -> None:
    log.path.write_bytes(log.path.read_bytes().replace(b"runs/1", b"runs/9"))
    code, said = run("verify", log.path)
    assert code == 1
    assert "line 2: it is no record, or was changed" in said
    code, said = run("verify", log.path, "--json")
    assert code == 1
    assert json.loads(said) == {
        "file": str(log.path),
        "sound": False,
        "broken": {"line": 2, "why": "it is no record, or was changed"},
        "head": None,
    }


def test_a_shortened_log_shows_against_the_head_that_was_kept(log: ChainedLog) -> None:
    _, said = run("verify", log.path, "--json")
    head = json.loads(said)["head"]
    log.path.write_bytes(b"".join(log.path.read_bytes().splitlines(keepends=True)[:2]))
    assert run("verify", log.path)[0] == 0
    code, said = run("verify", log.path, "--head", head)
    assert code == 1
    assert "line 3: the log ends with record 2, and there was a record 3" in said


@pytest.mark.parametrize("head", ["x", "3:abc", ":", "-1:" + "0" * 64])
def test_a_head_that_is_none(log: ChainedLog, head: str) -> None:
    with pytest.raises(RequestError, match="no head of a log"):
        run("verify", log.path, f"--head={head}")


def test_records_as_lines_and_as_a_table(log: ChainedLog) -> None:
    _, said = run("export", log.path, "--event", "train")
    lines = [json.loads(line) for line in said.splitlines()]
    assert [(line["seq"], line["event"], line["fields"]["subject"]) for line in lines] == [
        (2, "train", "runs/1"),
        (3, "train", "runs/2"),
    ]
    assert "\x1b" not in said
    _, said = run("export", log.path, "--format", "csv")
    rows = list(csv.DictReader(StringIO(said)))
    assert [row["seq"] for row in rows] == ["1", "2", "3"]
    assert json.loads(rows[0]["fields"])["words"] == 'a, "b" and \x1b[2J'


def test_records_since_a_day(log: ChainedLog) -> None:
    assert len(run("export", log.path, "--since", "2020-01-01")[1].splitlines()) == 3
    assert run("export", log.path, "--since", "2999-01-01")[1] == ""
    with pytest.raises(RequestError, match="no such day"):
        run("export", log.path, "--since", "yesterday")


@pytest.mark.parametrize("command", ["verify", "export"])
def test_a_log_that_is_not_there(tmp_path: Path, command: str) -> None:
    with pytest.raises(OutputError) as caught:
        run(command, tmp_path / "none.jsonl")
    assert "cannot be read" in str(caught.value)
    assert "No such file" in str(caught.value)


def test_the_program_has_the_command(log: ChainedLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", str(log.path)]) == 0
    assert "all as they were written" in capsys.readouterr().out
    assert main(["audit", "verify", str(log.path.with_name("none"))]) == 2
    assert "cannot be read" in capsys.readouterr().err
