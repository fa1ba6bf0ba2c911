# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Workbooks made here, cell by cell, and what the reader makes of them."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith_xlsx import workbook
from tunesmith_xlsx.workbook import Sheet, list_sheets, read


def make(path: Path, *sheets: list[list[Any]]) -> Path:
    book = Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"Sheet{number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def rows_of(path: Path) -> list[Row | Problem]:
    return list(read(path, ReadOptions()))


def error_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        rows_of(path)
    return str(caught.value)


def test_rows_carry_their_values_and_the_row_number_of_the_sheet(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [["text", " label "], ["héllo", 3], [None, None], ["x", None], [1.5, True]])
    assert rows_of(path) == [
        Row({"text": "héllo", "label": 3}, Origin(str(path), 2)),
        Row({"text": "x", "label": None}, Origin(str(path), 4)),
        Row({"text": 1.5, "label": True}, Origin(str(path), 5)),
    ]


def test_dates_become_iso_text(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [["when"], [dt.datetime(2026, 11, 5, 8, 30)], [dt.time(7, 15)]])
    assert [row.values["when"] for row in rows_of(path) if isinstance(row, Row)] == ["2026-11-05T08:30:00", "07:15:00"]


def test_blank_rows_above_and_formatted_columns_beside_the_table_are_no_data(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [[None], ["text", None], ["x", None]])
    assert rows_of(path) == [Row({"text": "x"}, Origin(str(path), 3))]


def test_empty_sheets_beside_the_data_do_not_matter(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [], [["text"], ["x"]], [])
    assert rows_of(path) == [Row({"text": "x"}, Origin(str(path), 2))]


def test_a_wrong_size_in_the_file_cuts_nothing_off(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [["text", "label"], ["x", "y"], ["z", "w"]])
    wrong = tmp_path / "wrong.xlsx"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(wrong, "w") as changed:
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("sheet1.xml"):
                assert b'ref="A1:B3"' in content
                content = content.replace(b'ref="A1:B3"', b'ref="A1"')
            changed.writestr(name, content)
    assert len(rows_of(wrong)) == 2


def test_a_saved_result_is_read_and_a_missing_one_is_a_problem(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [["text", "sum"], ["x", "=1+1"]])
    (problem,) = rows_of(path)
    assert str(problem).startswith(f"{path}:2: cell B2 holds a formula whose result was never saved")

    saved = tmp_path / "saved.xlsx"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(saved, "w") as changed:
        for name in whole.namelist():
            content = whole.read(name).replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>")
            changed.writestr(name, content.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"))
    assert [row.values for row in rows_of(saved) if isinstance(row, Row)] == [{"text": "x", "sum": 2}]


def test_an_error_in_a_cell_is_a_problem_and_the_other_rows_go_on(tmp_path: Path) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["text"])
    failed = WriteOnlyCell(sheet, value="#N/A")
    failed.data_type = "e"
    sheet.append([failed])
    sheet.append(["fine"])
    path = tmp_path / "a.xlsx"
    book.save(path)
    problem, row = rows_of(path)
    assert str(problem) == f"{path}:2: cell A2 holds the error #N/A"
    assert isinstance(row, Row)


def test_a_filled_cell_beyond_the_header_is_a_problem(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [["text"], ["x", None, "lost?"]])
    assert [str(problem) for problem in rows_of(path)] == [
        f"{path}:2: cell C2 is filled, and the header ends at column A"
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["text", None, "label"], ["x", 1, "y"]], ["row 1: column B of the header has no name", "(empty)"]),
        ([["text", "text"], ["x", "y"]], ["duplicate column in the header: text", "rename one"]),
        ([["text", "label"]], ["has a header and no rows", "text, label"]),
        ([], ["the workbook is empty", "no filled cell in 'Sheet1'"]),
    ],
)
def test_an_unusable_sheet_is_explained(tmp_path: Path, rows: list[list[Any]], words: list[str]) -> None:
    text = error_of(make(tmp_path / "a.xlsx", rows))
    assert all(word in text for word in words), text


def test_several_filled_sheets_are_never_guessed_between(tmp_path: Path) -> None:
    text = error_of(make(tmp_path / "a.xlsx", [["text"], ["x"]], [["text"], ["y"]]))
    assert "2 sheets hold something" in text
    assert "'Sheet1', 'Sheet2'" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"text,label\nx,y\n", "this is no .xlsx workbook"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "old Excel file (.xls) or a workbook with a password"),
        (b"PK\x03\x04" + bytes(100), "the workbook is damaged"),
    ],
)
def test_other_files_are_told_apart(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    assert words in error_of(path)


def test_damage_at_any_place_is_a_data_error_or_harmless(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.xlsx", [["text", "label"], *[[f"row {n}", n] for n in range(50)]]).read_bytes()
    path = tmp_path / "b.xlsx"
    for length in range(4, len(whole), 97):
        path.write_bytes(whole[:length])
        assert "damaged" in error_of(path)
    for at in range(4, len(whole), 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with contextlib.suppress(DataError):  # any other exception fails the test
            rows_of(path)


def test_a_packed_workbook(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.xlsx", [["text"], ["x"]])
    packed = tmp_path / "a.xlsx.gz"
    packed.write_bytes(gzip.compress(whole.read_bytes()))
    assert [row.values for row in rows_of(packed) if isinstance(row, Row)] == [{"text": "x"}]


def test_a_damaged_packed_workbook(tmp_path: Path) -> None:
    whole = gzip.compress(make(tmp_path / "a.xlsx", [["text"], ["x"]]).read_bytes())
    packed = tmp_path / "a.xlsx.gz"
    for content in (whole[:-20], whole[:40] + bytes(40) + whole[80:], b"not gzip"):
        packed.write_bytes(content)
        assert "a.xlsx.gz: cannot be read" in error_of(packed)


def test_list_sheets_shows_also_what_cannot_be_used(tmp_path: Path) -> None:
    path = make(tmp_path / "a.xlsx", [["text", None, "n"], ["x", 1, 2], ["y", 1, 2]], [])
    assert list_sheets(path) == [Sheet("Sheet1", ("text", "", "n"), 2), Sheet("Sheet2", (), 0)]
    assert load_workbook(path).sheetnames == ["Sheet1", "Sheet2"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_workbook_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    path = make(tmp_path / "a.xlsx", [["text"], ["x" * 20_000], ["y" * 20_000]])
    if packed:
        path.with_name("a.xlsx.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = path.with_name("a.xlsx.gz")
    assert len(rows_of(path)) == 2
    monkeypatch.setattr(workbook, "_LARGEST", 30_000)
    assert "the workbook is too large" in error_of(path)
