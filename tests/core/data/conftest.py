# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Fixtures of the data room: files written on the spot, a registry, a data section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.data.rows import Problem, ReadOptions, Row
from tunesmith.recipe.schema import DataSection
from tunesmith.registry import Registry, get_registry

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("a.csv", content)``: a file in the test's folder, from text or bytes."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def read_all() -> Callable[..., tuple[list[Row], list[Problem]]]:
    """``read_all(reader, path, **options)``: all rows and all problems of a file."""

    def read_all(reader: Any, path: Path, **options: Any) -> tuple[list[Row], list[Problem]]:
        items = list(reader(path, ReadOptions(**options)))
        return [item for item in items if isinstance(item, Row)], [item for item in items if isinstance(item, Problem)]

    return read_all


@pytest.fixture
def registry() -> Registry:
    return get_registry()


@pytest.fixture
def section() -> Callable[..., DataSection]:
    """``section(train="a.csv", …)``: a data section with defaults for the rest."""

    def section(**fields: Any) -> DataSection:
        return DataSection(**{"train": ["unused.csv"], **fields})

    return section
