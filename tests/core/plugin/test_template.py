# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the template's plugin does, part by part; tests/packaging installs every variant of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tunesmith._plugins.scaffold import plugin_names, project_files, write_project
from tunesmith._plugins.scaffold_parts import PARTS
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row, RowError
from tunesmith.errors import DataError, NotFoundError
from tunesmith.plugin import RunStarted, StepDone
from tunesmith.recipe.schema import DataSection

Module = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Module]:
    """``module("task")``: of a plugin with every part."""
    folder = tmp_path_factory.mktemp("template") / "plugin"
    names = plugin_names("night-sky")
    write_project(project_files(names, tuple(PARTS), version="0.1.0", year=2026), folder)
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"{names.package}.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == names.package]:
        del sys.modules[name]


def row(**values: Any) -> Row:
    return Row(values, Origin("rows.csv", 7))


# ---- dataset and task --------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "each"), [("train", 4), ("test", 2)])
def test_the_dataset_has_as_many_rows_of_each_rating(module: Module, split: str, each: int) -> None:
    rows = list(module("data").reviews(split))
    assert sorted(one.values["rating"] for one in rows) == sorted([1, 2, 3, 4, 5] * each)
    assert str(rows[1].origin) == f"dataset:night-sky#{split}:2"
    assert len({one.values["text"] for one in rows}) == len(rows)


def test_no_text_is_in_both_splits(module: Module) -> None:
    train, test = ({one.values["text"] for one in module("data").reviews(split)} for split in ("train", "test"))
    assert not train & test


def test_an_unknown_split_is_explained(module: Module) -> None:
    with pytest.raises(NotFoundError, match="the dataset night-sky has no such split") as caught:
        list(module("data").reviews("dev"))
    assert "given:    dev\n  expected: train or test" in str(caught.value)


@pytest.fixture
def task(module: Module) -> Any:
    return module("task").Rating(DataSection(train=["x"]))


@pytest.mark.parametrize("value", [4, "4", " 4 ", 4.0, np.int64(4)])
def test_a_rating_is_read_in_every_form_that_files_have(task: Any, value: object) -> None:
    assert task.parse(row(text="fine", rating=value)).rating == 4


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "rating is missing"),
        ("", "rating is missing"),
        ("good", "rating is 'good'"),
        (3.5, "rating is 3.5"),
        (0, "rating is 0"),
        (101, "rating is 101"),
        (True, "rating is True"),
        ([4], "rating is [4]"),
        (float("nan"), "rating is nan"),
    ],
)
def test_what_is_no_rating_is_refused_by_its_value(task: Any, value: object, words: str) -> None:
    with pytest.raises(RowError) as caught:
        task.parse(row(text="fine", rating=value))
    assert str(caught.value) == f"{words}; a whole number from 1 to 100 was expected"


def test_rows_to_predict_need_no_rating(task: Any) -> None:
    assert task.parse(row(text="fine"), labelled=False).rating is None


def test_one_rating_alone_teaches_nothing(task: Any) -> None:
    with pytest.raises(DataError, match="do not have enough different ratings") as caught:
        task.fit([task.parse(row(text="fine", rating=3))] * 9)
    assert "given:    9 rows with the ratings [3]" in str(caught.value)


def test_a_rating_above_the_scale_of_training_is_named_with_its_row(task: Any) -> None:
    task.fit([task.parse(row(text="fine", rating=rating)) for rating in (1, 3)])
    with pytest.raises(DataError, match="the test rows have ratings above those that training saw") as caught:
        task.check([task.parse(row(text="fine", rating=5))], "test")
    assert "rows.csv:7: rating 5" in str(caught.value)
    assert "expected: ratings from 1 to 3" in str(caught.value)


def test_figures_and_the_table_are_those_of_a_count_by_hand(module: Module, task: Any) -> None:
    rated = module("task").Rated
    examples = [task.parse(row(text="fine", rating=rating)) for rating in (1, 1, 5)]
    outputs = [rated(np.asarray(above, dtype=np.float32), 0.5) for above in ([0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0])]
    assert [output.rating for output in outputs] == [1, 3, 4]
    assert task.score(outputs, examples) == {"distance": 1.0, "accuracy": pytest.approx(1 / 3), "loss": 0.5}
    (table,) = task.sections(outputs, examples)
    assert table.rows == [("1", 2, 2.0, 1.0), ("5", 1, 4.0, 1.0)]
    assert task.answer(outputs[1]) == {"rating": 3, "mean": 3.0, "above": [1.0, 1.0, 0.0, 0.0]}


