# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tunesmith import models
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, ModelError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.tabular_classification import TabularClassification

SCRATCH = ModelSource(
    name="scratch:tabular-mlp",
    kind="scratch",
    scratch=ScratchOptions(architecture="tabular-mlp", size=None, tokenizer="byte", vocabulary=256, context=8, seed=0),
)


def rows(*cells, names=("size", "color", "label")):
    return [Row(dict(zip(names, one, strict=True)), Origin("t.csv", n + 2)) for n, one in enumerate(cells)]


TRAIN = rows((" 1 ", "red", "a"), ("2.5", "blue", "b"), ("NA", "red", "a"), ("4", "", "b"), ("3", "blue", "c"))


def ready(section, table=TRAIN):
    task = TabularClassification(section)
    examples = [task.parse(row) for row in table]
    task.fit(examples)
    model = task.build(SCRATCH).eval()
    return task, model, examples, task.encode_all(examples)


def test_rows_become_standardized_numbers_and_codes(data):
    task, model, _, items = ready(data())
    known = np.array([1, 2.5, 4, 3])
    wanted = (known - known.mean()) / known.std()
    numbers = np.concatenate([item.features["numbers"] for item in items])
    np.testing.assert_allclose(numbers[[0, 1, 3, 4]], wanted, rtol=1e-6)
    assert np.isnan(numbers[2])
    codes = [item.features["categories"].tolist() for item in items]
    assert codes == [[3], [2], [3], [1], [2]]  # 1 is missing, then blue and red; 0 is what training never saw
    assert (items[0].length, items[0].targets) == (1, 1)
    assert task.notes[:3] == (
        "3 of 3 labels have fewer than 5 training rows: c (1), a (2), b (2)",
        "1 column of numbers: size [missing in 1 row]",
        "1 column of categories: color (2) [missing in 1 row]",
    )
    assert model.config.num_labels == 3


def test_loss_is_the_plain_models_summed_cross_entropy_however_a_batch_is_cut(data):
    task, model, _, items = ready(data())
    batch = task.collate(items)
    expected = functional.cross_entropy(model(**batch.inputs).logits, torch.tensor([0, 1, 0, 1, 2]), reduction="sum")
    assert task.loss(model, batch).item() == pytest.approx(expected.item(), rel=1e-6)
    parts = [task.loss(model, task.collate(items[cut])) for cut in (slice(0, 2), slice(2, 3), slice(3, 5))]
    assert sum(part.item() for part in parts) == pytest.approx(expected.item(), rel=1e-6)
    assert (batch.targets, batch.tokens, batch.rows) == (5, 5, [0, 1, 2, 3, 4])


def test_what_training_never_saw_is_counted(data):
    table = rows(("1", "red", "a"), ("2", "blue", "b"))
    task, model, _, _ = ready(data(), table)
    new = [task.parse(row) for row in rows(("9999999", "green", "a"), ("", "NA", "b"), ("1", "pink", "a"))]
    items = task.encode_all(new)
    assert task.notes[-3:] == (
        "2 cells of a category that training never saw: color (2)",
        "2 cells missing in columns that training never missed: color (1), size (1)",
        "1 cell farther than 1,000 standard deviations from the mean, read as so far: size (1)",
    )
    with torch.inference_mode():
        assert all(np.isfinite(output.probabilities).all() for output in task.outputs(model, task.collate(items)))


def test_text_in_a_column_of_numbers_is_an_error_with_its_place(data):
    task, *_ = ready(data())
    wrong = [task.parse(row) for row in rows(("1", "red", "a"), ("12,5", "red", "a"), ("x", "blue", "b"))]
    with pytest.raises(
        DataError, match=r"2 of 3 rows cannot be used: columns of numbers hold cells that are none"
    ) as e:
        task.encode_all(wrong)
    assert [str(problem) for problem in e.value.problems] == [
        "t.csv:3: size is '12,5', which is no number",
        "t.csv:4: size is 'x', which is no number",
    ]


def test_to_predict_a_row_must_have_the_columns_and_may_have_others(data):
    task, *_ = ready(data())
    row = Row({"size": 3, "color": None, "extra": ["anything"], "label": "a"}, Origin("rows[0]"))
    assert task.parse(row, labelled=False).cells == {"size": 3.0, "color": None}
    with pytest.raises(RowError, match=r"no column 'color', which the model reads; did you mean 'colour'\?"):
        task.parse(Row({"size": 3, "colour": "red"}, Origin("rows[0]")), labelled=False)


