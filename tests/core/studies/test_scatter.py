# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plots as geometry: everything inside the frame, nothing lost."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.studies.report.scatter import Point, scatter

FIGURES = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


def point(x, y, style="main"):
    return Point(x, y, style, f"{x} {y}")


@given(st.lists(st.tuples(st.floats(1e-5, 1e-2), FIGURES), min_size=1, max_size=30), st.booleans(), st.booleans())
def test_every_point_is_drawn_inside_the_frame(places, log, up):
    points = [point(x, y) for x, y in places]
    plot = scatter("rate", points, low=1e-5, high=1e-2, log=log, greater_is_better=up)
    assert len(plot.dots) == len(points)
    for dot in plot.dots:
        assert plot.left <= dot.x <= plot.right
        assert plot.top <= dot.y <= plot.bottom
    for x, _ in plot.x_ticks:
        assert plot.left <= x <= plot.right


def test_nothing_to_draw():
    assert scatter("rate", [], low=0, high=1) is None


def test_a_logarithmic_axis_has_decades_and_places_by_factor():
    plot = scatter("rate", [point(1e-5, 0), point(1e-4, 1), point(1e-3, 2)], low=1e-5, high=1e-3, log=True)
    assert [text for _, text in plot.x_ticks] == ["1e−5", "1e−4", "0.001"]
    left, middle, right = (dot.x for dot in plot.dots)
    assert math.isclose(middle - left, right - middle, abs_tol=0.2)


def test_names_stand_under_their_dots_and_long_ones_are_cut():
    plot = scatter("method", [point(0, 1), point(1, 2)], low=0, high=0, names=["full", "a very long name " * 4])
    assert [x for x, _ in plot.x_ticks] == [dot.x for dot in plot.dots]
    assert plot.x_ticks[0][1] == "full"
    assert plot.x_ticks[1][1].endswith("…")


def test_whole_numbers_have_whole_ticks():
    plot = scatter("fold", [point(1, 0.5), point(2, 0.6)], low=1, high=2, whole=True)
    assert [text for _, text in plot.x_ticks] == ["1", "2"]


def test_a_far_worse_figure_is_cut_and_marked_and_a_far_better_one_is_not():
    usual = [point(n, 1.0 + n / 100) for n in range(6)]
    worse = scatter("loss", [*usual, point(7, 1e4)], low=0, high=9, greater_is_better=False)
    assert [dot.cut for dot in worse.dots] == [False] * 6 + [True]
    better = scatter("loss", [*usual, point(7, -1e4)], low=0, high=9, greater_is_better=False)
    assert not better.dots[-1].cut


def test_the_best_so_far_is_a_line_of_steps():
    plot = scatter("trial", [point(1, 0.0), point(2, 1.0)], low=1, high=2, line=[(1, 0.0), (2, 1.0)])
    first, second = plot.dots
    assert plot.path == f"M{first.x:g} {first.y:g}H{second.x:g}V{second.y:g}"
