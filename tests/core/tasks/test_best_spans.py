# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.tasks.best_spans import best_spans


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), places=st.integers(1, 12), longest=st.integers(1, 15), count=st.integers(1, 200))
def test_it_finds_what_looking_at_every_pair_finds(seed, places, longest, count):
    generator = torch.Generator().manual_seed(seed)
    start, end = torch.randn(2, places, generator=generator), torch.randn(2, places, generator=generator)
    allowed = torch.rand(2, places, generator=generator) < 0.7
    scores, first, last = best_spans(start, end, allowed, longest=longest, count=count)
    assert first.max() < places
    assert last.max() < places
    for row in range(2):
        pairs = [
            ((start[row, i] + end[row, j]).item(), i, j)
            for i in range(places)
            for j in range(i, min(places, i + longest))
            if allowed[row, i] and allowed[row, j]
        ]
        wanted = sorted(pairs, reverse=True)[:count]
        found = [
            one
            for one in zip(scores[row].tolist(), first[row].tolist(), last[row].tolist(), strict=True)
            if one[0] > float("-inf")
        ]
        assert [one[1:] for one in found] == [one[1:] for one in wanted]
        assert [one[0] for one in found] == pytest.approx([one[0] for one in wanted])


def test_a_row_without_a_place_has_no_span():
    scores, first, last = best_spans(
        torch.zeros(1, 4), torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool), longest=2, count=3
    )
    assert np.isneginf(scores).all()
    assert first.shape == last.shape == (1, 3)
