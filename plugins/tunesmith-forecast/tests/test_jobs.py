# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whole jobs: what is learned, what is not, and the same again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forge import Forge

import tunesmith
from tunesmith._plugins import get_host
from tunesmith.errors import DataError, ModelError
from tunesmith.export import export_model

Write = Callable[[str, Sequence[float]], Path]

HOUR = np.arange(600)
SINE = 1000 + 50 * np.sin(2 * np.pi * HOUR / 24)


def recipe(file: Path, output: Path, *, model: str = "dlinear", **train: Any) -> tunesmith.Recipe:
    return tunesmith.Recipe.model_validate(
        {
            "task": "forecasting",
            "model": f"scratch:{model}",
            "data": {"train": f"{file}#:0.6", "validation": f"{file}#0.6:0.8", "test": f"{file}#0.8:"},
            "plugins": {"forecast": {"context": 48, "horizon": 12}},
            "train": {"max_steps": 200, **train},
            "output": str(output),
        }
    )


def test_the_host_loads_it() -> None:
    (record,) = [record for record in get_host().records if record.name == "forecast"]
    assert (record.status, record.reason) == ("ok", "")
    assert dict(record.provides) == {
        "task": ("forecasting",),
        "reader": ("series",),
        "model": ("dlinear", "nlinear"),
        "recipe_section": ("forecast",),
    }


def test_declaring_imports_nothing_heavy() -> None:
    code = "import sys, tunesmith_forecast.plugin; print(sorted({'pydantic', 'numpy', 'torch'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.parametrize("model", ["dlinear", "nlinear"])
def test_a_sine_is_learned_and_goes_on_as_it_must(write: Write, tmp_path: Path, model: str) -> None:
    run = tunesmith.train(recipe(write("sine.series.csv", SINE), tmp_path / "run", model=model))
    figures = run.manifest["metrics"]["test"]
    assert figures["mase"] < 0.1 < 1 < figures["naive_mase"]

    (answer,) = tunesmith.load(tmp_path / "run").predict([{"values": SINE.tolist()}])
    wanted = 1000 + 50 * np.sin(2 * np.pi * np.arange(600, 612) / 24)
    np.testing.assert_allclose(answer["forecast"], wanted, atol=1)


def test_on_a_random_walk_nothing_is_claimed(write: Write, tmp_path: Path) -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=1500))
    run = tunesmith.train(recipe(write("walk.series.csv", walk), tmp_path / "run", model="nlinear"))
    figures = run.manifest["metrics"]["test"]
    assert figures["mase"] > 0.95 * figures["naive_mase"]
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    better = figures["mase"] < figures["naive_mase"]
    assert ("The model is no better than the naive forecast" in report) == (not better)


def test_the_same_recipe_gives_the_same_weights(write: Write, tmp_path: Path) -> None:
    file = write("noise.series.csv", SINE + np.random.default_rng(0).normal(size=600))
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        tunesmith.train(recipe(file, tmp_path / name, max_steps=20, seed=seed))
        weights.append((tmp_path / name / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_a_gap_stops_the_job_before_it_starts(tmp_path: Path) -> None:
    lines = [f"{hour},{value}\n" for hour, value in enumerate(SINE) if hour != 300]
    (tmp_path / "a.series.csv").write_text("time,value\n" + "".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        tunesmith.train(recipe(tmp_path / "a.series.csv", tmp_path / "run"))
    assert "series a: 1 value is missing between 299 and 301" in str(caught.value)
    assert not (tmp_path / "run" / "model").exists()


def test_a_model_of_another_kind_is_refused(write: Write, tmp_path: Path) -> None:
    for model in ("tabular-mlp", "llama-100k"):
        with pytest.raises(ModelError, match=r"cannot be used for forecast\n(.*\n)*.*'forecast' among its heads"):
            tunesmith.train(recipe(write("sine.series.csv", SINE), tmp_path / "run", model=model))


def test_a_job_from_end_to_end(write: Write, tmp_path: Path, forge: Forge) -> None:
    write("sine.series.csv", SINE)
    job = recipe(Path("sine.series.csv"), Path("run"))
    (tmp_path / "sine.yaml").write_text(job.model_dump_json(exclude_unset=True), encoding="utf-8")

    def command(*words: str) -> str:
        done = forge.tunesmith(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    command("train", "sine.yaml", "--set", "train.max_steps=100", "--set", "plugins.forecast.season=2")
    scored = json.loads(command("evaluate", "run", "--data", "sine.series.csv#0.8:", "--json"))
    assert scored["metrics"]["mase"] < 0.1
    answers = [json.loads(line) for line in command("predict", "run", "sine.series.csv").splitlines()]
    assert [len(answer["forecast"]) for answer in answers] == [12]

    export_model(tmp_path / "run", to="merged", out=tmp_path / "merged")
    assert json.loads((tmp_path / "merged" / "rendering.json").read_text())["state"]["season"] == 2
    assert tunesmith.load(tmp_path / "merged").predict([{"values": SINE.tolist()}]) == answers
