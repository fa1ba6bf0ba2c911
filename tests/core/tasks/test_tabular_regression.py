# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
import torch

from tunesmith import models
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, ModelError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.tabular_regression import TabularRegression

SCRATCH = ModelSource(
    name="scratch:tabular-mlp",
    kind="scratch",
    scratch=ScratchOptions(architecture="tabular-mlp", size=None, tokenizer="byte", vocabulary=256, context=8, seed=0),
)


def table(*pairs):
    return [Row({"size": size, "target": y}, Origin("t.csv", n + 2)) for n, (size, y) in enumerate(pairs)]


TRAIN = table(("1", "1000"), ("2", " 3000.5 "), ("", 5e3), ("4", "4000"), ("5", "1e3"))
TARGETS = np.array([1000, 3000.5, 5000, 4000, 1000])


def ready(section, rows=TRAIN):
    task = TabularRegression(section)
    examples = [task.parse(row) for row in rows]
    task.fit(examples)
    model = task.build(SCRATCH).eval()
    return task, model, examples, task.encode_all(examples)


def test_the_loss_is_of_the_standardized_target_and_sums_over_any_cut(data):
    task, model, _, items = ready(data())
    batch = task.collate(items)
    standard = (TARGETS - TARGETS.mean()) / TARGETS.std()
    logits = model(**batch.inputs).logits.detach().squeeze(-1).double()
    expected = float(((logits - torch.from_numpy(standard)) ** 2).sum())
    assert task.loss(model, batch).item() == pytest.approx(expected, rel=1e-6)
    cut = task.loss(model, task.collate(items[:2])) + task.loss(model, task.collate(items[2:]))
    assert cut.item() == pytest.approx(expected, rel=1e-6)
    assert (batch.targets, model.config.num_labels) == (5, 1)


def test_answers_and_figures_are_in_the_targets_unit(data):
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    task, model, examples, items = ready(data())
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    values = np.array([task.answer(output)["value"] for output in outputs])
    logits = model(**task.collate(items).inputs).logits.squeeze(-1).detach().double().numpy()
    np.testing.assert_allclose(values, logits * TARGETS.std() + TARGETS.mean(), rtol=1e-6)
    scores = task.score(outputs, examples)
    assert list(scores) == ["rmse", "mae", "r2", "loss"] == [metric.name for metric in task.metrics]
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(TARGETS, values))
    assert scores["mae"] == pytest.approx(mean_absolute_error(TARGETS, values))
    assert scores["r2"] == pytest.approx(r2_score(TARGETS, values))
    assert scores["loss"] == pytest.approx((scores["rmse"] / TARGETS.std()) ** 2, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("NA", "target is missing; rows without it cannot be learned from"),
        (None, "target is missing"),
        ("12,5", "target is '12,5'; a number was expected"),
        (float("inf"), "target is inf; a finite number"),
        ("1e400", "target is '1e400'; a number was expected"),
    ],
)
def test_a_row_needs_a_target_that_is_a_number(data, value, words):
    with pytest.raises(RowError, match=words):
        TabularRegression(data()).parse(table(("1", value))[0])


def test_a_target_without_spread_is_nothing_to_learn(data):
    with pytest.raises(DataError, match=r"the target is the same in every training row[\s\S]*7 in 3 rows"):
        ready(data(), table(("1", 7), ("2", 7), ("3", 7)))


def test_saved_and_restored_answers_are_identical(data, tmp_path):
    task, model, examples, items = ready(data())
    models.save_model(model, tmp_path / "m")
    again = TabularRegression(data())
    source = ModelSource(name="m", kind="folder", folder=tmp_path / "m")
    restored = again.restore(task.state(), source).eval()
    assert again.state() == task.state()
    with torch.inference_mode():
        before = task.outputs(model, task.collate(items))
        after = again.outputs(restored, again.collate(again.encode_all(examples)))
    assert before == after
    with pytest.raises(ModelError, match=r"rendering.json: 'mean and scale' cannot be used"):
        TabularRegression(data()).restore({**task.state(), "scale": 0}, source)


def test_the_report_shows_the_greatest_errors_and_what_columns_are_worth(data):
    task, model, examples, items = ready(data())
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    (errors,) = task.sections(outputs, examples)
    assert errors.title == "Greatest errors"
    sizes = [abs(row[3]) for row in errors.rows]
    assert sizes == sorted(sizes, reverse=True)
    assert errors.rows[0][1] + errors.rows[0][3] == pytest.approx(errors.rows[0][2])
    (worth,) = task.inspect(model, items, examples)
    assert [row[:2] for row in worth.rows] == [("size", "number")]
    unlabelled = [task.parse(row, labelled=False) for row in TRAIN]
    assert task.sections(outputs, unlabelled) == []
    assert task.inspect(model, task.encode_all(unlabelled), unlabelled) == []
