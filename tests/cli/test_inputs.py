# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import DataError
from tunesmith_cli.inputs import from_pipe


def values(data: bytes, **options: Any) -> list[dict[str, Any]]:
    return [dict(row.values) for batch in from_pipe(io.BytesIO(data), "text", **options) for row in batch]


def test_plain_lines_become_the_text() -> None:
    assert values(b"my card\r\n\n  \nis lost") == [{"text": "my card"}, {"text": "is lost"}]


def test_json_lines_become_rows() -> None:
    assert values(b'{"body": "a", "id": 1}\n\n{"body": "b"}\n') == [{"body": "a", "id": 1}, {"body": "b"}]


def test_the_first_line_decides_and_a_format_decides_before_it() -> None:
    assert values(b'hello\n{"text": "a"}\n')[1] == {"text": '{"text": "a"}'}
    assert values(b'{"text": "a"}\n', as_json=False) == [{"text": '{"text": "a"}'}]
    assert values(b"[1, 2]\n42\n") == [{"text": "[1, 2]"}, {"text": "42"}]
    with pytest.raises(
        DataError, match=r"1 of 1 rows cannot be used\n    stdin:1: expected a JSON object, found 'hello'"
    ):
        values(b"hello\n", as_json=True)


def test_rows_know_their_line() -> None:
    (batch,) = from_pipe(io.BytesIO(b"a\n\nb\n"), "text")
    assert [str(row.origin) for row in batch] == ["stdin:1", "stdin:3"]


def test_all_bad_rows_of_a_batch_are_told_together() -> None:
    with pytest.raises(DataError) as caught:
        values(b'{"text": "a"}\nhello\n\xff\xfe\n')
    assert "stdin:2: expected a JSON object, as in the first line, found 'hello'" in str(caught.value)
    assert "stdin:3: not UTF-8: byte 0xff at column 1" in str(caught.value)


def test_a_byte_order_mark_is_no_text() -> None:
    assert values(b"\xef\xbb\xbf" + b'{"text": "a"}\n') == [{"text": "a"}]


def test_an_answer_can_be_given_before_the_next_line_is_written() -> None:
    read, write = os.pipe()
    with open(read, "rb", buffering=0) as pipe, open(write, "wb", buffering=0) as writer:
        batches: Iterator[Any] = from_pipe(pipe, "text")
        for line in (b"first\n", b"second\n"):
            writer.write(line)
            assert [row.values["text"] for row in next(batches)] == [line.decode().strip()]


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.integers(), max_size=3), max_size=20),
    st.integers(1, 40),
)
def test_rows_arrive_whole_whatever_the_reads_cut(rows: list[dict[str, Any]], size: int) -> None:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()

    class Dribble(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            return super().read(size)

    assert [dict(row.values) for batch in from_pipe(Dribble(data), "text") for row in batch] == rows


@given(st.binary(max_size=200))
def test_junk_is_rows_or_a_data_error(data: bytes) -> None:
    with suppress(DataError):
        assert all(row["text"].strip() for row in values(data, as_json=False))
