# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A stand-in for vLLM is really started: what it is told, what it may do, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tunesmith
from tunesmith._plugins import get_host
from tunesmith.engine import Engine, GenerateRequest, Sampling, open_engine
from tunesmith.errors import DrainingError, ModelError, OfflineError, RequestError
from tunesmith.testing import tiny_llama
from tunesmith_vllm import process
from tunesmith_vllm.engine import VllmEngine
from tunesmith_vllm.settings import ARGUMENTS, HOME, SECONDS, Settings

TALK = ({"role": "user", "content": "hi"},)


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a command ``vllm``; temporary files are kept here."""
    command = tmp_path / "environment" / "bin" / "vllm"
    command.parent.mkdir(parents=True)
    source = (Path(__file__).parent / "fake_vllm.py").read_text(encoding="utf-8")
    command.write_text(f"#!{sys.executable} -I\n{source}", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv(HOME, str(tmp_path / "environment"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(process.tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(process, "_POLL", 0.01)
    return command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "little"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    state = {"stop_tokens": [1], "generation": {"temperature": 0.7, "top_k": 20}}
    content = {"format": 1, "task": "tunesmith/chat", "state": state}
    (folder / "rendering.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def engine(vllm: Path, model: Path) -> Iterator[VllmEngine]:
    opened = VllmEngine(str(model), slots=3)
    yield opened
    opened.close()


def heard(engine: VllmEngine, **request: Any) -> dict[str, Any]:
    """What vLLM was asked."""
    found: dict[str, Any] = json.loads(engine.submit(GenerateRequest(**request)).result(10).text)
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended, within a moment."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


def test_the_host_loads_it() -> None:
    found = [record for record in get_host().records if record.name == "vllm"]
    if not found:
        pytest.skip("tunesmith-vllm is not installed in this environment")
    assert [(record.status, record.reason) for record in found] == [("ok", "")]
    assert dict(found[0].provides) == {"engine": ("vllm",)}


def test_declaring_imports_nothing_heavy() -> None:
    code = "import sys, tunesmith_vllm.plugin; print({'numpy', 'torch', 'http.client'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_what_it_says_of_itself_is_what_was_trained(engine: VllmEngine) -> None:
    info = engine.info
    assert isinstance(engine, Engine)
    assert (info.name, info.task, info.chats, info.context) == ("little", "chat", True, 321)
    assert (info.sampling.temperature, info.sampling.top_k) == (0.7, 20)


def test_how_it_is_started(engine: VllmEngine, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = heard(engine, prompt=TALK)
    said, port, key = found["argv"], str(engine._process.port), engine._process.key
    assert said[:2] == ["serve", str(model)]
    assert dict(zip(said[2::2], said[3::2], strict=True)) == {
        "--served-model-name": "little",
        "--generation-config": "vllm",
        "--max-num-seqs": "3",
        "--host": "127.0.0.1",
        "--port": port,
    }
    assert not any(key in part for part in said), "command lines can be read by everybody"
    assert {"VLLM_API_KEY", "VLLM_NO_USAGE_STATS", "HF_HUB_OFFLINE"} <= set(found["env"])


def test_its_environment_is_its_own(vllm: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_SERVE_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    engine = VllmEngine(str(model), name="mine")
    found = heard(engine, prompt="x")
    engine.close()
    assert not [name for name in found["env"] if name.startswith(("TUNESMITH_", "PYTHONPATH"))]
    assert found["body"]["model"] == "mine"


def test_requests_in_its_words(engine: VllmEngine) -> None:
    sampling = Sampling(top_k=5, min_p=0.1, repetition_penalty=1.2, seed=3)
    found = heard(engine, prompt=TALK, sampling=sampling, stop_tokens=frozenset({9, 4}), max_new_tokens=7)
    assert found["path"] == "/v1/chat/completions"
    body = found["body"]
    assert (body["top_k"], body["min_p"], body["repetition_penalty"], body["seed"]) == (5, 0.1, 1.2, 3)
    assert (body["stop_token_ids"], body["ignore_eos"], body["max_tokens"]) == ([4, 9], True, 7)
    plain = heard(engine, prompt=(5, 6, 7))
    assert (plain["path"], plain["body"]["prompt"]) == ("/v1/completions", [5, 6, 7])
    assert not {"top_k", "min_p", "repetition_penalty", "stop_token_ids"} & set(plain["body"])
    with pytest.raises(RequestError, match="tools cannot be said"):
        engine.submit(GenerateRequest(prompt=TALK, tools=({"type": "function"},)))


def test_closed_nothing_is_left_but_the_log(vllm: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.2)
    monkeypatch.setenv(ARGUMENTS, "--fake stubborn")
    engine = VllmEngine(str(model))
    log = engine._process.log
    child = int(log.read_text().split()[-1])
    engine.close()
    engine.close()
    assert gone(child)
    assert engine._process.status is not None
    assert log.is_file()
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700, "prompts may be in it"
    with pytest.raises(DrainingError):
        engine.submit(GenerateRequest(prompt="x"))


def test_a_process_that_ended_is_said_to_have_ended(engine: VllmEngine) -> None:
    with pytest.raises(OfflineError, match="has ended, with status 7") as caught:
        engine.submit(GenerateRequest(prompt="die now")).result(10)
    assert "out of memory, it says" in str(caught.value)
    with pytest.raises(OfflineError, match="the vLLM behind little has ended"):
        engine.submit(GenerateRequest(prompt="x"))
    assert engine.stats().running == 0


def test_one_that_does_not_start(vllm: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ARGUMENTS, "--fake die")
    with pytest.raises(ModelError, match="ended before it was ready, with status 1") as caught:
        VllmEngine(str(model))
    assert "no GPU was found" in str(caught.value)
    assert "vllm.log" in str(caught.value)


def test_one_that_is_never_ready_is_ended(vllm: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    popen = process.subprocess.Popen

    def noted(*args: Any, **kwargs: Any) -> Any:
        made = popen(*args, **kwargs)
        started.append(made.pid)
        return made

    monkeypatch.setattr(process.subprocess, "Popen", noted)
    monkeypatch.setenv(ARGUMENTS, "--fake hang")
    monkeypatch.setenv(SECONDS, "0.3")
    with pytest.raises(ModelError, match=r"was not ready within 0\.3 seconds"):
        VllmEngine(str(model))
    assert gone(started[0])


def test_a_program_that_ends_without_closing_leaves_none(vllm: Path, model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from tunesmith_vllm.engine import VllmEngine; "
        f"print(VllmEngine({str(model)!r})._process._process.pid)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert gone(int(said.stdout))


def test_a_run_is_exported_for_it_and_the_export_is_gone_afterwards(vllm: Path, tmp_path: Path) -> None:
    rows = "\n".join(['{"prompt": "say yes", "completion": "yes!"}'] * 8)
    (tmp_path / "chat.jsonl").write_text(rows + "\n", encoding="utf-8")
    recipe = {
        "task": "chat",
        "model": str(tiny_llama(tmp_path / "llama")),
        "method": {"name": "lora", "rank": 2},
        "data": {"train": str(tmp_path / "chat.jsonl")},
        "train": {"max_steps": 1, "tokens_per_batch": 256},
        "output": str(tmp_path / "polite"),
    }
    run = tunesmith.train(tunesmith.parse_recipe(recipe)).path
    engine = VllmEngine(str(run))
    folder = Path(heard(engine, prompt=TALK)["argv"][1])
    assert engine.info.name == folder.name == "polite"
    assert {"config.json", "model.safetensors", "export.json"} <= {file.name for file in folder.iterdir()}
    engine.close()
    assert not folder.parent.exists()


# ---- settings ------------------------------------------------------------------------------------


def test_it_is_asked_for_by_name(vllm: Path, model: Path) -> None:
    if not any(record.name == "vllm" for record in get_host().records):
        pytest.skip("tunesmith-vllm is not installed in this environment")
    engine = open_engine(f"vllm:{model}", name="mine", slots=2, waiting=5)
    engine.close()
    assert isinstance(engine, VllmEngine)
    assert (engine.info.name, engine.stats().slots) == ("mine", 2)


def test_where_it_is(vllm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.read().command == vllm
    assert Settings.read({HOME: str(vllm)}).command == vllm
    monkeypatch.setenv("PATH", str(vllm.parent))
    assert Settings.read({}).command == vllm
    monkeypatch.setenv("PATH", str(tmp_path))
    for environment in ({}, {HOME: str(tmp_path)}):
        with pytest.raises(ModelError, match="needs vLLM, in an environment of its own") as caught:
            Settings.read(environment)
        assert f"export {HOME}=~/vllm" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (ARGUMENTS, "--host 0.0.0.0", "not its to say"),
        (ARGUMENTS, "--api_key=x", "not its to say"),
        (ARGUMENTS, "'--x", "cannot be read"),
        (SECONDS, "soon", "no number of seconds"),
        (SECONDS, "-1", "no number of seconds"),
    ],
)
def test_settings_that_make_no_sense(vllm: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        Settings.read({HOME: str(vllm), name: value})
    assert name in str(caught.value)


def test_folders_that_are_no_model(vllm: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model for vLLM") as caught:
        VllmEngine(str(tmp_path / "none"))
    assert "--to merged" in str(caught.value)
