# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The task by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tunesmith
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, ModelError, RecipeError
from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import DataSection
from tunesmith_forecast.nets import DLinear, DLinearConfig
from tunesmith_forecast.settings import ForecastSettings
from tunesmith_forecast.task import Forecasting

HERE = Origin("a.csv", 1)


def task(context: int = 4, horizon: int = 2, season: int = 1) -> Forecasting:
    made = Forecasting(DataSection(train=["a.csv"]))
    made.settings = ForecastSettings(context=context, horizon=horizon, season=season)
    return made


def parsed(made: Forecasting, values: Any, *, labelled: bool = True, **more: Any) -> Any:
    return made.parse(Row({"values": values, **more}, HERE), labelled=labelled)


def net(context: int = 4, horizon: int = 2) -> DLinear:
    torch.manual_seed(0)
    made = DLinear(DLinearConfig(context=context, horizon=horizon))
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made.eval()


def test_the_recipe_says_how_far_it_looks() -> None:
    made = Forecasting(DataSection(train=["a.csv"]))
    recipe = {"task": "forecasting", "model": "scratch:dlinear", "data": {"train": "a.csv"}, "output": "x"}
    made.take_settings(tunesmith.Recipe.model_validate({**recipe, "plugins": {"forecast": {"horizon": 7}}}))
    assert (made.settings.context, made.settings.horizon, made.settings.season) == (96, 7, 1)
    wrong = {"forecast": {"context": 12, "season": 12, "horizont": 3}}
    with pytest.raises(RecipeError) as caught:
        made.take_settings(tunesmith.Recipe.model_validate({**recipe, "plugins": wrong}))
    assert "plugins.forecast.horizont: unknown key; did you mean 'horizon'?" in str(caught.value)
    del wrong["forecast"]["horizont"]
    with pytest.raises(RecipeError, match="season must be below context, given season 12 and context 12"):
        made.take_settings(tunesmith.Recipe.model_validate({**recipe, "plugins": wrong}))


@pytest.mark.parametrize(
    ("values", "more", "words"),
    [
        (None, {}, "values is missing; a list of numbers was expected"),
        ("1, 2", {}, r"values is str \('1, 2'\); a list of numbers was expected"),
        ([1, "x"], {}, r"values\[1\] is 'x', which is no number"),
        ([1, None], {}, r"values\[1\] is missing"),
        ([1, float("nan")], {}, r"values\[1\] is nan, which is no finite number"),
        ([1, 2], {"start": 3}, "start is 3; a place from 0 to 2"),
        ([1, 2], {"start": True}, "start is True"),
    ],
)
def test_rows_that_are_no_series_say_why(values: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(RowError, match=words):
        parsed(task(), values, **more)


def test_to_predict_the_whole_context_must_be_there() -> None:
    with pytest.raises(RowError, match="there are 3 values; a forecast is made from the last 4"):
        parsed(task(), [1, 2, 3], labelled=False)
    made = task()
    (item,) = made.encode(parsed(made, [1, 2, 3, 4, 5], labelled=False), 0)
    assert item.features["context"].tolist() == [2, 3, 4, 5]
    assert item.targets == 0


def test_every_window_is_an_item_and_shares_the_memory_of_its_series() -> None:
    made = task()
    example = parsed(made, list(range(8)), series="a")
    items = made.encode(example, 3)
    assert [item.features["context"].tolist() for item in items] == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]
    assert [item.features["target"].tolist() for item in items] == [[4, 5], [5, 6], [6, 7]]
    assert all(np.shares_memory(item.features["context"], example.values) for item in items)
    assert {(item.row, item.targets, item.length) for item in items} == {(3, 2, 1)}


def test_series_that_are_too_short_or_never_move_are_counted() -> None:
    made = task()
    examples = [parsed(made, list(range(n))) for n in (3, 9)] + [parsed(made, [5] * 9)]
    made.encode_all(examples)
    assert made.counted() == [
        "1 of 3 series left out: too short for a window of 6 values",
        "1 of 3 series do not move before they are forecast: no MASE",
    ]


def test_a_job_without_a_window_does_not_start() -> None:
    made = task()
    with pytest.raises(DataError) as caught:
        made.fit([parsed(made, [1, 2, 3])])
    assert "no training series is long enough for one window" in str(caught.value)
    assert "1 series, the longest of 3 values" in str(caught.value)
    assert "--set plugins.forecast.context=N" in str(caught.value)
    made.check([], "test")
    made.check([parsed(made, [1, 2, 4, 7, 9, 9], start=4)], "test")
    with pytest.raises(DataError, match=r"no test series is long enough(.*\n)+.*at most 1 to forecast"):
        made.check([parsed(made, [1, 2, 4, 7, 9], start=4)], "test")
    with pytest.raises(DataError, match="no series changes from one season to the next"):
        made.check([parsed(made, [1, 1, 1, 1, 9, 9], start=4)], "test")


def test_neither_batch_nor_unit_changes_a_forecast() -> None:
    made, model = task(), net()
    values = np.random.default_rng(0).normal(size=12)
    items = made.encode(parsed(made, values), 0)
    together = made.outputs(model, made.collate(items))
    for item, output in zip(items, together, strict=True):
        (alone,) = made.outputs(model, made.collate([item]))
        np.testing.assert_allclose(alone.values, output.values, rtol=1e-5)
    other = made.outputs(model, made.collate(made.encode(parsed(made, 1e6 + 1e3 * values), 0)))
    for output, moved in zip(together, other, strict=True):
        np.testing.assert_allclose(moved.values, 1e6 + 1e3 * output.values, rtol=1e-7)


def test_the_loss_of_a_batch_is_that_of_its_parts_and_its_gradient_too() -> None:
    made, model = task(), net()
    items = made.encode(parsed(made, np.random.default_rng(0).normal(size=20)), 0)

    def gradient(*parts: Any) -> tuple[float, torch.Tensor]:
        model.zero_grad()
        total = sum(made.loss(model, made.collate(part)) for part in parts)
        total.backward()  # type: ignore[union-attr]
        return float(total.detach()), model.trend.weight.grad.clone()

    whole, parts = gradient(items), gradient(items[:4], items[4:])
    assert whole[0] == pytest.approx(parts[0], rel=1e-5)
    torch.testing.assert_close(whole[1], parts[1], rtol=1e-4, atol=1e-5)
    batch = made.collate(items)
    assert batch.targets == 2 * len(items)
    assert float(made.loss(model, batch).detach()) / batch.targets == pytest.approx(
        np.mean([output.loss for output in made.outputs(model, batch)]), rel=1e-5
    )


def test_what_follows_a_series_that_never_moved_has_neither_loss_nor_gradient() -> None:
    made, model = task(), net()
    batch = made.collate(made.encode(parsed(made, [5.0] * 4 + [9.0, 9.0]), 0))
    loss = made.loss(model, batch)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all((weight.grad == 0).all() for weight in model.parameters())
    assert made.outputs(model, batch)[0].values.tolist() == [5.0, 5.0]


def test_a_model_that_is_trained_already_is_refused() -> None:
    with pytest.raises(ModelError, match=r"expected: model: scratch:dlinear or scratch:nlinear"):
        task().build(ModelSource(name="bert", kind="folder"))


def test_what_was_saved_is_checked() -> None:
    assert task().state() == {"context": 4, "horizon": 2, "season": 1}
    for state in ({"context": 4, "season": 9}, {"context": "far"}, {"contxt": 4}):
        with pytest.raises(ModelError, match="how far the forecast looks cannot be used"):
            task().restore(state, ModelSource(name="x", kind="folder"))
