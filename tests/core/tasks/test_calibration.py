# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A classifier's temperature: what it changes, what it does not, where it is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tunesmith import models
from tunesmith.data.rows import Origin, Row
from tunesmith.errors import ModelError
from tunesmith.models.source import ModelSource
from tunesmith.registry import get_registry
from tunesmith.tasks import open_task, save_task
from tunesmith.tasks.metrics import calibration_error
from tunesmith.tasks.temperature import fit_temperature
from tunesmith.tasks.text_classification import TextClassification, TextExample


@pytest.fixture
def make(data):
    """A classifier of some labels, as it is before it was fitted, and outputs for logits and true labels."""

    def made(names="abc", *, several=False):
        task = TextClassification(data(label_separator="|") if several else data())
        task.multi_label = several
        task._set_labels(tuple(names))
        return task

    return made


def outputs(task, logits, labels):
    return task._outputs(torch.tensor(logits), torch.tensor(labels), task.temperature)


def too_sure(task, rows=300, seed=0):
    """Rows whose labels were drawn by logits a third as large as these."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(size=(rows, len(task.labels))).astype(np.float32)
    if task.multi_label:
        labels = (chance.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    else:
        labels = (logits + chance.gumbel(size=logits.shape)).argmax(1)
    return outputs(task, (3 * logits).tolist(), labels.tolist())


@pytest.mark.parametrize("several", [False, True])
def test_probabilities_and_loss_are_at_the_temperature_and_labels_stay(make, several):
    task = make(several=several)
    before = too_sure(task)
    after, told = task.calibrate(before)
    logits = np.stack([output.logits for output in before])
    truth = np.array([[place in output.truth for place in range(3)] for output in before])
    assert task.temperature == fit_temperature(logits, truth, several=several)
    assert 2 < task.temperature < 4
    assert told == f"probabilities are at temperature {task.temperature}, fitted on 300 validation rows"
    scaled = torch.from_numpy(logits) / task.temperature
    wanted = scaled.sigmoid() if several else scaled.softmax(-1)
    np.testing.assert_allclose([output.probabilities for output in after], wanted, rtol=1e-6)
    assert [task.decide(output) for output in after] == [task.decide(output) for output in before]
    assert [output.truth for output in after] == [output.truth for output in before]
    named = wanted.numpy()
    losses = [
        -np.mean(np.log(np.where(true, row, 1 - row))) if several else -np.log(row[true].item())
        for row, true in zip(named, truth, strict=True)
    ]
    np.testing.assert_allclose([output.loss for output in after], losses, rtol=1e-4)


def test_a_lead_that_rounding_takes_away_decides_all_the_same(make):
    close = np.array([1.0, np.nextafter(np.float32(1), np.float32(2)), 0.5], dtype=np.float32)
    task = make()
    task.temperature = 7.3
    (output,) = outputs(task, [close.tolist()], [1])
    assert output.probabilities[0] == output.probabilities[1]
    assert task.answer(output)["label"] == "b"
    several = make(several=True)
    several.temperature = 1e6
    (output,) = outputs(several, [[-1e-3, 0.0, 1e-3]], [[0.0, 1.0, 1.0]])
    assert several.answer(output)["labels"] == ["b", "c"]


@pytest.mark.parametrize("several", [False, True])
def test_the_same_rows_give_the_same_again_whatever_was_fitted_before(make, several):
    """A job that dies after it has calibrated, and is resumed, starts from what it has written."""
    task = make(several=several)
    rows = too_sure(task)
    first, told = task.calibrate(rows)
    again, told_again = task.calibrate(first)
    assert (told, task.score(first, [])) == (told_again, task.score(again, []))


@pytest.mark.parametrize("several", [False, True])
def test_both_calibration_errors_are_told(make, several):
    task = make(several=several)
    rows = too_sure(task)
    examples = [TextExample("a text", None, False, Origin("rows.csv", line)) for line in range(2000)]
    before = task.score(rows, [])
    assert "ece_uncalibrated" not in before
    assert "Calibration" not in [section.title for section in task.sections(rows, examples[:300])]
    task.calibrate(rows)
    held_out = too_sure(task, rows=2000, seed=1)
    task.temperature, fitted = None, task.temperature
    plain = task.score(too_sure(task, rows=2000, seed=1), [])
    task.temperature = fitted
    after = task.score(held_out, [])
    assert after["ece_uncalibrated"] == plain["ece"]
    assert after["ece"] < 0.3 * plain["ece"]
    assert after["loss"] < plain["loss"]
    same = ("accuracy", "macro_f1", "micro_f1", "precision", "recall")
    assert [after[name] for name in same] == [plain[name] for name in same]
    names = [*(metric.name for metric in task.metrics), *(metric.name for metric in task.final_metrics)]
    assert set(after) == set(names)
    (table,) = (section for section in task.sections(held_out, examples) if section.title == "Calibration")
    assert table.rows[0][:2] == ("as the network gives them", round(plain["ece"], 4))
    assert table.rows[1][:2] == (f"at temperature {task.temperature}", round(after["ece"], 4))
    assert table.header == ("probabilities", "expected calibration error", "mean confidence", "loss")


def test_the_calibration_error_is_of_the_label_that_is_told(make):
    task = make()
    task.calibrate(too_sure(task))
    rows = too_sure(task, seed=2)
    answers = [task.answer(output) for output in rows]
    right = np.array([answer["label"] == task.labels[row.truth[0]] for answer, row in zip(answers, rows, strict=True)])
    sure = np.array([answer["probability"] for answer in answers])
    assert task.score(rows, [])["ece"] == pytest.approx(calibration_error(right, sure), rel=1e-5)


def test_where_nothing_can_be_fitted_it_says_why(make):
    task = make()
    assert task.calibrate([]) == (
        [],
        "there are no validation rows to fit a temperature on, so probabilities are as the network gives them",
    )
    rows = outputs(task, [[2.0, 0.0, 0.0], [0.0, 0.1, 0.0]], [0, 1])
    again, told = task.calibrate(rows)
    assert told == (
        "no temperature from 0.05 to 20 suits the 2 validation rows (2 right), "
        "so probabilities are as the network gives them"
    )
    assert task.temperature is None
    np.testing.assert_array_equal(again[0].probabilities, rows[0].probabilities)
    assert "temperature" not in task.state() | {"max_length": 0}


def test_it_is_saved_and_comes_back(bert, data, tmp_path):
    task = TextClassification(data())
    task.fit([task.parse(Row({"text": t, "label": t}, Origin("t", n))) for n, t in enumerate(("no", "yes"))])
    model = task.build(bert).eval()
    models.save_model(model, tmp_path, task.tokenizer)
    without = json.loads(save_task(task, tmp_path).read_text())
    assert "temperature" not in without["state"], "golden sets of models without one hold the digest of such a state"
    task.temperature = 1.625
    file = save_task(task, tmp_path)
    source = ModelSource(name="m", kind="folder", folder=tmp_path)
    again, module = open_task(source, get_registry())
    assert (again.temperature, again.state()) == (1.625, task.state())
    batch = again.collate(again.encode_all([again.parse(Row({"text": "yes"}, Origin("t", 1)), labelled=False)]))
    with torch.inference_mode():
        (output,) = again.outputs(module.eval(), batch)
        wanted = (module(**batch.inputs).logits / 1.625).softmax(-1)[0]
    np.testing.assert_array_equal(output.probabilities, wanted)

    for wrong in (0, -1.0, "1.5", True, None, 1e400):
        content = json.loads(file.read_text())
        content["state"]["temperature"] = wrong
        file.write_text(json.dumps(content))
        with pytest.raises(ModelError, match=r"'temperature' cannot be used[\s\S]*a finite number above 0"):
            open_task(source, get_registry())
