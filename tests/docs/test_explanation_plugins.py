# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The comparison in docs/explanation/plugins.md: every row is held by tests, and these are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/plugins.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows(header):
    table = PAGE.split(f"\n{header}\n")[1].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


COMPARED = rows("| | Tunesmith | pytest | llm | datasette | conda | npe2 | inspect_ai |")
HELD = rows("| row | held by |")


@cache
def defined_in(file):
    body = ast.parse((ROOT / file).read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_row_says_something_of_everybody_and_is_held():
    assert [row[0] for row in COMPARED] == [row[0] for row in HELD]
    assert len(COMPARED) == 16
    assert all(len(row) == 8 and all(row) for row in COMPARED)


@pytest.mark.parametrize(("row", "cell"), HELD, ids=[row for row, _ in HELD])
def test_the_defined_in_a_row_are_there(row, cell):
    named = NAMED.findall(cell)

    assert named
    assert len(named) == cell.count("::")
    assert not [f"{file}::{test}" for file, test in named if test not in defined_in(file)]
