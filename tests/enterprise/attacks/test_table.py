# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The table of attacks in docs/explanation/licensing-security.md: every row is there, and every test that it names."""

import ast
import re
from functools import cache

import pytest

PAGE = "docs/explanation/licensing-security.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.fixture(scope="module")
def rows(root):
    """From the first cell of each row to its cells."""
    lines = (root / PAGE).read_text("utf-8").split("## The attacks")[1].split("## Fuzzing")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    return {row[0]: row for row in cells if row[0] not in ("row", "---") and not row[0].startswith("---")}


@cache
def names_in(file):
    """The tests of a file that pytest collects: functions of the module itself, not marked to be skipped."""
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if not any(mark.startswith("pytest.mark.skip(") or "xfail" in mark for mark in marks):
                found.add(node.name)
    return found


def test_every_row_of_the_list_is_there_in_its_order(rows):
    numbers = [int(re.match(r"\d+", row)[0]) for row in rows if row[0].isdigit()]
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(1, 38))
    assert [row for row in rows if not row[0].isdigit()] == ["G1", "G2", "G3", "G4", "G5"]


def test_every_row_says_what_is_tried_and_what_is_answered_and_names_tests(rows):
    for name, row in rows.items():
        assert len(row) == 4, name
        assert all(row), name
        assert NAMED.findall(row[3]), name
        assert NAMED.sub("", row[3]).replace(",", "").strip() == "", name


def test_every_test_that_is_named_is_there(rows, root):
    missing = [
        f"row {name}: {file}::{test}"
        for name, row in rows.items()
        for file, test in NAMED.findall(row[3])
        if not (root / file).is_file() or test not in names_in(root / file)
    ]
    assert missing == []


def test_tests_that_name_a_row_are_in_that_row(rows, root):
    """So that nobody renames a test and forgets the table; of a row with many tests some are enough."""
    for number in range(1, 38):
        files = [
            file
            for file in (root / "tests").rglob("test_*.py")
            if "licensing" in file.parts or "enterprise" in file.parts
        ]
        named = {test for file in files for test in names_in(file) if re.match(rf"test_row_{number}_", test)}
        told = {
            test
            for name, row in rows.items()
            for _, test in NAMED.findall(row[3])
            if re.match(rf"{number}[a-z]?$", name)
        }
        assert not named or told & named, f"row {number} has tests of its name and shows none of them: {sorted(named)}"


def test_the_page_says_what_no_gate_prevents(root):
    page = (root / PAGE).read_text("utf-8")
    section = page.split("## What no gate in Python prevents")[1].split("## The attacks")[0]
    for word in (
        "can edit it",
        "root can be replaced",
        "path of Python's imports",
        "trial",
        "copied",
        "cloned",
        "believed",
    ):
        assert word in section
    assert "unbreakable" not in page
    assert "tamper-proof" not in page
