# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A recipe to make runs with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith.recipe import Recipe, parse_recipe
from tunesmith.runs import Run


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(
        {
            "task": "text-classification",
            "model": "tunesmith/tiny",
            "data": {"train": "a.csv"},
            "evaluate": {"metric": "accuracy"},
            "output": "runs/a",
        }
    )


@pytest.fixture
def run(tmp_path: Path, recipe: Recipe) -> Run:
    return Run.create(tmp_path / "run", recipe)
