# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``tunesmith search`` as people run it: killed in the middle of a trial, gone on with, nothing lost."""

import json
import subprocess
import sys
import time

import pytest

import tunesmith
from tunesmith.testing import tiny_bert

pytest.importorskip("optuna", reason="needs the extra `search`")

COMMAND = [sys.executable, "-m", "tunesmith_cli"]
OVER = ["--over", "train.learning_rate=log:1e-4..1e-2", "--over", "train.weight_decay=0,0.1"]


@pytest.fixture
def place(tmp_path):
    words = {"fruit": ("apple", "pear", "plum", "ripe fig"), "metal": ("iron", "zinc", "old tin", "copper wire")}
    rows = [f"{word} {n},{label}" for n in range(12) for label, several in words.items() for word in several]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(tmp_path / "bert")
    recipe = {
        "task": "text-classification",
        "model": "bert",
        "data": {"train": "rows.csv", "split": {"validation": 0.25}},
        "train": {"epochs": 6, "tokens_per_batch": 256},
        "output": "searched",
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    return tmp_path


def wait_until(process, there):
    give_up = time.monotonic() + 200
    while not there():
        assert process.poll() is None, "it was done before it could be killed"
        assert time.monotonic() < give_up, "it never came so far"
        time.sleep(0.02)


def test_killed_within_the_second_trial_it_ends_as_if_nothing_had_happened(place, monkeypatch):
    process = subprocess.Popen(
        [*COMMAND, "search", "recipe.yaml", *OVER, "--trials", "2"],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = place / "searched" / "trials" / "0002" / "checkpoints"
    try:
        wait_until(process, lambda: any(checkpoints.glob("step-*")))
    finally:
        process.kill()
        process.wait()
    study = json.loads((place / "searched" / "study.json").read_text())
    assert [trial["state"] for trial in study["trials"]] == ["complete"]

    monkeypatch.chdir(place)
    told = []
    tunesmith.search(resume="searched", tell=told.append)
    assert [(trial.number, trial.state) for trial in told] == [(2, "running"), (2, "complete")]
    study = json.loads((place / "searched" / "study.json").read_text())

    recipe = tunesmith.read_recipe("recipe.yaml", ["output=straight"])
    straight = tunesmith.search(recipe, dict(text.split("=") for text in OVER[1::2]), trials=2)
    for trial, other in zip(study["trials"], straight.trials, strict=True):
        assert (trial["values"], trial["figure"]) == (other.values, other.figure)
    (best,) = place.glob("searched/trials/*/model/model.safetensors")
    (as_well,) = place.glob("straight/trials/*/model/model.safetensors")
    assert best.read_bytes() == as_well.read_bytes()
