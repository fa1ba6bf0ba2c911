# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""CSV and TSV: every cell, every line number, every way they come broken."""

from __future__ import annotations

import contextlib
import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.data.readers.csv_file import read, read_tsv
from tunesmith.errors import DataError


def test_rows_know_the_line_they_start_on(write, read_all):
    path = write("a.csv", 'text,label\r\nplain,x\r\n"two\nlines, ""quoted""",y\r\n\r\nlast,z')
    rows, problems = read_all(read, path)
    assert problems == []
    assert [(row.values["text"], row.origin.line) for row in rows] == [
        ("plain", 2),
        ('two\nlines, "quoted"', 3),
        ("last", 6),
    ]
    assert str(rows[1].origin) == f"{path}:3"


def test_ragged_rows_are_problems_with_the_line_where_the_row_starts(write, read_all):
    path = write("a.csv", 'text,label\n"a\nb",x,too many\nalone\nfine,y\n')
    rows, problems = read_all(read, path)
    assert [row.values for row in rows] == [{"text": "fine", "label": "y"}]
    assert [problem.origin.line for problem in problems] == [2, 4]
    assert "3 cells, and the header names 2 columns" in problems[0].message
    assert "1 cells, and the header names 2 columns, separated by a comma" in problems[1].message


@pytest.mark.parametrize(("delimiter", "word"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_the_header_line_says_which_delimiter_it_is(write, read_all, delimiter, word):
    path = write("a.csv", f'text{delimiter}"the, label"\na, b; c{delimiter}x\n'.replace("a, b; c", "abc"))
    rows, problems = read_all(read, path)
    assert problems == []
    assert rows[0].values == {"text": "abc", "the, label": "x"}
    _, problems = read_all(read, write("b.csv", f"text{delimiter}label\nalone\n"))
    assert f"separated by a {word}" in problems[0].message


def test_a_cell_of_200_000_characters_is_read_and_the_global_limit_of_csv_stays(write, read_all):
    before = csv.field_size_limit()
    long = "word " * 40_000
    rows, problems = read_all(read, write("a.csv", f'text,label\n"{long}",x\n{long},y\n'))
    assert problems == []
    assert [len(row.values["text"]) for row in rows] == [200_000, 200_000]
    assert csv.field_size_limit() == before


def test_a_quote_that_is_never_closed_names_the_line_where_it_opens(write, read_all):
    rows, problems = read_all(read, write("a.csv", 'text,label\nfine,x\n"open,y\nmore,z\n'))
    assert len(rows) == 1
    assert problems[0].origin.line == 3
    assert "opens on line 3 and is never closed" in problems[0].message


def test_text_after_a_closing_quote_is_a_problem_and_the_next_row_is_read(write, read_all):
    rows, problems = read_all(read, write("a.csv", 'text,label\n"He" said,x\nfine,y\n'))
    assert [row.origin.line for row in rows] == [3]
    assert "text after a closing quote on line 2: ' said,x'" in problems[0].message


def test_a_quote_inside_a_plain_cell_is_a_character(write, read_all):
    rows, _ = read_all(read, write("a.csv", 'text,label\n5" pipe,x\n'))
    assert rows[0].values["text"] == '5" pipe'


def test_binary_junk_in_a_row_is_a_problem_that_names_character_and_column(write, read_all):
    rows, problems = read_all(read, write("a.csv", b"text,label\nfine,x\nju\x00nk,y\nbell\x07,z\n"))
    assert len(rows) == 1
    assert [str(problem.origin.line) + problem.message for problem in problems] == [
        "3binary junk in column 'text': control character U+0000",
        "4binary junk in column 'text': control character U+0007",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("\n\n", "only blank lines"),
        ("text,label\n", "has a header and no rows"),
        ("text,label,text\na,b,c\n", "duplicate header: 'text' is there twice"),
        (",text\n0,a\n", "column 1 of the header has no name"),
        ("text,la\x00bel\na,b\n", "binary junk in the header: U+0000"),
        ("text,label\ra,b\rc,d", "lone carriage return"),
        (b"PK\x03\x04rest", "this is a zip file (an Excel workbook?), not text"),
        (b"\x89PNG\r\n\x1a\n", "this is a PNG image, not text"),
    ],
)
def test_files_that_cannot_be_used_as_a_whole(write, read_all, content, words):
    path = write("a.csv", content)
    with pytest.raises(DataError, match=r"a\.csv") as caught:
        read_all(read, path)
    assert words in str(caught.value)


def test_tsv_takes_quotes_as_they_are(write, read_all):
    path = write("a.tsv", 'label\ttext\nham\t"Gimme a few" was minutes ago\nspam\t"open\nham\tone\ttoo many\n')
    rows, problems = read_all(read_tsv, path)
    assert [row.values["text"] for row in rows] == ['"Gimme a few" was minutes ago', '"open']
    assert problems[0].origin.line == 4
    assert "separated by a tab" in problems[0].message


_cells = st.text(alphabet=st.sampled_from('ab ",;\n|é'), max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(_cells, _cells, _cells), min_size=1, max_size=6))
def test_what_the_csv_module_writes_is_read_back(write, read_all, rows):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    text = buffer.getvalue()
    found, problems = read_all(read, write("a.csv", text))
    assert problems == []
    assert [tuple(row.values.values()) for row in found] == rows
    assert all(row.origin.line is not None for row in found)
    starts, line = [], 2
    for row in rows:
        starts.append(line)
        line += sum(cell.count("\n") for cell in row) + 1
    assert [row.origin.line for row in found] == starts


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=60))
def test_any_bytes_end_in_rows_problems_or_a_data_error(write, read_all, junk):
    with contextlib.suppress(DataError):
        rows, _ = read_all(read, write("a.csv", b"text,label\nfine,x\n" + junk))
        assert rows[0].values == {"text": "fine", "label": "x"}
        assert all(list(row.values) == ["text", "label"] for row in rows)


