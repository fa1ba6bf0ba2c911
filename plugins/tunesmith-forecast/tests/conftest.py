# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""No settings of the person at the keyboard; and files of series."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Write = Callable[[str, Sequence[float]], Path]


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TUNESMITH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUNESMITH_CACHE", "off")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("a.series.csv", values)``: one series, a value a row."""

    def write(name: str, values: Sequence[float]) -> Path:
        path = tmp_path / name
        path.write_text("value\n" + "".join(f"{value!r}\n" for value in map(float, values)), encoding="utf-8")
        return path

    return write
