# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.training.schedule import rate_at


def test_rises_then_falls_linearly():
    rates = [rate_at(step, total=10, warmup=4, peak=1.0, schedule="linear") for step in range(10)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_cosine_is_half_way_in_the_middle():
    assert rate_at(5, total=10, warmup=0, peak=2.0, schedule="cosine") == pytest.approx(1.0)


def test_constant_stays():
    assert {rate_at(step, total=9, warmup=0, peak=3e-4, schedule="constant") for step in range(9)} == {3e-4}


@given(
    st.integers(1, 500), st.integers(0, 500), st.sampled_from(["linear", "cosine", "constant"]), st.floats(1e-6, 1.0)
)
def test_no_step_is_wasted_and_none_exceeds_the_peak(total, warmup, schedule, peak):
    for step in range(total):
        rate = rate_at(step, total=total, warmup=warmup, peak=peak, schedule=schedule)
        assert 0 < rate <= peak * (1 + 1e-12)
