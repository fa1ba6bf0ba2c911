# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plain text and Parquet."""

from __future__ import annotations

import json

import pytest

from tunesmith.data.readers import parquet, text
from tunesmith.errors import DataError

BOOK = "Chapter 1\n\nIt was dark.\nVery dark.\r\n\n \nThe end\n"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("file", [(BOOK, 1)]),
        ("paragraph", [("Chapter 1", 1), ("It was dark.\nVery dark.", 3), ("The end", 7)]),
        ("line", [("Chapter 1", 1), ("It was dark.", 3), ("Very dark.", 4), ("The end", 7)]),
    ],
)
def test_what_a_document_is(write, read_all, unit, expected):
    rows, problems = read_all(text.read, write("a.txt", BOOK), text_unit=unit)
    assert problems == []
    assert [(row.values["text"], row.origin.line) for row in rows] == expected


def test_binary_junk_in_text_is_named_with_its_line(write, read_all):
    path = write("a.txt", b"one\ntwo\nthr\x00ee\n")
    for unit in ("file", "paragraph", "line"):
        _, problems = read_all(text.read, path, text_unit=unit)
        assert [str(problem) for problem in problems] == [f"{path}:3: binary junk: control character U+0000"]


def test_blank_text_is_an_error(write, read_all):
    with pytest.raises(DataError, match="only blanks"):
        read_all(text.read, write("a.txt", " \n\n"))


@pytest.fixture
def table(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "text": ["a", None, "c"] * 1000,
        "image": pa.array([{"bytes": b"\x89PNG", "path": None}, None, {"bytes": None, "path": "x.png"}] * 1000, image),
        "messages": [[{"role": "user", "content": "hi"}]] * 3000,
    }
    pq.write_table(pa.table(columns), path, row_group_size=700)
    return path


def test_parquet_rows_are_numbered_and_images_flattened(table, read_all):
    rows, problems = read_all(parquet.read, table)
    assert problems == []
    assert [row.origin.line for row in rows] == list(range(1, 3001))
    assert rows[0].values == {"text": "a", "image": b"\x89PNG", "messages": [{"role": "user", "content": "hi"}]}
    assert rows[1].values["text"] is None
    assert rows[1].values["image"] is None
    assert rows[2].values["image"] == "x.png"


FEATURES = {
    "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    "tags": {"feature": {"names": ["small", "large"], "_type": "ClassLabel"}, "_type": "List"},
    "text": {"dtype": "string", "_type": "Value"},
}


@pytest.mark.parametrize(
    ("note", "label", "tags"),
    [
        ({"info": {"features": FEATURES}}, "dog", ["large", "small"]),
        ({"info": {"features": {"label": {"names": [], "_type": "ClassLabel"}}}}, 1, [1, 0]),
        ({"info": ["features"]}, 1, [1, 0]),
        ({"info": {"features": {"label": 3}}}, 1, [1, 0]),
        (None, 1, [1, 0]),
    ],
)
def test_labels_have_the_names_that_hugging_face_notes_beside_them(tmp_path, read_all, note, label, tags):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"text": ["a", "b", "c"], "label": [1, -1, 7], "tags": [[1, 0], [], None]})
    if note is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(note)})
    pq.write_table(table, tmp_path / "a.parquet")
    rows, problems = read_all(parquet.read, tmp_path / "a.parquet")
    assert problems == []
    assert rows[0].values == {"text": "a", "label": label, "tags": tags}
    assert rows[1].values["label"] == (None if label == "dog" else -1)
    assert rows[2].values == {"text": "c", "label": 7, "tags": None}


def test_a_truncated_parquet_file_is_an_error(table, read_all, write):
    broken = write("b.parquet", table.read_bytes()[:-50])
    with pytest.raises(DataError, match="the Parquet file cannot be read") as caught:
        read_all(parquet.read, broken)
    assert "a whole Parquet file" in str(caught.value)
    with pytest.raises(DataError, match="an empty file"):
        read_all(parquet.read, write("c.parquet", b""))


def test_parquet_with_a_column_twice_or_no_rows(tmp_path, read_all):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), path)
    with pytest.raises(DataError, match="duplicate column: text"):
        read_all(parquet.read, path)
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    with pytest.raises(DataError, match="the file has no rows"):
        read_all(parquet.read, path)
