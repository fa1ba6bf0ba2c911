# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Weights of sources: how often each row is seen, in one epoch and in several, and that only the epoch decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.data import Column, read_examples, stored_examples
from tunesmith.data.mixing import Mixture, mixing_notes
from tunesmith.data.rows import Origin
from tunesmith.errors import DataError
from tunesmith.recipe.schema import DataSection
from tunesmith.training.feed import Feed

WEIGHTS = st.sampled_from([0.125, 0.25, 0.5, 1.0, 1.5, 2.0, 3.75])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(WEIGHTS, st.integers(0, 9)), min_size=1, max_size=4), st.integers(0, 3))
def test_every_row_is_seen_as_often_as_its_weight_says(sources, seed):
    weights = [weight for weight, _ in sources]
    source_of = np.repeat(np.arange(len(sources)), [count for _, count in sources])
    mixture = Mixture(weights, source_of, np.arange(len(source_of)), seed=seed)
    total = np.zeros(len(source_of), dtype=np.int64)
    for epoch in range(8):  # all weights are eighths: after 8 epochs every row was seen exactly 8 × weight times
        times = np.bincount(mixture.items(epoch), minlength=len(source_of))
        total += times
        for source, weight in enumerate(weights):
            seen = times[source_of == source]
            assert set(seen.tolist()) <= {int(weight), int(weight) + 1}
            assert abs(seen.sum() - weight * len(seen)) < 1
    assert total.tolist() == [8 * weights[source] for source in source_of]


def test_an_epoch_is_a_function_of_its_number_and_the_seed():
    source_of, rows = np.zeros(20, dtype=np.int64), np.repeat(np.arange(20), 2)
    one, other = (Mixture([0.3], source_of, rows, seed=1) for _ in range(2))
    forward = [one.items(epoch).tolist() for epoch in range(5)]
    assert [other.items(epoch).tolist() for epoch in reversed(range(5))] == forward[::-1]
    assert forward[0] != forward[1]
    assert forward != [Mixture([0.3], source_of, rows, seed=2).items(epoch).tolist() for epoch in range(5)]
    assert all(place ^ 1 in items for items in forward for place in items)  # the items of a row are seen together


def feed(**changes):
    lengths = [5] * 4 + [7] * 6
    mixture = Mixture([2.0, 0.5], np.repeat([0, 1], [4, 6]), np.arange(10), seed=0)
    settings = {"tokens": None, "rows": 3, "epochs": 2, "max_steps": None, "accumulate": 1, "seed": 0}
    return Feed(lengths, **(settings | {"mixture": mixture} | changes))


def test_the_batches_of_an_epoch_hold_what_the_mixture_says():
    subject = feed()
    assert subject.total_steps == 8  # 2 × 4 + 0.5 × 6 = 11 items an epoch, 3 a batch
    for epoch in range(2):
        seen = np.concatenate(subject.epoch(epoch))
        assert np.bincount(seen, minlength=10)[:4].tolist() == [2] * 4
        assert len(seen) == 11
    later = [subject.batch(step).tolist() for step in (7, 6, 5)]
    assert [feed().batch(step).tolist() for step in (7, 6, 5)] == later


def test_an_epoch_without_rows_is_an_error():
    mixture = Mixture([0.1], np.zeros(2, dtype=np.int64), np.arange(2), seed=0)
    with pytest.raises(DataError, match=r"data\.weights leave an epoch without any row"):
        Feed([5, 5], tokens=None, rows=1, epochs=3, max_steps=None, accumulate=1, seed=0, mixture=mixture)


def test_weights_are_of_entries_of_train():
    with pytest.raises(ValueError, match=r"weights name 'c\.csv'; data\.train has 'a\.csv', 'b\.csv'"):
        DataSection(train=["a.csv", "b.csv"], weights={"c.csv": 2.0})
    with pytest.raises(ValueError, match="greater than 0"):
        DataSection(train=["a.csv"], weights={"a.csv": 0.0})
    assert DataSection(train=["a.csv"], weights={"a.csv": 2}).weights == {"a.csv": 2.0}


@dataclass(frozen=True)
class Example:
    text: str
    origin: Origin


class Texts:
    columns = (Column(name="text", summary="a text"),)

    def parse(self, row, *, labelled=True):
        return Example(row.values["text"], row.origin)


@pytest.mark.parametrize("large", [0, 10**12], ids=["stored", "in memory"])
@pytest.mark.parametrize("split", [{}, {"validation": 0.25, "seed": 1}])
def test_rows_know_their_entry(write, section, registry, monkeypatch, tmp_path, large, split):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stored_examples, "LARGE", large)
    write("a.csv", "text\na\na\na\n")
    for name in ("1", "2"):
        write(f"b{name}.csv", "text\nb\nb\n")
    data = section(train=["b*.csv", "a.csv"], weights={"a.csv": 0.5}, split=split)
    splits = read_examples(data, Texts(), registry)
    assert ["ba"[entry] for entry in splits.sources] == [example.text for example in splits.train]
    if not split:
        assert splits.notes == (
            "b*.csv: 4 training rows, each seen 1 × an epoch: 72.7 % of the rows of an epoch",
            "a.csv: 3 training rows, each seen 0.5 × an epoch: 27.3 % of the rows of an epoch",
        )
    assert read_examples(section(train=["a.csv"]), Texts(), registry).sources is None


def test_texts_that_are_cut_know_their_entry(write, section, registry, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write("a.txt", "line\n" * 20)
    write("b.txt", "other\n" * 20)
    data = section(train=["a.txt", "b.txt"], weights={"b.txt": 2.0}, split={"test": 0.1})
    splits = read_examples(data, Texts(), registry)
    assert splits.sources.tolist() == [0, 1]


def test_notes_add_up():
    told = mixing_notes(["a", "b"], {"b": 3.0}, np.asarray([0, 0, 0, 1]))
    assert told[1] == "b: 1 training row, each seen 3 × an epoch: 50.0 % of the rows of an epoch"
