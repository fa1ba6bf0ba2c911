# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tunesmith.tasks.image_transforms import Brightness, Contrast, Erase, Flip, Rotate, Shift

EVERY = [Flip, Shift, Rotate, Brightness, Contrast, Erase]


def numbers(seed=0):
    return np.random.default_rng(seed)


def picture(height=8, width=6, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("kind", EVERY)
@settings(max_examples=25, deadline=None)
@given(shape=st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3])), seed=st.integers(0, 2**32 - 1))
def test_shape_and_type_stay_and_what_was_given_is_not_touched(kind, shape, seed):
    given_ = picture(*shape, seed=seed)
    before = given_.copy()
    given_.flags.writeable = False
    transform = kind(probability=1.0)
    found = transform(given_, numbers(seed))
    assert (found.shape, found.dtype) == (given_.shape, np.uint8)
    assert np.array_equal(given_, before)
    assert np.array_equal(found, transform(given_, numbers(seed)))


@pytest.mark.parametrize("kind", EVERY)
def test_without_a_chance_nothing_changes(kind):
    given_ = picture()
    assert all(kind(probability=0.0)(given_, numbers(seed)) is given_ for seed in range(20))


@pytest.mark.parametrize("kind", EVERY)
def test_the_chance_is_the_share_of_changed_rows(kind):
    given_ = picture(16, 16)
    transform = kind(probability=0.3)
    changed = sum(transform(given_, numbers(seed)) is not given_ for seed in range(400))
    assert 0.2 < changed / 400 < 0.4


def test_flip_exchanges_left_and_right():
    given_ = np.array([[[1], [2], [3]], [[4], [5], [6]]], np.uint8)
    assert Flip(probability=1.0)(given_, numbers())[:, :, 0].tolist() == [[3, 2, 1], [6, 5, 4]]


def test_shift_moves_and_goes_on_with_the_outermost_pixels():
    given_ = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    down_right = [[0, 0, 1], [0, 0, 1], [3, 3, 4]]
    up = [[3, 4, 5], [6, 7, 8], [6, 7, 8]]
    found = [Shift(pixels=1)(given_, numbers(seed))[:, :, 0].tolist() for seed in range(100)]
    assert down_right in found
    assert up in found
    assert given_[:, :, 0].tolist() in found
    assert len({str(one) for one in found}) == 9


def test_rotate_turns_around_the_center_by_at_most_so_many_degrees():
    given_ = np.zeros((21, 21, 1), np.uint8)
    given_[10, 10:] = 255  # a hand that points to the right
    for seed in range(30):
        found = Rotate(degrees=30)(given_, numbers(seed))[:, :, 0].astype(float)
        assert found[10, 10] > 100
        found[6:15, 6:15] = 0
        rows, columns = np.indices(found.shape)
        angle = np.degrees(
            np.arctan2(10 - (found * rows).sum() / found.sum(), (found * columns).sum() / found.sum() - 10)
        )
        assert abs(angle) < 31
    quarter = Rotate(degrees=180)
    assert any(quarter(given_, numbers(seed))[:8, :, 0].any() for seed in range(20))


@pytest.mark.parametrize("degrees", [5, 45, 90, 180])
def test_a_turned_picture_brings_in_no_color_of_its_own(degrees):
    given_ = np.full((9, 14, 3), (10, 200, 77), np.uint8)
    assert all(np.array_equal(Rotate(degrees=degrees)(given_, numbers(seed)), given_) for seed in range(30))


def test_brightness_multiplies_and_contrast_stretches_about_the_mean():
    given_ = np.array([[[100], [200]]], np.uint8)
    brighter = [Brightness(amount=0.5)(given_, numbers(seed))[0, :, 0] for seed in range(200)]
    assert all(50 <= low <= 150 and 100 <= high <= 255 for low, high in brighter)
    assert all(abs(2 * int(low) - int(high)) <= 2 for low, high in brighter if high < 255)
    assert {255} == {int(high) for low, high in brighter if low > 128}
    stretched = [Contrast(amount=0.5)(given_, numbers(seed))[0, :, 0] for seed in range(200)]
    assert all(abs(int(low) + int(high) - 300) <= 1 and 50 <= high - low <= 150 for low, high in stretched)
    assert min(int(high) - int(low) for low, high in stretched) < 60
    assert max(int(high) - int(low) for low, high in stretched) > 140


def test_erase_puts_noise_into_one_rectangle_of_the_asked_area():
    given_ = np.zeros((40, 60, 1), np.uint8)
    shares, aspects = [], []
    for seed in range(200):
        found = Erase(probability=1.0, smallest=0.1, largest=0.3)(given_, numbers(seed))[:, :, 0]
        rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        inside = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (inside > 0).mean() > 0.95
        assert 80 < inside.mean() < 175
        shares.append(tall * wide / given_.size)
        aspects.append(tall / wide)
    assert 0.08 < min(shares) < 0.13
    assert 0.27 < max(shares) < 0.33
    assert 0.25 < min(aspects) < 0.5
    assert 2 < max(aspects) < 3.8
    assert 0.35 < np.mean(np.array(aspects) > 1) < 0.65


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (Flip, {"probability": 1.5}),
        (Shift, {"pixels": 0}),
        (Shift, {"pixels": 2.5}),
        (Rotate, {"degrees": 0}),
        (Rotate, {"degrees": 181}),
        (Brightness, {"amount": 0}),
        (Contrast, {"amount": 1.1}),
        (Erase, {"smallest": 0.5, "largest": 0.1}),
        (Erase, {"largest": float("nan")}),
        (Flip, {"chance": 0.5}),
    ],
)
def test_values_that_make_no_sense_are_refused(kind, keys):
    with pytest.raises(ValidationError):
        kind(**keys)
