# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
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


# ---- beside scikit-learn -------------------------------------------------------------------------------------------

LABELLED = st.integers(1, 25).flatmap(
    lambda rows: st.tuples(
        hnp.arrays(np.bool_, (rows, 3)),
        hnp.arrays(np.float32, (rows, 3), elements=st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])),
    )
)


@settings(max_examples=40, deadline=None)
@given(LABELLED)
def test_areas_are_means_over_the_classes_that_can_be_ranked(pair):
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth, probabilities = pair
    ranked = [k for k in range(3) if 0 < truth[:, k].sum() < len(truth)]
    there = [k for k in range(3) if truth[:, k].any()]
    areas = [roc_auc_score(truth[:, k], probabilities[:, k]) for k in ranked]
    precisions = [average_precision_score(truth[:, k], probabilities[:, k]) for k in there]
    assert metrics.roc_auc(truth, probabilities) == pytest.approx(np.mean(areas) if ranked else 0.5)
    assert metrics.pr_auc(truth, probabilities) == pytest.approx(np.mean(precisions) if there else 0.0)


@settings(max_examples=40, deadline=None)
@given(LABELLED)
def test_macro_averages_are_scikit_learns(pair):
    from sklearn.metrics import precision_recall_fscore_support

    truth, probabilities = pair
    predicted = probabilities >= 0.5
    scores = metrics.multi_label_scores(truth, predicted)
    seen = [k for k in range(3) if truth[:, k].any() or predicted[:, k].any()]
    if not seen:
        assert metrics.macro_precision(scores) == metrics.macro_recall(scores) == metrics.macro_f1(scores) == 0
        return
    wanted = precision_recall_fscore_support(
        truth.astype(int), predicted.astype(int), labels=seen, average="macro", zero_division=0
    )
    ours = (metrics.macro_precision(scores), metrics.macro_recall(scores), metrics.macro_f1(scores))
    assert ours == pytest.approx(wanted[:3])


def test_a_perfect_order_is_1_and_a_turned_one_0():
    truth = np.eye(3, dtype=bool)
    assert metrics.roc_auc(truth, truth.astype(float)) == metrics.pr_auc(truth, truth.astype(float)) == 1
    assert metrics.roc_auc(truth, 1.0 - truth) == 0


def test_areas_of_one_class_alone_are_defined():
    truth = np.ones((4, 1), dtype=bool)
    assert metrics.roc_auc(truth, np.full((4, 1), 0.5)) == 0.5
    assert metrics.pr_auc(truth, np.full((4, 1), 0.5)) == 1
    assert metrics.pr_auc(~truth, np.full((4, 1), 0.5)) == 0


def test_calibration_by_hand():
    right = np.array([True, True, False, True])
    confidence = np.array([0.95, 0.95, 0.95, 0.5])
    # One bin holds 0.95 three times with two of three right, another 0.5 once, right.
    assert metrics.calibration_error(right, confidence) == pytest.approx((3 * abs(0.95 - 2 / 3) + 0.5) / 4)
    assert metrics.calibration_error(np.ones(3, dtype=bool), np.ones(3)) == 0


def test_a_model_that_answers_nan_has_figures_of_nan():
    truth, broken = np.eye(2, dtype=bool), np.full((2, 2), np.nan)
    figures = (metrics.roc_auc(truth, broken), metrics.pr_auc(truth, broken))
    assert np.isnan(figures).all()
    assert np.isnan(metrics.calibration_error(truth.all(1), broken.max(1)))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20).flatmap(lambda n: hnp.arrays(np.float64, (2, n), elements=st.floats(-1e6, 1e6, width=32))))
def test_errors_of_numbers_are_scikit_learns(pair):
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    truth, predicted = pair
    assert metrics.root_mean_squared_error(truth, predicted) == pytest.approx(root_mean_squared_error(truth, predicted))
    assert metrics.mean_absolute_error(truth, predicted) == pytest.approx(mean_absolute_error(truth, predicted))
    if len(set(truth)) > 1 and np.ptp(truth) > 1e-3:
        assert metrics.r2(truth, predicted) == pytest.approx(r2_score(truth, predicted))


def test_r2_of_numbers_all_alike():
    alike = np.full(3, 2.0)
    assert metrics.r2(alike, alike) == 1
    assert metrics.r2(alike, alike + 1) == 0
