# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith serve`: what it makes of its flags, and that it serves."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from forge import PYTHON

pytest.importorskip("fastapi", reason="needs the extra serve")
httpx = pytest.importorskip("httpx2", reason="needs the extra test")

ECHO = Path(__file__).resolve().parents[1] / "core" / "serve"
sys.path.insert(0, str(ECHO))
from echo import Echo  # noqa: E402 -- the line above makes it findable

from tunesmith_cli.main import main  # noqa: E402

PROGRAM = """
import sys
import tunesmith.engine
from echo import Echo
from tunesmith_cli.main import main
tunesmith.engine.open_engine = lambda model, name=None, **more: Echo(name or model)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def opened(monkeypatch):
    """What engines were opened with, and what was served."""
    import tunesmith.engine
    import tunesmith.serve

    seen = {"engines": []}

    def open_engine(model, *, name=None, **options):
        seen["engines"].append(Echo(name or Path(model).name))
        seen["options"] = options
        return seen["engines"][-1]

    monkeypatch.setattr(tunesmith.engine, "open_engine", open_engine, raising=False)
    monkeypatch.setattr(tunesmith.serve, "serve", lambda engines, **options: seen.update(served=engines, **options))
    return seen


def test_flags_become_what_the_core_takes(opened, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("use a-key-of-this-test\n")
    arguments = ["serve", "runs/chat", "runs/labels", "--name", "a", "--name", "b", "--adapter", "b:polite=runs/polite"]
    arguments += ["--host", "0.0.0.0", "--port", "0", "--key-file", str(keys), "--drain-seconds", "3", "--no-page"]
    arguments += ["--max-requests", "5", "--max-new-tokens", "7", "--max-seconds", "9.5", "--slots", "2"]
    arguments += ["--weights", "int8", "--max-waiting", "3", "--accelerate", "a/quick", "--accelerate", "b/store:8"]
    assert main(arguments) == 0
    assert list(opened["served"]) == ["a", "b"]
    options = {"device": "auto", "weights": "int8", "slots": 2, "context": None, "waiting": 3}
    assert opened["options"] == options | {"accelerate": ["a/quick", "b/store:8"], "scheduler": None}
    (adapter,) = opened["adapters"]
    assert (adapter.name, adapter.path, adapter.model) == ("polite", Path("runs/polite"), "b")
    assert (opened["host"], opened["port"], opened["drain_seconds"], opened["page"]) == ("0.0.0.0", 0, 3, False)
    assert opened["keys"].find("a-key-of-this-test").scope == "use"
    limits = opened["limits"]
    assert (limits.requests, limits.new_tokens, limits.request_seconds, limits.choices) == (5, 7, 9.5, 8)
    assert all(engine.closed for engine in opened["engines"])


def test_the_key_may_come_from_the_environment(opened, monkeypatch):
    monkeypatch.setenv("TUNESMITH_SERVE_KEY", "a-key-of-this-test")
    assert main(["serve", "runs/chat", "--host", "0.0.0.0"]) == 0
    assert opened["adapters"] == []


def test_keys_and_an_access_together_are_refused(opened, capsys, tmp_path, monkeypatch):
    keys = tmp_path / "keys"
    keys.write_text("use a-key-of-this-test\n")
    assert main(["serve", "runs/chat", "--key-file", str(keys), "--access", "no/such"]) == 2
    told = capsys.readouterr().err
    assert "keys or an access, and not both" in told
    assert "Keys(line 1: use), and an access" in told
    monkeypatch.setenv("TUNESMITH_SERVE_KEY", "another-key-of-this-test")
    assert main(["serve", "runs/chat", "--access", "no/such"]) == 2
    told = capsys.readouterr().err
    assert "Keys(TUNESMITH_SERVE_KEY: use), and an access" in told
    assert "another-key" not in told
    assert "served" not in opened


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs/chat", "--host", "0.0.0.0"], ["needs a key", "--key-file FILE", "TUNESMITH_SERVE_KEY"]),
        (["runs/chat", "--name", "a", "--name", "b"], ["2 names for 1 models"]),
        (["runs/chat", "other/chat"], ["two models are called 'chat'"]),
        (["runs/chat", "--adapter", "polite"], ["is not NAME=PATH or MODEL:NAME=PATH"]),
        (["runs/a", "runs/b", "--adapter", "polite=x"], ["write MODEL:polite=x, MODEL being a or b"]),
        (["runs/chat", "--key-file", "no-such-file"], ["the key file cannot be read"]),
        (["runs/chat", "--access", "no/such"], ["no access of this name", "no/such"]),
        (["runs/chat", "--max-choices", "0"], ["the limit choices is out of range"]),
        (["runs/chat", "--port", "70000"], ["--port"]),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_wrong_flags_are_explained(opened, capsys, arguments, words):
    assert main(["serve", *arguments]) == 2
    told = capsys.readouterr().err
    for word in words:
        assert word in told
    assert "served" not in opened


def test_an_address_that_is_not_safe_is_refused_before_a_model_is_loaded(opened, capsys):
    assert main(["serve", "runs/chat", "--host", "0.0.0.0"]) == 2
    assert opened["engines"] == []


def test_without_the_extra_the_error_names_it(opened, monkeypatch, capsys):
    monkeypatch.setattr("tunesmith.serve.find_spec", lambda name: None)
    assert main(["serve", "runs/chat"]) == 2
    told = capsys.readouterr().err
    assert "pip install 'tunesmith[serve]'" in told
    assert "missing: fastapi, uvicorn, prometheus_client" in told


def test_it_serves_and_a_taken_port_is_explained(forge):
    def heed():  # whoever started the tests in the background may have them, and their children, ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)

    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ECHO), *sys.path])}
    command = [str(forge.folder / PYTHON), "-c", PROGRAM, "serve", "tiny", "--port"]
    child = subprocess.Popen([*command, "0"], stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heed)
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in child.stderr], daemon=True).start()
    try:
        said = lines.get(timeout=30)
        assert said.startswith("tiny at http://127.0.0.1:")
        address = said.removeprefix("tiny at ").partition(". ")[0]
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
        answer = httpx.post(f"{address}/v1/chat/completions", json=body, timeout=10).json()
        assert answer["choices"][0]["message"]["content"] == "hello"
        assert json.loads(lines.get(timeout=5))["event"] == "request"
        port = address.rpartition(":")[2]
        second = subprocess.run([*command, port], capture_output=True, text=True, env=environment, timeout=30)
        assert second.returncode == 2
        assert f"127.0.0.1, port {port}" in second.stderr
        assert "--port 0 takes any that is free" in second.stderr
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0
    finally:
        child.terminate()  # passed on; killed, it would leave its fork behind
        child.wait()
        child.stderr.close()
