# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""For the tests of all plugins in this repository: the warm process of the core's tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # last, so that its conftest.py hides no other
from forge import Forge, of_all_workers

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process that has made threads cannot be forked


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """``tunesmith`` in processes of their own that need not import anything: see ``Forge``."""
    yield from of_all_workers(tmp_path_factory.getbasetemp())
