# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Windows, their scale, the two models, and the figures, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tunesmith.data.rows import Origin
from tunesmith.errors import DataError, ModelError
from tunesmith.models.source import ScratchOptions
from tunesmith_forecast import figures
from tunesmith_forecast.figures import Forecast
from tunesmith_forecast.nets import DLinear, DLinearConfig, NLinear, NLinearConfig, dlinear, moving_average
from tunesmith_forecast.windows import (
    FLOOR,
    Series,
    floors,
    naive_forecast,
    naive_scale,
    standardize,
    target_places,
)

HERE = Origin("a.csv", 1)
Floats = NDArray[np.float64]
numbers = st.floats(-1e6, 1e6)


def series(values: object, start: int = 0, *, labelled: bool = True) -> Series:
    return Series("a", np.asarray(values, dtype=np.float64), start, labelled, HERE)


# ---- windows -----------------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 60), st.integers(2, 9), st.integers(1, 9))
def test_every_target_lies_behind_the_cut_and_no_later_one_is_left_out(n: int, cut: int, c: int, h: int) -> None:
    cut = min(cut, n)
    places = target_places(series(np.zeros(n), cut), c, h)
    assert list(places) == [p for p in range(n) if p >= c and p >= cut and p + h <= n]


@given(st.integers(1, 80), st.floats(0.1, 0.9), st.integers(2, 9), st.integers(1, 9))
def test_targets_of_two_spans_never_overlap(n: int, share: float, c: int, h: int) -> None:
    cut = int(n * share)
    before = {p + k for p in target_places(series(np.zeros(cut)), c, h) for k in range(h)}
    behind = {p + k for p in target_places(series(np.zeros(n), cut), c, h) for k in range(h)}
    assert not before & behind


def test_to_predict_there_is_one_window_at_the_end() -> None:
    assert list(target_places(series(np.zeros(9), labelled=False), 4, 3)) == [9]
    assert list(target_places(series(np.zeros(3), labelled=False), 4, 3)) == []


@given(arrays(np.float64, st.integers(1, 40), elements=numbers), st.data())
def test_the_least_scale_is_of_the_past_alone(values: Floats, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(values)))
    wanted = FLOOR * values[:place].std()
    assert floors(values)[place] == pytest.approx(wanted, rel=1e-5, abs=1e-4)
    changed = values.copy()
    changed[place:] = 7e5
    assert floors(changed)[place] == floors(values)[place]


@given(arrays(np.float64, (3, 8), elements=numbers), st.floats(0.01, 1e3), numbers)
def test_neither_unit_nor_level_matters(context: Floats, unit: float, level: float) -> None:
    least = np.zeros(3)
    values, shift, scale = standardize(context, least)
    np.testing.assert_allclose(values * scale[:, None] + shift[:, None], context, rtol=1e-9, atol=1e-6)
    clear = scale > 1e-3 * (1 + np.abs(context).max())  # what rounding leaves of smaller movements is not compared
    moved, _, _ = standardize(context * unit + level, least)
    clear &= scale * unit > 1e-6 * abs(level) + 1e-6
    np.testing.assert_allclose(moved[clear], values[clear], atol=1e-3)


def test_a_window_of_equal_values_has_the_scale_of_what_came_before_or_none() -> None:
    values, shift, scale = standardize(np.full((2, 96), 0.1), np.asarray([0.0, 0.5]))
    assert (values == 0).all()
    assert shift.tolist() == [0.1, 0.1]
    assert scale.tolist() == [0.0, 0.5]


def test_the_naive_forecast_repeats_the_last_season() -> None:
    assert naive_forecast(series(range(10)), 8, 5, 3).tolist() == [5, 6, 7, 5, 6]
    assert naive_scale(series([1, 2, 4, 7, 100], start=4), 2, 1) == 2.0  # |1|, |2|, |3|: nothing behind the start


# ---- models ------------------------------------------------------------------------------------


