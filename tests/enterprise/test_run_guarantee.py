# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The run guarantee: no license event stops, changes or locks in a job that has started.

A license expires, is deleted, corrupted or revoked after every single step of a training job and after every token of a
stream. Each time the job ends as it would have ended, and the MIT core alone opens what it made.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from licensed import HARM, Machine, a_machine

import tunesmith
import tunesmith.registry
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import DeniedError, StoppedError
from tunesmith.plugin import hookimpl
from tunesmith.registry import Registry
from tunesmith.runs import Run
from tunesmith.testing import tiny_bert, tiny_llama
from tunesmith_enterprise import plugin as enterprise
from tunesmith_enterprise.governance import hooks

STEPS = 3
Use = Callable[..., None]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    rows = [f"{word} {n},{label}" for n in range(12) for label, word in (("fruit", "pear"), ("metal", "zinc"))]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    tiny_llama(folder / "llama")
    return folder


def recipe(place: Path, out: Path, **train: Any) -> tunesmith.Recipe:
    return tunesmith.parse_recipe(
        {
            "task": "text-classification",
            "model": str(place / "bert"),
            "data": {"train": str(place / "rows.csv"), "split": {"test": 0.25}},
            "train": {"max_steps": STEPS, "rows_per_batch": 4, "precision": "fp32", "save_every": 2, **train},
            "output": str(out),
        }
    )


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def use(monkeypatch: pytest.MonkeyPatch, *, after: Callable[[int], None] | None = None, alone: bool = False) -> None:
    """Make a process with the enterprise plugin and, after it, one that is told of every step; ``alone``: with none."""
    harmful = SimpleNamespace(
        tunesmith_run_started=hookimpl(lambda event: after and after(event.first_step)),
        tunesmith_step_done=hookimpl(lambda event: after and after(event.step)),
    )
    found = [
        Candidate(name=name, distribution=f"tunesmith-{name}", version="0.1.0", target=__name__, load=load)
        for name, load in (("enterprise", lambda: enterprise), ("harm", lambda: harmful))
    ]
    made = Host([] if alone else found, environ={})
    assert {record.status for record in made.records} == {"ok"}
    monkeypatch.setattr(host, "_host", made)
    monkeypatch.setattr(tunesmith.registry, "_registry", Registry(made))
    monkeypatch.setattr(hooks, "_governing", None)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def undisturbed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What the MIT core makes of the recipe, with no plugin and no license."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(monkeypatch, alone=True)
        return tunesmith.train(recipe(place, tmp_path_factory.mktemp("runs") / "run"))


def once(harm: str, machine: Machine, step: int) -> Callable[[int], None]:
    """Do the harm after this step; 0: when everything is loaded and before the first."""
    return lambda done: HARM[harm](machine) if done == step else None


# ---- a training job --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", range(STEPS + 1))
@pytest.mark.parametrize("harm", HARM)
def test_a_job_whose_license_is_lost_at_any_step_ends_as_if_nothing_had_happened(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, place: Path, undisturbed: Run, harm: str, step: int
) -> None:
    use(monkeypatch, after=once(harm, machine, step))
    run = tunesmith.train(recipe(place, machine.folder / "run"))
    assert machine.asked == ["governance"]
    assert machine.events == ["train", "run-finished"]
    assert machine.log.verify() is None
    assert run.manifest["status"] == "finished"
    assert weights(run.path) == weights(undisturbed.path)
    assert run.manifest["metrics"] == undisturbed.manifest["metrics"]
    ((grant,),) = [allowed["grants"] for allowed in run.manifest["allowed"].values()]
    assert (grant["feature"], grant["state"]) == ("governance", "valid")
    if harm != "expired":  # and it was a harm: a job that begins now is refused
        monkeypatch.setattr(hooks, "_governing", None)
        with pytest.raises(DeniedError, match="the feature governance"):
            tunesmith.train(recipe(place, machine.folder / "another"))


def killed_after(step: int) -> Callable[[int], None]:
    return lambda done: os.kill(os.getpid(), signal.SIGKILL) if done == step else None


@pytest.mark.skipif(os.name != "posix", reason="kills a fork of this process, which Windows does not have")
@pytest.mark.parametrize("harm", ["expired", "revoked"])
def test_a_job_that_is_killed_and_resumed_after_its_license_is_lost_ends_the_same(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, place: Path, undisturbed: Run, harm: str
) -> None:
    use(monkeypatch, after=killed_after(2))
    job = multiprocessing.get_context("fork").Process(
        target=tunesmith.train, args=(recipe(place, machine.folder / "run"),)
    )
    job.start()
    job.join()
    assert job.exitcode == -signal.SIGKILL
    assert Run.open(machine.folder / "run").was_killed
    HARM[harm](machine)
    use(monkeypatch)
    run = tunesmith.train(resume=machine.folder / "run")
    assert machine.asked == []  # by this process; the one that was killed has asked
    assert weights(run.path) == weights(undisturbed.path)
    assert machine.events == ["train", "train", "run-finished"]
    hows = [record.fields["grant"]["how"] for record in machine.log.read() if record.event == "train"]
    assert hows == ["asked for now", "of the start of the run"]


