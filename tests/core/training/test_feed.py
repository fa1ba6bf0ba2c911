# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import DataError
from tunesmith.training.feed import Feed


def feed(lengths, **changes):
    settings = {"tokens": 64, "rows": None, "epochs": 2, "max_steps": None, "accumulate": 1, "seed": 0}
    return Feed(lengths, **(settings | changes))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(0, 5))
def test_every_epoch_sees_every_item_once(lengths, seed):
    subject = feed(lengths, seed=seed)
    seen, step = [], 0
    while step < subject.total_steps:
        seen.append(subject.batch(step))
        step += 1
        if subject.ends_epoch(step):
            assert sorted(np.concatenate(seen)) == list(range(len(lengths)))
            assert subject.epochs_done(step) == pytest.approx(round(subject.epochs_done(step)))
            seen = []
    assert not seen


def test_a_step_is_the_same_whatever_was_asked_before():
    lengths = list(range(1, 90))
    forward, backward = feed(lengths), feed(lengths)
    expected = [forward.batch(step).tolist() for step in range(forward.total_steps)]
    actual = [backward.batch(step).tolist() for step in reversed(range(backward.total_steps))]
    assert actual[::-1] == expected


def test_epochs_differ_in_order():
    subject = feed(list(range(1, 90)))
    per_epoch = subject.total_steps // 2
    assert subject.batch(0).tolist() != subject.batch(per_epoch).tolist()


def test_max_steps_and_fractions_of_an_epoch():
    whole = feed([8] * 80, rows=8, tokens=None, epochs=1)
    assert whole.total_steps == 10
    assert feed([8] * 80, rows=8, tokens=None, epochs=1.5).total_steps == 15
    assert feed([8] * 80, rows=8, tokens=None, epochs=0.01).total_steps == 1
    assert feed([8] * 80, rows=8, tokens=None, epochs=5, max_steps=7).total_steps == 7


def test_parts_are_the_batch():
    subject = feed([3, 9, 4, 1, 7, 7, 2, 8], accumulate=3)
    batch = subject.batch(0)
    parts = subject.parts(batch)
    assert sorted(np.concatenate(parts)) == sorted(batch)
    assert all(len(part) for part in parts)


def test_nothing_to_train_on_is_explained():
    with pytest.raises(DataError, match=r"no rows are left to train on[\s\S]*data\.split"):
        feed([])
