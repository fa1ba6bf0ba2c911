# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Folds: every row held out once, labels spread, groups whole."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.folds import fold_places, take
from tunesmith.data.rows import Column, Origin, Row
from tunesmith.errors import DataError, RecipeError
from tunesmith.recipe.schema import SplitSection

COLUMNS = (Column(name="text", summary="text"), Column(name="label", summary="label", target=True))


def rows_of(labels, groups=None):
    groups = groups or [0] * len(labels)
    return [
        Row({"text": f"t{place}", "label": label, "writer": group}, Origin("a.csv", place + 2))
        for place, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]


def all_folds(rows, folds, **split):
    return [fold_places(rows, COLUMNS, SplitSection(folds=folds, fold=fold + 1, **split))[0] for fold in range(folds)]


@given(
    st.lists(st.sampled_from("aaabbc"), min_size=6, max_size=60),
    st.integers(2, 5),
    st.integers(0, 9),
    st.booleans(),
)
def test_every_row_is_held_out_once_and_trained_on_otherwise(labels, folds, seed, grouped):
    rows = rows_of(labels, [place % 7 for place in range(len(labels))])
    if grouped and len({row.values["writer"] for row in rows}) < folds:
        return
    found = all_folds(rows, folds, seed=seed, group="writer" if grouped else None)
    held_out = np.concatenate([parts["test"] for parts in found])
    assert sorted(held_out.tolist()) == list(range(len(rows)))
    for parts in found:
        assert sorted([*parts["train"].tolist(), *parts["test"].tolist()]) == list(range(len(rows)))


@given(st.lists(st.sampled_from("aaabbc"), min_size=12, max_size=60), st.integers(2, 5), st.integers(0, 9))
def test_labels_are_spread_as_evenly_as_can_be(labels, folds, seed):
    found = all_folds(rows_of(labels), folds, seed=seed)
    sizes = [len(parts["test"]) for parts in found]
    assert max(sizes) - min(sizes) <= 1
    counts = [Counter(labels[place] for place in parts["test"]) for parts in found]
    for label in set(labels):
        assert max(count[label] for count in counts) - min(count[label] for count in counts) <= 1


def test_groups_stay_together_and_folds_are_of_like_size():
    groups = [*["ada"] * 10, *["bo"] * 6, *["cy"] * 5, *["di"] * 4, *["ed"] * 5]
    rows = rows_of(["x"] * 30, groups)
    found = all_folds(rows, 3, group="writer", validation=0.2)
    for parts in found:
        of = {part: {groups[place] for place in places} for part, places in parts.items()}
        assert not of["train"] & of["test"]
        assert not of["validation"] & (of["train"] | of["test"])
    assert [len(parts["test"]) for parts in found] == [10, 10, 10]


def test_the_same_seed_gives_the_same_folds_and_another_one_others():
    rows = rows_of(["a", "b"] * 20)
    first, again, other = (all_folds(rows, 4, seed=seed)[0]["test"].tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert first == [4, 6, 7, 9, 21, 22, 26, 31, 32, 35]  # on every platform and version


def test_validation_is_a_share_of_the_rows_that_are_not_held_out():
    parts, notes = fold_places(rows_of(["a", "b"] * 50), COLUMNS, SplitSection(folds=5, fold=2, validation=0.25))
    assert {part: len(places) for part, places in parts.items()} == {"train": 60, "validation": 20, "test": 20}
    assert notes == [
        "fold 2 of 5 of 100 rows, spread evenly by label (2 labels), with seed 0: train 60, validation 20, test 20"
    ]
    taken = take(rows_of(["a", "b"] * 50), parts)
    assert [row.values["text"] for row in taken["test"]] == [f"t{place}" for place in parts["test"]]


@pytest.mark.parametrize("labels", [[0.5 * place for place in range(20)], [f"a whole sentence {n}" for n in range(20)]])
def test_labels_that_hardly_repeat_are_not_spread(labels):
    _, notes = fold_places(rows_of(labels), COLUMNS, SplitSection(folds=2, fold=1))
    assert "drawn at random" in notes[0]


@pytest.mark.parametrize(
    ("rows", "split", "words"),
    [
        (rows_of(["a"] * 3), {"folds": 5, "fold": 1}, "5 folds need at least as many rows"),
        (rows_of(["a"] * 9, ["x"] * 9), {"folds": 2, "fold": 1, "group": "writer"}, "groups in the column 'writer'"),
        (rows_of(["a"] * 9), {"folds": 2, "fold": 1, "group": "author"}, "a.csv:2: no group in the column 'author'"),
        (rows_of(["a"] * 9, [*"xxxx", "", *"yyyy"]), {"folds": 2, "fold": 1, "group": "writer"}, "a.csv:6: no group"),
        (rows_of(["a"] * 4), {"folds": 4, "fold": 1, "validation": 0.1}, "nothing would be left for validation"),
    ],
)
def test_what_cannot_be_folded(rows, split, words):
    with pytest.raises(DataError, match="to do") as caught:
        fold_places(rows, COLUMNS, SplitSection(**split))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"folds": 5}, "give folds and fold together"),
        ({"folds": 5, "fold": 6}, "fold 6 of 5 folds"),
        ({"group": "writer"}, "'group' is only for folds"),
        ({"folds": 5, "fold": 1, "test": 0.1}, "the fold is the test split"),
    ],
)
def test_recipes_that_make_no_sense(split, words):
    from tunesmith.recipe import parse_recipe

    with pytest.raises(RecipeError) as caught:
        parse_recipe({"task": "chat", "model": "m", "data": {"train": "a.csv", "split": split}, "output": "o"})
    assert words in str(caught.value)


def test_folds_and_test_rows_exclude_each_other():
    from tunesmith.data.splits import check_shares
    from tunesmith.recipe.schema import DataSection

    with pytest.raises(RecipeError, match=r"data\.test and data\.split\.folds exclude each other"):
        check_shares(DataSection(train=["a.csv"], test=["b.csv"], split=SplitSection(folds=2, fold=1)))


def test_large_files_are_folded_alike(tmp_path, monkeypatch):
    from tunesmith.data import read_examples, stored_examples
    from tunesmith.recipe.schema import DataSection
    from tunesmith.registry import get_registry
    from tunesmith.tasks.text_classification import TextClassification

    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"t{n},{'ab'[n % 2]}\n" for n in range(40)))
    section = DataSection(train=[str(tmp_path / "a.csv")], split=SplitSection(folds=4, fold=3, validation=0.2))

    def texts():
        found = read_examples(section, TextClassification(section), get_registry())
        return {part: [one.text for one in getattr(found, part)] for part in ("train", "validation", "test")}

    in_memory = texts()
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stored_examples, "LARGE", 1)
    assert texts() == in_memory
    assert (tmp_path / "cache").exists()
