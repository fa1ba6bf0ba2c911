# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from dataclasses import dataclass

import pytest

from tunesmith.errors import DataError, Origin
from tunesmith.tasks.labels import learn_labels, not_one_label, rare_labels, sort_labels, unseen_labels


@dataclass(frozen=True)
class Example:
    labels: tuple[str, ...] | None
    line: int = 1
    several: bool = False

    @property
    def origin(self) -> Origin:
        return Origin("test.csv", self.line)


def test_numbers_are_sorted_by_value_and_text_by_letter():
    assert sort_labels(["10", "9", "0", "9"]) == ("0", "9", "10")
    assert sort_labels(["10", "9", "a"]) == ("10", "9", "a")
    assert sort_labels(["01", "1", "2"]) == ("01", "1", "2")


def test_one_class_cannot_be_learned():
    with pytest.raises(DataError) as caught:
        learn_labels([Example(("spam",))] * 3, multi_label=False)
    assert "do not have enough different labels" in str(caught.value)
    assert "all 3 rows have the label 'spam'" in str(caught.value)
    assert "at least two different labels" in str(caught.value)
    with pytest.raises(DataError, match="the only row has the label 'spam'"):
        learn_labels([Example(("spam",))], multi_label=False)


def test_unseen_labels_are_named_with_rows_and_advice():
    examples = [Example(("ham",), 2), Example(("egs",), 3), Example(("spm",), 4), Example(None, 5)]
    error = unseen_labels(examples, ("ham", "eggs"), "test")
    assert error is not None
    text = str(error)
    assert "the test rows have 2 labels that training never saw" in text
    assert "'egs', 'spm'" in text
    assert "test.csv:3: label 'egs'" in text
    assert "add training rows with these labels" in text
    assert len(error.problems) == 2


def test_only_twenty_rows_are_printed_and_all_are_counted():
    error = unseen_labels([Example(("x",), line) for line in range(1, 31)], (), "validation")
    assert "and 10 more; 30 in all" in str(error)


def test_seen_labels_are_no_error():
    assert unseen_labels([Example(("ham",)), Example(None)], ("ham",), "test") is None


def test_rare_labels_are_named():
    assert (
        rare_labels([Example(("a",))] * 9 + [Example(("b",))]) == "1 of 2 labels have fewer than 5 training rows: b (1)"
    )
    assert rare_labels([Example(("a",))] * 9) is None


def test_lists_of_labels_where_training_had_one_each():
    assert not_one_label([Example(("ham",)), Example(None)], "test") is None
    error = not_one_label([Example((), 2), Example(("ham",), 3), Example(("ham", "eggs"), 4)], "test")
    assert "the test rows have lists of labels, and every training row has one label" in str(error)
    assert [str(problem) for problem in error.problems] == ["test.csv:2: 0 labels", "test.csv:4: 2 labels"]
