# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Benchmarks run for two steps, so that they cannot rot. No time is judged here."""

import json

import pytest

from tunesmith.recipe import read_recipe
from tunesmith.testing import tiny_bert


@pytest.fixture
def run(root, tmp_path, forge):
    """Runs a benchmark; gives what it printed and what it wrote."""

    def ran(name, *arguments):
        out = tmp_path / "result.json"
        done = forge.python(root / "benchmarks" / name, *arguments, "--out", out)
        assert done.returncode == 0, done.stderr
        return done.stdout, json.loads(out.read_text())

    return ran


@pytest.mark.parametrize("method", ["full", "head"])
def test_the_encoder_contest_runs_two_steps(run, tmp_path, method):
    pytest.importorskip("accelerate", reason="the peer needs accelerate")
    rows = "text,category\n" + "".join(f"apple {n},fruit\niron {n},metal\n" for n in range(40))
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(rows)
    model = tiny_bert(tmp_path / "bert")
    arguments = ["--model", str(model), "--data", str(tmp_path), "--method", method, "--join", "2"]
    names = ["tunesmith", "Trainer, best"] if method == "full" else ["tunesmith"]  # the peer's way is the same
    printed, result = run("train_encoder.py", *arguments, "--max-steps", "2", "--only", *names)
    assert "| tunesmith " in printed
    assert list(result["median"]) == names
    for figures in result["median"].values():
        assert figures["steps"] == 2
        assert 0 <= figures["accuracy"] <= 1
        assert min(figures["tokens"], figures["tokens_per_second"], figures["peak_mb"]) > 0
    assert result["machine"]["cores"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_chat_contest_runs_two_steps(run, tmp_path, method):
    """Ours alone: the peer, TRL, is no part of the development environment."""
    rows = [{"question": f"What is {n} and {n}?", "answer": f"{n} and {n} is {2 * n}."} for n in range(40)]
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--shape", "tiny", "--method", method, "--data", str(tmp_path), "--only", "tunesmith"]
    printed, result = run("train_chat.py", *arguments, "--max-steps", "2")
    assert "| tunesmith |" in printed
    figures = result["median"]["tunesmith"]
    assert figures["steps"] == 2
    assert 0 < figures["held_out"] < 10


def test_the_recipes_are_recipes(root):
    files = sorted((root / "benchmarks" / "recipes").glob("*.yaml"))
    assert len({read_recipe(file).output for file in files}) == len(files) >= 3


def test_tables_runs_all_contenders(run, tmp_path):
    (tmp_path / "iris_wine").mkdir()
    rows = "".join(f"{n % 7}.5,{n % 3},{n % 2}.25,1,{'setosa' if n % 2 else 'other'}\n" for n in range(24))
    (tmp_path / "iris_wine/iris.csv").write_text(rows)
    _, result = run("tables.py", "--data", tmp_path, "--sets", "iris", "--folds", "2", "--max-steps", "2")
    found = result["sets"]["iris"]
    assert found.keys() == {"tunesmith", "linear", "boosting"}
    assert all(0 <= figures["accuracy"] <= 1 for figures in found.values())


def test_attention_compares_three_ways(run):
    _, result = run("attention.py", "--turns", "2", "--lengths", "9")
    for by_length in result["times_ms"].values():
        assert by_length["9"].keys() == {"ours", "eager", "fused"}
        assert min(by_length["9"].values()) > 0


def test_the_ablation_leaves_paths_out(run, tmp_path):
    rows = [{"question": f"What is {n} and {n}?", "answer": f"{n} and {n} is {2 * n}."} for n in range(40)]
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = ["tunesmith", "tunesmith without all of them"]
    arguments = ["chat", "--shape", "tiny", "--data", str(tmp_path), "--only", *names]
    printed, result = run("train_ablation.py", *arguments, "--max-steps", "2")
    assert "rate to that of all paths" in printed
    assert result["median"].keys() == set(names)
    assert all(figures["steps"] == 2 for figures in result["median"].values())


def test_the_contest_of_answers_runs_a_few_tokens(run):
    arguments = ["--shape", "tiny", "--tokens", "24", "--streams", "2", "--only", "tunesmith, fp32", "transformers"]
    printed, result = run("serve_decode.py", *arguments, "--max-steps", "2")
    assert "| transformers " in printed
    for figures in result["median"].values():
        assert min(figures["tokens_per_second"], figures["first_ms"], figures["share"]) > 0


def test_the_start_with_plugins_runs_two_turns(run):
    """No time is judged but one: what is not imported does not sleep."""
    printed, result = run("plugin_startup.py", "--turns", "2", "--counts", "2", "--slow", "2")
    assert "tunesmith --help" in printed
    figures = result["seconds"]["tunesmith"]
    assert figures.keys() == {"no plugins", "2 plugins", "1 broken", "1 incompatible", "1 slow (2 s)"}
    assert all(one["code"] == 0 and one["helped"] and one["turns"] == 2 for one in figures.values())
    assert figures["1 slow (2 s)"]["wall_min"] > 2
    assert figures["1 incompatible"]["wall_min"] < figures["1 slow (2 s)"]["wall_min"]
