# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import math

import pytest

from tunesmith_cli.words import count, duration, figure, figures, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (3.21, "3.2 s"), (9.96, "10 s"), (59, "59 s"), (59.6, "1:00"), (151, "2:31"), (3751, "1:02:31")],
)
def test_durations_are_as_long_as_they_must_be(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_duration_nobody_knows_is_a_question_mark() -> None:
    assert duration(math.inf) == duration(math.nan) == duration(-1) == "?"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.92813, "0.9281"),
        (0.0, "0.0000"),
        (12345.678, "12,345.6780"),
        (1e-5, "1.000e-05"),
        (3.2e7, "3.200e+07"),
        (1500, "1,500"),
        (math.nan, "nan"),
        ("full", "full"),
        (True, "True"),
    ],
)
def test_figures_keep_four_digits_that_say_something(value: object, text: str) -> None:
    assert figure(value) == text


def test_counts_and_sizes() -> None:
    assert count(1234567.8) == "1,234,568"
    assert [size(number) for number in (512, 1500, 999_600, 23_400_000_000, 5e12)] == [
        "512 B",
        "1.5 kB",
        "1.0 MB",
        "23 GB",
        "5.0 TB",
    ]


def test_metrics_on_one_line() -> None:
    assert figures({"loss": 0.5, "accuracy": 0.91}) == "loss 0.5000  accuracy 0.9100"
