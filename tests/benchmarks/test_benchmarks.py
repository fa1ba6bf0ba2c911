# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Benchmarks run for two steps, so that they cannot rot. No time is judged here."""

import json
import subprocess
import sys

import pytest

from tunesmith.recipe import read_recipe
from tunesmith.testing import tiny_bert


def run(root, tmp_path, name, *arguments):
    out = tmp_path / "result.json"
    command = [sys.executable, str(root / "benchmarks" / name), *arguments, "--max-steps", "2", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(out.read_text())


@pytest.mark.parametrize("method", ["full", "head"])
def test_the_encoder_contest_runs_two_steps(root, tmp_path, method):
    pytest.importorskip("accelerate", reason="the peer needs accelerate")
    rows = "text,category\n" + "".join(f"apple {n},fruit\niron {n},metal\n" for n in range(40))
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(rows)
    model = tiny_bert(tmp_path / "bert")
    arguments = ["--model", str(model), "--data", str(tmp_path), "--method", method, "--join", "2"]
    names = ["tunesmith", "Trainer, best"] if method == "full" else ["tunesmith"]  # the peer's way is the same
    printed, result = run(root, tmp_path, "train_encoder.py", *arguments, "--only", *names)
    assert "| tunesmith " in printed
    assert list(result["median"]) == names
    for figures in result["median"].values():
        assert figures["steps"] == 2
        assert 0 <= figures["accuracy"] <= 1
        assert min(figures["tokens"], figures["tokens_per_second"], figures["peak_mb"]) > 0
    assert result["machine"]["cores"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_chat_contest_runs_two_steps(root, tmp_path, method):
    """Ours alone: the peer, TRL, is no part of the development environment."""
    rows = [{"question": f"What is {n} and {n}?", "answer": f"{n} and {n} is {2 * n}."} for n in range(40)]
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--shape", "tiny", "--method", method, "--data", str(tmp_path), "--only", "tunesmith"]
    printed, result = run(root, tmp_path, "train_chat.py", *arguments)
    assert "| tunesmith |" in printed
    figures = result["median"]["tunesmith"]
    assert figures["steps"] == 2
    assert 0 < figures["held_out"] < 10


def test_the_recipes_are_recipes(root):
    files = sorted((root / "benchmarks" / "recipes").glob("*.yaml"))
    assert len({read_recipe(file).output for file in files}) == len(files) >= 3


def test_tables_runs_all_contenders(root, tmp_path):
    (tmp_path / "iris_wine").mkdir()
    rows = "".join(f"{n % 7}.5,{n % 3},{n % 2}.25,1,{'setosa' if n % 2 else 'other'}\n" for n in range(24))
    (tmp_path / "iris_wine/iris.csv").write_text(rows)
    command = [sys.executable, str(root / "benchmarks" / "tables.py"), "--data", str(tmp_path), "--sets", "iris"]
    command += ["--folds", "2", "--max-steps", "2", "--out", str(tmp_path / "result.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "result.json").read_text())["sets"]["iris"]
    assert found.keys() == {"tunesmith", "linear", "boosting"}
    assert all(0 <= figures["accuracy"] <= 1 for figures in found.values())


def test_attention_compares_three_ways(root, tmp_path):
    out = tmp_path / "result.json"
    command = [sys.executable, str(root / "benchmarks" / "attention.py"), "--turns", "2", "--lengths", "9", "--out"]
    done = subprocess.run([*command, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for by_length in json.loads(out.read_text())["times_ms"].values():
        assert by_length["9"].keys() == {"ours", "eager", "fused"}
        assert min(by_length["9"].values()) > 0


def test_the_ablation_leaves_paths_out(root, tmp_path):
    rows = [{"question": f"What is {n} and {n}?", "answer": f"{n} and {n} is {2 * n}."} for n in range(40)]
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = ["tunesmith", "tunesmith without all of them"]
    arguments = ["chat", "--shape", "tiny", "--data", str(tmp_path), "--only", *names]
    printed, result = run(root, tmp_path, "train_ablation.py", *arguments)
    assert "rate to that of all paths" in printed
    assert result["median"].keys() == set(names)
    assert all(figures["steps"] == 2 for figures in result["median"].values())


def test_the_contest_of_answers_runs_a_few_tokens(root, tmp_path):
    arguments = ["--shape", "tiny", "--tokens", "24", "--streams", "2", "--only", "tunesmith, fp32", "transformers"]
    printed, result = run(root, tmp_path, "serve_decode.py", *arguments)
    assert "| transformers " in printed
    for figures in result["median"].values():
        assert min(figures["tokens_per_second"], figures["first_ms"], figures["share"]) > 0
