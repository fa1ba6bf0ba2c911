# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.tasks.tagging import EntityCounts, complete_tags, count_entities, entities_of, has_prefixes


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("B-x I-x O B-y", [("x", 0, 2), ("y", 3, 4)]),
        ("B-x B-x", [("x", 0, 1), ("x", 1, 2)]),
        ("I-x I-x O I-x", [("x", 0, 2), ("x", 3, 4)]),  # IOB1; in IOB2 illegal, and read the same
        ("I-x B-x", [("x", 0, 1), ("x", 1, 2)]),  # IOB1: two that touch
        ("B-x I-y I-y", [("x", 0, 1), ("y", 1, 3)]),  # illegal: another type goes on
        ("B-x O I-x", [("x", 0, 1), ("x", 2, 3)]),
        ("S-x B-x E-x S-x", [("x", 0, 1), ("x", 1, 3), ("x", 3, 4)]),  # BIOES
        ("U-x B-x I-x L-x U-y", [("x", 0, 1), ("x", 1, 4), ("y", 4, 5)]),  # BILOU
        ("B-x M-x E-x", [("x", 0, 3)]),  # BMES
        ("E-x I-x", [("x", 0, 1), ("x", 1, 2)]),
        ("B I O I", [("_", 0, 2), ("_", 3, 4)]),
        ("B-a-b I-a-b", [("a-b", 0, 2)]),
        ("O O", []),
        ("", []),
    ],
)
def test_entities_as_conlleval_reads_them(tags, entities):
    assert entities_of(tags.split()) == entities


def reference(tags):
    """The two rules of conlleval as its authors put them: where a chunk ends, and where one starts."""
    chunks, begin, before = [], None, ("O", "")
    for place, tag in enumerate([*tags, "O"]):
        now = (tag[0], tag[2:])
        (last, last_type), (this, this_type) = before, now
        ends = last in "ES" or (last in "BI" and this in "BSO") or (last != "O" and last_type != this_type)
        starts = this in "BS" or (last in "ESO" and this in "EI") or (this != "O" and last_type != this_type)
        if ends and begin is not None:
            chunks.append((last_type, begin, place))
            begin = None
        if starts and this != "O":
            begin = place
        before = now
    return chunks


@given(st.lists(st.sampled_from(["O", *(f"{role}-{kind}" for role in "BIES" for kind in "xy")]), max_size=12))
def test_entities_are_those_of_the_two_rules(tags):
    assert entities_of(tags) == reference(tags)


def test_tags_without_prefixes_are_entities_of_one_word():
    assert entities_of(["NOUN", "NOUN", "O", "S"], prefixes=False) == [("NOUN", 0, 1), ("NOUN", 1, 2), ("S", 3, 4)]


@pytest.mark.parametrize(
    ("tags", "prefixes"),
    [
        ({"O", "B-x", "I-x"}, True),
        ({"O", "I-x"}, True),
        ({"O", "B", "I"}, True),
        ({"O", "U-x", "B-x", "L-x"}, True),
        ({"O", "NOUN"}, False),
        ({"O", "B-x", "NOUN"}, False),
        ({"O"}, False),
        ({"S-x", "O"}, False),
        ({"B-", "O"}, False),
    ],
)
def test_what_has_prefixes(tags, prefixes):
    assert has_prefixes(tags) is prefixes


def test_every_type_gets_every_prefix():
    assert complete_tags({"O", "B-x", "B-y", "I-y"}) == {"O", "B-x", "I-x", "B-y", "I-y"}
    assert complete_tags({"B-x", "E-x", "S-y"}) == {"O", *(f"{role}-{kind}" for role in "BIES" for kind in "xy")}
    assert complete_tags({"NOUN", "VERB"}) == {"NOUN", "VERB"}


def test_counts_by_hand():
    truth = [[("x", 0, 2), ("y", 3, 4)], [("x", 0, 1)], []]
    found = [[("x", 0, 2), ("y", 2, 4)], [], [("x", 0, 1)]]
    every, kinds = count_entities(truth, found)
    assert every == EntityCounts(hits=1, truth=3, predicted=3)
    assert every.precision == every.recall == every.f1 == pytest.approx(1 / 3)
    assert kinds == {"x": EntityCounts(1, 2, 2), "y": EntityCounts(0, 1, 1)}
    assert EntityCounts(0, 0, 0).f1 == EntityCounts(0, 0, 5).recall == EntityCounts(0, 5, 0).precision == 0


def test_an_entity_with_a_word_too_many_is_wrong():
    """Three entities, two found, one of them with a word too many: precision 1/2, recall 1/3, F1 0.4."""
    truth = entities_of(["B-LOC", "I-LOC", "O", "B-PER", "O", "B-ORG"])
    found = entities_of(["B-LOC", "I-LOC", "O", "B-PER", "I-PER", "O"])
    every, _ = count_entities([truth], [found])
    assert (every.precision, every.recall, every.f1) == pytest.approx((1 / 2, 1 / 3, 0.4))
