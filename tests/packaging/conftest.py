# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The built distributions: those that `scripts/test` made, or fresh ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def built_already() -> Path | None:
    """Where ``scripts/test`` put what it built (``TUNESMITH_DIST``)."""
    where = os.environ.get("TUNESMITH_DIST")
    return Path(where) if where else None


@pytest.fixture(scope="session")
def built(built_already: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """``built(folder, ending)``: the one file with that ending, built from that folder of the project."""
    made: dict[str, Path] = {}

    def find(folder: str, ending: str) -> Path:
        name = {".": "tunesmith", "enterprise": "tunesmith_enterprise", "enterprise/vendor": "tunesmith_vendor"}[folder]
        where = built_already or made.get(folder)
        if where is None:
            where = made[folder] = tmp_path_factory.mktemp("dist")
            command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(where), str(ROOT / folder)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        (file,) = where.glob(f"{name}-*{ending}")
        return file

    return find
