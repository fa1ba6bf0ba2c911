# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The end of a job: a temperature from the validation rows, and from there on everything is told at it."""

from __future__ import annotations

import json
import random
import shutil
from contextlib import closing

import numpy as np
import pytest
import torch

import tunesmith
from tunesmith.data.rows import Origin, Row
from tunesmith.engine import PredictRequest, open_engine
from tunesmith.evaluate import evaluate
from tunesmith.evaluate.golden import Golden
from tunesmith.evaluate.probe import Probe
from tunesmith.models import find_model_by_name
from tunesmith.registry import get_registry
from tunesmith.tasks import open_task
from tunesmith.training import replay, verify


def recipe(folder, out, **data):
    return tunesmith.parse_recipe(
        {
            "task": "tabular-classification",
            "model": "scratch:tabular-mlp",
            "data": {"train": str(folder / "train.csv"), "test": str(folder / "test.csv")} | data,
            "train": {"epochs": 30, "learning_rate": 0.02, "weight_decay": 0.0},
            "evaluate": {"keep": "last", "before": False},
            "output": str(folder / out),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rows whose label is right four times out of five: a net that has learned them by heart is too sure."""
    folder = tmp_path_factory.mktemp("calibrating")
    chance = random.Random(0)
    for name, count in (("train", 120), ("validation", 500), ("test", 500)):
        rows = ["a,b,c,label"]
        for _ in range(count):
            numbers = [chance.gauss(0, 1) for _ in range(3)]
            label = "up" if (numbers[0] + numbers[1] > 0) is (chance.random() < 0.8) else "down"
            rows.append(",".join([*(f"{number:.3f}" for number in numbers), label]))
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return tunesmith.train(recipe(folder, "run", validation=str(folder / "validation.csv")))


def rendering(run):
    return json.loads((run.model_folder / "rendering.json").read_text())["state"]


def notes(run):
    return [record["message"] for record in run.metrics() if record["kind"] == "note"]


def test_it_is_fitted_on_validation_rows_saved_and_told(run):
    temperature = rendering(run)["temperature"]
    assert temperature > 1.5
    told = f"probabilities are at temperature {temperature}, fitted on 500 validation rows"
    assert told in notes(run)
    figures = run.manifest["metrics"]["test"]
    assert figures["ece"] < figures["ece_uncalibrated"]
    assert list(figures).index("ece_uncalibrated") == list(figures).index("ece") + 1
    card = (run.model_folder / "README.md").read_text()
    assert told in card
    assert "| ece\\_uncalibrated | **" in card
    assert "ece without the temperature fitted on validation rows" in card
    page = run.report_file.read_text()
    assert told in page
    assert "Calibration</h2>" in page
    assert f"at temperature {temperature}" in page


def test_test_rows_have_no_part_in_it(run, folder):
    (folder / "other.csv").write_text("\n".join((folder / "test.csv").read_text().splitlines()[:40]) + "\n")
    files = {"validation": str(folder / "validation.csv"), "test": str(folder / "other.csv")}
    other = tunesmith.train(recipe(folder, "other", **files))
    assert rendering(other) == rendering(run)


def test_without_validation_rows_there_is_none_and_it_says_so(folder):
    plain = tunesmith.train(recipe(folder, "plain"))
    assert "temperature" not in rendering(plain)
    assert "ece_uncalibrated" not in plain.manifest["metrics"]["test"]
    told = "there are no validation rows to fit a temperature on, so probabilities are as the network gives them"
    assert told in notes(plain)
    assert "Calibration</h2>" not in plain.report_file.read_text()


def test_every_way_to_ask_gives_the_probabilities_that_were_scored(run, folder):
    lines = (folder / "test.csv").read_text().splitlines()
    rows = [dict(zip(("a", "b", "c"), line.split(","), strict=False)) for line in lines[1:]]
    task, network = open_task(find_model_by_name(str(run.path), get_registry()), get_registry())
    examples = [task.parse(Row(row, Origin("test.csv", line)), labelled=False) for line, row in enumerate(rows)]
    items = task.encode_all(examples)
    with torch.inference_mode():
        logits = network.eval()(**task.collate(items).inputs).logits
    wanted = (logits / rendering(run)["temperature"]).softmax(-1).numpy()

    model = tunesmith.load(run.path)
    told = [list(answer["probabilities"].values()) for answer in model.predict(rows)]
    np.testing.assert_allclose(told, wanted, atol=1e-6)
    with closing(open_engine(run.path)) as engine:
        answers = engine.submit(PredictRequest(rows=tuple(rows))).result()
    np.testing.assert_allclose([list(one["probabilities"].values()) for one in answers.rows], wanted, atol=1e-6)
    assert [answer["label"] for answer in answers.rows] == [task.labels[place] for place in logits.argmax(-1)]
    again = evaluate(model, [str(folder / "test.csv")])
    assert again.metrics == pytest.approx(run.manifest["metrics"]["test"], rel=1e-6)

    golden = Golden.read(run.path / "golden.json")
    probe = Probe(task, network)
    for row in golden.rows:
        for item in row.items:
            np.testing.assert_allclose(item.numbers, probe.numbers(item.encoded), atol=1e-6)
            assert item.numbers.sum() == pytest.approx(1, abs=1e-5), "probabilities, and nothing else"


def test_it_is_done_again_and_found_whole(run):
    assert verify(run).whole
    found = replay(run)
    assert found.equal
    again = tunesmith.Run.open(found.repeated)
    assert (again.model_folder / "rendering.json").read_bytes() == (run.model_folder / "rendering.json").read_bytes()


def test_killed_behind_the_calibration_and_resumed_it_is_the_same(run, folder, monkeypatch):
    """The folder then holds a temperature already."""

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tunesmith.training.finish._write_golden", killed)
        with pytest.raises(KeyboardInterrupt):
            tunesmith.train(recipe(folder, "killed", validation=str(folder / "validation.csv")))
    assert rendering(tunesmith.Run.open(folder / "killed"))["temperature"] == rendering(run)["temperature"]
    again = tunesmith.train(resume=folder / "killed")
    assert again.manifest["metrics"] == run.manifest["metrics"]
    for name in ("rendering.json", "model.safetensors"):
        assert (again.model_folder / name).read_bytes() == (run.model_folder / name).read_bytes(), name


def test_a_model_folder_without_one_answers_as_before(run, tmp_path):
    shutil.copytree(run.model_folder, tmp_path / "m")
    file = tmp_path / "m" / "rendering.json"
    content = json.loads(file.read_text())
    temperature = content["state"].pop("temperature")
    file.write_text(json.dumps(content))
    row = {"a": "0.5", "b": "0.5", "c": "0"}
    (plain,), (calibrated,) = (tunesmith.load(path).predict([row]) for path in (tmp_path / "m", run.path))
    assert plain["label"] == calibrated["label"]
    odds = [np.log(one["probabilities"]["up"] / one["probabilities"]["down"]) for one in (plain, calibrated)]
    assert odds[0] == pytest.approx(odds[1] * temperature, rel=1e-4)
