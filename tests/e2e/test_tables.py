# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A table from the command line: train, score, ask; a file without a header line, and a number to predict."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from forge import Forge

import tunesmith
from tunesmith.errors import DataError, RecipeError
from tunesmith_cli.main import main


def answered(*args: object) -> str:
    """What the same command prints, without the cost of a process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(arg) for arg in args])
    assert code == 0, err.getvalue()
    return out.getvalue()


def refused(*args: object) -> str:
    """What is said where it is wrong usage, or input that cannot be used."""
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        code = main([str(arg) for arg in args])
    assert code == 2, err.getvalue()
    return " ".join(err.getvalue().split())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 flowers without a header line, some cells missing; a small one is an "a", a red one weighs 100 more."""
    folder = tmp_path_factory.mktemp("table")
    random = np.random.default_rng(0)
    lines = []
    for number in range(90):
        size, color = random.uniform(0, 10), random.choice(["red", "blue"])
        weight = 20 * size + 100 * (color == "red")
        shown = "NA" if number % 15 == 0 else color
        lines.append(f"{size:.3f},{shown},{'a' if size < 5 else 'b'},{weight:.2f}")
    (folder / "flowers.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_table_without_a_header_from_training_to_answers(
    place: Path, monkeypatch: pytest.MonkeyPatch, forge: Forge
) -> None:
    (place / "flowers.yaml").write_text(
        "task: tabular-classification\n"
        "model: scratch:tabular-mlp\n"
        "data:\n"
        "  train: flowers.csv\n"
        "  column_names: [size, color, kind, weight]\n"
        "  columns: {label: kind}\n"
        "  ignore: [weight]\n"
        "  split: {validation: 0.2, test: 0.2}\n"
        "train: {epochs: 24, rows_per_batch: 16, learning_rate: 0.02}\n"
        "evaluate: {metric: roc_auc}\n"
        "output: kinds\n"
    )
    done = forge.tunesmith("train", "flowers.yaml", cwd=place)
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr
    assert "1 column of numbers: size" in told
    assert "1 column of categories: color (2) [missing in" in told
    manifest = json.loads((place / "kinds/run.json").read_text())
    assert manifest["metrics"]["test"]["roc_auc"] > 0.8  # of 18 rows
    assert "Importance of the columns" in (place / "kinds/report.html").read_text()
    assert {"config.json", "model.safetensors", "rendering.json"} <= {p.name for p in (place / "kinds/model").iterdir()}
    # evaluations and checkpoints come 20 times, not after each of 24 epochs
    assert len([r for r in records(place / "kinds") if r["kind"] == "checkpoint"]) <= 20

    scored = json.loads(answered("evaluate", place / "kinds", "--data", place / "flowers.csv", "--json"))
    assert scored["metrics"]["accuracy"] > 0.85
    (place / "new.csv").write_text("color,size\nred,1.5\nviolet,9\n,9.5\n")
    answers = [json.loads(line) for line in answered("predict", place / "kinds", place / "new.csv").splitlines()]
    assert [answer["label"] for answer in answers] == ["a", "b", "b"]

    model = tunesmith.load(place / "kinds")
    assert model.predict({"size": 1, "color": "red"})[0]["label"] == "a"
    with pytest.raises(DataError, match=r"no column 'size', which the model reads; did you mean 'sise'"):
        model.predict([{"sise": 1, "color": "red"}])
    with pytest.raises(TypeError, match=r"rows\[0\] must be a mapping of columns, given str"):
        model.predict("red")
    (place / "line.txt").write_text("1.5,red\n")
    assert "line.txt:1: there is no column 'size', 'color', which the model reads" in refused(
        "predict", place / "kinds", place / "line.txt"
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1.5,red\n")))
    assert "stdin:1: expected a JSON object, found '1.5,red'" in refused("predict", place / "kinds")


def records(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def regression(place: Path, **changes: object) -> tunesmith.Recipe:
    names = ["size", "color", "kind", "weight"]
    data = {"train": str(place / "flowers.csv"), "column_names": names, "columns": {"target": "weight"}}
    return tunesmith.parse_recipe(
        {
            "task": "tabular-regression",
            "model": "scratch:tabular-mlp",
            "data": {**data, "ignore": ["kind"], "split": {"validation": 0.2}},
            "train": {"epochs": 60, "rows_per_batch": 16, "learning_rate": 0.01},
            "evaluate": {"metric": "mae"},
            "output": str(place / "weights"),
            **changes,
        }
    )


def test_a_number_in_its_own_unit(place: Path) -> None:
    run = tunesmith.train(regression(place))
    figures = run.manifest["metrics"]["validation"]
    assert figures["r2"] > 0.8
    (light,), (heavy,) = (
        [answer["value"] for answer in tunesmith.load(run.path).predict({"size": 5, "color": color})]
        for color in ("blue", "red")
    )
    assert abs(light - 100) < 40
    assert abs(heavy - 200) < 40


def test_a_task_without_that_metric_says_which_it_has(place: Path) -> None:
    with pytest.raises(RecipeError, match=r"no metric 'roc_auc'[\s\S]*rmse or mae or r2 or loss"):
        tunesmith.train(regression(place, evaluate={"metric": "roc_auc"}, output=str(place / "none")))