def test_the_core_alone_resumes_opens_and_runs_what_was_begun_with_a_license(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, place: Path, undisturbed: Run, forge: Any
) -> None:
    stop = threading.Event()
    use(monkeypatch, after=lambda done: stop.set() if done == 2 else None)
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, machine.folder / "run"), stop=stop)
    assert "enterprise" in Run.open(machine.folder / "run").manifest["allowed"]
    machine.delete()
    program = (
        "import json, sys\n"
        "sys.modules['tunesmith_enterprise'] = None  # whoever imports it fails\n"
        "import tunesmith\n"
        "run = tunesmith.train(resume='run')\n"
        "answers = [tunesmith.load(run.path).predict(['pear 1', 'zinc 1'])]\n"
        "exported = tunesmith.export_model(run.path, to='merged', out='merged')\n"
        "print(json.dumps([run.manifest['status'], repr(answers), sorted(run.manifest['allowed'])]))\n"
    )
    environ = {**os.environ, "TUNESMITH_PLUGINS": ""}
    done = forge.python("-c", program, cwd=machine.folder, env=environ)
    assert done.returncode == 0, done.stderr
    use(monkeypatch, alone=True)
    expected = [tunesmith.load(undisturbed.path).predict(["pear 1", "zinc 1"])]
    assert json.loads(done.stdout.splitlines()[-1]) == ["finished", repr(expected), ["enterprise"]]
    assert weights(machine.folder / "run") == weights(undisturbed.path)
    assert (machine.folder / "merged" / "model.safetensors").exists()


def test_processes_that_a_job_starts_are_asked_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, place: Path, undisturbed: Run, forge: Any
) -> None:
    from forge import PYTHON

    from tunesmith.tasks import encoding

    monkeypatch.setenv("TUNESMITH_CACHE", str(machine.folder / "cache"))
    for name, value in {"FEW": 1, "QUICK": -1.0, "LONG": 0.0, "LEAST": 5}.items():
        monkeypatch.setattr(encoding, name, value)  # everything counts as large, and goes to worker processes
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(sys, "executable", str(forge.folder / PYTHON))  # quick to start
    started: list[Any] = []
    worker = encoding.Worker
    monkeypatch.setattr(encoding, "Worker", lambda *args: started.append(args) or worker(*args))
    use(monkeypatch)
    run = tunesmith.train(recipe(place, machine.folder / "run"))
    assert started
    assert machine.asked == ["governance"]
    assert machine.events == ["train", "run-finished"]
    assert weights(run.path) == weights(undisturbed.path)


# ---- a served stream -------------------------------------------------------------------------------------------------


TOKENS = 5


def stream(address: str, letter: int, after: Callable[[int], None]) -> tuple[str, str]:
    """The text of an answer in pieces, of one letter only, and what came last; ``after`` is told of every piece."""
    body = {
        "model": "llama",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "max_tokens": TOKENS,
        "temperature": 0,
        "logit_bias": {str(letter): 100},  # the model is of random weights, and half a character is no piece
    }
    asked = urllib.request.Request(
        f"{address}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    text, pieces, last = "", 0, ""
    with urllib.request.urlopen(asked, timeout=20) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                last = line[6:].decode().strip()
                if last != "[DONE]":
                    choices = json.loads(last)["choices"]
                    text += "".join(choice["delta"].get("content") or "" for choice in choices)
                    after(pieces)
                    pieces += 1
    return text, last


def test_a_stream_whose_license_is_lost_after_any_piece_is_answered_whole(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from tokenizers import Tokenizer

    from tunesmith.engine import open_engine
    from tunesmith.serve import serve

    use(monkeypatch)
    engine = open_engine(place / "llama", name="llama", weights="fp32")
    letter = Tokenizer.from_file(str(place / "llama" / "tokenizer.json")).encode("a", add_special_tokens=False).ids[0]
    answers: list[tuple[str, str]] = []
    seen: list[int] = []
    done: list[str] = []

    def harmed(harm: str, at: int) -> Callable[[int], None]:
        def after(piece: int) -> None:
            if piece == at:
                HARM[harm](machine)
                done.append(harm)

        return after

    def disturb(address: str) -> None:
        try:
            answers.append(stream(address, letter, seen.append))
            for harm in HARM:
                for piece in seen:
                    machine.install()
                    answers.append(stream(address, letter, harmed(harm, piece)))
            until = time.monotonic() + 10  # they are told in a thread of its own
            while machine.events.count("request-served") < len(answers) and time.monotonic() < until:
                time.sleep(0.02)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def announce(address: str) -> None:
        threading.Thread(target=disturb, args=(address,)).start()

    serve({"llama": engine}, port=0, announce=announce)
    assert len(seen) == TOKENS + 2  # the role before, the reason of the end behind
    assert len(done) == len(HARM) * len(seen) == len(answers) - 1
    assert set(answers) == {("a" * TOKENS, "[DONE]")}
    assert machine.asked == ["governance", "governance"]  # when the model was opened, and when it began to be served
    assert machine.events == ["open", "serve", *["request-served"] * len(answers)]
    served = list(machine.log.read())[-1].fields
    assert (served["route"], served["status"]) == ("/v1/chat/completions", 200)
    assert served["completion_tokens"] == TOKENS
    assert machine.log.verify() is None
