# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where rows and items lie changes nothing: weights, notes and figures are the same. Weights of sources."""

import json
import os

import pytest

import tunesmith
from tunesmith.data import cache_entries, stored_examples
from tunesmith.tasks import encoding
from tunesmith.testing import tiny_bert, tiny_llama


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    rows = [
        {"text": f"{'apple' if n % 2 else 'iron'} {n} {'and so on ' * (n % 30)}", "label": "ab"[n % 2]}
        for n in range(60)
    ]
    for name, part in (("one", rows[:40]), ("two", rows[40:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return {
        "folder": folder,
        "text-classification": tiny_bert(folder / "bert"),
        "causal-lm": tiny_llama(folder / "gpt"),
    }


def train(place, task, out):
    data = {"train": str(place["folder"] / "one.jsonl"), "split": {"validation": 0.2, "test": 0.1}, "max_length": 64}
    recipe = {"task": task, "model": str(place[task]), "data": data, "output": str(out)}
    recipe["train"] = {"epochs": 1, "tokens_per_batch": 512}
    return tunesmith.train(tunesmith.parse_recipe(recipe, overrides=["evaluate.samples=0"]))


def facts(run):
    notes = [record["message"] for record in run.metrics() if record["kind"] == "note"]
    weights = {path.name: path.read_bytes() for path in run.model_folder.glob("*.safetensors")}
    state = json.loads((run.model_folder / "rendering.json").read_text())
    return weights, notes, run.manifest["metrics"], run.manifest["data"], state


@pytest.mark.parametrize("task", ["text-classification", "causal-lm"])
def test_stored_or_in_memory_is_equal_bit_for_bit(place, task, tmp_path, monkeypatch):
    memory = train(place, task, tmp_path / "memory")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stored_examples, "LARGE", 0)
    for name, value in {"FEW": 1, "QUICK": -1.0, "LEAST": 7}.items():
        monkeypatch.setattr(encoding, name, value)
    first = train(place, task, tmp_path / "first")
    assert {entry.kind for entry in cache_entries()} == {"items", "rows"}
    again = train(place, task, tmp_path / "again")
    assert facts(first) == facts(memory)
    assert facts(again) == facts(memory)
    assert facts(memory)[1]


def test_weights_by_the_command(place, tmp_path, forge):
    folder = place["folder"]
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"task: text-classification\nmodel: {place['text-classification']}\n"
        f"data:\n  train: [{folder}/one.jsonl, {folder}/two.jsonl]\n  weights: {{{folder}/two.jsonl: 3}}\n"
        f"train: {{epochs: 1, rows_per_batch: 10}}\noutput: {tmp_path / 'run'}\n"
    )
    done = forge.tunesmith("train", recipe, env=os.environ | {"COLUMNS": "400"})
    assert done.returncode == 0, done.stderr
    assert "two.jsonl: 20 training rows, each seen 3 × an epoch: 60.0 % of the rows of an epoch" in done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["total_steps"] == 10  # 40 + 3 × 20 rows
