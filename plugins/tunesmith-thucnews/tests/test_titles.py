# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Lines of titles, whatever stands in them."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith_thucnews.lines import fault_of
from tunesmith_thucnews.titles import parse_title, read, read_classes

CLASSES = ["体育", "科技", "财经"]
HERE = Origin("train.txt", 1)


def write(folder: Path, content: bytes, classes: str = "体育\n科技\n财经\n") -> Path:
    (folder / "class.txt").write_text(classes, encoding="utf-8")
    (folder / "train.txt").write_bytes(content)
    return folder / "train.txt"


def rows_of(path: Path, **options: str) -> list[Row | Problem]:
    return list(read(path, ReadOptions(**options)))  # type: ignore[arg-type]


def pairs(rows: list[Row | Problem]) -> list[tuple[str, str]]:
    return [(row.values["text"], row.values["label"]) for row in rows if isinstance(row, Row)]


def problem(line: str) -> str:
    found = parse_title(line, CLASSES, HERE)
    assert isinstance(found, Problem)
    return found.message


# ---- the parser of a line ----------------------------------------------------------------------


@given(st.text(alphabet=st.characters(exclude_categories=[])))  # halves of characters too
def test_any_text_is_a_row_or_a_problem(line: str) -> None:
    found = parse_title(line, CLASSES, HERE)
    assert isinstance(found, (Row, Problem))
    if isinstance(found, Row):
        assert found.values["text"] in line
        assert found.values["label"] in CLASSES


@given(st.text(), st.integers(0, 2))
def test_what_is_written_comes_back(title: str, index: int) -> None:
    title = title.strip()
    if title and fault_of(title) is None:
        assert parse_title(f"{title}\t{index}", CLASSES, HERE) == Row({"text": title, "label": CLASSES[index]}, HERE)


@given(st.text("0123456789", min_size=1, max_size=10_000))
def test_a_number_of_any_length_is_a_class_or_told(index: str) -> None:
    found = parse_title(f"标题\t{index}", CLASSES, HERE)
    assert isinstance(found, Row) == (len(index) <= 6 and int(index) < 3)


def test_a_title_may_hold_tabs_and_full_width_spaces() -> None:
    found = parse_title("\u3000主队　赢了\t三分\u3000\t 0 ", CLASSES, HERE)
    assert found == Row({"text": "主队　赢了\t三分", "label": "体育"}, HERE)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("没有类别的标题", "no tab; expected TITLE<tab>NUMBER OF ITS CLASS, given '没有类别的标题'"),
        ("标题\t3", "class 3 is not in class.txt, which has 0 to 2 (体育, 科技, 财经)"),
        ("标题\t-1", "'-1' is no number of a class; expected 0 to 2"),
        ("标题\t３", "'３' is no number of a class"),
        ("体育\t标题", "'标题' is no number of a class; expected 0 to 2; the class seems to stand in front"),
        ("\u3000\t1", "there is no title in front of the tab"),
        ("坏\ud83d字\t1", "half a character (\\ud83d), which is no text"),
        ("坏\x00字\t1", "a control character (U+0000), which no text holds"),
    ],
)
def test_what_is_wrong_is_said(line: str, words: str) -> None:
    assert words in problem(line)


# ---- files -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("accepted")
def test_a_bad_line_costs_one_row(tmp_path: Path) -> None:
    good = "新手机发布\t1\n".encode()
    path = write(tmp_path, good + b"\xb8\xc3\xd0\xc2\t0\n" + good + "股市上涨\t7\n".encode())
    rows = rows_of(path)
    assert pairs(rows) == [("新手机发布", "科技")] * 2
    assert [str(row) for row in rows if isinstance(row, Problem)] == [
        f"{path}:2: not utf-8 at byte 0 (bytes b8 c3 d0 c2); looks like gb18030: set data.encoding=gb18030",
        f"{path}:4: class 7 is not in class.txt, which has 0 to 2 (体育, 科技, 财经)",
    ]


@pytest.mark.usefixtures("accepted")
def test_marks_line_ends_and_blank_lines_are_taken_off_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mark = b"\xef\xbb\xbf"
    content = mark + "球队夺冠\t0\r\n\r\n".encode() + mark + "基金下跌\t2\r\n".encode() + "\u3000\n芯片\t1".encode()
    path = write(tmp_path, content)
    with caplog.at_level(logging.DEBUG, "tunesmith.thucnews"):
        assert pairs(rows_of(path)) == [("球队夺冠", "体育"), ("基金下跌", "财经"), ("芯片", "科技")]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 2 lines passed over that hold nothing; 1 line with a byte order mark, which was taken off",
        f"{path}: 3 lines ending in CR LF, which was taken off",
    ]
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.DEBUG]


@pytest.mark.usefixtures("accepted")
def test_packed_and_converted_copies(tmp_path: Path) -> None:
    path = write(tmp_path, b"")
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress("球队夺冠\t0\n".encode()))
    assert pairs(rows_of(packed)) == [("球队夺冠", "体育")]
    path.write_bytes("球队夺冠\t0\n".encode("gb18030"))
    (tmp_path / "class.txt").write_bytes("体育\n".encode("gb18030"))
    assert pairs(rows_of(path, encoding="gb18030")) == [("球队夺冠", "体育")]


@pytest.mark.usefixtures("accepted")
@pytest.mark.parametrize("encoding", ["utf-16", "base64", "nonsense"])
def test_encodings_whose_lines_cannot_be_cut_are_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DataError, match=rf"cannot be read in this encoding\n  given:    {encoding}\n"):
        rows_of(write(tmp_path, b"x\t0"), encoding=encoding)


@pytest.mark.usefixtures("accepted")
def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train.txt: the file is empty"):
        rows_of(write(tmp_path, b""))
    with pytest.raises(DataError, match=r"train.txt:1: the line is too long for a title"):
        rows_of(write(tmp_path, b"x" * 1_000_001))
    (tmp_path / "none.txt").unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"none.txt: cannot be read\n  given:    No such file"):
        rows_of(tmp_path / "none.txt")


@pytest.mark.usefixtures("accepted")
def test_without_the_names_of_the_classes_numbers_stand_for_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, b"x\t0")
    (tmp_path / "class.txt").unlink()
    with pytest.raises(DataError) as caught:
        rows_of(path)
    assert "there is no class.txt beside the titles" in str(caught.value)
    assert "copy class.txt from where the titles came from" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("体育\n\n财经\n", "line 2 is blank, there already, or no text"),
        ("体育\n科技\n体育\n", "line 3 is blank, there already, or no text"),
        ("\n\n", "no classes"),
    ],
)
def test_a_list_of_classes_that_would_shift_them_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "class.txt").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_classes(tmp_path / "class.txt")


def test_a_list_of_classes_may_end_in_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "class.txt").write_bytes("\ufeff体育\r\n 科技\u3000\r\n\r\n".encode())
    assert read_classes(tmp_path / "class.txt") == ["体育", "科技"]