# ---- the other parts ---------------------------------------------------------------------------


def test_cards_are_read_and_bad_ones_named_by_their_first_line(module: Module, tmp_path: Path) -> None:
    file = tmp_path / "a.cards"
    file.write_text("text: a: b\nlabel: x\n\n\ntext: c\nnonsense\n\ntext: d\ntext: e\n  \n : f\n\ntext:\n", "utf-8")
    good, *bad, last = module("reader").read(file, ReadOptions())
    assert good == Row({"text": "a: b", "label": "x"}, Origin(str(file), 1))
    assert bad == [
        Problem(Origin(str(file), 5), "'nonsense' is not `name: value`"),
        Problem(Origin(str(file), 8), "'text' is there twice"),
        Problem(Origin(str(file), 11), "': f' is not `name: value`"),
    ]
    assert last == Row({"text": ""}, Origin(str(file), 13))


def test_the_metric_counts_numbers(module: Module) -> None:
    numbers_kept = module("metric").numbers_kept
    assert numbers_kept(["13 of 40", "no"], ["13 of 40", "7, 1.5"]) == 0.5
    assert numbers_kept(["7"], ["7 and 7"]) == 0.5
    assert numbers_kept(["none"], ["none"]) == numbers_kept([], []) == 1.0


def test_the_augmentation_changes_nothing_but_capitals_and_follows_from_chance(module: Module) -> None:
    text = "it leaks all over\tthe table " * 20
    shout = module("augmentation").Shout(share=0.5)
    first, again = (shout.change(text, np.random.default_rng(3)) for _ in range(2))
    assert first == again != text
    assert first.lower() == text
    assert module("augmentation").Shout(share=1.0).change(text, np.random.default_rng(3)) == text.upper()


def test_the_transform_squeezes_and_counts(module: Module) -> None:
    squeeze = module("transform").Squeeze()
    values = {"text": " a \n\u00a0b", "label": 1}
    assert squeeze.change(values) == {"text": "a b", "label": 1}
    assert squeeze.counted() == ["white space of 1 of 1 rows squeezed"]
    assert values["text"] == " a \n\u00a0b"
    with pytest.raises(RowError, match="text is missing"):
        squeeze.change({})
    with pytest.raises(RowError, match="text is no text"):
        squeeze.change({"text": 3})


def test_the_objective_is_the_sum_over_the_labels_and_has_a_slope(module: Module) -> None:
    brier = module("objective").Brier()
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]], dtype=torch.float64, requires_grad=True)
    losses = brier.losses({"logits": logits, "labels": torch.tensor([0, 2])})
    p = logits.detach().softmax(-1)
    by_hand = [(p[0, 0] - 1) ** 2 + p[0, 1] ** 2 + p[0, 2] ** 2, torch.tensor(2 / 3, dtype=torch.float64)]
    assert torch.allclose(losses, torch.stack(by_hand))
    assert torch.autograd.gradcheck(lambda x: brier.losses({"logits": x, "labels": torch.tensor([0, 2])}), logits)
    several = brier.losses({"logits": torch.zeros(1, 4), "labels": torch.tensor([[1.0, 0, 0, 1]])})
    assert several.tolist() == [0.25]


def test_the_tracker_writes_a_line_a_step_and_takes_back_what_a_resumed_job_does_again(
    module: Module, tmp_path: Path
) -> None:
    def started(first_step: int) -> RunStarted:
        return RunStarted(run=str(tmp_path), recipe={}, total_steps=3, first_step=first_step)

    def step(number: int, loss: float) -> StepDone:
        facts = {"epoch": 1.0, "learning_rate": 0.1, "grad_norm": 1.0, "tokens": 8, "seconds": 0.5, "total_steps": 3}
        return StepDone(run=str(tmp_path), step=number, loss=loss, **facts)

    tracker = module("tracker").Sheet()
    tracker.started(started(0))
    for number in (1, 2, 3):
        tracker.step_done(step(number, 0.5))
    resumed = module("tracker").Sheet()
    resumed.started(started(1))
    resumed.step_done(step(2, 0.25))
    lines = (tmp_path / "steps.csv").read_text("utf-8").splitlines()
    assert lines == ["step,epoch,loss,learning_rate,tokens,seconds", "1,1.0,0.5,0.1,8,0.5", "2,1.0,0.25,0.1,8,0.5"]
