# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tunesmith.tasks import metrics

# By hand: class 0 has 3 rows (2 found), class 1 has 2 (1 found), class 2 has 1 (0 found), class 3 never occurs.
TRUTH = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 1])


def test_accuracy_counts_right_rows():
    assert metrics.accuracy(TRUTH, PREDICTED) == 3 / 6


def test_confusion_matrix_has_truth_as_rows():
    counts = metrics.confusion_matrix(TRUTH, PREDICTED, 4)
    assert counts.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_class_scores_by_hand():
    scores = metrics.class_scores(TRUTH, PREDICTED, 4)
    assert scores.precision == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert scores.recall == pytest.approx([2 / 3, 1 / 2, 0, 0])
    assert scores.f1 == pytest.approx([2 / 3, 2 / 5, 0, 0])
    assert scores.support.tolist() == [3, 2, 1, 0]


def test_macro_f1_leaves_out_classes_that_never_occur():
    assert metrics.macro_f1(metrics.class_scores(TRUTH, PREDICTED, 4)) == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)


def test_macro_f1_counts_a_class_that_is_only_predicted():
    scores = metrics.class_scores(np.array([0, 0]), np.array([0, 1]), 2)
    assert metrics.macro_f1(scores) == pytest.approx((2 / 3 + 0) / 2)


SETS_TRUE = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
SETS_PREDICTED = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)


def test_multi_label_by_hand():
    scores = metrics.multi_label_scores(SETS_TRUE, SETS_PREDICTED)
    assert scores.f1 == pytest.approx([1, 2 / 3, 0])
    assert metrics.macro_f1(scores) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert metrics.micro_f1(SETS_TRUE, SETS_PREDICTED) == pytest.approx(2 * 2 / (3 + 3))
    assert metrics.exact_match(SETS_TRUE, SETS_PREDICTED) == pytest.approx(1 / 3)


def test_micro_f1_without_any_label_is_zero():
    nothing = np.zeros((2, 3), dtype=bool)
    assert metrics.micro_f1(nothing, nothing) == 0


@given(st.integers(1, 30).flatmap(lambda n: hnp.arrays(np.int64, (2, n), elements=st.integers(0, 4))))
def test_class_scores_agree_with_their_multi_label_form(pair):
    truth, predicted = pair
    one, many = (
        metrics.class_scores(truth, predicted, 5),
        metrics.multi_label_scores(np.eye(5, dtype=bool)[truth], np.eye(5, dtype=bool)[predicted]),
    )
    assert one.f1 == pytest.approx(many.f1)
    assert metrics.micro_f1(np.eye(5, dtype=bool)[truth], np.eye(5, dtype=bool)[predicted]) == pytest.approx(
        metrics.accuracy(truth, predicted)
    )


def test_shapes_must_agree_and_hold_rows():
    with pytest.raises(ValueError, match=r"truth has shape \(6,\) and the predictions \(2,\)"):
        metrics.accuracy(TRUTH, PREDICTED[:2])
    with pytest.raises(ValueError, match="no rows to score"):
        metrics.accuracy(TRUTH[:0], PREDICTED[:0])
