# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The way in: through the host, and from the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from tunesmith._plugins import get_host
from tunesmith.data.rows import ReadOptions
from tunesmith.errors import DataError
from tunesmith.registry import get_registry
from tunesmith_xlsx.cli import app


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    book = Workbook()
    sheet = book.active
    sheet.title = "März"
    sheet.append(["text", "label"])
    sheet.append(["hello", "greeting"])
    book.save(tmp_path / "a.xlsx")
    return tmp_path / "a.xlsx"


def test_the_host_loads_it() -> None:
    (record,) = [record for record in get_host().records if record.name == "xlsx"]
    assert (record.status, record.reason) == ("ok", "")
    assert dict(record.provides) == {"reader": ("xlsx",), "command": ("sheets",)}


def test_the_registry_gives_the_reader(workbook: Path) -> None:
    read = get_registry().load("reader", "xlsx")
    assert [dict(row.values) for row in read(workbook, ReadOptions())] == [{"text": "hello", "label": "greeting"}]  # type: ignore[operator]


def test_declaring_imports_nothing_heavy() -> None:
    code = (
        "import sys, tunesmith_xlsx.plugin; print(sorted({'openpyxl', 'typer', 'numpy', 'torch'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_sheets_for_people(workbook: Path) -> None:
    result = CliRunner().invoke(app, [str(workbook)])
    assert (result.exit_code, result.stdout) == (0, "März          1 row   text, label\n")


def test_sheets_for_programs(workbook: Path) -> None:
    result = CliRunner().invoke(app, [str(workbook), "--json"])
    assert json.loads(result.stdout) == [{"name": "März", "columns": ["text", "label"], "rows": 1}]


def test_sheets_of_something_else(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path / "none.xlsx")])
    assert isinstance(result.exception, DataError)
    assert "none.xlsx: cannot be read\n  given:    No such file or directory" in str(result.exception)
