# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Stopped, killed, resumed: the final weights are equal bit for bit to those of a job that was left alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import tunesmith
from tunesmith.errors import RunError, StoppedError
from tunesmith.plugin import StepDone
from tunesmith.testing import tiny_bert, tiny_llama

WORDS = {"fruit": ("apple", "pear", "plum", "ripe fig"), "metal": ("iron", "zinc", "old tin", "copper wire")}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    rows = [f"{word} number {n},{label}" for n in range(12) for label, words in WORDS.items() for word in words]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    chats = [
        {
            "messages": [
                {"role": "user", "content": f"say {n}"},
                {"role": "assistant", "content": f"{n} it is" * (n % 3 + 1)},
            ]
        }
        for n in range(30)
    ]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
    tiny_bert(folder / "bert")
    tiny_llama(folder / "llama")
    return folder


def recipe(place, out, **changes):
    base = {
        "task": "text-classification",
        "model": str(place / "bert"),
        "data": {"train": str(place / "rows.csv"), "split": {"validation": 0.2}},
        "train": {"epochs": 3, "tokens_per_batch": 128, "learning_rate": 1e-3, "save_every": 2},
        "output": str(out),
    }
    return tunesmith.parse_recipe(base, overrides=[f"{key}={json.dumps(value)}" for key, value in changes.items()])


def weights(run):
    return {path.name: path.read_bytes() for path in run.model_folder.glob("*.safetensors")}


def stop_at(step):
    flag = threading.Event()

    def observe(event):
        if isinstance(event, StepDone) and event.step == step:
            flag.set()

    return {"observers": [observe], "stop": flag}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"train.accumulate": 2, "train.precision": "bf16"},
        {"method": "lora", "evaluate.keep": "last"},
        {"task": "chat", "model": "LLAMA", "data.train": "CHATS", "train.tokens_per_batch": 256},
    ],
    ids=["full", "bf16-accumulated", "lora", "chat"],
)
def test_stopped_twice_and_resumed_is_equal_bit_for_bit(place, tmp_path, changes):
    real = {"LLAMA": str(place / "llama"), "CHATS": str(place / "chats.jsonl")}
    changes = {key: real.get(value, value) if isinstance(value, str) else value for key, value in changes.items()}
    whole = tunesmith.train(recipe(place, tmp_path / "whole", **changes))

    with pytest.raises(StoppedError, match=r"stopped at step 3[\s\S]*tunesmith train --resume"):
        tunesmith.train(recipe(place, tmp_path / "parts", **changes), **stop_at(3))
    with pytest.raises(StoppedError):
        tunesmith.train(resume=tmp_path / "parts", **stop_at(6))
    parts = tunesmith.train(resume=tmp_path / "parts")

    assert weights(whole)
    assert weights(parts) == weights(whole)
    steps = [[(r["step"], r["loss"]) for r in run.metrics() if r["kind"] == "step"] for run in (whole, parts)]
    assert steps[0] == steps[1]
    assert parts.manifest["metrics"] == whole.manifest["metrics"]


def test_the_callers_random_state_is_left_alone(place, tmp_path):
    import torch

    before = torch.get_rng_state()
    tunesmith.train(recipe(place, tmp_path / "run", **{"train.max_steps": 2}))
    assert torch.equal(before, torch.get_rng_state())


def test_killed_at_any_moment_and_resumed_is_equal_bit_for_bit(place, tmp_path):
    settings = {"train.epochs": 12, "train.precision": "fp32"}
    whole = tunesmith.train(recipe(place, tmp_path / "whole", **settings))
    job = recipe(place, tmp_path / "killed", **settings)
    file = tmp_path / "recipe.yaml"
    file.write_text(tunesmith.recipe.dump_recipe(job))
    command = [sys.executable, "-m", "tunesmith_cli", "--quiet", "train"]
    threads = os.environ | {"OMP_NUM_THREADS": str(whole.manifest["threads"])}

    kills = 0
    arguments = [str(file)]
    for wait_for in (7, 23, 10**9):
        with subprocess.Popen([*command, *arguments], env=threads, stderr=subprocess.PIPE, text=True) as process:
            metrics = tmp_path / "killed" / "metrics.jsonl"
            while process.poll() is None:
                if metrics.exists() and metrics.read_text().count('"kind": "step"') >= wait_for:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    break
                time.sleep(0.002)
            assert process.wait(timeout=120) in (0, -signal.SIGKILL), process.stderr.read()
        arguments = ["--resume", str(tmp_path / "killed")]
    assert kills == 2
    killed = tunesmith.Run.open(tmp_path / "killed")
    assert killed.manifest["status"] == "finished"
    assert weights(killed) == weights(whole)


def test_a_finished_run_has_nothing_to_resume(place, tmp_path):
    run = tunesmith.train(recipe(place, tmp_path / "run", **{"train.max_steps": 1}))
    with pytest.raises(RunError, match="is finished: there is nothing to resume"):
        tunesmith.train(resume=run.path)


def test_resuming_with_another_recipe_or_other_data_is_refused(place, tmp_path):
    data = tmp_path / "rows.csv"
    data.write_text((place / "rows.csv").read_text())
    changes = {"data.train": str(data)}
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, tmp_path / "run", **changes), **stop_at(2))

    with pytest.raises(RunError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", **changes, **{"train.epochs": 9}), resume=tmp_path / "run")
    assert "train.epochs: 3.0 in the run, 9.0 given" in str(caught.value)

    with data.open("a") as file:
        file.write("quince,fruit\n")
    with pytest.raises(RunError, match=r"rows\.csv changed"):
        tunesmith.train(resume=tmp_path / "run")