def test_a_split_without_a_column_is_an_error(data):
    task, *_ = ready(data())
    lacking = [task.parse(row) for row in rows(("1", "a"), names=("size", "label"))]
    with pytest.raises(DataError, match=r"the test rows have no column 'color', which the model reads"):
        task.check(lacking, "test")


def test_columns_are_chosen_by_the_recipe(data):
    names = ("id", "size", "note", "kind")
    table = rows(("a1", "1", "x", "p"), ("a2", "2", "y", "q"), ("a3", "3", "x", "p"), names=names)
    for row in table:
        row.values["label"] = row.values["kind"]
    columns = {"label": "kind"}
    task, *_ = ready(data(columns=columns, ignore=["id"]), table)
    assert task.table.names == ["size", "note"]
    task, *_ = ready(data(columns=columns, features=["note", "id"]), table)
    assert task.table.names == ["id", "note"]
    task, *_ = ready(data(columns=columns, categorical=["size"], ignore=["id", "note"]), table)
    assert task.table.categories[0].values == ("1", "2", "3")
    with pytest.raises(DataError, match=r"data\.ignore[\s\S]*no column 'nte'[\s\S]*did you mean 'note'"):
        ready(data(columns=columns, ignore=["nte"]), table)
    with pytest.raises(DataError, match=r"data\.ignore leaves out note, which data\.features"):
        ready(data(columns=columns, features=["note"], ignore=["note"]), table)
    with pytest.raises(DataError, match=r"data\.features: the training rows have no column 'kind' to learn from"):
        ready(data(columns=columns, features=["kind"]), table)


def test_saved_and_restored_answers_are_identical(data, tmp_path):
    task, model, examples, items = ready(data())
    models.save_model(model, tmp_path / "m")
    again = TabularClassification(data())
    source = ModelSource(name="m", kind="folder", folder=tmp_path / "m")
    restored = again.restore(task.state(), source).eval()
    assert again.state() == task.state()
    with torch.inference_mode():
        before = task.outputs(model, task.collate(items))
        after = again.outputs(restored, again.collate(again.encode_all(examples)))
    assert all(np.array_equal(one.probabilities, two.probabilities) for one, two in zip(before, after, strict=True))
    with pytest.raises(ModelError, match=r"rendering.json: 'table' cannot be used"):
        TabularClassification(data()).restore({**task.state(), "table": 3}, source)
    with pytest.raises(ModelError, match=r"is made anew for every table[\s\S]*scratch:tabular-mlp"):
        again.build(source)


def test_several_labels_a_row(data):
    table = rows(("1", "red", "a|b"), ("2", "blue", "b"), ("3", "red", "a"))
    task, model, examples, items = ready(data(label_separator="|"), table)
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    scores = task.score(outputs, examples)
    assert list(scores) == [metric.name for metric in task.metrics]
    assert all(np.isfinite(list(scores.values())))


def test_importance_finds_the_column_that_decides(data):
    random = np.random.default_rng(0)
    signs = random.choice(["plus", "minus"], 200)
    noise = random.normal(size=(2, 200))
    names = ("sign", "noise", "level", "label")
    table = rows(*zip(signs, noise[0].tolist(), noise[1].tolist(), signs, strict=True), names=names)
    task, model, examples, items = ready(data(), table)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        (task.loss(model, task.collate(items)) / 200).backward()
        optimizer.step()
    (section,) = task.inspect(model, items, examples)
    assert section.title == "Importance of the columns"
    assert section.header == ("column", "kind", "loss rises by", "±", "share of wrong rows rises by", "±")
    first, *others = section.rows
    assert first[:2] == ("sign", "2 categories")
    assert first[4] > 0.3
    assert all(abs(row[4]) < 0.1 for row in others)
    assert task.inspect(model, items, examples)[0] == section  # the shuffles are seeded
    unlabelled = task.encode_all([task.parse(row, labelled=False) for row in table[:3]])
    assert task.inspect(model, unlabelled, examples) == []
