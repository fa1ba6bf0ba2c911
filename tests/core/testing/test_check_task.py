# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A task's whole life: a good one lives it, and each planted fault is found where it lies."""

from __future__ import annotations

import faults
import pytest

from tunesmith.tasks import Task
from tunesmith.testing import ConformanceError, check_task


def found(task, **options):
    with pytest.raises(ConformanceError) as caught:
        check_task(task, train=options.pop("train", False), **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (faults.Trusting, "garbage: parse fails on a bad row"),
        (faults.Local, "pickles: the task after fit cannot be sent to another process"),
        (faults.Inverted, "score-of-the-truth: accuracy is worse for a model that has learned the rows"),
        (faults.Halved, "score-of-the-truth: accuracy of the truth is not perfect\n    given: 0.5"),
        (faults.Forgetful, "score-of-the-truth: score leaves out a metric that the task names"),
        (faults.Unmasked, "padding: padding changes the loss"),
        (faults.Mean, "loss-is-a-sum: the loss is no sum over the targets"),
        (faults.Arrays, "state: state is no JSON\n    given: TypeError: Object of type ndarray"),
        (faults.Reversing, "state: restore does not bring back the state"),
        (faults.Dice, "encodes-twice: a row is not encoded the same each time"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else value.partition(":")[0],
)
def test_faults_of_a_task(task, words):
    assert words in found(task)


def test_a_bad_row_and_a_restored_task_are_told_in_full():
    assert "state: the restored task does not answer as the trained one" in found(faults.Reversing)
    text = found(faults.Trusting)
    assert "given: text missing (labelled=True): KeyError: 'text'" in text
    assert "expected: an example, or RowError" in text


def test_a_job_that_is_not_repeatable():
    text = found(faults.Entropy, train=True)
    assert "trains-twice: the same job gives other weights\n    given: model.safetensors differ" in text


def test_rows_of_ones_own():
    rows = [{"text": "to be or not", "label": "x"}, {"text": "to be", "label": "y"}]
    report = check_task(faults.Good, rows, train=False)
    assert "garbage" in report.passed
    assert not report.skipped


def test_nothing_is_skipped_in_silence():
    rows = [{"text": "ab", "label": "x"}, {"text": "cd", "label": "y"}]
    report = check_task(faults.Good, rows, train=False)
    assert report.skipped == {"padding": "all rows have the same length, so that nothing is padded"}


def test_a_task_by_name_with_columns_of_a_language_model():
    report = check_task("chat", train=False)
    assert {"garbage", "padding", "state", "score-of-the-truth"} <= set(report.passed)


class Odd(Task):
    columns = (faults.Good.columns[0].__class__(name="spectrum", summary="numbers"),)


def test_no_rows_to_try_it_with():
    with pytest.raises(ValueError, match=r"no rows to try the task Odd with: its columns are spectrum; expected rows="):
        check_task(Odd)
