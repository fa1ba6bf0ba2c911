# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Stopped, killed, resumed: the final weights are equal bit for bit to those of a job that was left alone."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

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
        {"train.accumulate": 2, "train.precision": "bf16-weights"},
        {"method": "lora", "evaluate.keep": "last"},
        {"data.augment": ["drop-words", {"name": "typos", "share": 0.1}], "train.accumulate": 2},
        {"task": "chat", "model": "LLAMA", "data.train": "CHATS", "train.tokens_per_batch": 256},
    ],
    ids=["full", "bf16-accumulated", "bf16-weights", "lora", "augmented", "chat"],
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
    before = torch.get_rng_state()
    tunesmith.train(recipe(place, tmp_path / "run", **{"train.max_steps": 2}))
    assert torch.equal(before, torch.get_rng_state())


def test_killed_at_any_moment_and_resumed_is_equal_bit_for_bit(forge):
    """A few of what scripts/soak does by the hundred: at file events, within steps and evaluations, at any moment."""
    crashes = Path(__file__).with_name("crashes.py")
    done = forge.python(crashes, "--jobs", "text,augmented", "--kills", "6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(json.loads(done.stdout)["kills"].values()) >= 6


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
    with pytest.raises(RunError, match=r"cannot be resumed[\s\S]*rows\.csv changed"):
        tunesmith.train(resume=tmp_path / "run")


def test_resuming_over_another_base_model_is_refused(place, tmp_path):
    model = tmp_path / "bert"
    shutil.copytree(place / "bert", model)
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, tmp_path / "run", model=str(model)), **stop_at(2))
    tiny_bert(model, seed=1)
    with pytest.raises(RunError, match=r"cannot be resumed[\s\S]*the weights of .*bert changed") as caught:
        tunesmith.train(resume=tmp_path / "run")
    assert "bring them back, or start a new run with another output" in str(caught.value)


@pytest.fixture
def stopped(place, tmp_path):
    """A run that was stopped after four of its steps, with two checkpoints."""
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, tmp_path / "run"), **stop_at(4))
    return tunesmith.Run.open(tmp_path / "run")


def test_an_edited_recipe_is_refused_with_every_difference(stopped):
    file = stopped.path / "recipe.yaml"
    file.write_text(
        file.read_text().replace("learning_rate: 0.001", "learning_rate: 0.01").replace("seed: 0", "seed: 7")
    )
    with pytest.raises(RunError, match="was changed after the run was started") as caught:
        tunesmith.train(resume=stopped.path)
    assert "train.learning_rate: 0.001 when it was started, 0.01 now" in str(caught.value)
    assert "train.seed: 0 when it was started, 7 now" in str(caught.value)
    assert "put these values back" in str(caught.value)


def test_a_damaged_checkpoint_is_told_and_the_end_is_the_same(stopped, place, tmp_path):
    whole = tunesmith.train(recipe(place, tmp_path / "whole"))
    newest = sorted(stopped.checkpoint_folder.iterdir())[-1]
    with (newest / "optimizer.safetensors").open("rb+") as file:
        file.truncate(1000)
    run = tunesmith.train(resume=stopped.path)
    notes = [record["message"] for record in run.metrics() if record["kind"] == "note"]
    assert f"the checkpoint {newest.name} is damaged (optimizer.safetensors has changed" in "\n".join(notes)
    assert weights(run) == weights(whole)


def test_other_conditions_are_told_and_threads_are_those_of_the_run(stopped):
    stopped.update(threads=stopped.manifest["threads"] + 1, instructions="SSE9")
    threads = torch.get_num_threads()
    run = tunesmith.train(resume=stopped.path)
    (note,) = [r["message"] for r in run.metrics() if r["kind"] == "note" and r["message"].startswith("resumed")]
    assert "instructions SSE9 →" in note
    assert "not equal bit for bit" in note
    assert "threads" not in note, "it computes with as many as the run was started with"
    assert torch.get_num_threads() == threads


def test_a_second_process_is_refused_before_it_reads_anything(stopped):
    holder = (
        "import sys, tunesmith\nwith tunesmith.Run.open(sys.argv[1]).locked():\n print('held', flush=True)\n input()"
    )
    command = [sys.executable, "-c", holder, str(stopped.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=rf"is in use[\s\S]*process {process.pid} on .* works on it"):
            tunesmith.train(resume=stopped.path)
        process.communicate("\n")
    assert tunesmith.train(resume=stopped.path).manifest["status"] == "finished"
