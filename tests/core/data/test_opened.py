# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Encodings and gzip: what every text reader shares."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tunesmith.data.readers import csv_file, json_file, opened, text
from tunesmith.data.readers.opened import read_bytes, read_text, text_lines
from tunesmith.errors import DataError

ROWS = "text,label\ncafé am Abend,essen\n"


def _error(reader, path, read_all, **options) -> str:
    with pytest.raises(DataError) as caught:
        read_all(reader, path, **options)
    return str(caught.value)


def test_wrong_encoding_says_which_and_where_and_what_it_looks_like(write, read_all):
    path = write("a.csv", ("text,label\nplain,x\ncafé,y\n").encode("cp1252"))
    message = _error(csv_file.read, path, read_all)
    assert f"{path}:3: wrong encoding: not utf-8 at byte 22" in message
    assert "given:    bytes e9" in message
    assert "looks like cp1252: set data.encoding=cp1252" in message
    rows, _ = read_all(csv_file.read, path, encoding="cp1252")
    assert rows[1].values["text"] == "café"


def test_the_place_is_right_far_into_a_file(write, read_all):
    good = b"line of text\n" * 200_000  # more than two chunks
    path = write("a.txt", good + "naïve\n".encode("cp1252"))
    message = _error(text.read, path, read_all)
    assert f"{path}:200001: wrong encoding: not utf-8 at byte {len(good) + 2:,}" in message


def test_bytes_that_are_no_text_in_any_encoding_are_called_that(write, read_all):
    message = _error(csv_file.read, write("a.csv", b"text,label\n\x00\x01\xff\xfe,x\n"), read_all)
    assert "a.csv:2: wrong encoding: not utf-8 at byte 13" in message
    assert "looks like binary junk, not text" in message
    assert "data.encoding=" not in message


@pytest.mark.parametrize(
    ("codec", "sample"),
    [
        ("shift_jis", "これは日本語の文章です。"),
        ("euc_jp", "これは日本語の文章です。カタカナも"),
        ("gb18030", "这是一个中文句子，用来测试编码。"),
        ("euc_kr", "한국어 문장입니다. 인코딩을 시험합니다."),
        ("cp1251", "Это русское предложение для проверки"),
        ("cp1252", "Das Café hätte gerne größere Räume"),
    ],
)
def test_other_scripts_are_recognised(write, read_all, codec, sample):
    path = write("a.txt", (sample * 5).encode(codec))
    assert f"looks like {codec}: set data.encoding={codec}" in _error(text.read, path, read_all)


def test_utf8_read_as_ascii_is_recognised(write, read_all):
    assert "looks like utf-8" in _error(csv_file.read, write("a.csv", ROWS), read_all, encoding="ascii")


