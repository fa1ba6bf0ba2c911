# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows of large files lie in the cache: splits, origins, facts, notes and errors are those of reading into memory."""

from __future__ import annotations

import errno
import json
import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.data import Column, RowError, cache_entries, read_examples, stored_examples
from tunesmith.data.rows import Origin, Row
from tunesmith.data.store import NotStorableError, PartWriter, Store
from tunesmith.data.stored_rows import StoredExamples, StoredRows, row_record
from tunesmith.errors import DataError


@dataclass(frozen=True)
class Example:
    text: str
    label: str | None
    origin: Origin


class Labels:
    """A task that wants a text and a label."""

    columns = (
        Column(name="text", summary="a text", aliases=("body",)),
        Column(name="label", summary="its class", target=True, optional=True),
    )

    def parse(self, row, *, labelled=True):
        if not row.values["text"]:
            raise RowError("text is empty")
        return Example(row.values["text"], row.values.get("label"), row.origin)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def both(monkeypatch, registry):
    """``both(section)``: what reading gives in memory and from the cache; an error's text where it raises."""

    def read(section, large):
        with monkeypatch.context() as patch:
            patch.setattr(stored_examples, "LARGE", large)
            try:
                return read_examples(section, Labels(), registry)
            except DataError as error:
                return str(error)

    return lambda section: (read(section, 10**12), read(section, 0))


def same(memory, stored) -> bool:
    return all(
        list(getattr(memory, split)) == list(getattr(stored, split)) for split in ("train", "validation", "test")
    ) and (memory.files, memory.notes) == (stored.files, stored.notes)


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def rows(count):
    return [{"body": f"text {n}", "label": "ab"[n % 2], "n": [n, None, {"x": 1.5}]} for n in range(count)]


@pytest.mark.parametrize("split", [{}, {"validation": 0.2, "test": 0.1, "seed": 3}, {"validation": 0.001}])
def test_splits_origins_facts_and_notes(write, section, both, split):
    write("train.jsonl", lines(rows(30)))
    write("more.csv", 'text,label\n"a\nb",x\n,y\nc,z\n'.replace(",y", "d,y"))
    data = section(train=["train.jsonl", "more.csv"], split=split)
    memory, stored = both(data)
    if isinstance(memory, str):
        assert stored == memory
        return
    assert isinstance(stored.train, StoredExamples)
    assert same(memory, stored)


def test_held_out_files_and_repeated_rows(write, section, both):
    write("train.jsonl", lines(rows(30)))
    write("test.tsv", "text\tlabel\ntext 3\tx\nnew\tx\n")
    memory, stored = both(section(train="train.jsonl", test="test.tsv"))
    assert same(memory, stored)
    assert stored.notes == ("1 of 2 test rows is also in the training rows; kept",)
    assert stored.test[1] == Example("new", "x", Origin("test.tsv", 3))
    assert [example.text for example in stored.train[28:]] == ["text 28", "text 29"]
    assert stored.train[-1].text == "text 29"


@pytest.mark.parametrize(
    "content",
    [
        lines(rows(5)) + "{not json\n" + lines([{"body": "", "label": "x"}]) + "[]\n",
        "",
        "\n\n",
        lines([{"other": 1}]),
        lines([{"body": ""}] * 3),
    ],
    ids=["problems", "empty", "blank", "no column", "alike"],
)
def test_errors_are_the_same(write, section, both, content):
    write("train.jsonl", content)
    memory, stored = both(section(train="train.jsonl", split={"validation": 0.1}))
    assert isinstance(memory, str)
    assert stored == memory


def test_the_next_job_opens_what_this_one_kept(write, section, both, monkeypatch):
    write("train.jsonl", lines(rows(30)))
    memory = both(section(train="train.jsonl"))[0]
    assert [entry.kind for entry in cache_entries()] == ["rows"]

    def nothing_is_read(*_):
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(stored_examples._Job, "make", nothing_is_read)
        assert same(memory, both(section(train="train.jsonl"))[1])
    write("train.jsonl", lines(rows(31)))
    assert len(both(section(train="train.jsonl"))[1].train) == 31


def test_folders_datasets_and_whole_texts_stay_in_memory(write, section, both):
    write("book.txt", "one\ntwo\n")
    for source in ("book.txt", "dataset:support#train"):
        assert isinstance(both(section(train=source))[1].train, list)
    assert cache_entries() == []
    assert isinstance(both(section(train="book.txt", text_unit="line"))[1].train, StoredExamples)


def test_a_full_disk_is_told_and_rows_are_held_in_memory(write, section, both, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    write("train.jsonl", lines(rows(30)))
    monkeypatch.setattr(PartWriter, "finish", full)
    memory, stored = both(section(train="train.jsonl"))
    assert stored.train == memory.train
    assert stored.notes == ("all rows are held in memory, since they could not be cached: No space left on device",)
    assert cache_entries() == []


def test_values_that_json_would_change_are_not_stored():
    for value in (b"bytes", (1, 2), {1: "x"}, {"a": {2, 3}}, {"a": [b"x"]}):
        with pytest.raises(NotStorableError, match=r"a\.jsonl:1: a value that is neither"):
            row_record(Row({"value": value}, Origin("a.jsonl", 1)), 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=40)
@given(values=st.dictionaries(st.text(max_size=4), JSON, max_size=4), line=st.none() | st.integers(1, 2**40))
def test_a_row_is_given_back_as_it_was(values, line, tmp_path_factory):
    row = Row(values, Origin("a.jsonl", line))
    folder = tmp_path_factory.mktemp("store")
    writer = PartWriter(folder, 0)
    writer.add([row_record(row, 0)])
    writer.finish({})
    found = StoredRows(Store(folder), ["a.jsonl"], [{}])
    assert found[0] == row
    examples = pickle.loads(pickle.dumps(StoredExamples(found, Labels())))
    with pytest.raises(RuntimeError, match="bind"):
        examples[0]