@given(arrays(np.float32, (2, 12), elements=st.floats(-100, 100, width=32)), st.integers(1, 30))
@settings(deadline=None)
def test_the_trend_is_the_mean_of_neighbors(values: NDArray[np.float32], kernel: int) -> None:
    before = (kernel - 1) // 2
    held = np.pad(values, ((0, 0), (before, kernel - 1 - before)), mode="edge")
    wanted = np.stack([held[:, place : place + kernel].mean(axis=1) for place in range(12)], axis=1)
    np.testing.assert_allclose(moving_average(torch.from_numpy(values), kernel).numpy(), wanted, atol=1e-3)


def test_what_has_learned_nothing_says_the_mean_or_the_last_value() -> None:
    values = torch.randn(3, 96, generator=torch.Generator().manual_seed(0))
    assert (DLinear(DLinearConfig(context=96, horizon=5))(values).logits == 0).all()
    last = NLinear(NLinearConfig(context=96, horizon=5))(values).logits
    assert torch.equal(last, values[:, -1:].expand(3, 5))


def test_a_row_does_not_depend_on_its_batch() -> None:
    model = DLinear(DLinearConfig(context=96, horizon=5))
    torch.manual_seed(0)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    values = torch.randn(7, 96)
    alone = torch.cat([model(row[None]).logits for row in values])
    torch.testing.assert_close(model(values).logits, alone, rtol=1e-5, atol=1e-5)


def test_a_size_is_refused() -> None:
    options = ScratchOptions(architecture="dlinear", size=1000, tokenizer="bpe", vocabulary=512, context=64, seed=0)
    with pytest.raises(ModelError, match=r"follows from how far it looks back and ahead\n(.*\n)*.*leave the size out"):
        dlinear(options)


# ---- figures -----------------------------------------------------------------------------------


def test_figures_by_hand() -> None:
    one = series([0, 2, 0, 2, 4, 0], start=4)  # before the start each value is 2 from the one before
    output = Forecast(np.asarray([3.0, 2.0]), 4, 0.5)
    measured = figures.measure([output], [one], context=2, season=1)
    found = figures.scores([output], measured)
    assert found["mae"] == 1.5  # |3 - 4|, |2 - 0|
    assert found["mse"] == 2.5
    assert found["mase"] == 0.75
    assert found["smape"] == pytest.approx((200 / 7 + 200) / 2)
    assert found["naive_mase"] == 1.0  # |2 - 4|, |2 - 0|
    assert found["loss"] == 0.5


def test_a_perfect_forecast_is_0_in_every_figure_and_two_zeros_are_equal() -> None:
    one = series([0, 1, 0, 0, 0], start=3)
    measured = figures.measure([Forecast(np.zeros(2), 3, 0.0)], [one], context=2, season=1)
    assert set(measured.of(measured.model).values()) == {0.0}


def test_series_that_never_moved_are_left_out_of_mase_and_said_so() -> None:
    flat, moving = series(np.ones(6), start=4), series([0, 2, 0, 2, 2, 2], start=4)
    outputs = [Forecast(np.asarray([1.0, 5.0]), 4, 0.0), Forecast(np.asarray([3.0, 3.0]), 4, 0.0)]
    measured = figures.measure(outputs, [flat, moving], context=2, season=1)
    assert measured.of(measured.model)["mase"] == 0.5
    note = figures.sections(outputs, [flat, moving], measured, 1)[0].note
    assert "MASE leaves out 1 of series that have not moved." in note
    with pytest.raises(DataError, match="no series changes from one season to the next"):
        figures.measure(outputs[:1], [flat], context=2, season=1)


def test_the_report_shows_the_worst_first_and_claims_nothing_that_is_not_so() -> None:
    one = series(np.tile([0.0, 2.0], 10), start=10)
    outputs = [Forecast(np.full(2, float(error)), place, 0.0) for error, place in ((1, 10), (9, 12), (5, 14))]
    beside, ahead, worst = figures.sections(outputs, [one] * 3, figures.measure(outputs, [one] * 3, 4, 1), 1)
    assert "The model is no better than the naive forecast" in beside.note
    assert [row[0] for row in ahead.rows] == [1, 2]  # type: ignore[attr-defined]
    assert [row[1] for row in worst.rows] == [f"a.csv:1, value {n}" for n in (13, 15, 11)]  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="no series changes from one season to the next"):
        figures.measure(outputs, [one] * 3, context=4, season=2)  # of which the naive forecast is never wrong