def test_a_utf8_mark_is_dropped(write, read_all):
    rows, _ = read_all(csv_file.read, write("a.csv", b"\xef\xbb\xbf" + ROWS.encode()))
    assert list(rows[0].values) == ["text", "label"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-32"])
def test_a_utf16_mark_is_recognised(write, read_all, codec):
    path = write("a.csv", ROWS.encode(codec))
    assert f"starts with the byte order mark of {codec}" in _error(csv_file.read, path, read_all)
    assert f"set data.encoding={codec}" in _error(csv_file.read, path, read_all)
    rows, _ = read_all(csv_file.read, path, encoding=codec)
    assert rows[0].values == {"text": "café am Abend", "label": "essen"}


def test_utf16_without_mark_is_recognised(write, read_all):
    path = write("a.csv", "café,label\n".encode("utf-16-le"))
    assert "looks like utf-16-le" in _error(csv_file.read, path, read_all)


@pytest.mark.parametrize("name", ["utf-9", "base64"])
def test_an_encoding_that_does_not_exist(write, read_all, name):
    assert f"no text encoding is called '{name}'" in _error(
        csv_file.read, write("a.csv", ROWS), read_all, encoding=name
    )


@pytest.mark.parametrize(
    ("reader", "name", "content"),
    [
        (csv_file.read, "a.csv.gz", "text\nhello\n"),
        (csv_file.read_tsv, "a.tsv.gz", "text\nhello\n"),
        (json_file.read, "a.json.gz", '[{"text": "hello"}]'),
        (json_file.read_lines, "a.jsonl.gz", '{"text": "hello"}\n'),
        (text.read, "a.txt.gz", "hello"),
    ],
)
def test_gzip_of_every_text_format(write, read_all, reader, name, content):
    packed = gzip.compress(content.encode())
    rows, problems = read_all(reader, write(name, packed))
    assert problems == []
    assert rows[0].values == {"text": "hello"}
    assert "the gzip file is truncated" in _error(reader, write(name, packed[:-9]), read_all)
    damaged = packed[:-6] + bytes([packed[-6] ^ 255]) + packed[-5:]
    assert "the gzip file is damaged" in _error(reader, write(name, damaged), read_all)
    assert "the name ends in .gz, and the file is not gzip" in _error(reader, write(name, content), read_all)
    assert "the file is empty" in _error(reader, write(name, gzip.compress(b"")), read_all)


def test_gzip_without_its_ending_is_named(write, read_all):
    assert "this is a gzip file, not text" in _error(csv_file.read, write("a.csv", gzip.compress(b"x")), read_all)


def test_only_line_feeds_end_lines(write):
    path = write("a.txt", "a\u2028b\x0bc\r\nd\re\nf")
    assert list(text_lines(path, "utf-8")) == ["a\u2028b\x0bc\r\n", "d\re\n", "f"]
    assert read_text(path, "utf-8") == "a\u2028b\x0bc\r\nd\re\nf"


def test_a_character_across_two_chunks_is_whole(write, monkeypatch):
    monkeypatch.setattr("tunesmith.data.readers.opened._CHUNK", 3)
    path = write("a.txt", "é€😀\nxy😀z\n\nw")
    assert list(text_lines(path, "utf-8")) == ["é€😀\n", "xy😀z\n", "\n", "w"]


def test_a_character_cut_off_at_the_end_is_wrong_encoding(write):
    path = write("a.txt", "one\ntwo €".encode()[:-1])
    with pytest.raises(DataError, match=r"a\.txt:2: wrong encoding: not utf-8 at byte 8"):
        list(text_lines(path, "utf-8"))


def test_a_folder_or_missing_file_is_a_data_error(tmp_path: Path):
    for path in (tmp_path, tmp_path / "no.txt"):
        with pytest.raises(DataError, match="cannot be read"):
            list(text_lines(path, "utf-8"))


def test_lines_longer_than_what_is_read_at_once_are_whole(write):
    lines = ["a" * 3_000_000 + "\n", "b\n", "\n", "c" * 1_500_000]
    assert list(text_lines(write("a.txt", "".join(lines)), "utf-8")) == lines


def test_a_line_without_an_end_does_not_fill_the_memory(write, read_all, monkeypatch):
    monkeypatch.setattr(opened, "_LONGEST_LINE", 1_000_000)
    path = write("a.jsonl.gz", gzip.compress(b'{"a": 1}\n{"a": "' + b"x" * 5_000_000))
    message = _error(json_file.read_lines, path, read_all)
    assert f"{path}:2: the line is too long to be read" in message
    assert "more than 1,000,000 characters without a line end" in message


def test_a_packed_file_that_unpacks_without_end_is_stopped(write, monkeypatch):
    monkeypatch.setattr(opened, "_UNPACKED", 2_000_000)
    path = write("a-images-idx3-ubyte.gz", gzip.compress(bytes(8_000_000)))
    with pytest.raises(DataError, match="unpacks to more than it can hold of data") as caught:
        read_bytes(path)
    assert "unpack it yourself" in str(caught.value)
    assert len(read_bytes(write("b.gz", gzip.compress(bytes(1_000_000))))) == 1_000_000
