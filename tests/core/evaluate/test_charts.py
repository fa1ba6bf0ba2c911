# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Geometry of the drawings: round numbers, nothing lost, nothing drawn that is no number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.evaluate.report.charts import Series, line_chart, number, smooth, thin, ticks
from tunesmith.evaluate.report.matrix import heatmap, most_confused
from tunesmith.tasks.sections import Matrix

NAN = math.nan


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.2, 0.91, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 2e-4, [0, 5e-5, 1e-4, 1.5e-4, 2e-4]),
        (3, 3, [2.6, 2.8, 3.0, 3.2, 3.4]),
        (0, 0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected, abs=1e-12)


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_ticks_hold_the_range(left: float, right: float) -> None:
    low, high = sorted((left, right))
    found = ticks(low, high)
    room = (found[-1] - found[0]) * 1e-6
    assert found[0] <= low + room
    assert found[-1] >= high - room
    assert 2 <= len(found) <= 12
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.31234, "0.3123"),
        (2e-4, "2e−4"),
        (-1.5, "−1.5"),
        (1200, "1,200"),
        (1_500_000, "1.5M"),
        (3e16, "3e16"),
        (NAN, "NaN"),
        (math.inf, "∞"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("values", [(4.3432, 4.3441, 4.3436), (1_234_567.0, 1_234_569.0), (-0.50001, -0.50002)])
def test_ticks_of_a_curve_that_hardly_moves_can_be_told_apart(values: tuple[float, ...]) -> None:
    chart = line_chart("loss", [Series("training", "main", list(enumerate(values)))])
    assert chart is not None
    texts = [text for _, text in chart.y_ticks]
    assert len(set(texts)) == len(texts)


def test_smoothing_follows_without_lag() -> None:
    line = [(step, 3.0 - step / 100) for step in range(300)]
    assert [value for _, value in smooth(line)][:290] == pytest.approx([value for _, value in line][:290])
    flat = smooth([(step, 1.0 + (-1) ** step) for step in range(400)])
    assert all(value == pytest.approx(1, abs=0.1) for _, value in flat[20:])
    assert smooth([(0, NAN), (1, 2.0)]) == [(1, 2.0)]
    assert smooth([]) == []


def test_thinning_keeps_spikes_and_gaps() -> None:
    points = [(float(step), 1.0) for step in range(10_000)]
    points[5_000] = (5_000.0, 99.0)
    points[7_000] = (7_000.0, NAN)
    thinned = thin(points)
    assert len(thinned) <= 600
    assert (5_000.0, 99.0) in thinned
    assert any(math.isnan(value) for _, value in thinned)
    assert [step for step, _ in thinned] == sorted(step for step, _ in thinned)


def test_one_step_is_seen_as_a_dot() -> None:
    chart = line_chart("Loss", [Series("training", "main", [(1, 2.5)])])
    assert chart is not None
    assert len(chart.lines[0].dots) == 1
    assert "training: 2.5 at step 1" in chart.summary


def test_values_that_are_no_numbers_break_the_line_and_are_marked() -> None:
    chart = line_chart("Loss", [Series("training", "main", [(1, 2.0), (2, 1.5), (3, NAN), (4, 1.0), (5, math.inf)])])
    assert chart is not None
    line = chart.lines[0]
    assert line.path.count("M") == 2
    assert [text for _, text in line.broken] == ["step 3: training NaN", "step 5: training ∞"]
    assert "nan" not in line.path.lower()
    assert "inf" not in line.path.lower()


def test_nothing_finite_is_no_chart() -> None:
    assert line_chart("Loss", [Series("training", "main", [(1, NAN)])]) is None
    assert line_chart("Loss", []) is None


def test_a_spike_does_not_press_the_curve_flat() -> None:
    points = [(float(step), 2.0 + step / 1000) for step in range(200)]
    points[100] = (100.0, 1e6)
    chart = line_chart("Loss", [Series("training", "main", points)])
    assert chart is not None
    assert float(chart.y_ticks[-1][1]) < 10


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats()), max_size=50, unique_by=lambda point: point[0]))
def test_every_curve_stays_inside_its_drawing(points: list[tuple[int, float]]) -> None:
    chart = line_chart("Loss", [Series("training", "main", sorted(points), dots=True)])
    if chart is None:
        return
    for x, y in chart.lines[0].dots:
        assert chart.left - 0.1 <= x <= chart.right + 0.1
        assert chart.top - 0.1 <= y <= chart.bottom + 0.1


def test_matrix_names_what_is_confused() -> None:
    matrix = Matrix(title="Confusion", labels=["a", "b", "c"], counts=[[8, 2, 0], [5, 5, 0], [0, 0, 0]])
    first, second = most_confused(matrix)
    assert (first.true, first.predicted, first.count, first.share) == ("b", "a", 5, 0.5)
    assert (second.true, second.predicted, second.count, second.share) == ("a", "b", 2, 0.2)
    drawing = heatmap(matrix)
    assert drawing is not None
    assert len(drawing.cells) == 4  # cells without rows are not drawn
    assert "true: b\npredicted: a\n5 of the 10 rows in this line (50.0 %)" in [cell.hover for cell in drawing.cells]
    assert drawing.summary == "Confusion: 13 of 20 rows on the diagonal, 3 labels"


def test_matrices_nobody_could_read_are_not_drawn() -> None:
    many = [str(label) for label in range(161)]
    assert heatmap(Matrix(title="", labels=many, counts=[[1] * 161] * 161)) is None
    assert heatmap(Matrix(title="", labels=["a"], counts=[[0]])) is None
    assert heatmap(Matrix(title="", labels=[], counts=[])) is None
