# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Examples of all splits, and all problems at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest

from tunesmith.data import Column, RowError, read_examples, read_split
from tunesmith.errors import DataError, Origin, RecipeError


@dataclass(frozen=True)
class Example:
    text: str
    label: str | None
    origin: Origin


class Labels:
    """A task that wants a text and a label."""

    columns = (
        Column(name="text", summary="a text"),
        Column(name="label", summary="its class", target=True),
    )

    def parse(self, row, *, labelled=True):
        text, label = row.values["text"], row.values.get("label")
        if not isinstance(text, str) or not text.strip():
            raise RowError("text is empty")
        if labelled and not label:
            raise RowError("label is missing")
        return Example(text, label, row.origin)


class Texts:
    """A task that wants a text."""

    columns = (Column(name="text", summary="a document", aliases=("content",)),)

    def parse(self, row, *, labelled=True):
        return Example(row.values["text"], None, row.origin)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _csv(count: int, start: int = 0) -> str:
    return "text,label\n" + "".join(f"text {number},x\n" for number in range(start, start + count))


def test_problems_stand_in_the_order_of_the_files(write, section, registry):
    write("train.csv", "text,label\n" + "".join(f"text {n},{'' if n % 2 else 'x'}\n" for n in range(40)))
    with pytest.raises(DataError) as caught:
        read_examples(section(train="train.csv", split={"validation": 0.3}), Labels(), registry)
    lines = [problem.origin.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert "correct or remove these rows" in str(caught.value)


def test_a_problem_of_every_row_points_to_the_columns(write, section, registry):
    write("train.csv", "text,label\n" + "a,\n" * 3)
    with pytest.raises(DataError, match="3 problems in 3 rows") as caught:
        read_examples(section(train="train.csv"), Labels(), registry)
    assert "every row has the same problem, so look at the columns first" in str(caught.value)
    assert "the task's words: text, label" in str(caught.value)


def test_splits_files_and_facts(write, section, registry):
    write("train.csv", _csv(3))
    write("more.jsonl", '{"body": "four", "text": "title", "label": "y"}\n')
    path = write("test.csv", _csv(2, 10))
    data = section(train=["train.csv", "more.jsonl"], test="test.csv")
    splits = read_examples(data, Labels(), registry)
    assert [example.text for example in splits.train] == ["text 0", "text 1", "text 2", "title"]
    assert [str(example.origin) for example in splits.test] == ["test.csv:2", "test.csv:3"]
    assert splits.validation == []
    assert [(fact.name, fact.rows) for fact in splits.files] == [("train.csv", 3), ("more.jsonl", 1), ("test.csv", 2)]
    assert splits.files[2].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert splits.files[2].bytes == path.stat().st_size
    assert splits.notes == ()


def test_all_problems_of_all_files_in_one_error(write, section, registry):
    write("train.csv", "text,label\nfine,x\n,x\nfine,\nragged\n")
    write("test.jsonl", '{"text": null, "label": "x"}\n{"text": "a", "label": "x"\n{"text": "no label"}\n')
    with pytest.raises(DataError) as caught:
        read_examples(section(train="train.csv", test="test.jsonl"), Labels(), registry)
    assert "6 problems in 7 rows" in str(caught.value)
    assert {str(problem) for problem in caught.value.problems if "JSON" not in problem.message} == {
        "train.csv:3: text is empty",
        "train.csv:4: label is missing",
        "train.csv:5: 1 cells, and the header names 2 columns, separated by a comma",
        "test.jsonl:1: text is empty",
        "test.jsonl:3: label is missing",
    }


def test_the_first_20_problems_are_shown_and_the_rest_counted(write, section, registry):
    write("train.csv", "text,label\n" + ",x\n" * 1234)
    with pytest.raises(DataError) as caught:
        read_examples(section(train="train.csv"), Labels(), registry)
    message = str(caught.value)
    assert "1,234 problems in 1,234 rows" in message
    assert message.count("text is empty") == 20
    assert "train.csv:21: text is empty" in message
    assert "… and 1,214 more; 1,234 in all" in message


def test_a_missing_column_is_one_error_for_the_file(write, section, registry):
    write("train.csv", "body,label\na,x\n,\n")
    with pytest.raises(DataError, match="no column for 'text'") as caught:
        read_examples(section(train="train.csv"), Labels(), registry)
    assert caught.value.problems == ()
    assert str(caught.value).startswith("train.csv: ")


def test_the_first_row_of_json_may_lack_a_key_that_others_have(write, section, registry):
    write("a.jsonl", '{"label": "x"}\n{"text": "a", "label": "x"}\n')
    with pytest.raises(DataError) as caught:
        read_examples(section(train="a.jsonl"), Labels(), registry)
    assert [str(problem) for problem in caught.value.problems] == ["a.jsonl:1: text is empty"]


def test_splits_by_share_are_drawn_by_the_seed(write, section, registry):
    write("train.csv", _csv(10))
    split = {"validation": 0.2, "test": 0.1, "seed": 3}
    splits = read_examples(section(train="train.csv", split=split), Labels(), registry)
    parts = [
        [int(example.text.split()[1]) for example in part] for part in (splits.train, splits.validation, splits.test)
    ]
    # Pinned: the same seed must give the same parts on every platform and version.
    assert parts == [[0, 1, 2, 3, 4, 7, 8], [5, 6], [9]]
    assert splits.notes == ("10 rows split at random with seed 3: train 7, validation 2, test 1",)
    again = read_examples(section(train="train.csv", split=split), Labels(), registry)
    assert (again.train, again.validation, again.test) == (splits.train, splits.validation, splits.test)
    other = read_examples(section(train="train.csv", split={**split, "seed": 4}), Labels(), registry)
    assert other.test + other.validation != splits.test + splits.validation


def test_a_part_that_would_be_empty_is_an_error(write, section, registry):
    write("train.csv", _csv(3))
    with pytest.raises(DataError, match="nothing would be left for validation") as caught:
        read_examples(section(train="train.csv", split={"validation": 0.1}), Labels(), registry)
    assert "data.split.validation=0.1 of 3 rows" in str(caught.value)
    with pytest.raises(DataError, match="nothing would be left for train"):
        read_examples(section(train="train.csv", split={"validation": 0.9}), Labels(), registry)


def test_files_and_a_share_for_one_split_exclude_each_other(write, section, registry):
    write("train.csv", _csv(3))
    for part in ("validation", "test"):
        data = section(train="train.csv", split={part: 0.5}, **{part: "train.csv"})
        with pytest.raises(RecipeError, match=f"data.{part} and data.split.{part} exclude each other"):
            read_examples(data, Labels(), registry)


def test_one_long_text_is_cut_at_its_end_at_line_starts(write, section, registry):
    lines = [f"line {number}\n" for number in range(100)]
    write("book.txt", "".join(lines))
    splits = read_examples(section(train="book.txt", split={"validation": 0.1, "test": 0.2}), Texts(), registry)
    train, validation, test = splits.train[0], splits.validation[0], splits.test[0]
    assert train.text + validation.text + test.text == "".join(lines)
    assert all(part.text.startswith("line ") and part.text.endswith("\n") for part in (train, validation, test))
    assert train.text.startswith("line 0\n")
    assert (validation.origin.line, test.origin.line) == (70 + 1, 80 + 1)
    assert (
        splits.notes
        == (
            "book.txt: one text, cut in order: train from line 1 (550 characters),"
            " validation from line 71 (80 characters), test from line 81 (160 characters)",
        )
        or "validation from line 71" in splits.notes[0]
    )


def test_a_mapped_text_is_cut_too_and_a_long_line_by_characters(write, section, registry):
    write("book.txt", "abcdefghij" * 10)
    data = section(train="book.txt", split={"test": 0.25}, columns={"text": "text"})
    splits = read_examples(data, Texts(), registry)
    assert (len(splits.train[0].text), len(splits.test[0].text)) == (75, 25)


def test_a_text_too_short_to_cut_is_an_error(write, section, registry):
    write("book.txt", "one line\n")
    with pytest.raises(DataError, match="nothing would be left for train"):
        read_examples(section(train="book.txt", split={"validation": 0.5, "test": 0.49}), Texts(), registry)


def test_enough_texts_are_drawn_whole(write, section, registry):
    for number in range(10):
        write(f"books/{number}.txt", f"book {number}\nend\n")
    splits = read_examples(section(train="books", split={"test": 0.2}), Texts(), registry)
    assert (len(splits.train), len(splits.test)) == (8, 2)
    assert "split at random" in splits.notes[0]


def test_rows_in_two_splits_are_counted_and_kept(write, section, registry):
    write("train.csv", _csv(5))
    write("test.csv", "text,label\ntext 1,x\ntext 3,other\nnew,x\n")
    splits = read_examples(section(train="train.csv", test="test.csv"), Labels(), registry)
    assert len(splits.test) == 3
    assert splits.notes == ("2 of 3 test rows are also in the training rows; kept",)


def test_reading_to_predict_needs_no_labels(write, section, registry):
    write("new.csv", "text\nhello\n")
    assert read_split(["new.csv"], section(), Labels(), registry, labelled=False)[0].text == "hello"
    with pytest.raises(DataError, match="no column for 'label'"):
        read_split(["new.csv"], section(), Labels(), registry)
    write("bad.csv", "text\n \n")
    with pytest.raises(DataError, match="1 problem in 1 row\n"):
        read_split(["bad.csv"], section(), Labels(), registry, labelled=False)


def test_facts_of_a_folder_change_with_names_and_contents(write, section, registry, tmp_path):
    class Images:
        columns = (Column(name="image", summary="an image"), Column(name="label", summary="its class", target=True))

        def parse(self, row, *, labelled=True):
            return row.values["label"]

    digests = set()
    write("pets/cat/a.png", b"1")
    write("pets/dog/b.png", b"2")
    for step in (
        lambda: None,
        lambda: write("pets/dog/b.png", b"3"),
        lambda: (tmp_path / "pets/dog/b.png").rename(tmp_path / "pets/dog/c.png"),
    ):
        step()
        splits = read_examples(section(train="pets"), Images(), registry)
        assert splits.train == ["cat", "dog"]
        assert (splits.files[0].name, splits.files[0].bytes, splits.files[0].rows) == ("pets", 2, 2)
        digests.add(splits.files[0].sha256)
    assert len(digests) == 3


def test_a_dataset_has_a_digest_of_its_rows(section, registry):
    data = section(train="dataset:support#train", test="dataset:support#test")
    splits = read_examples(data, Labels(), registry)
    train, test = splits.files
    assert (train.name, train.rows) == ("dataset:support#train", len(splits.train))
    assert train.sha256 != test.sha256
    assert read_examples(data, Labels(), registry).files == splits.files
