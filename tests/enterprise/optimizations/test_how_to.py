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

import tunesmith.engine
import tunesmith.serve
from tunesmith.engine.jit.native import code_folder
from tunesmith.testing import tiny_llama
from tunesmith_enterprise.optimizations.chaining import acceleration
from tunesmith_enterprise.optimizations.compile_cache import hooks as compile_cache
from tunesmith_enterprise.optimizations.compile_cache.archive import unpack
from tunesmith_enterprise.optimizations.compile_cache.settings import read_key

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
    assert len(commands) == 4
    runs(tmp_path)
    monkeypatch.setattr(acceleration, "steps_of", lambda seconds: 8)  # whatever else the machine does
    served: list[Any] = []
    monkeypatch.setattr(tunesmith.serve, "serve", lambda engines, **_: served.extend(engines.values()))
    for command in commands:
        assert main(command.split()) == 0, capsys.readouterr().err
    joined = [engine._joined for engine in served]
    assert [one.guesser is not None for one in joined] == [True, True, True, False]
    assert [one.prefixes is not None for one in joined] == [False, False, False, True]
    assert (tmp_path / "kept").is_dir()


def test_the_program_of_the_page_answers(page: str, machine: Machine, tmp_path: Path, ask: Any) -> None:
    (line,) = re.findall(r"^engine = (.+)$", page, re.MULTILINE)
    runs(tmp_path)
    engine = eval(line, {"tunesmith": __import__("tunesmith.engine")})
    assert engine.submit(ask((1, 2, 3, 1, 2, 3), 5)).result(60).usage.completion_tokens == 5
    engine.close()


@pytest.mark.skipif(os.name != "posix", reason="commands of a POSIX shell")
def test_the_compile_cache_of_the_page_is_filled(
    page: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands make folder and key, its settings name them; a server of an account that has them shares code."""
    section = re.sub(r"/(srv|etc)/", f"{tmp_path}/", page[page.index("## Compile once for a team") :])
    (commands,), (settings,) = (re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL) for kind in ("sh", "toml"))
    (tmp_path / "tunesmith").mkdir()
    subprocess.run(["sh", "-ec", commands], check=True, cwd=tmp_path)
    machine.settings(settings)
    monkeypatch.setattr(compile_cache, "_sharing", None)
    runs(tmp_path)
    tunesmith.engine.open_engine(tmp_path / "runs" / "chat").close()
    (shared,) = (tmp_path / "tunesmith" / "compiled").iterdir()
    key = read_key(tmp_path / "tunesmith" / "compiled.key")
    code = unpack(shared.read_bytes(), shared.name, key)
    kept = code_folder()
    assert kept is not None
    assert code
    assert all((kept / name).is_file() for name in code)


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
