# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""docs/how-to/faster.md: its commands open what it says, and a server that is started so answers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from licensed import Machine

import tunesmith.serve
from tunesmith.testing import tiny_llama

pytest.importorskip("fastapi", reason="needs the extra serve")
from tunesmith_cli.main import main

ADDRESS = re.compile(r"at (http://\S+?)\.? ")


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs/how-to/faster.md").read_text("utf-8")


def runs(folder: Path) -> None:
    """What the page speaks of."""
    for name in ("chat", "small"):
        tiny_llama(folder / "runs" / name)


def test_every_command_of_the_page_serves(
    page: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = re.findall(r"^tunesmith (serve .+)$", page, re.MULTILINE)
    assert len(commands) == 3
    runs(tmp_path)
    served: list[Any] = []
    monkeypatch.setattr(tunesmith.serve, "serve", lambda engines, **_: served.extend(engines.values()))
    for command in commands:
        assert main(command.split()) == 0, capsys.readouterr().err
    joined = [engine._joined for engine in served]
    assert [one.guesser is not None for one in joined] == [True, True, False]
    assert [one.prefixes is not None for one in joined] == [False, False, True]
    assert (tmp_path / "kept").is_dir()


def test_the_program_of_the_page_answers(page: str, machine: Machine, tmp_path: Path, ask: Any) -> None:
    (line,) = re.findall(r"^engine = (.+)$", page, re.MULTILINE)
    runs(tmp_path)
    engine = eval(line, {"tunesmith": __import__("tunesmith.engine")})
    assert engine.submit(ask((1, 2, 3, 1, 2, 3), 5)).result(60).usage.completion_tokens == 5
    engine.close()


def test_a_licensed_server_guesses_and_counts(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    copy = import_module("licensed_copy").licensed_copy(tmp_path, "optimizations")
    tiny_llama(tmp_path / "chat")
    environ = os.environ | copy | {"OMP_NUM_THREADS": "1"}
    environ.pop("CI", None)
    faster = ("--accelerate", "enterprise/speculation", "--accelerate", "enterprise/prefix-store:kept")
    server = subprocess.Popen(
        [sys.executable, "-m", "tunesmith_cli", "serve", "chat", "--port", "0", *faster],
        cwd=tmp_path, env=environ, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert server.stderr is not None
        said = ""
        while not (found := ADDRESS.search(said)):
            line = server.stderr.readline()
            assert line, said
            said += line
        body = {"model": "chat", "prompt": "ab ab ab ab ab ab", "max_tokens": 30, "temperature": 0}
        request = Request(f"{found[1]}/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"})
        assert json.load(urlopen(request, timeout=60))["usage"]["completion_tokens"] > 0
        assert b"tunesmith_engine_guessed_tokens_total" in urlopen(f"{found[1]}/metrics", timeout=60).read()
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.communicate()