# ---- without a header line -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_names_make_the_first_line_a_row(write, read_all, delimiter):
    path = write("a.csv", f'1.5{delimiter}"x{delimiter}y"\n2{delimiter}z\n')
    rows, problems = read_all(read, path, column_names=("size", "label"))
    assert problems == []
    assert [row.values for row in rows] == [{"size": "1.5", "label": f"x{delimiter}y"}, {"size": "2", "label": "z"}]
    assert [row.origin.line for row in rows] == [1, 2]


def test_the_delimiter_is_the_one_that_gives_as_many_cells_as_there_are_names(write, read_all):
    path = write("a.csv", "a, b, c and d\tham\nfine\tspam\n")
    rows, _ = read_all(read, path, column_names=("text", "label"))
    assert rows[0].values == {"text": "a, b, c and d", "label": "ham"}


def test_a_header_of_the_known_names_stays_a_header_in_any_order_and_with_some_left_out(write, read_all):
    names = ("size", "color", "label")
    rows, problems = read_all(read, write("a.csv", "color, size\nred,1\n"), column_names=names)
    assert problems == []
    assert [row.values for row in rows] == [{"color": "red", "size": "1"}]


def test_rows_that_do_not_fit_the_names_are_problems(write, read_all):
    rows, problems = read_all(read_tsv, write("a.tsv", "ham\thello\nalone\n"), column_names=("label", "text"))
    assert [row.values for row in rows] == [{"label": "ham", "text": "hello"}]
    assert str(problems[0]).endswith("a.tsv:2: 1 cells, and data.column_names names 2 columns, separated by a tab")


def test_a_file_of_blank_lines_has_no_rows_with_names_either(write, read_all):
    with pytest.raises(DataError, match="only blank lines"):
        read_all(read, write("a.csv", "\n\n"), column_names=("a",))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=["Cc", "Cs"]), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6))
def test_names_in_the_recipe_and_names_in_the_file_give_the_same_rows(write, read_all, cells):
    names = ("first column", "second column", "third column")
    body = io.StringIO()
    csv.writer(body, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(cells)
    with_header, _ = read_all(read, write("h.csv", ",".join(names) + "\n" + body.getvalue()))
    without, _ = read_all(read, write("n.csv", body.getvalue()), column_names=names)
    assert [row.values for row in without] == [row.values for row in with_header]
    assert [row.origin.line + 1 for row in without] == [row.origin.line for row in with_header]
