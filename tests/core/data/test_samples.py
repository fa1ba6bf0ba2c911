# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from itertools import pairwise

import pytest

from tunesmith.data.samples import support
from tunesmith.errors import NotFoundError, Origin

LABELS = ["billing", "cancel_order", "delivery", "login", "product_question", "returns"]


def rows(split: str) -> list[tuple[str, str]]:
    return [(row.values["text"], row.values["label"]) for row in support(split)]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.mark.parametrize(("split", "per_label"), [("train", 50), ("test", 15)])
def test_the_splits_are_whole_and_balanced(split: str, per_label: int) -> None:
    assert Counter(label for _, label in rows(split)) == dict.fromkeys(LABELS, per_label)


def test_rows_say_where_they_stand() -> None:
    first, second, *_ = support("test")

    assert set(first.values) == {"text", "label"}
    assert first.origin == Origin("dataset:tunesmith/support#test", 2)
    assert second.origin.line == 3


@pytest.mark.parametrize("split", ["train", "test"])
def test_texts_are_short_plain_lines(split: str) -> None:
    for text, _ in rows(split):
        assert text == text.strip()
        assert text.isascii()
        assert text.isprintable()
        assert 3 <= len(words(text)) <= 25, text


def test_no_text_stands_twice() -> None:
    normal = [" ".join(words(text)) for split in ("train", "test") for text, _ in rows(split)]

    assert [text for text, count in Counter(normal).items() if count > 1] == []


def test_no_test_row_is_a_train_row_in_other_words() -> None:
    train = [" ".join(words(text)) for text, _ in rows("train")]

    for text, _ in rows("test"):
        matcher = difflib.SequenceMatcher(None, b=" ".join(words(text)), autojunk=False)
        for other in train:
            matcher.set_seq1(other)
            assert matcher.quick_ratio() < 0.8 or matcher.ratio() < 0.8, f"{text!r} is almost {other!r}"


def test_neighbouring_rows_do_not_come_sorted_by_label() -> None:
    labels = [label for _, label in rows("train")]

    assert sum(a == b for a, b in pairwise(labels)) < len(labels) / 3


def test_it_can_be_learned_but_not_by_single_words() -> None:
    """Naive Bayes over words, with Lidstone smoothing, is well above chance (1 in 6) and not perfect."""
    seen = {
        label: Counter(w for text, own in rows("train") if own == label for w in set(words(text))) for label in LABELS
    }

    def guess(text: str) -> str:
        return max(LABELS, key=lambda label: sum(math.log(seen[label][word] + 0.5) for word in words(text)))

    right = sum(guess(text) == label for text, label in rows("test"))

    assert 0.85 <= right / 90 <= 0.97


def test_an_unknown_split_says_which_there_are() -> None:
    with pytest.raises(NotFoundError) as caught:
        list(support("validation"))

    assert caught.value.given == "validation"
    assert caught.value.expected == "train or test"
    assert "#train" in caught.value.fix[0]
